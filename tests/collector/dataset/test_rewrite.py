"""Selections by stream copy: packets bit for bit, everything renumbered, in datasets of ours and of plain lerobot."""

import hashlib
import json
import os
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pytest
from flown import FEATURES, FPS, STATE, fly, record

from collector.dataset import durable, schema, span_videos
from collector.dataset.durable import write_bytes
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.rewrite import TAKEN_BACK_LIST, compact, copy_selection, note_taken_back
from collector.dataset.tables import parquet_bytes, read_parquet
from collector.dataset.video import VideoReader
from collector.dataset.writer import DatasetWriter
from collector.errors import DataError, UsageError

PUSHT = Path(__file__).parents[4] / "shared" / "data" / "pusht_human"
FRONT = "observation.images.front"


def packets(dataset, episode, camera):
    """Return the hash of each packet of an episode, with its time in frames."""
    path, from_s = dataset.video_place(episode, camera)
    length = int(dataset.lengths([episode])[0])
    with VideoReader(path, dataset.fps) as reader:
        return [
            (shown, hashlib.sha256(bytes(p)).hexdigest()) for p, shown, _ in reader.packets(from_s, length)
        ]


def check_copy(source, copy, chosen):
    """Check columns, packets and times of a copy against its source, and that plain lerobot agrees."""
    from lerobot.datasets import LeRobotDataset

    assert copy.num_episodes == len(chosen)
    renumbered = {"episode_index", "index", "task_index"}
    for new, old in enumerate(chosen):
        ours, theirs = copy.episode(new), source.episode(old)
        for name in ours.keys() - renumbered:
            assert np.array_equal(ours[name], theirs[name]), name
        assert (ours["episode_index"] == new).all()
        for camera in source.camera_keys:
            assert packets(copy, new, camera) == packets(source, old, camera)
    assert np.array_equal(copy.columns(["index"])["index"], np.arange(copy.num_frames))
    for camera in source.camera_keys:
        for path in {copy.video_place(e, camera)[0] for e in range(copy.num_episodes)}:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                times = [p.pts * stream.time_base * int(copy.fps) for p in container.demux(stream) if p.size]
            assert sorted(times) == list(range(len(times)))  # exact multiples of 1/fps, without a gap
    opened = LeRobotDataset("test/copy", root=copy.root, video_backend="pyav")
    assert len(opened) == copy.num_frames
    for new in (0, len(chosen) - 1):
        images = list(source.frames(chosen[new], source.camera_keys[0]))
        first = opened.meta.episodes[new]["dataset_from_index"]
        for k in (0, len(images) - 1):
            theirs = (opened[first + k][source.camera_keys[0]].numpy() * 255).round().transpose(1, 2, 0)
            assert np.array_equal(theirs, images[k])
    everything = copy.columns(["action"])["action"].astype(float)
    assert np.allclose(opened.meta.stats["action"]["q99"], np.quantile(everything, 0.99, axis=0))
    assert np.allclose(opened.meta.stats["action"]["mean"], everything.mean(0))


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "src"
    flights = [fly(seed, 5 + seed, task=task) for seed, task in enumerate(["a", "b", "a", "c"])]
    record(root, flights)
    labels = Labels(root)
    labels.set([1, 3], "verdict", "keep", "ana")
    labels.set([0], "verdict", "drop", "ana")
    scores = pa.table({"episode_index": [0, 1, 2, 3], "check": ["lag"] * 4, "score": [0.0, 1, 2, 3]})
    write_bytes(root / "curation" / "scores.parquet", parquet_bytes(scores))
    write_bytes(root / "curation" / "deep" / "notes.txt", b"mine")
    write_bytes(root / "README.md", b"card")
    path = root / "meta" / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "lab": "ours"}))
    return Dataset.open(root)


def test_selection_of_ours(source, tmp_path):
    seen = []
    copy = copy_selection(
        source.root, tmp_path / "dst", [3, 1], lambda done, total: seen.append((done, total))
    )
    check_copy(source, copy, [3, 1])
    assert seen[-1] == (2, 2)
    assert copy.tasks == ["b", "c"] and copy.info["lab"] == "ours" and copy.info["total_tasks"] == 2
    assert [copy.tasks[i] for i in copy.columns(["task_index"])["task_index"][[0, -1]]] == ["c", "b"]
    rows = copy.episodes.to_pylist()
    assert [row["flight_id"] for row in rows] == ["flight3", "flight1"] and [r["seed"] for r in rows] == [
        3,
        1,
    ]
    assert [(r["dataset_from_index"], r["dataset_to_index"]) for r in rows] == [(0, 8), (8, 14)]
    assert len(set(copy.data_files)) == 1 and copy.info["splits"] == {"train": "0:2"}
    assert Labels(copy.root).current() == {0: {"verdict": "keep"}, 1: {"verdict": "keep"}}
    scores = read_parquet(copy.root / "curation" / "scores.parquet").to_pylist()
    assert [(row["episode_index"], row["score"]) for row in scores] == [(1, 1.0), (0, 3.0)]
    assert (copy.root / "curation" / "deep" / "notes.txt").read_bytes() == b"mine"
    assert (copy.root / "README.md").read_bytes() == b"card" and not (copy.root / ".journal").exists()
    stats = copy.episode_stats()
    assert stats[1]["index"]["min"] == 8 and stats[1]["episode_index"]["mean"] == 1
    assert stats[0]["task_index"]["max"] == 1
    again = copy_selection(copy.root, tmp_path / "again", [1])
    check_copy(source, again, [1])


