"""Sets that are broken, or made to break us: a finding or a one-line error, never a traceback."""

import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def change_info(root, **entries):
    path = root / "meta" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def change_feature(root, name, **entries):
    path = root / "meta" / "info.json"
    info = json.loads(path.read_text())
    info["features"].setdefault(name, {}).update(entries)
    path.write_text(json.dumps(info))


def first(root, below):
    return min((root / below).rglob("*.parquet"))


def change_table(path, name, values):
    table = pq.read_table(path)
    column = pa.array(values(table[name].to_pylist()))
    pq.write_table(table.set_column(table.schema.get_field_index(name), name, column), path)


def without(path, name):
    pq.write_table(pq.read_table(path).drop([name]), path)


INFO = {
    "path up": {"data_path": "../../../etc/passwd"},
    "absolute path": {"data_path": "/etc/passwd"},
    "attribute in a path": {"data_path": "{chunk_index.__class__}"},
    "endless width": {"data_path": "data/{chunk_index:0999999999d}"},
    "unknown field": {"data_path": "data/{nothing}.parquet"},
    "path is a number": {"data_path": 5},
    "video path up": {"video_path": "../../{video_key}.mp4"},
    "fps 0": {"fps": 0},
    "fps below 0": {"fps": -5},
    "fps NaN": {"fps": float("nan")},
    "fps words": {"fps": "fast"},
    "fps null": {"fps": None},
    "count words": {"total_episodes": "many"},
    "count below 0": {"total_episodes": -3},
    "count absurd": {"total_episodes": 10**15},
    "features list": {"features": [1, 2]},
    "features null": {"features": None},
}


@pytest.mark.parametrize("name", INFO)
def test_info_that_cannot_be_is_one_line(arm, refuses, name):
    change_info(arm, **INFO[name])
    refuses("score", "arm", "--jobs", "1", code=3)


SHAPES = {
    "endless shape": {"shape": [10**12]},
    "shape below 0": {"shape": [-6]},
    "shape words": {"shape": "abc"},
    "another width": {"shape": [7]},
    "no dtype": {"dtype": None},
}


@pytest.mark.parametrize("name", SHAPES)
def test_features_that_cannot_be_are_one_line(arm, refuses, name):
    change_feature(arm, "observation.state", **SHAPES[name])
    refuses("score", "arm", "--jobs", "1", words=["observation.state"], code=3)


def test_names_of_a_wrong_kind_are_left_out(arm, curate):
    change_feature(arm, "observation.state", names={"motors": 5})
    assert curate("score", "arm", "--jobs", "1")[0] == 0


LENGTHS = {
    "absurd": lambda n: [10**15, *n[1:]],
    "below 0": lambda n: [-1, *n[1:]],
    "0": lambda n: [0, *n[1:]],
    "null": lambda n: [None, *n[1:]],
    "one more": lambda n: [n[0] + 1, *n[1:]],
    "words": lambda n: ["long"] * len(n),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_that_cannot_be_are_one_line(arm, refuses, name):
    change_table(first(arm, "meta/episodes"), "length", LENGTHS[name])
    refuses("score", "arm", "--jobs", "1", code=3)


ROWS = {
    "ragged": lambda rows: [row[:3] if i == 5 else row for i, row in enumerate(rows)],
    "null": lambda rows: [None if i == 5 else row for i, row in enumerate(rows)],
    "words": lambda rows: ["x"] * len(rows),
    "narrow": lambda rows: [row[:2] for row in rows],
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_that_cannot_be_are_one_line(arm, refuses, name):
    change_table(first(arm, "data"), "observation.state", ROWS[name])
    refuses("score", "arm", "--jobs", "1", words=["observation.state"], code=3)


@pytest.mark.parametrize(
    ("where", "column"),
    [("data", "episode_index"), ("meta/episodes", "length"), ("meta/episodes", "data/chunk_index")],
)
def test_a_missing_column_is_one_line(arm, refuses, where, column):
    without(first(arm, where), column)
    refuses("score", "arm", "--jobs", "1", code=3)


def test_a_set_of_nothing_but_nan_is_a_finding(arm, curate):
    change_table(first(arm, "data"), "observation.state", lambda rows: [[float("nan")] * 6] * len(rows))
    code, out, _ = curate("score", "arm", "--json", "--jobs", "1")
    assert code == 0 and json.loads(out)["checks"]["non_finite"]["faults"]


def test_info_that_is_no_json_is_one_line(arm, refuses):
    for content in (b"\xee\xff" * 40, b"[]", b"[" * 100_000):
        (arm / "meta" / "info.json").write_bytes(content)
        refuses("score", "arm", words=["info.json"], code=3)


BREAKAGES = {
    "missing": lambda data: None,
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "noise": lambda data: np.random.default_rng(0).bytes(5000),
    "flipped": lambda data: data[:2000] + bytes(b ^ 0x55 for b in data[2000:6000]) + data[6000:],
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_broken_video_is_a_finding(arm, curate, name):
    path = min(arm.rglob("*.mp4"))
    content = BREAKAGES[name](path.read_bytes())
    path.unlink() if content is None else path.write_bytes(content)
    code, out, err = curate("score", "arm", "--json", "--video", "--jobs", "1")
    assert code == 0 and "Warning" not in err
    result = json.loads(out)
    assert result["checks"]["video_broken"]["faults"]
    if name in ("missing", "empty", "noise"):
        assert any(path.name in line for line in result["structure"])


def test_terminal_escapes_in_tasks_and_names_are_not_obeyed(arm, curate):
    evil = "\x1b[2J\x1b]0;owned\x07[red]x[/red]\u202e"
    for path in (arm / "meta" / "episodes").rglob("*.parquet"):
        change_table(path, "tasks", lambda rows: [[evil]] * len(rows))
    change_feature(arm, "action", names=[evil, *"bcdef"])
    for args in (("score", "arm"), ("score", "arm", "--explain", "3"), ("query", "arm")):
        code, out, err = curate(*args)
        assert code == 0
        assert all(c.isprintable() or c == "\n" for c in out + err), args


def test_terminal_escapes_in_an_error_are_not_obeyed(arm, refuses):
    change_info(arm, data_path="../\x1b[31m{chunk_index}")
    assert "\x1b" not in refuses("score", "arm", code=3)


def test_links_out_of_the_folder_are_said(arm, curate, tmp_path):
    path = first(arm, "data")
    path.rename(tmp_path / "elsewhere.parquet")
    path.symlink_to(tmp_path / "elsewhere.parquet")
    code, out, _ = curate("score", "arm", "--json")
    assert code == 0
    assert any("leads out" in line for line in json.loads(out)["structure"])


def test_the_links_of_a_hub_cache_are_its_own(arm, tmp_path):
    from collector.dataset.trust import outside_links

    blobs = tmp_path / "repo" / "blobs"
    snapshot = tmp_path / "repo" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    for path in [p for p in arm.rglob("*") if p.is_file()]:
        target = blobs / str(abs(hash(path)))
        path.rename(target)
        link = snapshot / path.relative_to(arm)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(target, link.parent))
    assert outside_links(snapshot) == []
