"""From the scores of all episodes to findings: limits by robust z against the set, or fixed ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from curation.checks.base import Check, Finding, PerJoint, Reference, Rule
from curation.measures import Measures

FEWEST = 8
"""Episodes needed before anything can be called unusual."""
ENOUGH_OF_A_TASK = 20
"""Episodes that a task needs for its joints to be compared with its own flights only."""
FALSE_ALARMS = 2e-4
"""Share of clean episodes that a check may accuse by chance: with some 30 checks, 0.6 % in all."""


@dataclass(frozen=True)
class Limits:
    """Limits in the score's own unit; NaN where a side has none.

    Attributes:
        warn_low, warn_high, fault_low, fault_high: A score below or above is a finding.
        median: The set's median score.
        false_alarms: Share of clean episodes that chance puts beyond the first limit, as the set's own tail has
            it; NaN for fixed limits.
    """

    warn_low: float
    warn_high: float
    fault_low: float
    fault_high: float
    median: float
    false_alarms: float = float("nan")


def limits(rule: Rule, scores: np.ndarray, trusted: np.ndarray | None = None) -> Limits | None:
    """Return the rule's limits for these scores (n,), NaN where an episode could not be evaluated.

    Only `trusted` episodes, (n,), say what is usual; all by default, and where fewer than 8 are.

    Robust z is (x - median) / max(1.4826 MAD, rel |median|, floor), of the logarithm if `rule.log`; its
    limits are given back in the score's own unit, so that messages say them. None: too few episodes.
    """
    known = scores[np.isfinite(scores)]
    if trusted is not None and np.isfinite(scores[trusted]).sum() >= FEWEST:
        known = scores[trusted & np.isfinite(scores)]
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

    sides = [sign for sign in (-1, 1) if rule.side in ("both", "high" if sign > 0 else "low")]
    first = min(z for z in (rule.warn, rule.fault) if z is not None)
    raised, rates = {}, []
    for sign in sides:
        excess = sign * (x - centre)
        least = rule.at_least if sign > 0 and np.isfinite(rule.at_least) else -np.inf
        if rule.log and least > 0:
            least = float(np.log(least))
        begin = max(first * spread, least - centre if sign > 0 else -np.inf)
        limit = tail_limit(excess, begin, FALSE_ALARMS, rule.raised) if rule.tail and begin > 0 else begin
        raised[sign] = limit / begin if begin > 0 else 1.0
        rates.append(tail_share(excess, limit))

    def at(z: float | None, sign: int) -> float:
        if z is None or sign not in raised:
            return np.nan
        value = centre + sign * z * spread
        value = float(np.exp(value)) if rule.log else value
        if sign > 0:
            value = max(value, rule.at_least)
        if raised[sign] > 1:
            inner = float(np.log(max(value, 1e-12))) if rule.log else value
            inner = centre + (inner - centre) * raised[sign]
            value = float(np.exp(inner)) if rule.log else inner
        return value

    return Limits(
        at(rule.warn, -1), at(rule.warn, 1), at(rule.fault, -1), at(rule.fault, 1), median, max(rates)
    )


def _tail(ordered: np.ndarray, limit: float) -> tuple[float, float]:
    """Return the upper quartile of the ascending distances within a limit, and the scale of the tail above it.

    The scale is that of an exponential tail (peaks over threshold, Pickands 1975, with shape 0) by the excess'
    median over log 2, or by its 88th percentile over -log 0.12 if that is more: what is accused does not count,
    and some faulty episodes among the others change little.
    """
    inside = ordered[: int(np.searchsorted(ordered, limit, "right"))]
    if len(inside) < 4:
        return 0.0, 0.0
    upper = inside[(3 * len(inside)) // 4 :]
    scale = float(upper[len(upper) // 2] - upper[0]) / float(np.log(2))
    far = min(len(upper) - 1, (88 * len(upper)) // 100)
    if far > len(upper) // 2:  # a tail that is heavier further out than near
        scale = max(scale, float(upper[far] - upper[0]) / float(np.log(1 / 0.12)))
    return float(upper[0]), scale


def tail_share(excess: np.ndarray, limit: float) -> float:
    """Return the share of clean episodes that chance puts beyond a limit.

    Args:
        excess: Distances from the median towards the bad side, (n,).
        limit: The limit as such a distance.
    """
    quartile, scale = _tail(np.sort(excess), limit)
    if scale <= 0:
        return 0.0 if limit > quartile else 0.25
    return 0.25 * float(np.exp(-max(0.0, limit - quartile) / scale))


def tail_limit(excess: np.ndarray, limit: float, most: float = FALSE_ALARMS, raised: float = 3.0) -> float:
    """Return the limit, raised until `tail_share` is at most `most`, but no more than `raised` times."""
    first, ordered = limit, np.sort(excess)
    for _ in range(4):
        quartile, scale = _tail(ordered, limit)
        limit = min(raised * first, max(first, quartile + scale * float(np.log(0.25 / most))))
    return limit


def robust_z(features: np.ndarray, how: PerJoint, trusted: np.ndarray) -> np.ndarray:
    """Return each feature's distance from the trusted median in robust sigmas, (n, n_features) -> same."""
    x = np.log(np.maximum(features, 1e-9)) if how.log else features
    centre = np.nanmedian(x[trusted], axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(x[trusted] - centre), axis=0)
    relative = 0.0 if how.log else how.rel * np.abs(centre)
    z = (x - centre) / np.maximum(np.maximum(spread, relative), max(how.floor, 1e-12))
    return np.abs(z) if how.both else z


