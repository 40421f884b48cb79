"""A program flies, and a person takes over: the leader arm mirrors the robot until somebody takes it in hand."""

from __future__ import annotations

import time
from typing import Any

from collector.errors import DeviceError, MismatchError
from collector.robots.protocols import measured
from collector.session.bus import buses
from collector.session.safety import close_parts
from collector.teleoperators.software import SoftwarePilot

_MIRROR_SPEED = 60.0  # how fast the leader goes to where the robot is [units/s]: nobody shall be hit by it
_RETRIES = 5  # of a switch of the leader's torque
_LONGEST_PAUSE_S = 0.1  # a longer pause between two ticks does not make the leader leap


class Takeover:
    """Two teleoperators, of which one flies; `take_over` changes it.

    It offers what a session asks of a lerobot `Teleoperator`. While the pilot flies, a leader arm with motors is driven
    to where the robot is, at a bounded speed; when a person takes over it is let go, and stands where the robot does. A
    leader without motors is read only then.

    Args:
        pilot: A lerobot `Teleoperator` that is a program: a policy, a script, a recording.
        leader: A lerobot `Teleoperator` by which a person flies.

    Attributes:
        person_flies: Whether the leader is what flies.
    """

    name = "takeover"

    def __init__(self, pilot: Any, leader: Any) -> None:
        self._pilot, self._leader = pilot, leader
        self._robot: Any = None
        self._seed = 0
        self.person_flies = False
        self._mirrored: dict[str, float] | None = None  # where the leader was last sent, by action key
        self._mirrored_s = 0.0
        # What the leader offers beyond lerobot's interface is offered on.
        for name in ("session_events", "cue", "feed", "bus", "left_arm", "right_arm"):
            if hasattr(leader, name):
                setattr(self, name, getattr(leader, name))

    def __str__(self) -> str:
        return f"takeover of {self._pilot.name} by {self._leader}"

    def fit_to(self, robot: Any) -> None:
        """Take the robot that both are to fly.

        Raises:
            MismatchError: If one of them cannot.
        """
        self._robot = robot
        for part in (self._pilot, self._leader):
            if hasattr(part, "fit_to"):
                part.fit_to(robot)
            if not set(robot.action_features) <= set(part.action_features):
                raise MismatchError(
                    f"'{part}' gives {sorted(part.action_features)}, but robot '{robot.name}' takes "
                    f"{sorted(robot.action_features)}: choose one made for this robot"
                )

    @property
    def leader_can_be_left_alone(self) -> bool:
        """Whether what takes over needs no hand on it: a program, or a pad at rest. An arm let go falls."""
        return isinstance(self._leader, SoftwarePilot)

    @property
    def action_features(self) -> dict[str, type]:
        return self._leader.action_features

    @property
    def is_connected(self) -> bool:
        return self._pilot.is_connected and self._leader.is_connected

    @property
    def is_calibrated(self) -> bool:
        return self._pilot.is_calibrated and self._leader.is_calibrated

    def connect(self, calibrate: bool = True) -> None:
        """Connect both.

        Raises:
            DeviceAlreadyConnectedError: If they are connected.
        """
        self._pilot.connect()
        try:
            self._leader.connect(calibrate=calibrate)
        except BaseException:
            close_parts(self._leader, torque_off=False)
            self._pilot.disconnect()
            raise

    def disconnect(self) -> None:
        """Let the leader go, and disconnect both.

        Raises:
            DeviceNotConnectedError: If neither is connected.
        """
        try:
            if self._leader.is_connected:
                self._let_leader_go()
                self._leader.disconnect()
        finally:
            self._pilot.disconnect()

    def reset(self, seed: int) -> None:
        """Begin an episode, which the pilot flies."""
        self._seed, self.person_flies = seed, False
        if hasattr(self._pilot, "reset"):
            self._pilot.reset(seed)

    @property
    def flies_by_itself(self) -> bool:
        """Whether a program flies at present."""
        return not self.person_flies and getattr(self._pilot, "flies_by_itself", False)

    def set_control_period(self, dt_s: float) -> None:
        """Tell both how long a tick is [s]."""
        for part in (self._pilot, self._leader):
            if hasattr(part, "set_control_period"):
                part.set_control_period(dt_s)

    def observe(self, observation: dict[str, Any]) -> None:
        """Show the robot's observation to whoever flies, and to the pilot always, so that it can go on later."""
        if hasattr(self._pilot, "observe"):
            self._pilot.observe(observation)
        if self.person_flies and hasattr(self._leader, "observe"):
            self._leader.observe(observation)
        if not self.person_flies and self._robot is not None:
            self._mirror(measured(self._robot, observation))

    def get_action(self) -> dict[str, Any]:
        """Return the action of whoever flies, in the robot's units.

        Raises:
            ConnectionError: If the leader does not answer.
        """
        return self._leader.get_action() if self.person_flies else self._pilot.get_action()

    def get_teleop_events(self) -> dict[str, bool]:
        """Return whether a person flies, and what the pilot says of its episode while it flies."""
        said: dict[str, bool] = {}
        if not self.person_flies and hasattr(self._pilot, "get_teleop_events"):
            events = self._pilot.get_teleop_events()
            said = {getattr(event, "value", event): bool(on) for event, on in events.items()}
        return {**said, "is_intervention": self.person_flies}

    def take_over(self) -> bool:
        """Let the person fly from here on, or hand back to the pilot; return whether the person flies.

        Raises:
            ConnectionError: If the leader does not answer.
        """
        person = not self.person_flies
        if person:
            self._let_leader_go()
            if hasattr(self._leader, "reset"):
                self._leader.reset(self._seed)  # from where the robot is seen next
        elif hasattr(self._pilot, "reset"):
            self._pilot.reset(self._seed)  # what it had planned is of before
        self.person_flies = person
        return person

    def _mirror(self, where: dict[str, float]) -> None:
        """Drive a leader with motors towards the robot's joints, no faster than `_MIRROR_SPEED`."""
        arms = list(buses(self._leader))
        if not arms:
            return
        now_s = time.perf_counter()
        step = _MIRROR_SPEED * min(now_s - self._mirrored_s, _LONGEST_PAUSE_S)
        first = self._mirrored is None
        before: dict[str, float] = self._leader.get_action() if self._mirrored is None else self._mirrored
        goal = {key: at + min(max(where.get(key, at) - at, -step), step) for key, at in before.items()}
        try:
            for bus, prefix in arms:
                own = {motor: goal[f"{prefix}{motor}.pos"] for motor in bus.motors}
                bus.sync_write("Goal_Position", own)
                if first:  # only now that its goal is where it stands
                    bus.enable_torque(num_retry=_RETRIES)
        except KeyError as error:
            raise DeviceError(f"'{self._leader}' cannot mirror the robot: it has no {error}") from error
        self._mirrored, self._mirrored_s = goal, now_s

    def _let_leader_go(self) -> None:
        self._mirrored = None
        for bus, _ in buses(self._leader):
            bus.disable_torque(num_retry=_RETRIES)
