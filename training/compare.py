"""`demodeck compare`: evaluations side by side, paired by seed where they flew the same ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from collector.errors import DataError, UsageError
from training.intervals import mcnemar_exact

_NEEDED = ("name", "n", "successes", "rate", "wilson_95", "mean_time_s", "seeds", "flights")


def load_result(path: Path) -> dict[str, Any]:
    """Read what `demodeck eval --output` wrote.

    Raises:
        DataError: If the file is missing or no evaluation.
    """
    try:
        result = json.loads(path.read_text())
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): make it with 'demodeck eval --output'"
        ) from None
    except ValueError:
        raise DataError(f"{path} is not JSON: make it with 'demodeck eval --output'") from None
    lacking = [key for key in _NEEDED if not isinstance(result, dict) or key not in result]
    if lacking:
        raise DataError(
            f"{path} is no evaluation (it lacks {', '.join(lacking)}): make it with 'demodeck eval'"
        )
    return result


def compare(results: list[dict[str, Any]], baseline: str | None = None) -> dict[str, Any]:
    """Compare evaluations with one of them.

    Args:
        results: Evaluations, as `load_result` gives them.
        baseline: Name of the one to compare with; None takes the first.

    Returns:
        `baseline`; `rows`, in the given order: `name`, `n`, `successes`, `rate`, `wilson_95`, `mean_time_s`,
        `n_paired` (seeds flown by both), `only_this`, `only_baseline` (successes on those seeds), `p` (exact
        McNemar; None where nothing is paired, or for the baseline itself); `warnings`.

    Raises:
        UsageError: If no result has the baseline's name.
    """
    names = _distinct([result["name"] for result in results])
    if baseline is not None and baseline not in names:
        raise UsageError(f"--baseline={baseline}: choose one of {', '.join(names)}")
    chosen = names.index(baseline) if baseline is not None else 0
    reference = {flight["seed"]: flight["success"] for flight in results[chosen]["flights"]}
    rows, warnings = [], []
    for i, (name, result) in enumerate(zip(names, results, strict=True)):
        own = {flight["seed"]: flight["success"] for flight in result["flights"]}
        shared = own.keys() & reference.keys()
        only_this = sum(own[seed] and not reference[seed] for seed in shared)
        only_baseline = sum(reference[seed] and not own[seed] for seed in shared)
        if own.keys() != reference.keys():
            warnings.append(
                f"'{name}' and '{names[chosen]}' flew other seeds ({len(shared)} in common): "
                + ("p counts those only" if shared else "unpaired, so no p")
                + "; evaluate both with the same --seed and --episodes"
            )
        row = {key: result[key] for key in ("n", "successes", "rate", "wilson_95", "mean_time_s")}
        paired = {"n_paired": len(shared), "only_this": only_this, "only_baseline": only_baseline}
        p = mcnemar_exact(only_this, only_baseline) if shared and i != chosen else None
        rows.append({"name": name, **row, **paired, "p": p})
    return {"baseline": names[chosen], "rows": rows, "warnings": warnings}


def table(comparison: dict[str, Any]) -> str:
    """Return a comparison as aligned text."""
    head = ["name", "n", "succeeded", "rate", "95 % interval", "time [s]", f"p vs {comparison['baseline']}"]
    lines = [head]
    for row in comparison["rows"]:
        low, high = row["wilson_95"]
        lines.append(
            [
                row["name"],
                str(row["n"]),
                str(row["successes"]),
                f"{row['rate']:.1%}",
                f"{low:.1%} to {high:.1%}",
                "-" if row["mean_time_s"] is None else f"{row['mean_time_s']:.1f}",
                "-" if row["p"] is None else "< 0.0001" if row["p"] < 1e-4 else f"{row['p']:.4f}",
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    aligned = [
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths)))
        for line in lines
    ]
    return "\n".join(line.rstrip() for line in aligned)


def _distinct(names: list[str]) -> list[str]:
    """Number names that occur more than once: bc, bc#2."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return distinct
