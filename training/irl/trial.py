"""One learner on one arena: what it learns, what that is worth, and what it cost.

    python -m training.irl.trial --arena=pendulum --learner=sfm --demonstrations=5 --seed=0 [--json]

Learners: `sfm` (successor feature matching), `apprenticeship` (Abbeel & Ng's loop) with `--inner=successor`, `sac` or
`search`, `gail`, and `bc` (behaviour cloning of single steps, the yardstick; it alone must see actions).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from collector.errors import UsageError
from training.interrupt import StopRequest
from training.irl.apprenticeship import Settings, learn
from training.irl.arenas import Arena, cartpole_arena, pendulum_arena, pusht_arena, so101_arena
from training.irl.command import Progress, ending, folder_of, make_parser, run, settings_of
from training.irl.expectations import Expectations
from training.irl.iterates import Iterate, IterateFolder
from training.irl.matching import SETTLED, MatchingLearner, SuccessorLearner, concluded, near
from training.irl.search import SearchLearner, SearchSettings
from training.irl.simulated import Schedule, Setup, shortfall
from training.irl.successor import RlSettings

LEARNERS = ("sfm", "apprenticeship", "gail", "bc")
INNER = ("successor", "search", "sac")
ARENAS = ("pendulum", "cartpole", "sim_so101", "sim_pusht")
POOR = 0.1  # of ||mu_E||: an inner learner that misses more is warned of


def make_learner(
    kind: str,
    inner: str,
    arena: Arena,
    expert: Expectations,
    schedule: Schedule,
    rl: RlSettings,
    seed: int,
    search: SearchSettings | None = None,
) -> Any:
    """Return what learns on an arena.

    Args:
        kind: One of `LEARNERS`, but `bc`.
        inner: One of `INNER`, of apprenticeship.
        arena: Where.
        expert: mu_E.
        schedule: How much the inner learner flies.
        rl: How it learns.
        seed: Of everything.
        search: How `search` searches; None for its defaults.

    Raises:
        UsageError: If there is no such learner, or it needs a package that is not installed.
    """
    shown = arena.shown if schedule.clone else arena.shown.without_actions()
    given = Setup(arena.make_world, arena.phi, arena.names, shown, schedule, rl, seed)
    single = replace(given, make_world=lambda: arena.make_world(1))
    if kind == "sfm":
        return MatchingLearner(expert, given)
    if kind == "gail":
        from training.irl.gail import GailLearner

        return GailLearner(single)
    if kind != "apprenticeship":
        raise UsageError(f"--learner={kind}: it must be one of {', '.join(LEARNERS)}")
    if inner == "successor":
        return SuccessorLearner(given)
    if inner == "sac":
        from training.irl.sac import SacLearner

        return SacLearner(single)
    if inner == "search":
        settings = replace(search or SearchSettings(), discount=rl.discount)
        return SearchLearner(arena.make_world(), arena.phi, arena.names, shown, settings, seed)
    raise UsageError(f"--inner={inner}: it must be one of {', '.join(INNER)}")


def loop_settings(kind: str, settings: Settings, expert: Expectations) -> Settings:
    """Return the loop's settings with the end that suits a kind of learner, and what is known of mu_E."""
    if kind == "sfm":
        return replace(settings, patience=SETTLED, near=near(expert))
    return replace(settings, patience=settings.iterations + 1)