def test_selection_from_several_files(source, tmp_path, monkeypatch):
    monkeypatch.setattr(span_videos, "VIDEO_FILE_S", 14 / FPS)
    copy = copy_selection(source.root, tmp_path / "dst", [0, 1, 2, 3])
    check_copy(source, copy, [0, 1, 2, 3])
    files = [copy.video_place(e, FRONT)[0].name for e in range(4)]
    assert files == ["file-000.mp4", "file-000.mp4", "file-001.mp4", "file-002.mp4"]


def test_selection_of_a_set_by_plain_lerobot(tmp_path):
    from lerobot.configs import RGBEncoderConfig
    from lerobot.datasets import LeRobotDataset

    features = schema.features_for(STATE, STATE, {"front": (64, 80), "wrist": (64, 64)})
    encoder = RGBEncoderConfig(vcodec="h264", g=8, extra_options={"bf": 2})  # with reordered frames
    theirs = LeRobotDataset.create("test/plain", FPS, features, root=tmp_path / "src", rgb_encoder=encoder)
    for seed in range(4):
        flight = fly(seed, 9 + seed, features)
        for k in range(len(flight)):
            frame = {name: np.atleast_1d(v[k]) for name, v in flight.columns.items()}
            theirs.add_frame({**frame, **{n: v[k] for n, v in flight.images.items()}, "task": f"t{seed % 2}"})
        theirs.save_episode(parallel_encoding=False)
    theirs.finalize()
    source = Dataset.open(tmp_path / "src")
    assert len({source.video_place(e, FRONT)[0] for e in range(4)}) == 1
    copy = copy_selection(source.root, tmp_path / "dst", [1, 3])
    check_copy(source, copy, [1, 3])
    assert copy.tasks == ["t1"]
    # Within a group of pictures the cut begins at the keyframe before it and ends with what it refers to.
    path, from_s = source.video_place(1, FRONT)
    with VideoReader(path, FPS) as reader:
        shown = [shown for _, shown, _ in reader.packets(from_s + 3 / FPS, 4)]
    assert min(shown) == -3 and sorted(shown) == list(range(-3, max(shown) + 1)) and max(shown) >= 3


@pytest.mark.skipif(not PUSHT.exists(), reason="the human PushT set is not here")
def test_selection_of_human_pusht(tmp_path):
    chosen = [0, 3, 4, 100, 205]
    source = Dataset.open(PUSHT)
    check_copy(source, copy_selection(PUSHT, tmp_path / "dst", chosen), chosen)


def test_what_is_refused(source, tmp_path):
    for episodes, words in (([], "no episode is chosen"), ([0, 0], "chosen twice"), ([4], "no episode 4")):
        with pytest.raises(UsageError, match=words):
            copy_selection(source.root, tmp_path / "dst", episodes)
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        copy_selection(source.root, tmp_path / "there", [0])
    with pytest.raises(DataError, match="does not exist"):
        copy_selection(tmp_path / "nowhere", tmp_path / "dst", [0])
    source.video_place(2, FRONT)[0].unlink()
    with pytest.raises(DataError, match="missing"):
        copy_selection(source.root, tmp_path / "dst", [0, 2])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["src", "there"]


def test_compact_keeps_everything(source, tmp_path):
    copy = copy_selection(source.root, tmp_path / "reference", range(4))
    assert compact(source.root) is True
    merged = Dataset.open(source.root)
    check_copy(copy, merged, [0, 1, 2, 3])
    assert len(set(merged.data_files)) == 1 and merged.info["lab"] == "ours"
    assert compact(source.root) is False
    assert FEATURES.keys() <= merged.features.keys()


def test_what_is_taken_back_is_noted_while_a_save_ends(source, monkeypatch):
    """Found by a slow machine: a save that ended emptied the folder in which the note was being written."""
    replace = os.replace

    def as_a_save_ends(old, new):
        with durable.temporary_files(source.root / ".journal" / "tmp"):
            pass
        replace(old, new)

    monkeypatch.setattr(os, "replace", as_a_save_ends)
    for flights in (["a"], ["a", "b"], []):
        note_taken_back(source.root, flights)
        assert json.loads((source.root / TAKEN_BACK_LIST).read_text()) == {"flight_ids": flights}


def test_what_a_crash_left_of_such_a_note_is_cleared_away(source):
    left = source.root / ".journal" / ".taken_back.json.1.tmp"
    left.parent.mkdir(exist_ok=True)
    left.write_text("{")
    DatasetWriter.open(source.root, fps=source.fps, features=source.features).close()
    assert not left.exists()
