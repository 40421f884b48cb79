"""Tasks that learners are measured on: a world, an expert's flights in it, features, and what a policy is worth there.

- `pendulum`: gymnasium's Pendulum-v1; the expert is `pendulum`'s, from a grid; judged by the mean return.
- `cartpole`: gymnasium's CartPole-v1; the expert is `cartpole`'s hard controller; judged by the mean return.
- `sim_so101`: put the cube on the disc, from joints and the cube's pose; the expert is the scripted pilot; judged by
  the share of successes from seeds that no learner saw.
- `sim_pusht`: push the T onto its target, from the agent and the T's keypoints; the expert is people, from a dataset;
  judged by the best coverage of each flight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from collector.errors import UsageError
from training.irl import balance, cartpole, pendulum, swing
from training.irl.flying import Rig
from training.irl.robot_worlds import RobotWorld
from training.irl.simulated import Demonstrations
from training.irl.successor import RlSettings
from training.irl.transitions import Transitions
from training.irl.views import named_view
from training.irl.worlds import PendulumWorld, Phi, Pilot, Start, World, fly

# Arms stay near where they are sent: little noise, and the same for a while, or it averages out.
ON_ROBOTS = RlSettings(noise=0.1, correlation=0.8)
JUDGED_FROM = 5000  # the first seed that `demodeck eval` flies from, too
DEMONSTRATED_FROM = 100_000


@dataclass(frozen=True)
class Arena:
    """A task with an expert.

    Attributes:
        make_world: Makes a world, with so many copies as it is given, or some.
        shown: The expert's flights.
        phi: Features of observations.
        names: Their names.
        judge: From a policy and a number of flights to what each is worth by `measure`, (n,).
        measure: What `judge` gives, in words.
        expert: What the expert is worth by that measure, where known.
        rl: What suits inner learners there.
        rig: For a policy that flies a robot.
        frames: Flown for features that are learnt.
    """

    make_world: Callable[..., World]
    shown: Demonstrations
    phi: Phi
    names: tuple[str, ...]
    judge: Callable[[Pilot, int], np.ndarray]
    measure: str
    expert: float
    rl: RlSettings = field(default_factory=RlSettings)
    rig: Rig | None = None
    frames: int = 0


def pendulum_arena(n: int, seed: int, features: str = "named", copies: int = 8) -> Arena:
    """Return Pendulum-v1 with `n` flights of its expert.

    Raises:
        UsageError: If there are no such features, or `n` is not positive.
    """
    if features not in pendulum.FEATURES:
        raise UsageError(f"--features={features}: pendulum has {', '.join(pendulum.FEATURES)}")
    phi = pendulum.FEATURES[features](seed)
    states, torques = pendulum.demonstrate(n, seed)
    seen = swing.observe(states).astype(np.float32)
    shown = Demonstrations(list(seen), list(torques[..., None]), list(seen[:, 0]))

    def judge(pilot: Pilot, episodes: int) -> np.ndarray:
        start = pendulum.first_states(episodes, pendulum.EVALUATION_SEED)
        return pendulum.fly_network(pilot(), start)

    start = pendulum.first_states(50, pendulum.EVALUATION_SEED)
    expert = float(pendulum.returns(*swing.fly(start, pendulum.expert_values())).mean())
    return Arena(
        lambda n_copies=copies: PendulumWorld(n_copies),
        shown,
        phi,
        phi.names,
        judge,
        "mean return",
        expert,
        frames=pendulum.frames_for(features),
    )


def cartpole_arena(n: int, seed: int, features: str = "named", copies: int = 8) -> Arena:
    """Return CartPole-v1 with `n` flights of a controller that never lets the pole fall.

    Raises:
        UsageError: If there are no such features, or `n` is not positive.
    """
    if features != "named":
        raise UsageError(f"--features={features}: cartpole has named")
    if n < 1:
        raise UsageError(f"--demonstrations={n}: at least 1 is needed")

    right = cartpole.demonstrator(np.inf, seed)

    def expert() -> Callable[[np.ndarray], np.ndarray]:
        return lambda seen: np.array([[2.0 * right(one) - 1] for one in seen])

    world = balance.CartPoleWorld(n)
    starts = list(world.reset([cartpole.DEMONSTRATION_SEED + 1000 * seed + i for i in range(n)]))
    seen, actions, ended = zip(*fly(world, expert, starts))
    shown = Demonstrations(seen, actions, starts, ended)

    def judge(pilot: Pilot, episodes: int) -> np.ndarray:
        judged = balance.CartPoleWorld(episodes)
        begin = cartpole.first_states(episodes, cartpole.EVALUATION_SEED)
        return np.array([len(path) - over for path, _, over in fly(judged, pilot, list(begin))], float)

    return Arena(
        lambda n_copies=copies: balance.CartPoleWorld(n_copies),
        shown,
        balance.phi,
        balance.FEATURES,
        judge,
        "mean return",
        float(balance.FRAMES),
        RlSettings(noise=0.5, discount=0.99),
    )


SO101_FPS, SO101_SECONDS = 10, 6.0


def so101_arena(n: int, seed: int, features: str = "sim_so101_grip", copies: int = 10) -> Arena:
    """Return sim_so101 with `n` flights of the scripted pilot, at 10 Hz, from seeds of their own for each `seed`.

    Raises:
        UsageError: If `n` is not positive or the features are wrong.
    """
    from collector.robots.sim_so101 import SimSO101, SimSO101Config
    from collector.robots.sim_so101.joints import ACTION_KEYS, CONTROL_RANGES
    from collector.robots.sim_so101.task import PickPlaceTask

    if n < 1:
        raise UsageError(f"--demonstrations={n}: at least 1 is needed")

    def make(n_copies: int = copies) -> RobotWorld:
        low, high = CONTROL_RANGES.T
        robot = SimSO101Config(realtime=False, cameras=[])
        return RobotWorld(lambda: SimSO101(robot), SO101_FPS, low, high, n_copies, SO101_SECONDS)

    shown = _scripted(make, [DEMONSTRATED_FROM + 1000 * seed + i for i in range(n)])
    names = PickPlaceTask.environment_state_names
    entries = {"observation.state": list(ACTION_KEYS), "observation.environment_state": names}
    view = named_view(features, shown.seen, entries, lambda: _shown_transitions(shown), seed)
    rig = Rig(ACTION_KEYS, names, ACTION_KEYS, SO101_FPS)
    judge = _judge(make, success=True)
    return Arena(make, shown, view, view.names, judge, "success rate", 1.0, ON_ROBOTS, rig)


def _shown_transitions(shown: Demonstrations) -> Transitions:
    """Return the demonstrations' own transitions, for features that are learnt from them."""
    assert shown.actions is not None
    return Transitions(
        np.concatenate([flight[:-1] for flight in shown.observations]),
        np.concatenate([flight[:-1] for flight in shown.actions]),
        np.concatenate([flight[1:] for flight in shown.observations]),
        np.zeros(sum(len(flight) - 1 for flight in shown.observations), bool),
    )


