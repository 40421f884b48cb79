"""The upper half of the player: a pane for each camera, as large as they can be side by side."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Container

from collector.dataset.reader import Dataset
from collector.tui.draw.camera import CameraPane
from collector.tui.draw.halfblocks import fitting


def columns_for(
    panes: int, shape: tuple[int, int], width: int, height: int, wanted: Sequence[int] = ()
) -> int:
    """Return in how many columns panes show the largest pictures.

    Args:
        panes: How many.
        shape: Height and width of a picture [px].
        width, height: Cells there are for all.
        wanted: Column counts to choose from; by default, any.
    """

    def area(columns: int) -> int:
        rows = -(-panes // columns)
        across, down = fitting(*shape, width // columns, max(0, height // rows - 1))
        return across * down

    return max(wanted or range(1, panes + 1), key=area)


class Wall(Container):
    """Panes in a grid; those of another episode stand under, or at the right of, the same camera's."""

    DEFAULT_CSS = "Wall { layout: grid; width: 1fr; height: 1fr; }"

    def __init__(self, cameras: Sequence[str], shape: tuple[int, int]) -> None:
        super().__init__()
        self._shape = shape
        self.panes = {camera: CameraPane(_short(camera)) for camera in cameras}
        self.beside = {camera: CameraPane(f"beside: {_short(camera)}") for camera in cameras}
        self.enlarged: str | None = None
        self.both = False

    def compose(self) -> ComposeResult:
        for camera in self.panes:
            yield self.panes[camera]
            yield self.beside[camera]

    def on_mount(self) -> None:
        self.lay_out()

    def on_resize(self) -> None:
        self.lay_out()

    def shown(self) -> list[str]:
        """Return the cameras that are seen."""
        return [camera for camera in self.panes if self.enlarged in (None, camera)]

    def lay_out(self) -> None:
        """Lay out what is to be seen."""
        cameras = self.shown()
        for camera in self.panes:
            self.panes[camera].display = camera in cameras
            self.beside[camera].display = camera in cameras and self.both
        if not cameras or not self.size.area:
            return
        n, room = len(cameras), (self.size.width, self.size.height)
        if not self.both:
            columns = columns_for(n, self._shape, *room)
        else:
            # Two columns keep pairs in a row as they are mounted; else pairs stand one above the other.
            columns = columns_for(2 * n, self._shape, *room, wanted=sorted({2, n, 2 * n} - {1}) or [2])
        self._order(columns if self.both else 0)
        self.styles.grid_size_columns = columns
        self.styles.grid_size_rows = -(-(n * (1 + self.both)) // columns)

    def _order(self, columns: int) -> None:
        """Put panes in the order that the grid fills: pairs, or all of one episode before the other's."""
        by_episode = columns not in (0, 2, 2 * len(self.shown()))
        cameras = list(self.panes)
        if by_episode:
            wanted = [*self.panes.values(), *self.beside.values()]
        else:
            wanted = [pane for camera in cameras for pane in (self.panes[camera], self.beside[camera])]
        place = {pane: i for i, pane in enumerate(wanted)}
        if [child for child in self.children if child in place] != wanted:
            self.sort_children(key=lambda child: place[child])  # type: ignore[index]


def shape_of(dataset: Dataset, camera: str) -> tuple[int, int]:
    """Return the height and width [px] that a camera's feature names."""
    feature = dataset.features[camera]
    shape, names = list(feature["shape"]), list(feature.get("names") or ())
    if len(shape) == 3 and ((shape[0] in (1, 3) and shape[2] not in (1, 3)) or names[:1] == ["channels"]):
        return int(shape[1]), int(shape[2])
    return (int(shape[0]), int(shape[1])) if len(shape) >= 2 else (3, 4)


def _short(camera: str) -> str:
    return camera.removeprefix("observation.images.").removeprefix("observation.")
