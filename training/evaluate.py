"""`demodeck eval`: fly one pilot from fixed seeds, in lock-step, spread over the cores, and count successes.

With an evaluation to beat it flies the same seeds in the same order, and stops as soon as it is decided.
"""

from __future__ import annotations

import contextlib
import sys
import time
from functools import partial
from typing import Any

from training.eval_plan import EvalConfig, EvalPlan, PolicyFlags, make_plan
from training.flights import fly_seed, in_order
from training.intervals import clopper_pearson, wilson
from training.sequential import PairedTest, confidence_sequence
from training.versions import versions

__all__ = ["EvalConfig", "PolicyFlags", "evaluate", "make_plan", "measure", "summary"]

BIASED = "biased: flying stopped, or could have, when it was decided; anytime_95 holds all the same"


def evaluate(config: EvalConfig) -> dict[str, Any]:
    """Fly what the flags say; returns as `measure` and raises as `make_plan` and `measure`."""
    return measure(make_plan(config))


def measure(plan: EvalPlan) -> dict[str, Any]:
    """Fly a plan's seeds; against a rival until it is decided, and no further.

    Ctrl-C ends it; against a rival with what was flown so far, for its test may be stopped at any time.

    Returns:
        `name`, `pilot`, `policy` (path, commit, type; None for other pilots), `robot`, `fps`, `time_limit_s`, `n`,
        `seeds`, `successes`, `rate`, `wilson_95` and `clopper_pearson_95` [low, high], `mean_time_s` (of the
        successes, simulated, else None), `mean_reward` (summed over a flight), `mean_max_reward` (of each flight's
        best tick, the usual score of PushT), `flights` (in the order flown: `seed`, `success`, `reward`,
        `max_reward`, `ticks`, `reason`), `wall_s`, `workers` and `versions`.

        Against a rival also `against` (its `name`, `file` and `n`; the flights `planned` here and those `flown`,
        with the ones that were in the air when it was decided and do not count; `alpha`; `won` and `lost`: seeds on
        which one of the two alone succeeded), `e_value`, `p_anytime`, `decided` (`better`,
        `worse` or None), `anytime_95` (a confidence sequence of the rate), `rate_note` and `interrupted`.

    Raises:
        KeyboardInterrupt: At Ctrl-C, where there is no rival or nothing was flown.
        DataError: If the policy's network is damaged.
        MismatchError: If the policy and what the robot shows do not fit each other.
        DeviceError: If the robot or the pilot fails.
    """
    started = time.monotonic()
    test = None if plan.rival is None else PairedTest(plan.alpha)
    progress = _Progress(len(plan.seeds), test)
    flights, interrupted = _fly(plan, test, progress)
    n = len(flights)
    counted = tally(flights, plan.flown.fps)
    duel = {} if test is None else _duel(plan, test, counted["successes"], n, progress.n_done, interrupted)
    return {
        "name": plan.name,
        "pilot": plan.flown.pilot.type,
        "policy": plan.policy,
        "robot": plan.flown.robot.type,
        "fps": plan.flown.fps,
        "time_limit_s": plan.limit_s,
        **duel,
        "mean_reward": sum(flight["reward"] for flight in flights) / n,
        "mean_max_reward": sum(flight["max_reward"] for flight in flights) / n,
        **counted,
        "wall_s": round(time.monotonic() - started, 2),
        "workers": plan.workers,
        "versions": versions(),
    }


def tally(flights: list[dict[str, Any]], fps: int) -> dict[str, Any]:
    """Count flights.

    Args:
        flights: At least one, each with its `seed`, `success` and `ticks`.
        fps: Control rate [Hz].

    Returns:
        `n`, `successes`, `rate`, `wilson_95`, `clopper_pearson_95`, `mean_time_s`, `seeds` and `flights`, as `measure`.
    """
    n, successes = len(flights), sum(flight["success"] for flight in flights)
    times_s = [flight["ticks"] / fps for flight in flights if flight["success"]]
    return {
        "n": n,
        "successes": successes,
        "rate": successes / n,
        "wilson_95": list(wilson(successes, n)),
        "clopper_pearson_95": list(clopper_pearson(successes, n)),
        "mean_time_s": sum(times_s) / len(times_s) if times_s else None,
        "seeds": [flight["seed"] for flight in flights],
        "flights": flights,
    }


