"""Precision, recall by size, false alarms, right names and spans, with Wilson intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from curation_bench.flying import Flown
from curation_bench.kinds import KINDS, Kind
from curation_bench.measure import Accusation
from curation_bench.picture_faults import PictureKind
from curation_bench.pilots import UNUSUAL


def wilson(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927, eq. 4)."""
    if n == 0:
        return 0.0, 1.0
    p = k / n
    centre, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, float((centre - half) / (1 + z * z / n))), float((centre + half) / (1 + z * z / n))


def share(k: int, n: int) -> str:
    """Return `k/n = share (interval)`."""
    low, high = wilson(k, n)
    return f"{k}/{n} = {100 * k / max(1, n):.1f} % ({100 * low:.0f}-{100 * high:.0f})"


def overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Return the intersection over the union of two frame spans."""
    inside = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    return inside / max(1, max(a[1], b[1]) - min(a[0], b[0]))


class Counts:
    """Counts over one or several sets for one checker."""

    def __init__(
        self,
        names: Callable[[str], frozenset[str]] = lambda fault: KINDS[fault].checks,
        kinds: Mapping[str, Kind | PictureKind] = KINDS,
        unusual: Sequence[str] = UNUSUAL,
    ) -> None:
        """`names`: which checks name a fault rightly; `kinds` and `unusual`: what there is to be found, and not."""
        self._names = names
        self.kinds = kinds
        self.cells: dict[tuple[str, int], list[int]] = {}
        self.clean = [0, 0]
        self.unusual: dict[str, list[int]] = {name: [0, 0] for name in unusual}
        self.named = [0, 0]
        self.spans: list[float] = []
        self.alarms: dict[str, int] = {}

    def add(self, flights: Sequence[Flown], accusations: Sequence[Accusation]) -> None:
        """Count one set's accusations."""
        by_episode: dict[int, list[Accusation]] = {}
        for accusation in accusations:
            by_episode.setdefault(accusation.episode, []).append(accusation)
        for episode, flown in enumerate(flights):
            found = by_episode.get(episode, [])
            if not flown.fault:
                cell = self.unusual.get(flown.style, self.clean)
                cell[0] += bool(found)
                cell[1] += 1
                for check in {a.check for a in found}:
                    self.alarms[check] = self.alarms.get(check, 0) + 1
                continue
            cell = self.cells.setdefault((flown.fault, flown.level), [0, 0])
            cell[0] += bool(found)
            cell[1] += 1
            if not found:
                continue
            right = [a for a in found if a.check in self._names(flown.fault)]
            self.named[0] += bool(right)
            self.named[1] += 1
            spans = [a.span for a in right if a.span is not None]
            if spans and flown.span is not None:
                self.spans.append(max(overlap(s, flown.span) for s in spans))

    def of(self, levels: Sequence[int]) -> tuple[int, int]:
        """Return faults found and faults there, of some sizes."""
        cells = [self.cells.get((kind, level), [0, 0]) for kind in self.kinds for level in levels]
        return sum(c[0] for c in cells), sum(c[1] for c in cells)

    def false_alarms(self) -> tuple[int, int]:
        """Return accused and all flights that are clean, unusual ones among them."""
        cells = [self.clean, *self.unusual.values()]
        return sum(c[0] for c in cells), sum(c[1] for c in cells)

    def precision(self, levels: Sequence[int]) -> tuple[int, int]:
        """Return right accusations and all of them, where the faulty flights are those of some sizes."""
        right, wrong = self.of(levels)[0], self.false_alarms()[0]
        return right, right + wrong


def rows(counts: Counts) -> list[tuple[str, str]]:
    """Return the summary of one checker as (what, value)."""
    unusual = [sum(c[i] for c in counts.unusual.values()) for i in (0, 1)]
    return [
        ("precision, subtle (sizes 1 and 2)", share(*counts.precision((1, 2)))),
        ("recall, subtle", share(*counts.of((1, 2)))),
        ("precision, plain (sizes 3 and 4)", share(*counts.precision((3, 4)))),
        ("recall, plain", share(*counts.of((3, 4)))),
        *[(f"recall, size {level}", share(*counts.of((level,)))) for level in (1, 2, 3, 4)],
        ("false alarms, clean", share(*counts.clean)),
        ("fires on unusual but clean", share(unusual[0], unusual[1])),
        ("right fault named, of those found", share(*counts.named)),
        (
            "span IoU, median of those named",
            f"{np.median(counts.spans):.2f} (n = {len(counts.spans)})" if counts.spans else "",
        ),
    ]


def by_kind(counts: dict[str, Counts]) -> str:
    """Return recall by kind and size as markdown: `found at sizes 1/2/3/4 of n`, one column a checker."""
    lines = [
        "| fault | sizes | " + " | ".join(counts) + " |",
        "|---|---|" + "---|" * len(counts),
    ]
    first = next(iter(counts.values()))
    for kind, spec in first.kinds.items():
        cells = []
        for counted in counts.values():
            found = [counted.cells.get((kind, level), [0, 0]) for level in (1, 2, 3, 4)]
            cells.append(" ".join(str(c[0]) for c in found) + f" of {found[0][1]}")
        sizes = " ".join(f"{s:g}" for s in spec.sizes)
        lines.append(f"| {kind} | {sizes} {spec.unit} | " + " | ".join(cells) + " |")
    for unusual in first.unusual:
        cells = [f"{c.unusual[unusual][0]} of {c.unusual[unusual][1]}" for c in counts.values()]
        lines.append(f"| clean: {unusual} | | " + " | ".join(cells) + " |")
    return "\n".join(lines)