def _scripted(make: Callable[..., RobotWorld], seeds: list[int]) -> Demonstrations:
    """Fly the scripted pilot from some seeds."""
    from lerobot.teleoperators.utils import TeleopEvents

    from collector.teleoperators.scripted import Scripted, ScriptedConfig

    world = make()
    pilot = Scripted(ScriptedConfig(fps=SO101_FPS))
    pilot.connect()
    n = len(world.action_names)
    flights, done = [], []
    for seed in seeds:
        pilot.reset(seed)
        seen, path, asked = world.reset([seed]), [], []
        over = False
        while not over:
            joints = dict(zip(world.action_names, seen[0, :n].astype(float).tolist()))
            pilot.observe({**joints, "environment_state": seen[0, n:]})
            goals = pilot.get_action()
            action = np.array([[goals[name] for name in world.action_names]])
            path.append(seen[0])
            asked.append(action[0])
            over = pilot.get_teleop_events()[TeleopEvents.TERMINATE_EPISODE]
            seen, _ = world.step(action)
        flights.append(np.array(path))
        done.append(np.array(asked))
    pilot.disconnect()
    return Demonstrations(flights, done, seeds)


def _judge(make: Callable[..., RobotWorld], success: bool) -> Callable[[Pilot, int], np.ndarray]:
    """Return a judge by whether each flight is done at some time, as `demodeck eval` does, or by its best reward."""

    def judge(pilot: Pilot, episodes: int) -> np.ndarray:
        return _best(make(), pilot, [JUDGED_FROM + i for i in range(episodes)], success)

    return judge