@dataclass(frozen=True)
class Compared:
    """A check's scores over the set.

    Attributes:
        scores: (n,), NaN where it could not be evaluated.
        feature: Which feature each score comes from, (n,); 0 where the check compares none.
        added: What the comparison adds to the words, where it does.
    """

    scores: np.ndarray
    feature: np.ndarray
    added: list[str]


def compared(
    check: Check,
    measures: Measures,
    reference: Reference,
    trusted: np.ndarray | None = None,
    tasks: np.ndarray | None = None,
) -> Compared:
    """Return the check's scores for all episodes.

    `trusted` and `tasks`, (n,), say which episodes are usual, and which share a task; all by default.
    """
    n = len(measures)
    none: np.ndarray = np.zeros(n, int)
    if check.per_joint is not None:
        trusted = np.ones(n, bool) if trusted is None else trusted
        scores, worst = _worst_joints(check.per_joint, measures, check.rule, trusted, tasks)
        return Compared(scores, worst, [])
    if check.combine is None:
        return Compared(measures.score, none, [])
    scores, added = np.full(n, np.nan), [""] * n
    rows = np.flatnonzero(measures.featured)
    if len(rows):
        scores[rows], words = check.combine(measures.features[rows], reference)
        for i, text in zip(rows.tolist(), words):
            added[i] = text
    return Compared(scores, none, added)


