"""What the checks found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from collector.dataset.reader import Dataset
from curation.checks.registry import CHECKS
from curation.ranking import DISGUISE, RANKINGS, Ranking, ordered, spearman
from curation.scores import Scoring
from curation.show import cell, counted, episode_list, table
from curation.verdicts import Dropped


def _by_check(scoring: Scoring, name: str, severity: str) -> list[int]:
    return sorted({f.episode_index for f in scoring.findings if (f.check, f.severity) == (name, severity)})


def _reason(scoring: Scoring, name: str) -> str:
    """Why a check was evaluated nowhere; empty where it was evaluated somewhere."""
    reasons = scoring.skipped[name]
    return reasons[0] if reasons and all(reasons) else ""


def summary(dataset: Dataset, scoring: Scoring, structure: Sequence[str] = ()) -> str:
    """Return the table of checks with a finding, then which were silent and which could not be evaluated."""
    about = {check.name: check.about for check in CHECKS}
    rows, silent, skipped = [], [], []
    for name in scoring.scores:
        faults, warns = _by_check(scoring, name, "fault"), _by_check(scoring, name, "warn")
        reason = _reason(scoring, name)
        if reason:
            skipped.append(f"{name} ({reason})")
        elif faults or warns:
            rows.append((name, len(faults), len(warns), episode_list(faults or warns, 5), about[name]))
        else:
            silent.append(name)
    lines = [table(("check", "faults", "warnings", "episodes", "what it finds"), rows)] if rows else []
    if silent:
        lines.append(f"nothing found: {', '.join(silent)}")
    if skipped:
        lines.append(f"not evaluated: {'; '.join(skipped)}")
    lines += [f"structure: {line}" for line in structure]
    faulty = len(scoring.faulty())
    warned = len({f.episode_index for f in scoring.findings} - set(scoring.faulty()))
    lines.append(
        f"{len(scoring.episodes)} episodes: {faulty} with faults, {warned} with warnings only "
        f"(stored in {dataset.root / 'curation'})"
    )
    return "\n".join(lines)


def explanation(scoring: Scoring, episode: int) -> str:
    """Return every score of one episode with the set's median and limits, then its findings.

    `false alarms` is the share of clean episodes that chance puts beyond the first limit, by the set's own tail;
    limits in sigmas are of the joint's own spread, and hold the same rate.
    """
    at = scoring.episodes.index(episode)
    units = {check.name: check.unit for check in CHECKS}
    rows = []
    for name, scores in scoring.scores.items():
        limits, reason = scoring.limits[name], scoring.skipped[name][at]
        state = next(
            (f.severity for f in scoring.findings if (f.episode_index, f.check) == (episode, name)), "ok"
        )
        rows.append(
            (
                name,
                None if np.isnan(scores[at]) else float(scores[at]),
                None if limits is None or np.isnan(limits.median) else limits.median,
                None if limits is None else _known(limits.warn_high, limits.warn_low),
                None if limits is None else _known(limits.fault_high, limits.fault_low),
                None if limits is None or np.isnan(limits.false_alarms) else limits.false_alarms,
                units[name],
                reason if reason else state,
            )
        )
    head = ("check", "score", "usual", "warns at", "fault at", "false alarms", "unit", "state")
    text = table(head, rows)
    text += f"\n{_by_chance(scoring)} in all, by limits that are the set's own"
    found = [
        f"  {f.severity}, frames {f.from_frame}-{max(f.from_frame, f.to_frame - 1)}: {cell(f.message)}"
        for f in scoring.findings
        if f.episode_index == episode
    ]
    return "\n".join([f"episode {episode}, {scoring.lengths[at]} frames", text, *found])


def _by_chance(scoring: Scoring) -> str:
    rates = [limits.false_alarms for limits in scoring.limits.values() if limits is not None]
    return f"chance accuses about {100 * float(np.nansum(rates)):.2g} % of clean episodes"


def dropped_lines(scoring: Scoring, dropped: Sequence[Dropped]) -> str:
    """Return what the checks dropped now: how many, and by which check, faults apart from warnings."""
    about = f": {episode_list([one.episode for one in dropped])}" if dropped else ""
    lines = [f"verdict 'drop' set on {counted(len(dropped))}{about} (verdicts by people were left alone)"]
    for severity, words in (("fault", "for faults"), ("warn", "for warnings only")):
        checks = [one.check for one in dropped if one.severity == severity]
        if checks:
            lines.append(f"  {words}: {', '.join(f'{c} {checks.count(c)}' for c in dict.fromkeys(checks))}")
    if any(one.severity == "warn" for one in dropped):
        lines.append(
            f"  {_by_chance(scoring)}; 'label --undo --by check:NAME' takes back what a check dropped"
        )
    return "\n".join(lines)


def rank_table(scoring: Scoring, ranks: dict[str, np.ndarray], rankings: Sequence[Ranking] = RANKINGS) -> str:
    """Return the soft scores: what comes first, first and last episodes, and the rank correlation to length."""
    rows = []
    lengths = np.asarray(scoring.lengths, float)
    for ranking in rankings:
        values = ranks[ranking.name]
        order = [scoring.episodes[i] for i in ordered(ranking, values)]
        if not order:
            continue
        rho = spearman(values, lengths)
        first, last = (", ".join(map(str, part)) for part in (order[:4], order[-4:][::-1]))
        middle = float(np.nanmedian(values))
        note = "length in disguise" if abs(rho) >= DISGUISE else ""
        rows.append((ranking.name, ranking.about, middle, first, last, f"{rho:+.2f}", note))
    head = ("soft score", "first come", "median", "first", "last", "correlation to length", "")
    return table(head, rows) if rows else "no soft scores: nothing to measure"


def _known(high: float, low: float) -> float | None:
    return next((float(x) for x in (high, low) if not np.isnan(x)), None)


def _number(value: float) -> float | None:
    # JSON has neither NaN nor infinity.
    return float(value) if np.isfinite(value) else None


def result_as_json(
    dataset: Dataset,
    scoring: Scoring,
    dropped: Sequence[Dropped] | None,
    asked: list[int],
    structure: Sequence[str] = (),
    ranks: dict[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Return the result for machines; `episodes` has the scores of the episodes that were asked for."""
    result: dict[str, Any] = {
        "dataset": str(dataset.root),
        "num_episodes": len(scoring.episodes),
        "checks": {
            name: {
                "faults": _by_check(scoring, name, "fault"),
                "warnings": _by_check(scoring, name, "warn"),
                "not_evaluated": _reason(scoring, name) or None,
            }
            for name in scoring.scores
        },
        "structure": list(structure),
        "faulty": sorted(scoring.faulty()),
        "findings": [
            {
                "episode": f.episode_index,
                "check": f.check,
                "severity": f.severity,
                "from_frame": f.from_frame,
                "to_frame": f.to_frame,
                "value": _number(f.value),
                "limit": f.limit,
                "message": f.message,
            }
            for f in scoring.findings
        ],
    }
    if asked:
        result["scores"] = {
            str(e): {n: _number(s[scoring.episodes.index(e)]) for n, s in scoring.scores.items()}
            for e in asked
        }
    if ranks is not None:
        lengths = np.asarray(scoring.lengths, float)
        result["ranking"] = {
            name: {
                "correlation_to_length": _number(spearman(values, lengths)),
                "scores": [_number(v) for v in values],
            }
            for name, values in ranks.items()
        }
    if dropped is not None:
        result["dropped"] = {str(one.episode): one.reason for one in dropped}
        result["dropped_by"] = {str(one.episode): one.check for one in dropped}
    return result
