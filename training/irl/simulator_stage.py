"""From the flags `--irl.*` and a dataset's flights to a learner that flies the dataset's robot in simulation."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from collector.errors import MismatchError, UsageError
from training.irl.apprenticeship import REASONS, Outcome, Settings, learn
from training.irl.arenas import ON_ROBOTS, Arena
from training.irl.flying import Rig, save_policy
from training.irl.iterates import RECORD, Iterate, IterateFolder
from training.irl.matching import concluded
from training.irl.robot_worlds import RobotWorld
from training.irl.simulated import Demonstrations, Schedule, shortfall
from training.irl.task import Learnt, Task
from training.irl.trial import POOR, loop_settings, make_learner
from training.irl.views import View
from training.irl.worlds import Start

if TYPE_CHECKING:
    from training.irl.learners.simulator import SimulatorConfig

STATE, ENVIRONMENT = "observation.state", "observation.environment_state"
_MARGIN = 0.25  # of the actions' box to either side, in shares of the expert's range: a learner may do what it did not


def learn_in_simulator(
    config: SimulatorConfig, task: Task, kind: str, update: str = "matching", inner: str = "successor"
) -> Learnt:
    """Learn a reward and a policy.

    Args:
        config: The flags.
        task: The flights.
        kind: As `make_learner`.
        update: As `apprenticeship.Settings`.
        inner: As `make_learner`.

    Raises:
        UsageError: If the robot is no simulation or the features see what it does not show.
        DataError: If the learner diverges.
    """
    import torch

    torch.set_num_threads(1)  # for such networks more are slower
    arena = _arena(config, task)
    rl = replace(
        ON_ROBOTS,
        discount=task.discount,
        updates=config.updates,
        learning_rate=config.learning_rate,
        imitation=config.imitation if config.clone else 0.0,
    )
    expert = arena.shown.expectations(arena.phi, task.discount)
    schedule = Schedule(config.frames, config.warmup, config.clone)
    learner = make_learner(kind, inner, arena, expert, schedule, rl, task.seed)
    settings = loop_settings(kind, Settings(update, config.iterations, config.epsilon, task.seed), expert)
    so_far: list[Iterate] = []

    def say(iterate: Iterate) -> None:
        so_far.append(iterate)
        task.report(_told(so_far, expert.norm, config, learner.frames))
        short, by = shortfall(so_far)
        if kind == "apprenticeship" and short > POOR * expert.norm:
            task.report(
                f"warning: under its own reward policy {iterate.number} is worth {short / expert.norm:.2f} of "
                f"||mu_E|| less than policy {by}: the learner in the simulator has not learnt enough; raise "
                "--irl.frames, or lower --irl.learning_rate"
            )

    learner.watch(task.report, task.stopped)
    folder = IterateFolder(task.folder, task.resume and (task.folder / RECORD).exists())
    try:
        outcome = learn(learner, expert, settings, folder, say, task.stopped)
    except KeyboardInterrupt:
        if not task.stopped():
            raise
        return Learnt(np.zeros(len(task.features.names)), interrupted=True)
    if outcome.reason == "stopped" or len(outcome.iterates) < 2:
        return Learnt(np.zeros(len(task.features.names)), interrupted=True)
    rewarded = min(outcome.iterates[1:], key=lambda iterate: iterate.distance)
    iterations = len(outcome.iterates) - 1
    if kind == "sfm":
        outcome = concluded(learner, outcome, expert)
    best, rig = outcome.iterates[outcome.best], arena.rig
    assert rig is not None
    return Learnt(
        weights=rewarded.weights,
        figures={"iterations": iterations}
        | _figures(outcome, expert.norm, learner.frames, update, inner)
        | (
            {"reward": "the way from its policy's features to the expert's, not the discriminator"}
            if kind == "gail"
            else {}
        ),
        write_policy=lambda place: save_policy(best.policy, rig, place),
    )


def _told(so_far: Sequence[Iterate], norm: float, config: SimulatorConfig, frames: int) -> str:
    iterate = so_far[-1]
    margin = f"margin {iterate.margin / norm:.4f}" if iterate.number else "the policy that it begins with"
    worth = (
        f", its return {iterate.weights @ iterate.mean * (1 - config.discount):.4f}" if iterate.number else ""
    )
    return (
        f"iteration {iterate.number}/{config.iterations}: {margin}, distance {iterate.distance / norm:.4f}{worth}, "
        f"{frames:,} frames flown"
    )


def _figures(outcome: Outcome, norm: float, frames: int, update: str, inner: str) -> dict[str, Any]:
    return {
        "update": update,
        "inner": inner,
        "ended": REASONS[outcome.reason],
        "margin": outcome.margin / norm,
        "best_policy": outcome.best,
        "best_distance": outcome.iterates[outcome.best].distance / norm,
        "mixture_distance": outcome.mixture_distance / norm,
        "mixture": {str(i): round(float(s), 4) for i, s in enumerate(outcome.mixture) if s > 1e-4},
        "frames_flown": frames,
    }


def _arena(config: SimulatorConfig, task: Task) -> Arena:
    """Return the dataset's robot with the expert's flights."""
    dataset = task.flights.dataset
    if unseen := [name for name in task.features.columns if name not in task.inputs]:
        raise UsageError(
            f"--irl.features weighs '{unseen[0]}', which a learner in a simulator does not see: it sees "
            f"{', '.join(task.inputs)}; leave it out of the features"
        )
    if not set(task.inputs) <= {STATE, ENVIRONMENT} or STATE not in task.inputs:
        raise UsageError(
            f"--irl.inputs={list(task.inputs)}: in a simulator a learner sees {STATE} and {ENVIRONMENT}"
        )
    kind = config.robot or dataset.info.get("robot_type")
    experts = [place for place, is_expert in enumerate(task.flights.is_expert) if is_expert]
    ends = np.cumsum(task.flights.lengths)[:-1]
    seen = np.split(task.flights.table(task.inputs).astype(np.float32), ends)
    acted = dataset.columns(["action"], task.flights.episodes)["action"]
    actions = np.split(np.asarray(acted, float).reshape(len(acted), -1), ends)
    low, high = (
        np.min([actions[i].min(0) for i in experts], 0),
        np.max([actions[i].max(0) for i in experts], 0),
    )
    room = _MARGIN * np.maximum(high - low, 1e-3)

    def make(n_copies: int = config.copies) -> RobotWorld:
        return RobotWorld(
            lambda: _robot(kind), dataset.fps, low - room, high + room, n_copies, config.flight_s
        )

    world = make(1)
    widths = {name: task.features.widths.get(name) or _width(dataset, name) for name in task.inputs}
    if world.observation_dim != sum(widths.values()):
        raise MismatchError(
            f"{world.name} shows {world.observation_dim} numbers, the dataset {sum(widths.values())} in "
            f"{', '.join(task.inputs)}: say by --irl.robot which robot flew it"
        )
    starts = _starts(task, [task.flights.episodes[i] for i in experts], [seen[i] for i in experts], world)
    shown = Demonstrations([seen[i] for i in experts], [actions[i] for i in experts], starts)
    view = View(task.features, widths)
    environment = world.environment_names if ENVIRONMENT in task.inputs else []
    rig = Rig(world.state_names, environment, world.action_names, round(dataset.fps))
    return Arena(
        make, shown, view, view.names, lambda pilot, n: np.full(n, np.nan), "", float("nan"), rig=rig
    )


def _robot(kind: str | None) -> Any:
    """Make a robot of ours by its name."""
    from lerobot.robots.config import RobotConfig

    from collector.session.devices import make_robot

    for ours in ("sim_pusht", "sim_so101"):
        importlib.import_module(f"collector.robots.{ours}")  # it registers itself
    known = RobotConfig.get_known_choices()
    if kind not in known:
        raise UsageError(
            f"--irl.robot={kind}: to learn in a simulator give one, such as sim_so101 or sim_pusht"
        )
    try:
        config = known[kind](realtime=False, cameras=[])
    except TypeError:
        raise UsageError(
            f"'{kind}', which flew the dataset, is no simulation: say by --irl.robot which simulated robot is like it, "
            "or take a learner that needs none (--irl.type=apprenticeship)"
        ) from None
    return make_robot(config)


def _starts(
    task: Task, episodes: Sequence[int], seen: Sequence[np.ndarray], world: RobotWorld
) -> list[Start]:
    """Return where the expert began: the scene where the robot can be placed, else the recorded seed."""
    if world.can_place:
        return [flight[0] for flight in seen]
    table = task.flights.dataset.episodes
    seeds = [table["seed"][e].as_py() for e in episodes] if "seed" in table.column_names else [None]
    if None in seeds:
        task.report(
            f"the dataset does not say from which seeds {world.name} began: policies are measured from others"
        )
        drawn = np.random.default_rng(task.seed).integers(2**31, size=max(10, len(episodes)))
        return [int(seed) for seed in drawn[: len(episodes)]]
    return [int(seed) for seed in seeds if seed is not None]


def _width(dataset: Any, column: str) -> int:
    return int(np.prod(dataset.features[column]["shape"]))
