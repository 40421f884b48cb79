"""Run the checks over episodes in memory: build the reference, measure every episode, judge all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from curation.checks.base import Check, Episode, Finding, Measure
from curation.checks.picture_model import fit_pictures
from curation.checks.reference import Reference, build_reference
from curation.checks.registry import CHECKS
from curation.judge import SEVERITIES, Compared, Judged, Limits, compared, findings_of, judge
from curation.measures import Measures

ENOUGH_FRAMES = 100_000
"""Frames that the reference is built from; more would cost time and change nothing."""


ROUNDS = 3
"""How often the episodes are judged, each time against those that had no fault before."""


@dataclass(frozen=True)
class Scoring:
    """The checks' results over a set.

    Attributes:
        episodes: Episode indices, ascending.
        lengths: Frames of each.
        scores: Check name -> scores (n_episodes,), NaN where not evaluated.
        limits: Check name -> limits; None where the set is too small to compare.
        skipped: Check name -> why it could not be evaluated, per episode ("" where it was).
        findings: All findings, by episode, then by check.
    """

    episodes: list[int]
    lengths: list[int]
    scores: dict[str, np.ndarray]
    limits: dict[str, Limits | None]
    skipped: dict[str, list[str]]
    findings: list[Finding]

    def faulty(self) -> dict[int, list[Finding]]:
        """Return the faults by episode."""
        result: dict[int, list[Finding]] = {}
        for finding in self.findings:
            if finding.severity == "fault":
                result.setdefault(finding.episode_index, []).append(finding)
        return result


def reference_choice(lengths: Sequence[int] | np.ndarray) -> list[int]:
    """Return the episodes that stand for the set: all of them up to `ENOUGH_FRAMES`, else evenly spread ones.

    Of larger sets only the first so many are looked at, a number that grows in steps of a 16th to a 32nd: so
    episodes that are added to a set mostly leave its reference as it is, and with it all that was measured. The
    choice depends on nothing but the set.
    """
    n = len(lengths)
    if int(np.sum(lengths)) > ENOUGH_FRAMES:
        step = 2 ** max(0, n.bit_length() - 5)
        n -= n % step
    frames = int(np.sum(lengths[:n]))
    return list(range(0, n, max(1, -(-frames // ENOUGH_FRAMES))))


def reference_of(
    episodes: Sequence[Episode],
    state_names: Sequence[str] = (),
    action_names: Sequence[str] = (),
) -> Reference:
    """Build the set's reference from episodes, or from some of them where they are more than enough."""
    alive = [e for e in episodes if len(e)]
    chosen = [alive[i] for i in reference_choice([len(e) for e in alive])]
    cameras = {camera for e in episodes for camera in e.video}
    usual = {}
    for camera in cameras:
        medians = [
            float(np.median(e.video[camera]["difference"][1:]))
            for e in episodes
            if camera in e.video and len(e.video[camera]["difference"]) > 1
        ]
        usual[camera] = float(np.median(medians)) if medians else 0.0
    if not chosen:
        width_s = episodes[0].state.shape[1] if episodes else 0
        width_a = episodes[0].action.shape[1] if episodes else 0
        return build_reference(1.0, [np.zeros((0, width_s))], [np.zeros((0, width_a))])
    reference = build_reference(
        chosen[0].fps,
        [e.state for e in chosen],
        [e.action for e in chosen],
        state_names,
        action_names,
        usual,
    )
    if not cameras:
        return reference
    states = [e.state for e in chosen]
    scale = reference.state_scale
    models = {c: fit_pictures(states, [e.video.get(c, {}) for e in chosen], scale) for c in sorted(cameras)}
    return replace(reference, pictures=models)


def measure_episode(episode: Episode, reference: Reference, checks: Sequence[Check]) -> list[Measure]:
    """Return what each check measures on one episode."""
    return [check.measure(episode, reference) for check in checks]


def measure_block(
    episodes: Iterable[Episode], reference: Reference, checks: Sequence[Check]
) -> dict[str, Measures]:
    """Return the measures of all checks over some episodes, by check."""
    rows = []
    for episode in episodes:
        rows.append(measure_episode(episode, reference, checks))
        episode.memo.clear()
    return {check.name: Measures.of([row[c] for row in rows]) for c, check in enumerate(checks)}


def judge_all(
    episodes: Sequence[int],
    lengths: Sequence[int],
    measures: Mapping[str, Measures],
    reference: Reference,
    checks: Sequence[Check] = CHECKS,
    tasks: np.ndarray | None = None,
) -> Scoring:
    """Judge the measures of all episodes, by check, one row an episode.

    Judged three times: each time only episodes without a fault so far say what is usual, so that those with
    plain faults do not hide others. Of pictures only those say what is usual of which nothing is said.
    """
    cameras = {check.name for check in checks if check.video}
    # What does not depend on who is trusted is compared once.
    fixed = {c.name: compared(c, measures[c.name], reference) for c in checks if c.per_joint is None}
    trusted: np.ndarray = np.ones(len(episodes), bool)
    shown: np.ndarray = trusted
    results: dict[str, Compared] = {}
    verdicts: dict[str, Judged] = {}
    for _ in range(ROUNDS):
        for check in checks:
            usual = trusted & shown if check.video else trusted
            results[check.name] = fixed.get(check.name) or compared(
                check, measures[check.name], reference, usual, tasks
            )
            verdicts[check.name] = judge(check, results[check.name].scores, usual)
        for name, judged in verdicts.items():
            trusted = trusted & (judged.severity < SEVERITIES.index("fault"))
            if name in cameras:
                shown = shown & (judged.severity == 0)
        if trusted.sum() < len(trusted) / 3:
            break
    findings, skipped = [], {}
    for check in checks:
        result, judged, column = results[check.name], verdicts[check.name], measures[check.name]
        findings += findings_of(check, column, result, judged, episodes, lengths)
        missing = "too few episodes to compare with" if judged.limits is None else ""
        unknown = np.isnan(result.scores).tolist()
        skipped[check.name] = [
            reason or missing or ("nothing to compare with" if nan else "")
            for reason, nan in zip(column.skipped, unknown)
        ]
    order = {check.name: i for i, check in enumerate(checks)}
    findings.sort(key=lambda f: (f.episode_index, f.severity != "fault", order[f.check]))
    return Scoring(
        list(episodes),
        list(lengths),
        {name: result.scores for name, result in results.items()},
        {name: judged.limits for name, judged in verdicts.items()},
        skipped,
        findings,
    )


def score_episodes(
    episodes: Sequence[Episode],
    state_names: Sequence[str] = (),
    action_names: Sequence[str] = (),
    checks: Sequence[Check] = CHECKS,
) -> Scoring:
    """Run the checks over episodes in memory."""
    reference = reference_of(episodes, state_names, action_names)
    measures = measure_block(episodes, reference, checks)
    lengths = [len(e) for e in episodes]
    tasks = np.array([task_of(e) for e in episodes])
    return judge_all([e.index for e in episodes], lengths, measures, reference, checks, tasks)


def task_of(episode: Episode) -> int:
    """Return the number of an episode's first task; 0 where it has none."""
    column = episode.columns.get("task_index")
    return int(column.flat[0]) if column is not None and column.size else 0
