"""The structure of a whole set: what is wrong is said, and a sound set is silent."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq

from collector.dataset.reader import Dataset
from curation.lint import lint


def said(root):
    return " | ".join(lint(Dataset.open(root)))


def test_a_sound_set_is_silent(arm):
    assert said(arm) == ""


def test_counts_tasks_and_statistics_are_compared(arm):
    info = arm / "meta" / "info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"total_frames": 7, "total_tasks": 9}))
    assert "total_frames is 7" in said(arm) and "total_tasks is 9" in said(arm)
    stats = arm / "meta" / "stats.json"
    content = json.loads(stats.read_text())
    content["action"]["mean"][2] += 3.0
    stats.write_text(json.dumps(content))
    assert "mean of 'action' is off" in said(arm)
    stats.write_text("{")
    assert "stats.json is damaged" in said(arm)
    stats.unlink()
    assert "stats.json is missing" in said(arm)


def test_orphans_and_wrong_places_are_said(arm):
    path = min((arm / "data").rglob("*.parquet"))
    shutil.copy(path, path.with_name("file-900.parquet"))
    assert "file-900.parquet" in said(arm) and "lerobot loads it" in said(arm)
    table_path = min((arm / "meta" / "episodes").rglob("*.parquet"))
    table = pq.read_table(table_path)
    at = table.schema.get_field_index("dataset_to_index")
    moved = pa.array([n + 5 for n in table["dataset_to_index"].to_pylist()])
    pq.write_table(table.set_column(at, "dataset_to_index", moved), table_path)
    assert "places episode" in said(arm)


def test_bookkeeping_of_frames_is_a_finding(arm, curate):
    path = min((arm / "data").rglob("*.parquet"))
    table = pq.read_table(path)
    episode = table["episode_index"][0].as_py()
    stamps = table["timestamp"].to_pylist()
    stamps[10] += 0.02
    at = table.schema.get_field_index("timestamp")
    pq.write_table(table.set_column(at, "timestamp", pa.array(stamps, pa.float32())), path)
    result = json.loads(curate("score", "arm", "--json")[1])
    found = [f for f in result["findings"] if f["check"] == "structure"]
    assert [(f["episode"], f["from_frame"], f["to_frame"]) for f in found] == [(episode, 10, 11)]
    assert "timestamp" in found[0]["message"]
