"""The columns that every LeRobot v3.0 set has, frame by frame: counters, times and tasks that fit together."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, longest, runs, skip

COLUMNS = ("timestamp", "frame_index", "index", "task_index")


def measure(episode: Episode, reference: Reference) -> Measure:
    """Count the frames whose bookkeeping is wrong.

    `frame_index` counts 0, 1, 2, ...; `index` goes up by one; `timestamp` is `frame_index / fps` within a tenth
    of a period (lerobot's readers look pictures up by it); `task_index` is not negative.
    """
    n = len(episode)
    if n == 0:
        return Measure(1.0, (0, 0), "the episode has no frames")
    known = {name: np.asarray(episode.columns[name]).ravel() for name in COLUMNS if name in episode.columns}
    if not known:
        return skip("the bookkeeping columns were not read")
    counted = np.arange(n)
    bad, where = np.zeros(n, bool), []
    for name, values in known.items():
        if len(values) != n:
            continue
        if name == "timestamp":
            off = ~(np.abs(values.astype(np.float64) - counted / episode.fps) <= 0.1 / episode.fps)
        elif name == "frame_index":
            off = values != counted
        elif name == "index":
            off = values - values[0] != counted
        else:
            off = values < 0
        if off.any():
            where.append(name)
            bad |= off
    return Measure(float(bad.sum()), longest(runs(bad)), f"wrong {', '.join(where)}")


CHECK = Check(
    "structure",
    "frames",
    "counters, times or tasks that do not fit together",
    measure,
    Rule(fault=1, warn=None, against_set=False),
)
