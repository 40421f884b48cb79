"""The order of a review: what most needs eyes comes first, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from collector.errors import shown
from curation.evidence import Evidence
from curation.show import cell
from curation.standing import Standing

NEEDS = ("fault", "dispute", "warning", "rank", "none", "seen")
"""Why an episode stands where it does, the most urgent first: a hard finding, people who differ, a soft finding, its
soft scores, nothing; or the author has judged it, and nobody differs."""


def needs(evidence: Evidence, standing: Standing) -> np.ndarray:
    """Return the need of each episode, as a number of `NEEDS`, (n_episodes,)."""
    n = len(standing)
    need = np.full(n, NEEDS.index("none"), np.int8)
    need[np.isfinite(evidence.place)] = NEEDS.index("rank")
    need[evidence.warnings > 0] = NEEDS.index("warning")
    # In a blind review an order by disputes would say what the others said.
    disputed = [] if standing.blind else list(standing.conflicts)
    need[disputed] = NEEDS.index("dispute")
    need[evidence.faults > 0] = NEEDS.index("fault")
    seen = standing.seen.copy()
    seen[disputed] = False
    need[seen] = NEEDS.index("seen")
    need[[e for e in disputed if standing.seen[e]]] = NEEDS.index("dispute")
    return need


def order(evidence: Evidence, standing: Standing, episodes: np.ndarray | None = None) -> np.ndarray:
    """Return episodes in the order of a review.

    Within a need: those with more faults first, then with more warnings, then by soft score, the worst first.

    Args:
        episodes: Which, as numbers; None for all.
    """
    chosen = np.arange(len(standing)) if episodes is None else np.asarray(episodes, np.int64)
    place = np.where(np.isfinite(evidence.place), evidence.place, np.inf)
    keys = (chosen, place[chosen], -evidence.warnings[chosen], -evidence.faults[chosen])
    return chosen[np.lexsort((*keys, needs(evidence, standing)[chosen]))]


def reason(evidence: Evidence, standing: Standing, episode: int) -> str:
    """Return in a line why an episode wants a look."""
    if not evidence.faults[episode] and (conflicts := standing.disputes(episode)):
        first = conflicts[0]
        said = ", ".join(f"{author} {said_cell(value)}" for author, value, _ in first.said)
        more = f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""
        return shown(f"{first.field}: {said}{more}", 300)
    return evidence.reason(episode)


def said_cell(value: Any) -> str:
    """Return a label's value as people read it."""
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return "; ".join(f"{one['from_frame']}:{one['to_frame']} {one['text']}" for one in value)
    return cell(value) or "none"


def as_rows(
    evidence: Evidence, standing: Standing, episodes: Sequence[int] | np.ndarray
) -> list[dict[str, Any]]:
    """Return the queue for machines: each episode with its need, the reason and its labels."""
    need = needs(evidence, standing)
    return [
        {
            "episode_index": e,
            "need": NEEDS[need[e]],
            "reason": reason(evidence, standing, e),
            "faults": int(evidence.faults[e]),
            "warnings": int(evidence.warnings[e]),
            **{name: standing.value(e, name) for name in ("verdict", "success", "rating", "tags", "note")},
            "seen": bool(standing.seen[e]),
        }
        for e in map(int, episodes)
    ]
