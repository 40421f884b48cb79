"""Fly a flight in lock-step and record its columns; or fly recorded actions again, changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from collector.robots.sim_so101.config import SimSO101Config
from collector.robots.sim_so101.joints import ACTION_KEYS, to_radians, to_units
from collector.robots.sim_so101.reach import Reach
from collector.robots.sim_so101.robot import SimSO101
from collector.teleoperators.pick_place import Flight
from curation_bench.pilots import KINDS, PEOPLE, PICK, PUSH, Pushing, style_of

FPS = 30
LONGEST_S = 20.0
TICK_DEG = 360 / 4096
"""A servo's encoder step; lerobot's leader and follower report multiples of it."""


@dataclass
class Flown:
    """One flight: state and action in lerobot's units, float64, (n_frames, 6), and what is known of it.

    `scene` is the task's `environment_state` at each frame, float32, (n_frames, 5).
    """

    seed: int
    task: str
    style: str
    state: np.ndarray
    action: np.ndarray
    success: bool = True
    fault: str = ""
    level: int = 0
    span: tuple[int, int] | None = None
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    scene: np.ndarray | None = None


class Sky:
    """The robot and the kinematics, loaded once."""

    def __init__(self, cameras: tuple[str, ...] = (), width: int = 64, height: int = 64) -> None:
        config = SimSO101Config(realtime=False, cameras=list(cameras), width=width, height=height)
        self.robot = SimSO101(config)
        self.robot.connect()
        self.robot.set_control_period(1 / FPS)
        self.reach = Reach()
        self.cameras = cameras

    def begin(self, seed: int) -> None:
        self.robot.reset(seed)

    def observe(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        seen = self.robot.get_observation()
        return np.array([seen[key] for key in ACTION_KEYS]), {c: seen[c] for c in self.cameras}

    def scene(self) -> np.ndarray:
        return np.asarray(self.robot.task.environment_state(), np.float32)

    def act(self, action: np.ndarray) -> None:
        self.robot.send_action(dict(zip(ACTION_KEYS, action.tolist())))


def measured(state: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return joint positions as the servos report them: in encoder steps, now and then one off."""
    ticks = np.round(state / TICK_DEG) + rng.choice([-1, 0, 0, 0, 0, 0, 1], size=state.shape)
    return ticks * TICK_DEG


def hand(rng: np.random.Generator, n: int, sigma_deg: float) -> np.ndarray:
    """Return a hand's quick wandering: noise, low-passed twice at about 3 Hz, (n, 6) [degrees]."""
    noise = rng.normal(size=(n + 60, 6))
    for _ in range(2):
        for t in range(1, len(noise)):
            noise[t] = 0.55 * noise[t - 1] + 0.45 * noise[t]
    noise = noise[60:] / noise.std()
    noise[:, 5] *= 0.5
    return sigma_deg * noise


def undisturbed(sky: Sky, t: int) -> None:
    """Change nothing before tick `t`."""


def fly(
    sky: Sky,
    seed: int,
    task: str,
    unusual: str | None = None,
    disturb: Callable[[Sky, int], None] = undisturbed,
) -> Flown:
    """Fly one clean flight: the person and the style follow from the seed.

    `disturb` is called before each frame is seen.
    """
    rng = np.random.default_rng([seed, 0xF1])
    person = PEOPLE[int(rng.integers(len(PEOPLE)))]
    style = style_of(person, seed, unusual)
    sky.begin(seed)
    disturb(sky, 0)
    state, pictures = sky.observe()
    scene = np.asarray(sky.robot.task.environment_state(), float)
    kind = Pushing if task == PUSH else KINDS.get(unusual or "", Flight)
    flight = kind(style, sky.reach, to_radians(state), scene)
    wander = hand(rng, round(LONGEST_S * FPS), person.hand_deg)
    pauses = [0.35 * flight.expected_s, 0.7 * flight.expected_s] if unusual == "planned_pause" else []
    pause_s = rng.uniform(0.7, 1.3)
    flight_s, held_s, states, actions, shown = 0.0, 0.0, [], [], {c: [] for c in sky.cameras}
    scenes: list[np.ndarray] = []
    goal = state
    for t in range(len(wander)):
        scene = np.asarray(sky.robot.task.environment_state(), float)
        pausing = bool(pauses) and flight_s >= pauses[0] and held_s < pause_s
        if pausing:
            held_s += 1 / FPS
        else:
            if pauses and held_s >= pause_s:
                pauses, held_s = pauses[1:], 0.0
            flight_s += 1 / FPS
            goal = to_units(flight.goal(flight_s, to_radians(state), scene))
        # A paused hand is not still: it breathes and wanders more.
        sway = 0.5 * np.sin(2 * np.pi * 0.4 * t / FPS + np.arange(6)) * (held_s > 0) if unusual else 0.0
        asked = np.round((goal + wander[t] * min(1.0, t / 10) + sway) / TICK_DEG) * TICK_DEG
        states.append(state)
        actions.append(asked)
        scenes.append(sky.scene())
        for camera, picture in pictures.items():
            shown[camera].append(picture)
        sky.act(asked)
        disturb(sky, t + 1)
        state, pictures = sky.observe()
        if flight_s >= flight.end_s + person.linger_s:
            break
    success = bool(sky.robot.task.success()) if task == PICK else True
    name = unusual or f"person {PEOPLE.index(person)}"
    return Flown(
        seed,
        task,
        name,
        measured(np.array(states), rng),
        np.array(actions),
        success,
        pictures={c: np.array(p) for c, p in shown.items()},
        scene=np.array(scenes),
    )


def fly_again(
    sky: Sky,
    flown: Flown,
    actions: np.ndarray,
    disturb: Callable[[Sky, int], None] = undisturbed,
    sent: np.ndarray | None = None,
) -> Flown:
    """Fly given actions from the flight's scene.

    Args:
        sky: Robot.
        flown: The flight whose scene it is.
        actions: Actions that are recorded, (n_frames, 6).
        disturb: Called before each tick; may push the arm or change its servos.
        sent: What the servos get, where that is something else than what is recorded.
    """
    sky.begin(flown.seed)
    states, scenes = [], []
    for t, asked in enumerate(actions if sent is None else sent):
        states.append(sky.observe()[0])
        scenes.append(sky.scene())
        disturb(sky, t)
        sky.act(asked)
    rng = np.random.default_rng([flown.seed, 0xF2])
    success = bool(sky.robot.task.success()) if flown.task == PICK else True
    state = measured(np.array(states), rng)
    return Flown(flown.seed, flown.task, flown.style, state, actions.copy(), success, scene=np.array(scenes))