def _best(world: RobotWorld, pilot: Pilot, starts: list[Start], success: bool) -> np.ndarray:
    """Return the best frame's success or reward of each flight, (n,); a flight ends where all are done."""
    best: list[float] = []
    for first in range(0, len(starts), world.n_copies):
        group = starts[first : first + world.n_copies]
        act, seen = pilot(), world.reset(group)
        top = np.zeros(len(group))
        for _ in range(world.frames):
            seen, _ = world.step(np.clip(act(seen), world.low, world.high))
            top = np.maximum(top, world.success() if success else world.reward())
            if (top >= 1).all():
                break
        best += top.tolist()
    return np.array(best)


def pusht_arena(
    n: int, seed: int, root: Path, features: str = "pusht", copies: int = 8, seconds: float = 30.0
) -> Arena:
    """Return PushT with `n` flights of people, drawn by the seed.

    Args:
        n: Flights.
        seed: Which.
        root: A LeRobot dataset of PushT with `observation.environment_state`.
        features: As `read_features` takes them.
        copies: Of the world.
        seconds: Length of a flight.

    Raises:
        UsageError: If the dataset has fewer flights.
        DataError: If it is no dataset of PushT.
    """
    from collector.dataset.reader import Dataset
    from collector.robots.sim_pusht import SimPushT, SimPushTConfig
    from collector.robots.sim_pusht.robot import ACTION_KEYS, STATE_KEYS, TARGET_LIMITS_PX
    from collector.robots.sim_pusht.task import PushTTask

    dataset = Dataset.open(root)
    if not 1 <= n <= dataset.num_episodes:
        raise UsageError(f"--demonstrations={n}: {root} has {dataset.num_episodes}")
    chosen = np.random.default_rng([seed, 0x9057]).choice(dataset.num_episodes, n, replace=False)
    columns = ("observation.state", "observation.environment_state", "action")
    flights, done = [], []
    for episode in chosen:
        found: dict[str, Any] = dataset.episode(int(episode), columns)
        flights.append(np.concatenate([found[c] for c in columns[:2]], axis=1).astype(np.float32))
        done.append(np.asarray(found["action"], float))
    low, high = np.repeat(TARGET_LIMITS_PX[0], 2), np.repeat(TARGET_LIMITS_PX[1], 2)

    def make(n_copies: int = copies) -> RobotWorld:
        robot = SimPushTConfig(realtime=False, cameras=[])
        return RobotWorld(lambda: SimPushT(robot), float(dataset.fps), low, high, n_copies, seconds)

    names = PushTTask.environment_state_names
    entries = {"observation.state": list(STATE_KEYS), "observation.environment_state": names}
    shown = Demonstrations(flights, done, [flight[0] for flight in flights])
    view = named_view(features, shown.seen, entries, lambda: _shown_transitions(shown), seed)

    judge = _judge(make, success=False)
    rig = Rig(STATE_KEYS, names, ACTION_KEYS, round(dataset.fps))
    return Arena(make, shown, view, view.names, judge, "best coverage", float("nan"), ON_ROBOTS, rig)
