"""One flight: observe, ask the pilot, act, and hand the tick to the sink.

The same code flies a person, a script and a policy, records or only measures, on real robots in real time
and on simulated ones in real time or in lock-step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from collector.errors import DemodeckError, DeviceError
from collector.robots.protocols import Simulated, measured
from collector.robots.scene import restore
from collector.session.cameras import CameraFault, CameraWatch
from collector.session.guard import Guard
from collector.session.pacing import LockStepPacer, WallClockPacer
from collector.session.state import Event

# A bus or camera that does not answer is asked again for so long [s]; the arm's own servos hold it meanwhile.
_PATIENCE_S = 0.5
# No more of one try counts: what takes longer is the machine that stood still, and not the device.
_LONGEST_TRY_S = 0.1


class Sink(Protocol):
    """Where the ticks of a flight go."""

    def add(self, tick: Tick) -> None:
        """Take one tick; must never delay the next one."""
        ...


@dataclass
class Tick:
    """Everything known about one tick, in the robot's own keys.

    Attributes:
        observation: The robot's observation: joints and other scalars by name, cameras uint8,
            (height, width, channels).
        asked: The action that the pilot asked for, by name, in the robot's units.
        sent: The action that `send_action` says it sent, after clipping and safety.
        intervention: Whether a person overrode a policy.
        clock_s: Seconds since the flight's first tick, by column suffix (`tick`, `observation`, `action`, a
            camera's name).
        environment_state: Privileged scene state, float32, (n,), or None where no task knows it.
        reward: Reward after the action's effect, or None.
        success: Whether the task is done after the action's effect, or None.
        done: Whether this is the flight's last tick.
    """

    observation: dict[str, Any]
    asked: dict[str, Any]
    sent: dict[str, Any]
    intervention: bool
    clock_s: dict[str, float]
    environment_state: np.ndarray | None = None
    reward: float | None = None
    success: bool | None = None
    done: bool = False


@dataclass
class FlightResult:
    """How a flight went.

    Attributes:
        ticks: Number of ticks flown.
        success: Whether the task was done at the end, as the task or the pilot says; None where neither
            knows.
        reward: Sum of the rewards, or None where no task gives them.
        reason: Why it ended: `pilot`, `success`, `time`, or the name of a session event.
        discard: Whether it is to be thrown away.
        missed_ticks: Ticks that began more than half a period late.
        lateness_s: How late each tick began [s]; empty in lock-step.
        asked_again: How often a device answered only when it was asked again; however long that took, it counts once.
        camera_faults: What was wrong with the cameras; see `CameraFault`.
        clipped: Ticks by why the robot was sent something else than the pilot asked for; see `Guard`.
    """

    ticks: int = 0
    success: bool | None = None
    reward: float | None = None
    reason: str = ""
    discard: bool = False
    missed_ticks: int = 0
    lateness_s: list[float] = field(default_factory=list)
    asked_again: int = 0
    camera_faults: list[dict[str, Any]] = field(default_factory=list)
    clipped: dict[str, int] = field(default_factory=dict)


class DeviceGoneError(DeviceError):
    """A device does not answer any more in flight.

    Attributes:
        what: `robot` or `teleoperator`.
        flown: The flight so far.
    """

    def __init__(self, message: str, what: str) -> None:
        super().__init__(message)
        self.what = what
        self.flown = FlightResult()


def is_lock_step(robot: Any) -> bool:
    """Return whether the robot is a simulation whose time only `send_action` advances."""
    return isinstance(robot, Simulated) and not robot.realtime


def fly(
    robot: Any,
    pilot: Any,
    *,
    fps: float,
    seed: int | None = None,
    sink: Sink | None = None,
    time_limit_s: float | None = None,
    stop_on_success: bool = False,
    poll: Callable[[], Event | None] = lambda: None,
    on_camera_fault: Callable[[CameraFault], None] | None = None,
    guard: Guard | None = None,
    spare: Callable[[Tick], None] = lambda tick: None,
) -> FlightResult:
    """Fly one episode.

    Args:
        robot: A connected lerobot `Robot`; a `Simulated` one is reset with `seed` first.
        pilot: A connected lerobot `Teleoperator`; a `Pilot` is reset with `seed` and shown each observation.
        fps: Control rate [Hz].
        seed: The episode's seed; None leaves a simulated scene as it is.
        sink: Takes each tick; None flies without recording.
        time_limit_s: The flight ends after this time; None means no limit but the pilot's and the task's own.
        stop_on_success: End as soon as the task is done.
        poll: Returns an event of the session (END, DISCARD, STOP, LOST, ...) that ends the flight, or None.
        on_camera_fault: Called with a camera's fault as soon as it is seen; None does not look for any.
        guard: Stands between pilot and robot; None sends what the pilot asks for.
        spare: Called in every tick when the robot has its action, with what is known by then, for what need not be
            in time.

    Returns:
        How it went.

    Raises:
        DeviceGoneError: If robot or pilot do not answer any more; ticks handed over before are safe.
        Exception: Whatever the sink raises.
    """
    task = robot.task if isinstance(robot, Simulated) else None
    lock_step = is_lock_step(robot)
    for device in (robot, pilot):
        if hasattr(device, "set_control_period"):
            device.set_control_period(1.0 / fps)
    observes = hasattr(pilot, "observe")
    if seed is not None:
        if task is not None:
            robot.reset(seed)
        if observes:
            pilot.reset(seed)
        if task is not None and hasattr(pilot, "scene"):
            restore(robot, pilot.scene())  # a pilot that repeats a recorded flight knows where it began
    if time_limit_s is None and task is not None:
        time_limit_s = task.time_limit_s
    max_ticks = None if time_limit_s is None else max(1, round(time_limit_s * fps))

    pacer = LockStepPacer(robot) if lock_step else WallClockPacer(fps)
    # A simulation's cameras take their pictures when asked, and its scene may truly stand still.
    watch = CameraWatch(robot, fps, None if task is not None else on_camera_fault)
    result = FlightResult()
    pacer.start()
    try:
        while not result.reason:
            tick_s = pacer.now_s()
            watch.before_observation()
            observation = ask(robot, robot.get_observation, result)
            observed_s = pacer.now_s()
            clock_s = {"tick": tick_s, "observation": observed_s}
            clock_s |= watch.captured_s(observation, observed_s, pacer.of_perf_counter)
            environment_state = None if task is None else task.environment_state()
            if observes:
                extra = {} if environment_state is None else {"environment_state": environment_state}
                ask(pilot, partial(pilot.observe, {**observation, **extra}), result)
            asked = ask(pilot, pilot.get_action, result)
            clock_s["action"] = pacer.now_s()
            if guard is not None:
                command = guard.command(
                    asked, measured(robot, observation), getattr(pilot, "input_age_s", 0.0)
                )
            else:
                command = asked
            sent = ask(robot, partial(robot.send_action, command), result)
            said = _teleop_events(pilot)
            result.ticks += 1
            overridden = said.get("is_intervention", False)
            tick = Tick(observation, asked, sent, overridden, clock_s, environment_state)
            spare(tick)

            # The reward belongs to the action's effect, so it is read when the action has had its period.
            pacer.wait_for(result.ticks)
            if task is not None:
                tick.reward, tick.success = task.reward(), task.success()
                result.reward = (result.reward or 0.0) + tick.reward
                result.success = tick.success
            _decide_end(result, said, stop_on_success, max_ticks, poll())
            tick.done = bool(result.reason)
            if sink is not None:
                sink.add(tick)
    except DeviceGoneError as gone:
        gone.flown = _ended(result, pacer, watch, guard)
        gone.flown.reason = f"{gone.what} gone"
        raise
    return _ended(result, pacer, watch, guard)


def _ended(
    result: FlightResult, pacer: LockStepPacer | WallClockPacer, watch: CameraWatch, guard: Guard | None
) -> FlightResult:
    result.missed_ticks, result.lateness_s = pacer.missed, pacer.lateness_s
    result.camera_faults = watch.end(pacer.now_s())
    result.clipped = {} if guard is None else dict(guard.changed)
    return result


def ask(device: Any, call: Callable[[], Any], result: FlightResult) -> Any:
    """Return what a device answers. One packet lost on a bus must not cost a flight: it is asked again for a while.

    Raises:
        DeviceGoneError: Naming the device and what it raised last, at once where it is no matter of a lost answer.
    """
    tried_s, began_s = 0.0, time.perf_counter()
    failed = False
    while True:
        try:
            answer = call()
            result.asked_again += failed
            return answer
        except DemodeckError:
            raise
        except Exception as error:
            # lerobot's errors for a device that was never connected, or is gone, are no lost packets.
            gone = type(error).__name__ in ("DeviceNotConnectedError", "DeviceAlreadyConnectedError")
            now_s = time.perf_counter()
            tried_s, began_s = tried_s + min(now_s - began_s, _LONGEST_TRY_S), now_s
            failed = True
            # The Feetech library trips over half a reply with an IndexError.
            lost = isinstance(error, (ConnectionError, TimeoutError, IndexError)) and not gone
            if not lost or tried_s >= _PATIENCE_S:
                kind = "robot" if hasattr(device, "send_action") else "teleoperator"
                reason = " ".join(str(error).split()) or type(error).__name__
                raise DeviceGoneError(
                    f"{kind} '{device}' failed in flight: {reason}: check its cables, power and cameras, then run "
                    "'demodeck doctor'",
                    kind,
                ) from error
            time.sleep(0.002)


def _teleop_events(pilot: Any) -> dict[str, bool]:
    """Return lerobot's teleoperation events of this tick by name; empty where the pilot has none."""
    if not hasattr(pilot, "get_teleop_events"):
        return {}
    return {getattr(event, "value", event): bool(on) for event, on in pilot.get_teleop_events().items()}


def _decide_end(
    result: FlightResult,
    said: dict[str, bool],
    stop_on_success: bool,
    max_ticks: int | None,
    event: Event | None,
) -> None:
    """Write into `result` why the flight ends at this tick, if it does, and what the pilot says of it."""
    if said.get("rerecord_episode"):
        result.reason, result.discard = "pilot", True
    elif said.get("terminate_episode") or said.get("success") or said.get("failure"):
        result.reason = "pilot"
        if result.success is None and (said.get("success") or said.get("failure")):
            result.success = bool(said.get("success"))
    elif event is not None:
        result.reason, result.discard = event.value, event is Event.DISCARD
        if event in (Event.SUCCEED, Event.MISS):
            result.success = event is Event.SUCCEED  # the person has seen it
    elif stop_on_success and result.success:
        result.reason = "success"
    elif max_ticks is not None and result.ticks >= max_ticks:
        result.reason = "time"
