"""What a rewritten dataset takes over from its source besides frames: labels, scores, and unknown files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from collector.dataset import durable, tables

KNOWN = {"data", "videos", "meta", "curation", ".journal", ".git", ".cache", "images"}


def carry_along(source: Path, root: Path, chosen: list[int]) -> None:
    """Take over labels and scores, renumbered, and files that the format does not know, as they are.

    Args:
        chosen: The episodes taken, by their old numbers in their new order.

    Raises:
        OSError: If the disk refuses.
    """
    new_number = {old: new for new, old in enumerate(chosen)}
    curation = source / "curation"
    for path in sorted(curation.rglob("*")) if curation.is_dir() else []:
        target = root / "curation" / path.relative_to(curation)
        if path.is_dir():
            continue
        if path.name == "labels.jsonl":
            durable.write_bytes(target, _renumbered_lines(path, new_number))
        elif path.suffix == ".parquet" and "episode_index" in pq.read_schema(path).names:
            table = tables.read_parquet(path)
            durable.write_bytes(target, tables.parquet_bytes(_renumbered_rows(table, new_number)))
        else:
            _copy_file(path, target)
    for path in sorted(source.iterdir()):
        if path.name in KNOWN:
            continue
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                _copy_file(file, root / file.relative_to(source))
    known = {tables.INFO.name, tables.STATS.name, tables.TASKS.name}
    for file in sorted((source / "meta").iterdir()):
        if file.is_file() and file.name not in known:
            _copy_file(file, root / "meta" / file.name)


def _renumbered_rows(table: pa.Table, new_number: dict[int, int]) -> pa.Table:
    table = table.filter(pa.array([e in new_number for e in table["episode_index"].to_pylist()], pa.bool_()))
    numbers = [new_number[e] for e in table["episode_index"].to_pylist()]
    kind = table.schema.field("episode_index").type
    return tables.with_columns(table, {"episode_index": numbers}, {"episode_index": kind})


def _renumbered_lines(path: Path, new_number: dict[int, int]) -> bytes:
    lines = []
    content = path.read_text(encoding="utf-8")
    for text in content[: content.rfind("\n") + 1].splitlines():
        line = json.loads(text)
        if "episode" in line:
            if line["episode"] not in new_number:
                continue
            line["episode"] = new_number[line["episode"]]
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


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
