"""What `info.json` and the episode table must hold before anything relies on them: a set may be a stranger's."""

from __future__ import annotations

import math
import re
import string
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from collector.dataset.schema import to_numpy
from collector.errors import DataError, shown

MOST_EPISODES = 100_000_000
MOST_VALUES = 1_000_000_000
"""Values that one frame of one column may have."""
_FIELDS = {"chunk_index", "file_index", "video_key"}


def check_info(path: Path, info: Any) -> None:
    """Check the kinds and sizes of what `info.json` says, so that all else may rely on them.

    Raises:
        DataError: Naming the first entry that cannot be.
    """

    def refuse(what: str, seen: object, allowed: str) -> DataError:
        return DataError(
            f"{path}: {what} is {shown(seen)}, allowed is {allowed}: restore it or pull the dataset again"
        )

    if not isinstance(info, dict):
        raise refuse("the whole", type(info).__name__, "an object")
    fps = info.get("fps")
    if (
        isinstance(fps, bool)
        or not isinstance(fps, (int, float))
        or not math.isfinite(fps)
        or not 0 < fps <= 1e5
    ):
        raise refuse("'fps'", fps, "a number above 0 and up to 100000")
    total = info.get("total_episodes", 0)
    if isinstance(total, bool) or not isinstance(total, int) or not 0 <= total <= MOST_EPISODES:
        raise refuse("'total_episodes'", total, f"0 to {MOST_EPISODES}")
    features = info.get("features")
    if not isinstance(features, dict):
        raise refuse("'features'", type(features).__name__, "an object")
    for name, feature in features.items():
        if not isinstance(feature, dict) or not isinstance(feature.get("dtype"), str):
            raise refuse(f"the feature '{shown(name)}'", feature, "an object with 'dtype' and 'shape'")
        shape = feature.get("shape")
        whole = isinstance(shape, (list, tuple)) and all(
            isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in shape
        )
        if not whole or math.prod(shape or ()) > MOST_VALUES:
            raise refuse(
                f"the shape of '{shown(name)}'", shape, f"whole numbers whose product is up to {MOST_VALUES}"
            )
        if feature["dtype"] in ("video", "image") and not _one_name(name):
            raise refuse("a camera's name", name, "a name without '/' and '..'")
        names = feature.get("names")
        groups = list(names.values()) if isinstance(names, dict) else [names or []]
        if not all(isinstance(group, (list, tuple)) or group is None for group in groups):
            feature["names"] = None  # of no use to anyone, and no reason to refuse the rest
    for key in ("data_path", "video_path"):
        if info.get(key) is not None:
            check_template(path, key, info[key])


def _one_name(name: str) -> bool:
    return not re.search(r"[/\\\x00]|^\.\.?$", name)


def check_template(path: Path, key: str, template: Any) -> None:
    """Check that a path template stays below the dataset's folder and costs nothing to fill in.

    Raises:
        DataError: If it does not.
    """
    allowed = "a path within the dataset with {chunk_index:03d}, {file_index:03d} and {video_key} only"
    try:
        if not isinstance(template, str):
            raise ValueError
        parts = list(string.Formatter().parse(template))
        for _, field, spec, conversion in parts:
            if field is not None and (
                field not in _FIELDS or conversion or not re.fullmatch(r"(0?[1-9]d)?", spec or "")
            ):
                raise ValueError
        plain = PurePosixPath(template)
        if plain.is_absolute() or ".." in plain.parts or "\\" in template or "\x00" in template:
            raise ValueError
    except ValueError:
        raise DataError(
            f"{path}: '{key}' is '{shown(template)}', allowed is {allowed}: do not use this dataset unless you know "
            "who made it"
        ) from None


def check_episodes(root: Path, table: pa.Table) -> None:
    """Check the columns of the episode table that say where frames lie.

    Raises:
        DataError: Naming the first that is missing, not whole numbers, or negative.
    """
    for name in ("length", "data/chunk_index", "data/file_index"):
        if name not in table.column_names:
            raise DataError(
                f"{root}: the episode table has no column '{name}': restore it or pull the dataset again"
            )
        column = table[name]
        if not pa.types.is_integer(column.type) or column.null_count:
            raise DataError(
                f"{root}: the episode table's '{name}' holds other things than whole numbers: restore it"
            )
        values = to_numpy(column)  # pyarrow.compute would cost a tenth of a second to import
        least, most = (int(values.min()), int(values.max())) if len(values) else (0, 0)
        if least < 0 or most > 10**12:
            raise DataError(
                f"{root}: the episode table's '{name}' goes from {least} to {most}, allowed is 0 to 10^12: restore it"
            )


def outside_links(root: Path) -> list[Path]:
    """Return links in a dataset's folder that lead out of it, relative to it, at most 20.

    A Hub cache's snapshot consists of links into the `blobs` beside it: those are its own.
    """
    home = root.resolve()
    allowed = [home]
    if home.parent.name == "snapshots":
        allowed.append(home.parent.parent / "blobs")
    found = []
    for folder, folders, files in home.walk():
        for name in [*folders, *files]:
            path = folder / name
            if path.is_symlink() and not any(path.resolve().is_relative_to(a) for a in allowed):
                found.append(path.relative_to(home))
                if len(found) == 20:
                    return found
    return found
