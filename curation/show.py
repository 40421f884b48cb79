"""Text for the terminal: plain tables and a progress line."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from collector.errors import shown


def cell(value: Any) -> str:
    """Return a value as it stands in a table: nothing for null, yes/no, short numbers, one line of text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(v) for v in value)
    return shown(" ".join(str(value).split()), 10_000)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return an aligned text table; columns of numbers stand to the right."""
    texts = [[cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in texts)]) for i, name in enumerate(head)]
    right = [
        any(row[i] is not None for row in rows)
        and all(
            row[i] is None or (isinstance(row[i], (int, float)) and not isinstance(row[i], bool))
            for row in rows
        )
        for i in range(len(head))
    ]

    def line(values: Sequence[str]) -> str:
        cells = [v.rjust(w) if r else v.ljust(w) for v, w, r in zip(values, widths, right)]
        return "  ".join(cells).rstrip()

    return "\n".join([line(head), line(["-" * w for w in widths]), *map(line, texts)])


def counted(n: int) -> str:
    """Return `1 episode` or `n episodes`."""
    return f"{n} episode" if n == 1 else f"{n} episodes"


def episode_list(episodes: Sequence[int], most: int = 8) -> str:
    """Return episode numbers as ranges, `3, 7-9, 12 and 5 more`."""
    parts: list[str] = []
    ordered = sorted(episodes)
    i = 0
    while i < len(ordered):
        j = i
        while j + 1 < len(ordered) and ordered[j + 1] == ordered[j] + 1:
            j += 1
        parts.append(str(ordered[i]) if i == j else f"{ordered[i]}-{ordered[j]}")
        i = j + 1
        if len(parts) == most and i < len(ordered):
            return ", ".join(parts) + f" and {len(ordered) - i} more"
    return ", ".join(parts)


class ProgressLine:
    """A line on stderr that counts up; silent where stderr is not a terminal."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._on = sys.stderr.isatty()

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show that `done` of `total` episodes of a phase are done, at most ten times a second."""
        now = time.monotonic()
        if self._on and (done == total or now - self._shown > 0.1):
            self._shown = now
            end = "\n" if done == total else ""
            print(f"\r{phase}: {done} of {total} episodes", end=end, file=sys.stderr, flush=True)
