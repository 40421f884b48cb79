"""`demodeck compare`: evaluations side by side, paired by seed where they flew the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from collector.errors import UsageError
from training.intervals import bootstrap_mean, clopper_pearson, mcnemar_exact
from training.ranks import rank
from training.results import load_result
from training.sequential import anytime_p, confidence_sequence, e_path

__all__ = ["compare", "load_result"]

_COPIED = ("n", "successes", "rate", "wilson_95", "mean_time_s")
_FEW_PAIRS = 20  # a bootstrap of fewer covers less often than it says


def compare(results: list[dict[str, Any]], baseline: str | None = None) -> dict[str, Any]:
    """Compare evaluations with one of them, and rank them where there are more than two.

    Args:
        results: Evaluations, as `load_result` gives them.
        baseline: Name of the one to compare with; None takes the first.

    Returns:
        `baseline`; `rows`, in the given order; `ranks` (see `training.ranks.rank`; None for one or two);
        `warnings`. A row has `name`, `n`, `successes`, `rate`, `wilson_95`, `clopper_pearson_95`, `anytime_95` (the
        interval to use where `sequential`), `sequential` (flown against another, until it was decided: rate and
        fixed-n intervals are biased), `mean_time_s`, `mean_max_reward` (None where the file has none), and against the
        baseline `n_paired` (seeds flown by both), `only_this`, `only_baseline` (successes on those seeds), `p` (exact
        McNemar; None where one of the two is sequential), `e_value` and `p_anytime` (by `training.sequential`, over
        the seeds in the baseline's order), `score_difference` (of the best rewards, this less the baseline, mean over
        those seeds) and `score_difference_95` (BCa bootstrap; None where one of the two is sequential). What compares
        is None where nothing is paired, or for the baseline itself.

    Raises:
        UsageError: If no result has the baseline's name.
    """
    names = _distinct([result["name"] for result in results])
    if baseline is not None and baseline not in names:
        raise UsageError(f"--baseline={baseline}: choose one of {', '.join(names)}")
    chosen = names.index(baseline) if baseline is not None else 0
    rows: list[dict[str, Any]] = []
    warnings = _sequential_warnings(names, results)
    for i, (name, result) in enumerate(zip(names, results, strict=True)):
        pair = Pair.of(result, results[chosen])
        row = {"name": name, **_alone(result), **pair.counts()}
        rows.append({**row, **(pair.tests() if i != chosen and pair.outcomes else _NO_TESTS)})
        if i != chosen:
            warnings += _pair_warnings(name, names[chosen], result, results[chosen], pair)
    ranks = rank(names, results, _fair_p) if len(results) > 2 else None
    return {"baseline": names[chosen], "rows": rows, "ranks": ranks, "warnings": warnings}


@dataclass(frozen=True)
class Pair:
    """Two evaluations on the seeds that both flew, in the second's order.

    Attributes:
        outcomes: Whether the first and the second succeeded, by seed.
        scores: Best reward of the first less that of the second, by seed; empty where a file has none.
        sequential: Whether one of them was flown until it was decided.
    """

    outcomes: list[tuple[bool, bool]]
    scores: list[float]
    sequential: bool

    @classmethod
    def of(cls, first: dict[str, Any], second: dict[str, Any]) -> Pair:
        """Pair two evaluations by seed; a seed places nothing alike on different robots."""
        own = {flight["seed"]: flight for flight in first["flights"]} if _on_one_robot(first, second) else {}
        both = [(own[flight["seed"]], flight) for flight in second["flights"] if flight["seed"] in own]
        scored = all("max_reward" in a and "max_reward" in b for a, b in both)
        return cls(
            [(bool(a["success"]), bool(b["success"])) for a, b in both],
            [a["max_reward"] - b["max_reward"] for a, b in both] if scored else [],
            is_sequential(first) or is_sequential(second),
        )

    @property
    def won(self) -> int:
        """Seeds on which the first alone succeeded."""
        return sum(a > b for a, b in self.outcomes)

    @property
    def lost(self) -> int:
        """Seeds on which the second alone succeeded."""
        return sum(b > a for a, b in self.outcomes)

    def counts(self) -> dict[str, int]:
        """Return the seeds flown by both, and on how many one alone succeeded."""
        return {"n_paired": len(self.outcomes), "only_this": self.won, "only_baseline": self.lost}

    def tests(self) -> dict[str, Any]:
        """Return what the seeds say of the difference."""
        path = e_path(self.outcomes)
        interval = None if self.sequential else bootstrap_mean(self.scores)
        return {
            "p": None if self.sequential else mcnemar_exact(self.won, self.lost),
            "e_value": path[-1],
            "p_anytime": anytime_p(path),
            "score_difference": sum(self.scores) / len(self.scores) if self.scores else None,
            "score_difference_95": None if interval is None else list(interval),
        }


_NO_TESTS = dict.fromkeys(("p", "e_value", "p_anytime", "score_difference", "score_difference_95"))


def is_sequential(result: dict[str, Any]) -> bool:
    """Return whether an evaluation was flown against another until it was decided."""
    return result.get("against") is not None


def _alone(result: dict[str, Any]) -> dict[str, Any]:
    """Return what a row says of an evaluation by itself; older files have no exact interval."""
    successes, n = result["successes"], result["n"]
    return {
        **{key: result[key] for key in _COPIED},
        "clopper_pearson_95": list(clopper_pearson(successes, n)),
        "anytime_95": list(confidence_sequence(successes, n)),
        "sequential": is_sequential(result),
        "mean_max_reward": result.get("mean_max_reward"),
    }


def _fair_p(first: dict[str, Any], second: dict[str, Any]) -> tuple[int, int, float | None]:
    """Return wins and losses of the first, and the p that holds for how the two were flown (None if unpaired)."""
    pair = Pair.of(first, second)
    if not pair.outcomes:
        return 0, 0, None
    p = anytime_p(e_path(pair.outcomes)) if pair.sequential else mcnemar_exact(pair.won, pair.lost)
    return pair.won, pair.lost, p


def _sequential_warnings(names: list[str], results: list[dict[str, Any]]) -> list[str]:
    return [
        f"'{name}' was flown against '{result['against']['name']}' until it was decided: its rate is biased and no "
        "p for a fixed number of flights holds, so the anytime p is the one to take"
        for name, result in zip(names, results, strict=True)
        if is_sequential(result)
    ]


def _pair_warnings(
    name: str, baseline: str, result: dict[str, Any], reference: dict[str, Any], pair: Pair
) -> list[str]:
    if not _on_one_robot(result, reference):
        robots = f"{result['robot']} and {reference['robot']}"
        return [f"'{name}' and '{baseline}' flew different robots ({robots}): unpaired, so no p"]
    said, shared = [], len(pair.outcomes)
    # One that was stopped has flown the first of the other's seeds, as it should.
    beginning = pair.sequential and shared == min(result["n"], reference["n"])
    if not beginning and not shared == result["n"] == reference["n"]:
        said.append(
            f"'{name}' and '{baseline}' flew other seeds ({shared} in common): "
            + ("p counts those only" if shared else "unpaired, so no p")
            + "; evaluate both with the same --seed and --episodes"
        )
    if shared and (differs := _flown_otherwise(result, reference)):
        said.append(f"'{name}' and '{baseline}' were not flown in the same way ({differs}): p says little")
    if pair.scores and shared < _FEW_PAIRS and not pair.sequential:
        said.append(
            f"'{name}' and '{baseline}' share {shared} seeds: with fewer than {_FEW_PAIRS} the interval of their "
            "difference in reward is too narrow"
        )
    return said


def _on_one_robot(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Return whether two evaluations flew the same robot, as far as their files say."""
    return "robot" not in first or "robot" not in second or first["robot"] == second["robot"]


def _flown_otherwise(result: dict[str, Any], reference: dict[str, Any]) -> str:
    """Return in what two evaluations differ that should be the same, as far as their files say."""
    return ", ".join(
        f"{key}: {result[key]} and {reference[key]}"
        for key in ("fps", "time_limit_s")
        if key in result and key in reference and result[key] != reference[key]
    )


def _distinct(names: list[str]) -> list[str]:
    """Number names that occur more than once: bc, bc#2."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return distinct
