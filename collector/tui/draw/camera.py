"""The pane of one camera: its newest picture, how old that is, and a word where something is wrong with it."""

from __future__ import annotations

import os
import textwrap

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from collector.tui.draw.halfblocks import ColourMode, colours_of, fitting
from collector.tui.draw.strips import picture_strips


class CameraPane(Widget):
    """A camera's newest picture, centred under a line with its name, rate and age.

    A border or padding from a stylesheet is drawn right, but by Textual's path of segments, which is many times slower.

    Args:
        name: The camera's.
        colours: What the terminal shows; by default, what the environment says.

    Attributes:
        warning: What is wrong (`frozen 0.8 s`), shown as words in the warning colour; None where all is well.
    """

    COMPONENT_CLASSES = {"camera--title", "camera--warning"}
    DEFAULT_CSS = """
    CameraPane { width: 1fr; height: 1fr; }
    CameraPane > .camera--title { background: $panel; color: $foreground; }
    CameraPane > .camera--warning { background: $warning; color: $background; text-style: bold; }
    """

    warning: reactive[str | None] = reactive(None)

    def __init__(
        self,
        name: str,
        *,
        colours: ColourMode | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._camera = name
        self._colours = colours_of(os.environ) if colours is None else colours
        self._picture: np.ndarray | None = None
        self._words = "no picture yet"
        self._facts = ""
        self._shown = 0
        self._drawn: tuple[object, list[Strip]] = (None, [])

    def show(self, picture: np.ndarray | None, age_s: float | None = None, fps: float | None = None) -> None:
        """Show a picture.

        Args:
            picture: uint8, (height, width, 3); kept, not copied. None where there is no newer one.
            age_s: How long ago it was taken [s].
            fps: The camera's rate [Hz].

        Raises:
            ValueError: It is not such a picture.
        """
        if picture is not None and (picture.dtype != np.uint8 or picture.shape[2:] != (3,)):
            raise ValueError(
                f"camera '{self._camera}' gave {picture.dtype} {picture.shape}: a picture is uint8 "
                "(height, width, 3)"
            )
        facts = [f"{fps:.0f} fps"] if fps is not None else []
        facts += [f"{age_s:.2f} s ago"] if age_s is not None else []
        self._facts = "  ".join(facts)
        if picture is None:
            self.refresh(Region(0, 0, self.size.width, 1))
            return
        self._picture = picture
        self._shown += 1
        self.refresh()

    def blank(self, words: str) -> None:
        """Show no picture, and say why."""
        if self._picture is not None or words != self._words:
            self._picture, self._words, self._facts = None, words, ""
            self._shown += 1
            self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a part of the pane, its picture encoded already."""
        if any(self.gutter):
            return super().render_lines(crop)
        return [
            line.crop(crop.x, crop.right) for line in self._lines(self.size)[max(0, crop.y) : crop.bottom]
        ]

    def render_line(self, y: int) -> Strip:
        """Return one line; Textual asks for it where the stylesheet gives the pane a frame."""
        return self._lines(self.size)[y]

    def _lines(self, size: Size) -> list[Strip]:
        if not size.area:
            return []
        blank = self.rich_style
        # Textual asks for all lines again whenever anything beside this pane has changed.
        key = size, self._shown, blank
        if self._drawn[0] != key:
            self._drawn = key, self._below(size.width, size.height - 1, blank)
        return [self._title(size.width), *self._drawn[1]]

    def _title(self, width: int) -> Strip:
        style = self.get_component_rich_style("camera--warning" if self.warning else "camera--title")
        if self._colours is ColourMode.NONE:
            style = Style(bold=True, reverse=bool(self.warning))
        # The warning stands first, so that a narrow pane keeps it, and says so without the colour too.
        left = f" ! {self.warning}  {self._camera}" if self.warning else f" {self._camera}"
        room = width - cell_len(left) - cell_len(self._facts) - 2
        text = f"{left}{' ' * (room + 1)}{self._facts} " if room > 0 else left
        title = Strip([Segment(set_cell_size(text, width), style)], width)
        for line_filter in self.get_line_filters():
            title = title.apply_filter(line_filter, self.background_colors[1])
        return title

    def _below(self, width: int, height: int, blank: Style) -> list[Strip]:
        margin = Style.null() if self._colours is ColourMode.NONE else blank
        if self._picture is None:
            words = textwrap.wrap(self._words, max(1, width))[: max(0, height)]
            top = height // 2 - (len(words) - 1) // 2
            lines = [Strip.blank(width, margin)] * max(0, height)
            for y, line in enumerate(words, max(0, min(top, height - len(words)))):
                lines[y] = Strip([Segment(set_cell_size(line.center(width), width), margin)], width)
            return lines
        tall, wide = self._picture.shape[:2]
        columns, rows = fitting(tall, wide, width, height)
        left, top = (width - columns) // 2, (height - rows) // 2
        lines = [Strip.blank(width, margin)] * top
        lines += picture_strips(
            self._picture, columns, rows, self._colours, left, width - columns - left, margin
        )
        return lines + [Strip.blank(width, margin)] * (height - top - rows)