def trial(
    arena: Arena,
    kind: str,
    inner: str,
    schedule: Schedule,
    rl: RlSettings,
    settings: Settings,
    episodes: int,
    folder: IterateFolder | None = None,
    report: Callable[[Iterate], None] = lambda iterate: None,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
    all_judged: bool = False,
    search: SearchSettings | None = None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Learn, and judge what was learnt.

    Args:
        arena: Where.
        kind: One of `LEARNERS`.
        inner: One of `INNER`.
        schedule: How much is flown for each reward.
        rl: How the inner learner learns.
        settings: Of the loop.
        episodes: Flights that policies are judged by.
        folder: Where iterates are kept.
        report: Told of each iterate.
        stopped: Whether to stop.
        say: Told how each policy gets on.
        all_judged: Judge every policy on the way, for a curve.
        search: As `make_learner`.

    Returns:
        Figures: `best` (what the policy nearest to the expert is worth), `flights` (the same flight by flight),
        `mixture` (drawn anew each flight), `expert`, `distance` of the best (of ||mu_E||), `margin`, `iterations`,
        `reason`, `frames` (flown to learn and to measure), `shortfall` (see `simulated.shortfall`, of ||mu_E||, the
        greatest), `seconds` and `cpu_seconds`, where all are judged `curve`, for each policy its frames flown till
        then, its distance and what it is worth; and the best policy.
    """
    began, spent = time.monotonic(), time.process_time()
    expert = arena.shown.expectations(arena.phi, rl.discount)
    if kind == "bc":
        learner: Any = SearchLearner(
            arena.make_world(),
            arena.phi,
            arena.names,
            arena.shown,
            replace(search or SearchSettings(), discount=rl.discount),
            settings.seed,
        )
        policy = learner.first(settings.seed)
        cost = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - spent}
        worth = arena.judge(learner.actor.of(policy).pilot, episodes)
        apart = float(np.linalg.norm(learner.expectations(policy, settings.seed).mean - expert.mean))
        known = {"expert": arena.expert, "distance": apart / expert.norm, "frames": 0}
        return {"best": float(worth.mean()), "flights": worth.tolist(), **known, **cost}, policy
    learner = make_learner(kind, inner, arena, expert, schedule, rl, settings.seed, search)
    learner.watch(say, stopped)
    missed, flown = [0.0], []
    so_far: list[Iterate] = []

    def hear(iterate: Iterate) -> None:
        so_far.append(iterate)
        flown.append(learner.frames)
        missed.append(shortfall(so_far)[0] / expert.norm)
        report(iterate)

    outcome = learn(learner, expert, settings, folder, hear, stopped)
    iterations = len(outcome.iterates) - 1
    if kind == "sfm" and outcome.reason != "stopped":
        outcome = concluded(learner, outcome, expert)
    cost = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - spent}
    best = outcome.iterates[outcome.best]
    used = np.flatnonzero(outcome.mixture > 1e-6)

    def worth_of(number: int) -> np.ndarray:
        return arena.judge(learner.actor.of(outcome.iterates[number].policy).pilot, episodes)

    worths = {int(i): worth_of(int(i)) for i in {*used.tolist(), outcome.best}}
    figures = {
        "best": float(worths[outcome.best].mean()),
        "flights": worths[outcome.best].tolist(),
        "mixture": float(sum(outcome.mixture[i] * worths[int(i)].mean() for i in used)),
        "expert": arena.expert,
        "distance": best.distance / expert.norm,
        "margin": outcome.margin / expert.norm,
        "iterations": iterations,
        "reason": outcome.reason,
        "frames": arena.frames + learner.frames,
        "shortfall": max(missed),
        "weights": dict(zip(arena.names, map(float, best.weights))),
        **cost,
    }
    if all_judged:
        figures["curve"] = [
            [frames, iterate.distance / expert.norm, float(worth_of(iterate.number).mean())]
            for frames, iterate in zip(flown, outcome.iterates)
        ]
    return figures, best.policy


def _warn(iterates: list[Iterate], norm: float) -> str:
    """Return a warning about the last iterate, or ""."""
    short, by = shortfall(iterates)
    if short <= POOR * norm:
        return ""
    return (
        f"warning: under its own reward policy {iterates[-1].number} is worth {short / norm:.2f} of ||mu_E|| less than "
        f"policy {by}: the inner learner has not learnt enough; raise --frames, or lower --learning_rate"
    )


_MAKE: dict[str, Callable[..., Arena]] = {
    "pendulum": lambda flags: pendulum_arena(flags.demonstrations, flags.seed, flags.features or "named"),
    "cartpole": lambda flags: cartpole_arena(flags.demonstrations, flags.seed, flags.features or "named"),
    "sim_so101": lambda flags: so101_arena(
        flags.demonstrations, flags.seed, flags.features or "sim_so101_grip"
    ),
    "sim_pusht": lambda flags: pusht_arena(
        flags.demonstrations, flags.seed, _root(flags), flags.features or "pusht"
    ),
}


def _root(flags: Any) -> Path:
    if flags.root is None:
        raise UsageError("--arena=sim_pusht learns from people: give --root, a dataset of PushT")
    return flags.root


def _work(args: list[str], stop: StopRequest) -> dict[str, Any]:
    parser = make_parser("trial", "A learner in a simulator: what it learns, and what that costs.")
    rl, schedule, search = RlSettings(), Schedule(), SearchSettings()
    parser.add_argument("--arena", choices=ARENAS, default="pendulum", help="default pendulum")
    parser.add_argument("--learner", choices=LEARNERS, default="sfm", help="default sfm")
    parser.add_argument(
        "--inner", choices=INNER, default="successor", help="of apprenticeship; default successor"
    )
    parser.add_argument("--demonstrations", type=int, default=5, metavar="N", help="flights, default 5")
    parser.add_argument("--features", help="of the arena, or a file of named ones; default the arena's")
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="of sim_pusht: the dataset of the demonstrations"
    )
    parser.add_argument("--frames", type=int, default=schedule.frames, help="flown for each new reward")
    parser.add_argument(
        "--flights", type=int, default=search.flights, help="of --inner=search: flown for each new reward"
    )
    parser.add_argument(
        "--warmup", type=int, default=schedule.warmup, help="random frames before the first one"
    )
    parser.add_argument(
        "--clone", action="store_true", help="begin with a clone of the expert; it shows actions then"
    )
    parser.add_argument("--learning_rate", type=float, default=rl.learning_rate)
    parser.add_argument("--updates", type=float, default=rl.updates, help="gradient steps a frame")
    parser.add_argument(
        "--imitation", type=float, default=rl.imitation, help="weight of the expert's actions"
    )
    parser.add_argument("--episodes", type=int, default=50, help="flights to judge by, default 50")
    parser.add_argument(
        "--policy", type=Path, metavar="DIR", help="write the best policy here, for demodeck eval"
    )
    flags = parser.parse_args(args)
    if flags.picture is not None:
        raise UsageError("--picture: this experiment has none; leave it out")
    import torch

    torch.set_num_threads(1)  # for such networks more are slower
    if flags.root is not None and flags.arena != "sim_pusht":
        raise UsageError(f"--root belongs to --arena=sim_pusht, not {flags.arena}: leave it out")
    arena = _MAKE[flags.arena](flags)
    if flags.policy is not None and arena.rig is None:  # before anything is learnt
        raise UsageError(f"--policy: {flags.arena} is no robot; leave it out")
    settings = settings_of(flags)
    if flags.learner in ("sfm", "gail"):
        settings = replace(settings, update="matching")
    rl = replace(
        arena.rl, learning_rate=flags.learning_rate, updates=flags.updates, imitation=flags.imitation
    )
    schedule = Schedule(flags.frames, flags.warmup, flags.clone)
    expert = arena.shown.expectations(arena.phi, rl.discount)
    settings, norm = loop_settings(flags.learner, settings, expert), expert.norm
    progress, so_far = Progress(norm, flags.learner), []

    def report(iterate: Iterate) -> None:
        progress(iterate)
        so_far.append(iterate)
        # Matching and GAIL are not meant to be optimal for w.
        if flags.learner == "apprenticeship" and (warning := _warn(so_far, norm)):
            print(f"{flags.learner}: {warning}", file=sys.stderr)

    found, policy = trial(
        arena,
        flags.learner,
        flags.inner,
        schedule,
        rl,
        settings,
        flags.episodes,
        folder_of(flags),
        report,
        lambda: bool(stop.signal),
        lambda line: print(f"{flags.learner}: {line}", file=sys.stderr, flush=True),
        search=replace(search, flights=flags.flights),
    )
    if flags.policy is not None and arena.rig is not None:
        from training.irl.flying import save_policy

        save_policy(policy, arena.rig, flags.policy)
    text = f"{flags.learner}: {arena.measure} {found['best']:.3f}, the expert's {arena.expert:.3f}"
    if "mixture" in found:
        text = (
            f"{found['iterations']} iterations ({ending(found['reason'], flags)}): {text}, the mixture's "
            f"{found['mixture']:.3f}"
        )
    text += f"; {found['frames']} frames flown, {found['cpu_seconds']:.0f} s of processor time"
    chosen = {"arena": flags.arena, "learner": flags.learner, "inner": flags.inner, "seed": flags.seed}
    return chosen | {"demonstrations": flags.demonstrations} | found | {"text": text, "json": flags.json}


if __name__ == "__main__":
    sys.exit(run("trial", _work))
