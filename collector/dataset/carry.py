"""What a rewritten dataset takes over from its sources besides frames: labels, scores, and unknown files."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from collector.dataset import durable, tables
from collector.dataset.carry_labels import Taken, carried
from collector.dataset.label_file import LABELS, in_order, read_entries

KNOWN = {"data", "videos", "meta", "curation", ".journal", ".git", ".cache", "images"}
MANIFEST = Path("curation/edit.json")  # how a set was made of others; a new one has its own
_OF_ALL_FRAMES = {"scores.parquet"}  # said of whole episodes: no longer true of a part


def carry_along(
    root: Path, taken: Mapping[Path, Sequence[Taken]], tasks: Mapping[str, str] | None = None
) -> None:
    """Take over labels and scores, renumbered, and files that the format does not know, as they are.

    Where several sources have a file of one name with different content, that of the first stays and the others
    go to `curation/of/<source>/`. What names frames (`frame_index`, `from_frame`, `to_frame`) is cut with them.

    Args:
        root: The new dataset.
        taken: The episodes taken, by the source's folder.
        tasks: New words for tasks, for the labels that name one.

    Raises:
        OSError: If the disk refuses.
    """
    lines: list[dict[str, Any]] = []
    parts: dict[Path, list[pa.Table]] = {}
    for source, episodes in taken.items():
        news: dict[int, list[Taken]] = {}
        for one in episodes:
            news.setdefault(one.old, []).append(one)
        for path in _sidecars(source):
            name = path.relative_to(source)
            if name == LABELS:
                lines += carried(read_entries(path), news, tasks or {})
            elif (
                name.parts[0] == "curation"
                and path.suffix == ".parquet"
                and "episode_index" in pq.read_schema(path).names
            ):
                parts.setdefault(name, []).append(_rows(path, news))
            elif not (root / name).exists():
                _copy_file(path, root / name)
            elif not filecmp.cmp(path, root / name, shallow=False):
                _copy_file(path, root / "curation" / "of" / source.resolve().name / name)
    if any((source / LABELS).exists() for source in taken):
        if len(taken) > 1:
            lines = in_order(lines)
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        durable.write_bytes(root / LABELS, text.encode())
    for name, found in parts.items():
        table = found[0] if len(found) == 1 else pa.concat_tables(found, promote_options="permissive")
        durable.write_bytes(root / name, tables.parquet_bytes(table))


def _sidecars(source: Path) -> list[Path]:
    """Return the files of a dataset that a rewriting does not make itself."""
    made = {source / name for name in (tables.INFO, tables.STATS, tables.TASKS, MANIFEST)}
    curation = source / "curation"
    found = sorted(curation.rglob("*")) if curation.is_dir() else []
    found = [path for path in found if ".cache" not in path.relative_to(curation).parts]  # made anew
    for path in sorted(source.iterdir()):
        if path.name not in KNOWN:
            found += sorted(path.rglob("*")) if path.is_dir() else [path]
    found += sorted((source / "meta").iterdir())
    return [path for path in found if path.is_file() and path not in made]


def _rows(path: Path, news: Mapping[int, list[Taken]]) -> pa.Table:
    """Return the rows of the episodes taken, renumbered; those of frames that are not taken are left out."""
    table = tables.read_parquet(path)
    rows: list[int] = []
    taken: list[Taken] = []
    for row, episode in enumerate(table["episode_index"].to_pylist()):
        for one in news.get(episode, []):
            if one.whole or path.name not in _OF_ALL_FRAMES:
                rows.append(row)
                taken.append(one)
    table = table.take(pa.array(rows, pa.int64()))
    kind = table.schema.field("episode_index").type
    table = tables.with_columns(table, {"episode_index": [one.new for one in taken]}, {"episode_index": kind})
    return table if all(one.whole for one in taken) else _cut_rows(table, taken)


def _cut_rows(table: pa.Table, taken: Sequence[Taken]) -> pa.Table:
    keep = [True] * table.num_rows
    columns: dict[str, list[Any]] = {}
    if "frame_index" in table.column_names:
        columns["frame_index"] = table["frame_index"].to_pylist()
        for row, (at, one) in enumerate(zip(columns["frame_index"], taken)):
            if at is not None:
                first, last = one.cut(at, at + 1)
                keep[row] = first < last
                columns["frame_index"][row] = first
    if {"from_frame", "to_frame"} <= set(table.column_names):
        columns |= {name: table[name].to_pylist() for name in ("from_frame", "to_frame")}
        for row, one in enumerate(taken):
            first, last = columns["from_frame"][row], columns["to_frame"][row]
            if not one.whole and first is not None and last is not None:
                first, last = one.cut(first, last)
                keep[row] = keep[row] and first < last
                columns["from_frame"][row], columns["to_frame"][row] = first, last
    kinds = {name: table.schema.field(name).type for name in columns}
    return tables.with_columns(table, columns, kinds).filter(pc.cast(pa.array(keep), pa.bool_()))


def _copy_file(source: Path, target: Path) -> None:
    durable.make_folder(target.parent)
    shutil.copy2(source, target)
    durable.sync_file(target)


def link_tree(source: Path, target: Path) -> None:
    """Give a folder's files a second name elsewhere, so that they survive the first one's removal."""
    for path in sorted(source.rglob("*")) if source.is_dir() else []:
        new = target / path.relative_to(source)
        if path.is_dir():
            durable.make_folder(new)
        else:
            durable.make_folder(new.parent)
            try:
                os.link(path, new)
            except OSError:
                _copy_file(path, new)
