"""From the scores of all episodes to findings: limits by robust z against the set, or fixed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from curation.checks.base import Check, Finding, Measure, Reference, Rule

FEWEST = 8
"""Episodes needed before anything can be called unusual."""


@dataclass(frozen=True)
class Limits:
    """Limits in the score's own unit; NaN where a side has none.

    Attributes:
        warn_low, warn_high, fault_low, fault_high: A score below or above is a finding.
        median: The set's median score.
    """

    warn_low: float
    warn_high: float
    fault_low: float
    fault_high: float
    median: float


def limits(rule: Rule, scores: np.ndarray) -> Limits | None:
    """Return the rule's limits for these scores (n,), NaN where an episode could not be evaluated.

    Robust z is (x - median) / max(1.4826 MAD, rel |median|, floor), of the logarithm if `rule.log`; its
    limits are given back in the score's own unit, so that messages say them. None: too few episodes.
    """
    known = scores[np.isfinite(scores)]
    median = float(np.median(known)) if len(known) else np.nan
    if not rule.against_set:
        high, low = rule.side in ("high", "both"), rule.side in ("low", "both")
        fault = np.nan if rule.fault is None else rule.fault
        warn = np.nan if rule.warn is None else rule.warn
        return Limits(
            warn if low else np.nan,
            warn if high else np.nan,
            fault if low else np.nan,
            fault if high else np.nan,
            median,
        )
    if len(known) < FEWEST:
        return None
    x = np.log(np.maximum(known, 1e-9)) if rule.log else known
    centre = float(np.median(x))
    relative = 0.0 if rule.log else rule.rel * abs(centre)
    spread = max(1.4826 * float(np.median(np.abs(x - centre))), relative, rule.floor)

    def at(z: float | None, sign: int) -> float:
        if z is None or (sign > 0 and rule.side == "low") or (sign < 0 and rule.side == "high"):
            return np.nan
        value = centre + sign * z * spread
        value = float(np.exp(value)) if rule.log else value
        return max(value, rule.at_least) if sign > 0 else value

    return Limits(at(rule.warn, -1), at(rule.warn, 1), at(rule.fault, -1), at(rule.fault, 1), median)


def scores_of(
    check: Check, measures: Sequence[Measure], reference: Reference
) -> tuple[np.ndarray, list[Measure]]:
    """Return the check's scores for all episodes (n,), NaN where it could not be evaluated.

    Measures of a check with `combine` come back with the words that the comparison added.
    """
    measures = list(measures)
    if check.combine is None:
        return np.array([m.score for m in measures], np.float64), measures
    scores = np.full(len(measures), np.nan)
    known = [(i, m.features) for i, m in enumerate(measures) if m.features is not None]
    if known:
        rows = [i for i, _ in known]
        scores[rows], added = check.combine(np.stack([f for _, f in known]), reference)
        for i, words in zip(rows, added):
            measures[i] = replace(measures[i], words=f"{measures[i].words} {words}".strip())
    return scores, measures


def judge(
    check: Check,
    measures: Sequence[Measure],
    scores: np.ndarray,
    episodes: Sequence[int],
    lengths: Sequence[int],
) -> tuple[Limits | None, list[Finding]]:
    """Judge one check over the set.

    Args:
        check: The check.
        measures: What it measured, one an episode.
        scores: Its scores, (n,).
        episodes: Episode indices.
        lengths: Frames of each episode.

    Returns:
        The limits (None where the set is too small to compare) and the findings.
    """
    bounds = limits(check.rule, scores)
    findings: list[Finding] = []
    if bounds is None:
        return None, findings
    for score, measured, episode, length in zip(scores, measures, episodes, lengths):
        if np.isnan(score):
            continue
        for severity, low, high in (
            ("fault", bounds.fault_low, bounds.fault_high),
            ("warn", bounds.warn_low, bounds.warn_high),
        ):
            # A fixed limit is itself forbidden ("1 frame or more"); a limit against the set must be passed.
            touches = not check.rule.against_set
            if score > high or (touches and score == high):
                limit, word = high, "at most"
            elif score < low:
                limit, word = low, "at least"
            else:
                continue
            first, last = measured.span or (0, length)
            findings.append(
                Finding(
                    episode,
                    check.name,
                    severity,
                    first,
                    last,
                    float(score),
                    float(limit),
                    _message(check, measured, float(score), float(limit), word),
                )
            )
            break
    return bounds, findings


def _message(check: Check, measured: Measure, score: float, limit: float, word: str) -> str:
    if not check.unit:
        return measured.words
    if not check.rule.against_set and limit == 1:
        return f"{measured.words}: {score:.3g} {check.unit}"
    usual = "usual here: " if check.rule.against_set else ""
    return f"{measured.words}: {score:.3g} {check.unit} ({usual}{word} {limit:.3g})"
