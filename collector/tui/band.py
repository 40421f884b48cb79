"""The band across the top: state, count and time, as large as the terminal allows."""

from __future__ import annotations

from rich.cells import set_cell_size
from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from collector.tui import letters
from collector.tui.snapshot import Snapshot

_LARGE_FROM = 24  # rows of the terminal
_SMALL_FROM = 15
_GAP = 6
LOOKS = ("ready", "recording", "practice", "paused", "saving", "waiting", "fault")


class Band(Widget):
    """State, count and time in letters as large as there is room for."""

    def __init__(self) -> None:
        super().__init__()
        self._words: tuple[str, str, str] = ("STARTING", "", "")

    def show(self, snapshot: Snapshot) -> None:
        """Show the headline of a snapshot."""
        words = snapshot.headline.word, _count(snapshot), _clock(snapshot)
        for look in LOOKS:
            self.set_class(look == snapshot.headline.look, f"-{look}")
        if words != self._words:
            self._words = words
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines the band takes of a terminal of this size."""
        if viewport.height >= _LARGE_FROM and letters.width(self._words[0]) <= width - 2:
            return letters.HEIGHT
        return 3 if viewport.height >= _SMALL_FROM and letters.width(self._words[0], True) <= width - 2 else 1

    def render(self) -> RenderResult:
        """Return the words, the first of them always whole."""
        width, height = self.size.width, self.size.height
        if height == 1:
            return Content(set_cell_size(" " + "  ".join(word for word in self._words if word), width))
        small = height < letters.HEIGHT
        shown = list(self._words[:1])
        for word in self._words[1:]:
            wanted = sum(letters.width(one, small) for one in (*shown, word)) + _GAP * len(shown) + 2
            if word and wanted <= width:
                shown.append(word)
        draw = letters.small if small else letters.large
        blocks = [draw(word) for word in shown]
        lines = [(" " * _GAP).join(block[y] for block in blocks) for y in range(len(blocks[0]))]
        return Content("\n".join(set_cell_size(" " + line, width) for line in lines))


def _count(snapshot: Snapshot) -> str:
    if snapshot.wanted is None or snapshot.headline.word in ("STARTING", "PRACTICE"):
        return ""
    now = min(snapshot.kept + 1, snapshot.wanted) if snapshot.headline.word == "RECORDING" else snapshot.kept
    return f"{now}/{snapshot.wanted}"


def _clock(snapshot: Snapshot) -> str:
    if snapshot.elapsed_s is None:
        return ""
    return f"{int(snapshot.elapsed_s) // 60}:{int(snapshot.elapsed_s) % 60:02d}"
