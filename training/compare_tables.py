"""Comparisons as aligned text, at most 100 columns wide for the names of our own policies."""

from __future__ import annotations

from typing import Any


def tables(comparison: dict[str, Any]) -> str:
    """Return a comparison as text: success, what can be claimed of it, and the ranks where there are any."""
    blocks = [_success(comparison), _claims(comparison)]
    if comparison["ranks"] is not None:
        blocks.append(_ranks(comparison["ranks"]))
    if any(row["sequential"] for row in comparison["rows"]):
        blocks.append(
            "* flown until it was decided, so that rate and rewards are biased; the interval is a confidence\n"
            "  sequence, which holds whenever one stops, and so does the anytime p"
        )
    return "\n\n".join(blocks)


def _success(comparison: dict[str, Any]) -> str:
    head = ["name", "n", "succeeded", "rate", "95 % interval", "time [s]", f"p vs {comparison['baseline']}"]
    starred = any(row["sequential"] for row in comparison["rows"])
    lines = [head]
    for row in comparison["rows"]:
        star = "*" if row["sequential"] else " " if starred else ""
        interval = row["anytime_95"] if row["sequential"] else row["wilson_95"]
        lines.append(
            [
                row["name"],
                str(row["n"]),
                str(row["successes"]),
                f"{row['rate']:.1%}{star}",
                _percents(interval),
                "-" if row["mean_time_s"] is None else f"{row['mean_time_s']:.1f}",
                _p(row["p"]),
            ]
        )
    return _aligned(lines)


def _claims(comparison: dict[str, Any]) -> str:
    """Return what holds without approximation, and what the seeds say one by one."""
    head = ["name", "exact 95 %", "won", "lost", "anytime p", "best reward", "difference", "95 % interval"]
    lines = [head]
    for row in comparison["rows"]:
        compared = row["p_anytime"] is not None
        score, difference = row["mean_max_reward"], row["score_difference"]
        lines.append(
            [
                row["name"],
                "-" if row["sequential"] else _percents(row["clopper_pearson_95"]),
                str(row["only_this"]) if compared else "-",
                str(row["only_baseline"]) if compared else "-",
                _p(row["p_anytime"]),
                "-" if score is None else f"{score:.3f}",
                "-" if difference is None else f"{difference:+.3f}",
                _signed(row["score_difference_95"]),
            ]
        )
    return f"for claims, and seed by seed against {comparison['baseline']}:\n{_aligned(lines)}"


def _ranks(ranks: dict[str, Any]) -> str:
    """Return the ranks, with each one's wins and losses against each other."""
    names = [policy["name"] for policy in ranks["policies"]]
    cells = {}
    for pair in ranks["pairs"]:
        mark = "" if pair["better"] is None else "!"
        shared = pair["p"] is not None
        cells[pair["a"], pair["b"]] = f"{pair['a_wins']}-{pair['b_wins']}{mark}" if shared else "?"
        cells[pair["b"], pair["a"]] = f"{pair['b_wins']}-{pair['a_wins']}{mark}" if shared else "?"
    lines = [["name", "rank", "group", *(f"vs {i + 1}" for i in range(len(names)))]]
    for i, policy in enumerate(ranks["policies"]):
        best, worst = policy["best_rank"], policy["worst_rank"]
        row = [f"{i + 1} {policy['name']}", f"{best}" if best == worst else f"{best} to {worst}"]
        duels = [cells.get((policy["name"], other), "-") for other in names]
        lines.append([*row, policy["letters"], *duels])
    lines[0][0] = "  name"
    unpaired = ", ? unpaired" if len(ranks["pairs"]) > ranks["n_tests"] else ""
    return (
        f"ranks: who shares a letter cannot be told apart; seeds won-lost, ! told apart{unpaired}\n"
        f"({ranks['alpha']:.0%} in all, by Holm's correction for {ranks['n_tests']} tests):\n{_aligned(lines)}"
    )


def _percents(interval: list[float]) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def _signed(interval: list[float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def _p(p: float | None) -> str:
    return "-" if p is None else "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _aligned(lines: list[list[str]]) -> str:
    """Return cells as columns: names to the left, the rest to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    aligned = [
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths)))
        for line in lines
    ]
    return "\n".join(line.rstrip() for line in aligned)
