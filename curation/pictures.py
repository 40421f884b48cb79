"""Pictures of a dataset for its card and its report: lengths, states, actions, and what its cameras saw.

Plots are drawn by matplotlib, which comes with the extra `pictures`; without it there are none.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from collector.dataset import schema
from collector.dataset.reader import Dataset
from collector.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

_DPI = 90
_BINS = 40
_MOST_PLOTS = 16
_MOST_ROWS = 200_000
THUMBNAIL_WIDTH = 160  # px


def plots(dataset: Dataset) -> dict[str, bytes]:
    """Return plots as PNG: `lengths.png`, and where there are such columns `states.png` and `actions.png`.

    Empty where matplotlib is not installed.

    Raises:
        DataError: If the dataset cannot be read.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return {}
    seconds = dataset.lengths() / float(dataset.fps)
    found = {"lengths.png": _histograms([("length of an episode [s]", seconds)])}
    for name, column in (("states.png", "observation.state"), ("actions.png", "action")):
        spec = dataset.features.get(column)
        if spec is None or column not in schema.numeric_keys(dataset.features):
            continue
        values = dataset.columns([column])[column].reshape(dataset.num_frames, -1)
        step = -(-len(values) // _MOST_ROWS)
        names = _names(spec, values.shape[1])
        shown = [(names[i], values[::step, i]) for i in range(min(values.shape[1], _MOST_PLOTS))]
        found[name] = _histograms(shown)
    return found


def contact_sheet(dataset: Dataset, n_episodes: int = 6, n_frames: int = 5) -> bytes | None:
    """Return one picture of several episodes, each a row of frames from its start to its end, as JPEG.

    The first camera is shown. None where there is no camera, or its videos are not at hand or damaged.
    """
    cameras = dataset.camera_keys
    if not cameras:
        return None
    episodes = np.unique(np.linspace(0, dataset.num_episodes - 1, n_episodes).astype(int)).tolist()
    try:
        rows = [filmstrip(dataset, episode, cameras[0], n_frames) for episode in episodes]
    except DataError:
        return None
    from PIL import Image

    width, height = max(row.width for row in rows), sum(row.height for row in rows)
    sheet = Image.new("RGB", (width, height))
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return as_jpeg(sheet)


def filmstrip(dataset: Dataset, episode: int, camera: str, n_frames: int) -> Image:
    """Return some frames of an episode from its first to its last, side by side, each `THUMBNAIL_WIDTH` wide.

    Raises:
        DataError: If the pictures are missing or damaged.
    """
    from PIL import Image

    height, width = schema.picture_size(dataset.features[camera])
    size = max(1, height * THUMBNAIL_WIDTH // width), THUMBNAIL_WIDTH
    at = np.linspace(0, int(dataset.lengths([episode])[0]) - 1, n_frames).astype(int).tolist()
    frames = [next(iter(dataset.frames(episode, camera, first, size))) for first in at]
    return Image.fromarray(np.concatenate(frames, axis=1))


def as_jpeg(picture: Image, quality: int = 80) -> bytes:
    """Return a picture as JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _names(spec: dict[str, Any], n: int) -> list[str]:
    names = spec.get("names")
    if isinstance(names, dict):
        names = [name for group in names.values() for name in group]
    return [str(name) for name in names] if names and len(names) == n else [f"{i}" for i in range(n)]


def _histograms(columns: Sequence[tuple[str, np.ndarray]]) -> bytes:
    from matplotlib.figure import Figure

    n_columns = min(4, len(columns))
    n_rows = -(-len(columns) // n_columns)
    size = (2.4 * n_columns if len(columns) > 1 else 5.0, 1.6 * n_rows if len(columns) > 1 else 2.2)
    figure = Figure(size, _DPI, layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (name, values) in zip(grid, columns):
        axes.hist(values[np.isfinite(values)], bins=_BINS, color="tab:blue")
        axes.set_title(name.replace("$", r"\$"), fontsize=8)
        axes.tick_params(labelsize=7)
        axes.set_yticks([])
    for axes in grid[len(columns) :]:
        axes.set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