def _fly(plan: EvalPlan, test: PairedTest | None, progress: _Progress) -> tuple[list[dict[str, Any]], bool]:
    """Return the flights in the seeds' order, up to the deciding one, and whether Ctrl-C ended them.

    The test takes them in the seeds' order: in that of landing, quick outcomes would come first and bias it.
    """
    flights: list[dict[str, Any]] = []
    try:
        with contextlib.closing(
            in_order(partial(fly_seed, plan.flown), plan.seeds, plan.workers, progress.landed)
        ) as flown:
            for flight in flown:
                flights.append(flight)
                if test is not None and plan.rival is not None:
                    test.add(flight["success"], plan.rival.outcomes[flight["seed"]])
                    progress.tested(flights, test)
                    if test.decided:
                        break
    except KeyboardInterrupt:
        kept = f"the first {len(flights)} are kept" if test and flights else "nothing is written"
        print(
            f"\neval: stopped after {progress.n_done} of {len(plan.seeds)} flights; {kept}", file=sys.stderr
        )
        if test is None or not flights:
            raise
        return flights, True
    finally:
        progress.end()
    return flights, False


def _duel(
    plan: EvalPlan, test: PairedTest, successes: int, n: int, n_flown: int, interrupted: bool
) -> dict[str, Any]:
    """Return what a result notes of the rival and of the test against it."""
    assert plan.rival is not None
    return {
        "anytime_95": list(confidence_sequence(successes, n)),
        "rate_note": BIASED,
        "against": {
            "name": plan.rival.name,
            "file": str(plan.rival.file),
            "n": len(plan.rival.outcomes),
            "planned": len(plan.seeds),
            "flown": n_flown,
            "alpha": test.alpha,
            "won": test.wins,
            "lost": test.losses,
        },
        "e_value": test.e_value,
        "p_anytime": test.p,
        "decided": test.decided,
        "interrupted": interrupted,
    }


_LINE = 60  # a shorter line covers all of the one before


class _Progress:
    """Says how many flights are done: on a terminal in a line that is written over, else at every quarter.

    Against a rival it counts the flights in the seeds' order: whoever knew those behind and stopped by them would bias
    the test.
    """

    def __init__(self, n: int, test: PairedTest | None) -> None:
        self.n_done, self._n, self._test = 0, n, test
        self._said, self._open_line, self._terminal = 0, False, sys.stderr.isatty()

    def landed(self, done: dict[int, dict[str, Any]]) -> None:
        """Take all flights that landed so far, by seed, in whatever order."""
        self.n_done = len(done)
        if self._test is None:
            self._say(len(done), sum(flight["success"] for flight in done.values()))

    def tested(self, flights: list[dict[str, Any]], test: PairedTest) -> None:
        """Take the flights that the test has seen."""
        evidence = f", e {test.e_value:.3g} of {1 / test.alpha:.3g}"
        self._say(len(flights), sum(flight["success"] for flight in flights), evidence)

    def _say(self, n: int, successes: int, evidence: str = "") -> None:
        if n < self._n and n - self._said < (1 if self._terminal else max(1, self._n // 4)):
            return
        self._said, self._open_line = n, self._terminal
        line = f"eval: {n}/{self._n} flown, {successes} succeeded{evidence}"
        if self._terminal:
            print(f"\r{line:<{_LINE}}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._open_line:
            print(file=sys.stderr)
            self._open_line = False


def summary(result: dict[str, Any]) -> str:
    """Return a result in one line; against a rival in two, the second about the two of them."""
    duel = "against" in result
    low, high = result["anytime_95" if duel else "wilson_95"]
    interval = f"95 % interval {low:.0%} to {high:.0%}"
    if duel:
        interval = f"biased by stopping; {interval}, valid at any time"
    else:
        low, high = result["clopper_pearson_95"]
        interval += f", exact {low:.0%} to {high:.0%}"
    line = (
        f"{result['name']}: {result['successes']} of {result['n']} succeeded "
        f"({result['rate']:.0%}, {interval}), "
        f"best reward {result['mean_max_reward']:.3f} in the mean, "
        f"seeds {result['seeds'][0]} to {result['seeds'][-1]}, {result['wall_s']:.0f} s"
    )
    return f"{line}\n{_verdict(result)}" if duel else line


def _verdict(result: dict[str, Any]) -> str:
    """Return what the test against a rival says."""
    against, decided = result["against"], result["decided"]
    other = against["name"] if against["name"] != result["name"] else f"that of {against['file']}"
    evidence = (
        f"{against['won']} won and {against['lost']} lost of {result['n']} seeds, "
        f"e {result['e_value']:.3g}, {1 / against['alpha']:.3g} decides, anytime p {result['p_anytime']:.2g}"
    )
    saved = against["planned"] - against["flown"]
    if decided:
        return (
            f"{result['name']} is {decided} than {other} ({evidence}): "
            f"{saved} of {against['planned']} flights saved"
        )
    left = f"{saved} flights were left" if saved else "fly both from more seeds"
    return f"{result['name']} and {other}: not decided ({evidence}): {left}"
