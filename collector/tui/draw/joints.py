"""What the joints were asked, what was sent and what they measured, in the last seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from collector.tui.draw.braille import GUIDE, NOBODY, plot

WINDOW_S = 10.0
_NUMBERS_WIDTH = 15  # ` asked   -12.3 `
_LEAST_PLOT = 12  # cells wide, else a joint has one line
_LEAST_HEIGHT = 4  # its name, two rows of plot, one for the stretches that were clipped
_LINE_WIDTH = 36
_LEAST_SPAN = 2.0  # of the values drawn, so that a resting joint's noise stays small
# Colours that the colour-blind tell apart (Okabe and Ito 2008), and the numbers beside have words.
_SERIES = ("#56b4e9", "#e69f00", "#f0f0f0")
_CLIPPED = "#d55e00"
_LIMIT = "#cc79a7"


class PlotPane(Widget):
    """For each joint a plot of the last ten seconds and its newest numbers; in little room, a line of numbers.

    Args:
        names: The joints', as columns of what `show` takes.
    """

    DEFAULT_CSS = "PlotPane { width: 1fr; height: 1fr; }"

    def __init__(self, names: Sequence[str], *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._names = tuple(names)
        self._times_s: np.ndarray = np.empty(0)
        self._series: np.ndarray = np.empty((3, 0, len(names)))
        self._clipped: np.ndarray = np.empty((0, len(names)), bool)
        self._limits: Mapping[str, tuple[float, float]] = {}
        self._drawn: tuple[Size, list[Strip]] | None = None

    def show(
        self,
        times_s: np.ndarray,
        asked: np.ndarray,
        executed: np.ndarray,
        measured: np.ndarray,
        clipped: np.ndarray,
        limits: Mapping[str, tuple[float, float]],
    ) -> None:
        """Show the last `WINDOW_S` seconds of these.

        Args:
            times_s: Ascending [s], float, (n,).
            asked, executed, measured: Joint positions [deg; gripper 0..100], float, (n, n_joints); NaN where unknown.
            clipped: Where safety did not send what was asked, bool, (n, n_joints).
            limits: Lowest and highest position by joint's name, where known; of both, what is near the plot is drawn.

        Raises:
            ValueError: The arrays do not fit each other or the names.
        """
        wanted = len(times_s), len(self._names)
        arrays = {"asked": asked, "executed": executed, "measured": measured, "clipped": clipped}
        for name, array in arrays.items():
            if array.shape != wanted:
                raise ValueError(f"{name} is {array.shape}, for {wanted[0]} times and {wanted[1]} joints")
        self._times_s, self._limits = np.asarray(times_s, np.float64), limits
        self._series = np.stack([asked, executed, measured]).astype(np.float64)
        self._clipped = np.asarray(clipped, bool)
        self._drawn = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        if self._drawn is None or self._drawn[0] != self.size:
            self._drawn = self.size, self._lines(self.size)
        lines = self._drawn[1]
        line = lines[y] if y < len(lines) else Strip([], 0)
        # The widget's own style lies under what has none of its own.
        return line.apply_style(self.rich_style).adjust_cell_length(self.size.width, self.rich_style)

    def _lines(self, size: Size) -> list[Strip]:
        joints = len(self._names)
        if not joints or not size.area:
            return []
        columns = min(joints, max(1, size.width // (_LEAST_PLOT + _NUMBERS_WIDTH)))
        height = size.height // -(-joints // columns)
        if height < _LEAST_HEIGHT or size.width < _LEAST_PLOT + _NUMBERS_WIDTH:
            columns, height = min(joints, max(1, size.width // _LINE_WIDTH)), 1
        width = size.width // columns
        blocks = [self._block(joint, width, height) for joint in range(joints)]
        return [
            Strip.join(block[y] for block in blocks[start : start + columns])
            for start in range(0, joints, columns)
            for y in range(height)
        ]

    def _block(self, joint: int, width: int, height: int) -> list[Strip]:
        """Return a joint's lines, each of so many cells."""
        if height == 1:
            return [self._line(joint, width)]
        columns = width - _NUMBERS_WIDTH
        newest = self._newest(joint)
        clipped = self._clipped_now(joint)
        title = f"{self._names[joint]}{' ! clipped' if clipped else ''}"
        strips = [
            Strip(
                [Segment(set_cell_size(title, width), Style(bold=True, color=_CLIPPED if clipped else None))]
            )
        ]
        words = [("asked", newest[0], _SERIES[0]), ("measured", newest[2], _SERIES[2])]
        for y, row in enumerate(self._plot(joint, columns, height - 2)):
            segments = [Segment(text, _style_of(owner)) for text, owner in row]
            word, value, colour = words[y] if y < len(words) else ("", None, None)
            number = f" {word:<8}{_number(value)}" if word else ""
            segments.append(Segment(set_cell_size(number, _NUMBERS_WIDTH), Style(color=colour)))
            strips.append(Strip(segments, width))
        marks = self._marks(joint, columns) + " " * _NUMBERS_WIDTH
        return [*strips, Strip([Segment(marks, Style(color=_CLIPPED, bold=True))], width)]

    def _line(self, joint: int, width: int) -> Strip:
        asked, _, measured = self._newest(joint)
        mark = " !" if self._clipped_now(joint) else "  "
        numbers = f"{_number(asked)} → {_number(measured)}{mark}"
        name = set_cell_size(self._names[joint], max(0, min(18, width - len(numbers) - 1)))
        style = Style(color=_CLIPPED, bold=True) if mark.strip() else Style()
        return Strip([Segment(set_cell_size(f"{name} {numbers}", width), style)], width)

    def _newest(self, joint: int) -> np.ndarray:
        return self._series[:, -1, joint] if len(self._times_s) else np.full(3, np.nan)

    def _clipped_now(self, joint: int) -> bool:
        return bool(len(self._clipped)) and bool(self._clipped[-1, joint])

    def _at(self) -> np.ndarray:
        """Return where each moment lies in the window, from 0 to 1 (now)."""
        newest_s = self._times_s[-1] if len(self._times_s) else 0.0
        return 1.0 - (newest_s - self._times_s) / WINDOW_S

    def _plot(self, joint: int, columns: int, rows: int) -> list[list[tuple[str, int]]]:
        at = self._at()
        series = self._series[:, :, joint]
        seen = series[:, at >= 0]
        seen = seen[np.isfinite(seen)]
        low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
        spare = max(0.0, _LEAST_SPAN - (high - low)) / 2 + 0.05 * (high - low)
        low, high = low - spare, high + spare
        return plot(series, columns, rows, low, high, at=at, guides=self._limits.get(self._names[joint], ()))

    def _marks(self, joint: int, columns: int) -> str:
        at = self._at()
        where = at[self._clipped[:, joint] & (at >= 0)]
        cells = np.full(columns, " ")
        cells[np.minimum((where * columns).astype(int), columns - 1)] = "!"
        return "".join(cells)


def _style_of(owner: int) -> Style:
    if owner == GUIDE:
        return Style(color=_LIMIT)
    return Style() if owner == NOBODY else Style(color=_SERIES[owner])


def _number(value: float | None) -> str:
    return "     -" if value is None or not np.isfinite(value) else f"{value:6.1f}"
