"""Run the checks over episodes in memory: build the reference, measure every episode, judge all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.checks.base import Check, Episode, Finding, Measure
from curation.checks.reference import Reference, build_reference
from curation.checks.registry import CHECKS
from curation.judge import Limits, judge, scores_of

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


def reference_of(
    episodes: Sequence[Episode],
    state_names: Sequence[str] = (),
    action_names: Sequence[str] = (),
) -> Reference:
    """Build the set's reference from episodes, thinned evenly where they are more than enough."""
    frames = sum(len(e) for e in episodes)
    chosen = [e for e in episodes if len(e)][:: max(1, -(-frames // ENOUGH_FRAMES))]
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
    return build_reference(
        chosen[0].fps,
        [e.state for e in chosen],
        [e.action for e in chosen],
        state_names,
        action_names,
        usual,
    )


def measure_episode(episode: Episode, reference: Reference, checks: Sequence[Check]) -> list[Measure]:
    """Return what each check measures on one episode."""
    return [check.measure(episode, reference) for check in checks]


def judge_all(
    episodes: Sequence[int],
    lengths: Sequence[int],
    measures: Sequence[Sequence[Measure]],
    reference: Reference,
    checks: Sequence[Check] = CHECKS,
    tasks: np.ndarray | None = None,
) -> Scoring:
    """Judge the measures of all episodes, given one list a check in the order of `checks` per episode.

    Judged three times: each time only episodes without a fault so far say what is usual, so that those with
    plain faults do not hide others.
    """
    columns = [[row[c] for row in measures] for c in range(len(checks))]
    combined = {
        check.name: scores_of(check, columns[c], reference)
        for c, check in enumerate(checks)
        if check.combine is not None
    }
    trusted = np.ones(len(measures), bool)
    at = {episode: i for i, episode in enumerate(episodes)}
    for _ in range(ROUNDS):
        scores, bounds, skipped, findings = {}, {}, {}, []
        for c, check in enumerate(checks):
            given = combined.get(check.name)
            found_scores, column = given or scores_of(check, columns[c], reference, trusted, tasks)
            scores[check.name] = found_scores
            bounds[check.name], found = judge(check, column, found_scores, episodes, lengths, trusted)
            findings += found
            missing = "too few episodes to compare with" if bounds[check.name] is None else ""
            skipped[check.name] = [
                m.skipped or missing or ("" if np.isfinite(s) or np.isinf(s) else "nothing to compare with")
                for m, s in zip(column, found_scores)
            ]
        trusted[[at[f.episode_index] for f in findings if f.severity == "fault"]] = False
        if trusted.sum() < len(trusted) / 3:
            break
    order = {check.name: i for i, check in enumerate(checks)}
    findings.sort(key=lambda f: (f.episode_index, f.severity != "fault", order[f.check]))
    return Scoring(list(episodes), list(lengths), scores, bounds, skipped, findings)


def score_episodes(
    episodes: Sequence[Episode],
    state_names: Sequence[str] = (),
    action_names: Sequence[str] = (),
    checks: Sequence[Check] = CHECKS,
) -> Scoring:
    """Run the checks over episodes in memory."""
    reference = reference_of(episodes, state_names, action_names)
    measures = [measure_episode(episode, reference, checks) for episode in episodes]
    lengths = [len(e) for e in episodes]
    tasks = np.array([task_of(e) for e in episodes])
    return judge_all([e.index for e in episodes], lengths, measures, reference, checks, tasks)


def task_of(episode: Episode) -> int:
    """Return the number of an episode's first task; 0 where it has none."""
    column = episode.columns.get("task_index")
    return int(column.flat[0]) if column is not None and column.size else 0