def _worst_joints(
    how: PerJoint, measures: Measures, rule: Rule, trusted: np.ndarray, tasks: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the z of each episode's worst joint, (n,), and which joint that is.

    A joint whose clean episodes reach far by their nature has its z made smaller, so that chance takes at most
    `FALSE_ALARMS` of them over the rule's limit.
    """
    scores, joints = np.full(len(measures), np.nan), np.zeros(len(measures), int)
    rows = np.flatnonzero(measures.featured)
    if len(rows) < FEWEST or not measures.features.shape[1]:
        return scores, joints
    features = measures.features[rows]
    usual = trusted[rows] if trusted[rows].sum() >= FEWEST else np.ones(len(rows), bool)
    first = min(limit for limit in (rule.warn, rule.fault) if limit is not None)
    z = np.full(features.shape, np.nan)
    task = np.zeros(len(rows), int) if tasks is None else tasks[rows]
    crowd = [t for t in np.unique(task) if (usual & (task == t)).sum() >= ENOUGH_OF_A_TASK]
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a joint that no episode could measure
        for group in [task == t for t in crowd] + [~np.isin(task, crowd)]:
            if not group.any():
                continue
            # A task's own contacts and loads are usual for it; too small a task is compared with all.
            base = usual & group if task[group][0] in crowd else usual
            part = robust_z(features, how, base)
            for j in range(z.shape[1]):
                known = part[base & np.isfinite(part[:, j]), j]
                if rule.tail and len(known) >= FEWEST:
                    part[:, j] *= first / tail_limit(known, first, FALSE_ALARMS / z.shape[1], rule.raised)
            z[group] = part[group]
    known = np.where(np.isfinite(z), z, -np.inf)
    joints[rows] = known.argmax(axis=1)
    best = known.max(axis=1)
    scores[rows] = np.where(best > -np.inf, best, np.nan)
    return scores, joints


SEVERITIES = ("ok", "warn", "fault")


@dataclass(frozen=True)
class Judged:
    """One check's judgement of the set.

    Attributes:
        limits: The limits; None where the set is too small to compare.
        severity: Index into `SEVERITIES`, (n,).
        limit: The limit that was passed, (n,); NaN where none was.
        below: Whether it was passed downwards, bool, (n,).
    """

    limits: Limits | None
    severity: np.ndarray
    limit: np.ndarray
    below: np.ndarray


def judge(check: Check, scores: np.ndarray, trusted: np.ndarray | None = None) -> Judged:
    """Judge one check over the set.

    Args:
        check: The check.
        scores: Its scores, (n,).
        trusted: Which episodes say what is usual, (n,); all by default.
    """
    n = len(scores)
    severity, passed, below = np.zeros(n, int), np.full(n, np.nan), np.zeros(n, bool)
    too_few = check.per_joint is not None and not np.isfinite(scores).any()
    bounds = None if too_few else limits(check.rule, scores, trusted)
    if (
        bounds is not None
        and check.per_joint is not None
        and check.rule.tail
        and check.rule.raised >= Rule.raised
    ):
        bounds = replace(bounds, false_alarms=FALSE_ALARMS)  # the joints' tails were brought to that rate
    if bounds is None:
        return Judged(None, severity, passed, below)
    with np.errstate(invalid="ignore"):
        for rank, low, high in (
            (1, bounds.warn_low, bounds.warn_high),
            (2, bounds.fault_low, bounds.fault_high),
        ):
            # A fixed limit is itself forbidden ("1 frame or more"); a limit against the set must be passed.
            over = scores > high if check.rule.against_set else scores >= high
            under = (scores < low) & ~over
            severity[over | under] = rank
            passed[over], passed[under] = high, low
            below[over], below[under] = False, True
    return Judged(bounds, severity, passed, below)


def findings_of(
    check: Check,
    measures: Measures,
    result: Compared,
    judged: Judged,
    episodes: Sequence[int],
    lengths: Sequence[int],
) -> list[Finding]:
    """Put what was judged into words: one finding for each episode beyond a limit.

    Args:
        check: The check.
        measures: What it measured.
        result: Its scores.
        judged: Their judgement.
        episodes: Episode indices.
        lengths: Frames of each episode.
    """
    findings = []
    for i in np.flatnonzero(judged.severity).tolist():
        j = int(result.feature[i])
        first, last = measures.span(i, j) or (0, lengths[i])
        named = measures.labels[j] if check.per_joint is not None and measures.labels else ""
        added = result.added[i] if result.added else ""
        words = " ".join(part for part in (measures.words[i], named, added) if part)
        score, limit = float(result.scores[i]), float(judged.limit[i])
        findings.append(
            Finding(
                episodes[i],
                check.name,
                SEVERITIES[judged.severity[i]],
                first,
                last,
                score,
                limit,
                _message(check, words, score, limit, "at least" if judged.below[i] else "at most"),
            )
        )
    return findings


def _message(check: Check, words: str, score: float, limit: float, word: str) -> str:
    if not check.unit:
        return words
    if not check.rule.against_set and limit == 1:
        return f"{words}: {score:.3g} {check.unit}"
    usual = "usual here: " if check.rule.against_set else ""
    return f"{words}: {score:.3g} {check.unit} ({usual}{word} {limit:.3g})"
