"""What lerobot's recorder left when it was killed is salvaged: every whole episode, as it was recorded."""

import io
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import lerobot_crash as crash
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector.dataset import schema, tables, thrift
from collector.dataset.journal import JournalWriter
from collector.dataset.parquet_salvage import read_row_groups
from collector.dataset.reader import Dataset
from collector.dataset.remains import arrow_schema
from collector.dataset.salvage import finish_salvage, needs_salvage, salvage
from collector.dataset.writer import DatasetWriter
from collector.errors import DataError, UsageError

HERE = Path(__file__).parent
# What lerobot recorded and how it died (see lerobot_crash.py), cameras, and the episodes that can be salvaged.
CASES = {
    "plain:batch:0:0:3:kill": 3,
    "rows:batch:0:0:3:rows": 3,  # not counted as saved, but all of it is there
    "batch:batch:1:0:3:exit": 3,
    "batch-video:batch:2:0:3:video": 2,
    "streaming:streaming:2:0:3:kill": 3,
    "streaming-rows:streaming:1:0:3:rows": 2,
    "many:streaming:1:0:12:unnoted": 12,
    "resumed:streaming:1:2:2:kill": 4,
    "image:image:1:0:2:kill": 2,
}
LATE, WHOLE = "late:late:1:0:2:kill", "whole:batch:0:0:2:full"
COLUMNS = ["observation.state", "done", "action", "reward", "note", "grid"]


def run(script: str, *args: str | Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(HERE.parents[2]), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(HERE / script), *map(str, args)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The folders that lerobot left, by name."""
    base = tmp_path_factory.mktemp("recorded")
    run("lerobot_crash.py", base, *CASES, LATE, WHOLE)
    return base


@pytest.fixture
def broken(recorded, tmp_path):
    def copy(name: str) -> Path:
        return Path(shutil.copytree(recorded / name, tmp_path / name))

    return copy


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def check_rows(root: Path, recorded_as: list[int]) -> None:
    """Check every value of every episode against what was recorded, and the episode table."""
    dataset = Dataset.open(root)
    dataset.check_files()
    assert dataset.lengths().tolist() == [crash.length(e) for e in recorded_as]
    table = dataset.episodes
    ends = np.cumsum(dataset.lengths())
    assert table["dataset_to_index"].to_pylist() == ends.tolist()
    assert table["dataset_from_index"].to_pylist() == [0, *ends[:-1].tolist()]
    assert table["tasks"].to_pylist() == [[crash.TASKS[e % 2]] for e in recorded_as]
    for new, episode in enumerate(recorded_as):
        found = dataset.episode(new)
        truth = [crash.columns(episode, k) for k in range(crash.length(episode))]
        for name in set(COLUMNS) & dataset.features.keys():
            wanted = np.stack([np.asarray(row[name]) for row in truth])
            assert np.array_equal(found[name], wanted.reshape(found[name].shape)), name
        assert found["episode_index"].tolist() == [new] * len(truth)
        assert found["index"].tolist() == list(range(ends[new] - len(truth), ends[new]))
        assert found["frame_index"].tolist() == list(range(len(truth)))
        for camera in dataset.camera_keys:
            for k, image in enumerate(dataset.frames(new, camera)):
                assert spells(image, episode, k, int(camera[-1]))
    stats = dataset.stats()
    assert stats["index"]["count"] == dataset.num_frames
    assert stats["reward"]["max"] == dataset.columns(["reward"])["reward"].max()
    for row in dataset.episode_stats():
        assert {"observation.state", "index", *dataset.camera_keys} <= row.keys()


def spells(image: np.ndarray, episode: int, k: int, camera: int) -> bool:
    """Whether a picture, uint8, (height, width, 3), is the one of this frame."""
    return bool(((image > 127) == (crash.picture(episode, k, camera) > 127)).mean() > 0.99)


def check_in_lerobot(root: Path, recorded_as: list[int]) -> None:
    from lerobot.datasets import LeRobotDataset

    dataset = LeRobotDataset("test/set", root=root, video_backend="pyav")
    frames = [(e, k) for e in recorded_as for k in range(crash.length(e))]
    assert len(dataset) == len(frames) and dataset.num_episodes == len(recorded_as)
    for (episode, k), item in zip(frames, dataset, strict=True):
        truth = crash.columns(episode, k)
        assert np.array_equal(item["observation.state"].numpy(), truth["observation.state"])
        if "grid" in item:
            assert np.array_equal(item["grid"].numpy(), truth["grid"])
        assert (item["note"], item["task"]) == (truth["note"], crash.TASKS[episode % 2])
        for camera in dataset.meta.camera_keys:
            image = (item[camera].numpy().transpose(1, 2, 0) * 255).astype(np.uint8)
            assert spells(image, episode, k, int(camera[-1]))


@pytest.mark.parametrize("case", CASES)
def test_every_whole_episode_comes_back(case, broken, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    root, n_kept = broken(case.split(":")[0]), CASES[case]
    before = content(root)
    assert needs_salvage(root)
    with pytest.raises(DataError, match=f"demodeck recover {root}"):
        DatasetWriter.open(root)
    done = salvage(root)
    assert done.episodes == list(range(n_kept))
    assert done.frames == sum(map(crash.length, done.episodes))
    assert done.backup == root.with_name(f"{root.name}.broken-1")
    assert content(done.backup) == before
    assert not needs_salvage(root)
    assert sorted(p.name for p in root.parent.iterdir()) == [root.name, done.backup.name]
    check_rows(root, done.episodes)
    check_in_lerobot(root, done.episodes)
    DatasetWriter.open(root).close()
    lost = " ".join(done.lost)
    assert ("episode 2: no whole video" in lost) == (n_kept == 2 and "image" not in case)
    assert ("pictures without rows" in lost) == case.startswith(("batch", "image"))


def test_recording_goes_on_in_a_salvaged_dataset(broken, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    root, episode = broken("streaming-rows"), 7
    salvage(root)
    own = {k: f for k, f in Dataset.open(root).features.items() if k not in schema.DEFAULT_FEATURES}
    writer = DatasetWriter.open(root, fps=crash.FPS)
    settings = {"vcodec": "h264", "crf": 18}
    journal = JournalWriter(
        root / ".journal" / "a", {"task": crash.TASKS[episode % 2]}, own, crash.FPS, settings
    )
    for k in range(crash.length(episode)):
        values = {name: v for name, v in crash.columns(episode, k).items() if name in own}
        journal.add(values, {"observation.images.cam0": crash.picture(episode, k, 0)})
    journal.close({})
    assert writer.save(journal.folder) == 2
    writer.close()
    check_rows(root, [0, 1, episode])
    check_in_lerobot(root, [0, 1, episode])


def test_a_cut_data_file_gives_its_whole_episodes(broken):
    root = broken("plain")
    data = next((root / "data").glob("*/*.parquet"))
    whole, chance = data.read_bytes(), random.Random(5)
    seen = set()
    for size in [len(whole), *sorted(chance.sample(range(len(whole)), 25))]:
        data.write_bytes(whole[:size])
        before = content(root)
        try:
            done = salvage(root)
        except DataError as error:
            assert "nothing can be salvaged" in str(error) and content(root) == before
            seen.add(0)
            continue
        seen.add(len(done.episodes))
        check_rows(root, done.episodes)
        assert done.episodes == list(range(len(done.episodes)))
        for episode in range(len(done.episodes), 3):
            assert f"episode {episode}: its rows are not on the disk, or damaged" in done.lost
        assert size == len(whole) or any("are no whole rows" in words for words in done.lost)
        shutil.rmtree(root)
        done.backup.rename(root)
    assert seen == {0, 1, 2, 3}


def test_an_episode_lost_in_between_moves_no_picture(broken):
    root = broken("streaming")
    data = next((root / "data").glob("*/*.parquet"))
    damaged = bytearray(data.read_bytes())
    at = damaged.find(b"1-0")  # the note of episode 1, in a dictionary page
    assert at > 0
    damaged[at - 6 : at + 3] = b"\xff" * 9
    data.write_bytes(damaged)
    done = salvage(root)
    assert done.episodes == [0, 2]
    assert "episode 1: its rows are not on the disk, or damaged" in done.lost
    check_rows(root, [0, 2])
    check_in_lerobot(root, [0, 2])


def test_a_cut_video_gives_its_whole_episodes(broken):
    seen = set()
    for share in (0.2, 0.55, 0.75, 0.9):
        root = broken("batch")
        video = next(root.glob("videos/*/*/*.mp4"))
        whole = video.read_bytes()
        video.write_bytes(whole[: int(len(whole) * share)])
        try:
            done = salvage(root)
            check_rows(root, done.episodes)
            assert any("is cut" in words for words in done.lost)
            seen.add(len(done.episodes))
            shutil.rmtree(done.backup)
        except DataError as error:
            assert "is cut" in str(error)
            seen.add(0)
        shutil.rmtree(root)
    assert {0} < seen < {0, 1, 2, 3}


def test_pictures_are_not_given_to_another_episode(broken):
    """Where pictures were dropped, frames counted from the start of the file would belong to other episodes."""
    root = broken("many")
    data = next((root / "data").glob("*/*.parquet"))
    notes = next((root / "meta" / "episodes").glob("*/*.parquet"))
    kinds, per_row = arrow_schema(tables.read_info(root)["features"])
    groups, _ = read_row_groups(data, kinds, per_row)
    notes.unlink()
    # Rows of episode 3 say one frame more than its video has.
    longer = pa.concat_tables([groups[3], groups[3].slice(groups[3].num_rows - 1)])
    n = longer.num_rows
    longer = tables.with_columns(
        longer,
        {
            "frame_index": np.arange(n),
            "timestamp": np.arange(n) / crash.FPS,
            "index": np.arange(n) + longer["index"][0].as_py(),
        },
        {"frame_index": pa.int64(), "index": pa.int64(), "timestamp": pa.float32()},
    )
    rest = [
        tables.with_columns(g, {"index": np.asarray(g["index"]) + 1}, {"index": pa.int64()})
        for g in groups[4:]
    ]
    write_unclosed(data, [*groups[:3], longer.cast(kinds), *rest])
    with pytest.raises(DataError, match="not a whole number of episodes"):
        salvage(root)


def write_unclosed(path: Path, parts: list[pa.Table]) -> None:
    """Write row groups as lerobot does, without the footer."""
    buffer = io.BytesIO()
    writer = pq.ParquetWriter(buffer, parts[0].schema, compression="snappy", use_dictionary=True)
    for part in parts:
        writer.write_table(part)
    path.write_bytes(buffer.getvalue())
    writer.close()


def test_killed_at_any_step_the_original_stays_whole(broken, tmp_path):
    base = broken("batch-video")
    before = content(base)
    run("salvage_killed.py", base, tmp_path / "cases")
    cases = sorted((tmp_path / "cases").iterdir())
    assert len(cases) > 30
    for case in cases:
        assert before in [without_journal(content(folder)) for folder in case.iterdir()], case
        root = case / "set"
        finish_salvage(root)
        if needs_salvage(root):
            salvage(root)
        check_rows(root, [0, 1])
        assert without_journal(content(case / "set.broken-1")) == before, case
        assert {p.name for p in case.iterdir()} == {"set", "set.broken-1"}, case


def without_journal(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: value for name, value in files.items() if not name.startswith(".journal")}


def test_what_is_whole_or_in_use_or_empty_is_refused(broken):
    whole = broken("whole")
    assert not needs_salvage(whole)
    with pytest.raises(UsageError, match="needs no salvage"):
        salvage(whole)
    late = broken("late")
    before = content(late)
    with pytest.raises(DataError, match=r"(?s)nothing can be salvaged.*images/, of episode 0: 6 of"):
        salvage(late)
    assert content(late) == before and not late.with_name("late.broken-1").exists()
    used = broken("plain")
    data = next((used / "data").glob("*/*.parquet"))
    with data.open("ab") as file:
        sleeper = subprocess.Popen(["sleep", "600"], stdout=file)
    try:
        with pytest.raises(UsageError, match=f"process {sleeper.pid}"):
            salvage(used)
    finally:
        sleeper.kill()
        sleeper.wait()
    assert len(salvage(used).episodes) == 3


def test_the_command_salvages_and_reports(broken, start_demodeck):
    root = broken("batch")
    out, err = start_demodeck("recover", root, "--json").communicate(timeout=240)
    assert "salvaged 3 of 3 episodes (21 frames); lost: " in err
    report = json.loads(out)
    assert report["recovered"] == [] and report["salvaged"]["episodes"] == [0, 1, 2]
    assert Path(report["salvaged"]["backup"]).is_dir()
    check_rows(root, [0, 1, 2])


@pytest.mark.parametrize("seed", range(3))
def test_row_groups_are_read_as_they_were_written(seed, tmp_path):
    """Chunks of several pages, dictionaries that overflow, nested lists, bools at both ends; cut anywhere."""
    chance = np.random.default_rng(seed)
    parts = [random_rows(n, chance) for n in (21_000, 1, 7)]
    path = tmp_path / "x.parquet"
    write_unclosed(path, parts)
    found, rest = read_row_groups(path, parts[0].schema, [*[None] * 7, 4, None])
    assert [a.equals(b) for a, b in zip(found, parts, strict=True)] == [True] * 3 and rest == 0
    whole = path.read_bytes()
    for size in chance.integers(0, len(whole), 6).tolist():
        path.write_bytes(whole[:size])
        found, rest = read_row_groups(path, parts[0].schema, [*[None] * 7, 4, None])
        assert len(found) < 3 and all(a.equals(b) for a, b in zip(found, parts))
        assert rest <= size


def random_rows(n: int, chance: np.random.Generator) -> pa.Table:
    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    vector = pa.FixedSizeListArray.from_arrays(pa.array(chance.random(n * 6).astype(np.float32)), 6)
    return pa.table(
        {
            "first": chance.random(n) > 0.5,
            "vector": vector,
            "counter": np.arange(n),
            "bool": chance.random(n) > 0.5,
            "few": [f"x{i % 7}" for i in range(n)],
            "many": [f"x{i}" for i in range(n)],
            "image": pa.array([{"bytes": chance.bytes(60), "path": None} for _ in range(n)], image),
            "nested": pa.array(
                [[[1.0, 2.0], [3.0, float(i)]] for i in range(n)], pa.list_(pa.list_(pa.float32()))
            ),
            "last": chance.random(n) > 0.5,
        }
    )


def test_thrift_structs_survive_reading_and_writing():
    numbers = [0, 1, -1, 127, 128, -(2**40), 2**40]
    fields = itertools.count(1, 7)
    struct = {next(fields): (thrift.I64, n) for n in numbers}
    struct |= {next(fields): (thrift.BINARY, b"x" * 200), next(fields): (thrift.TRUE, False)}
    struct[next(fields)] = (thrift.LIST, (thrift.STRUCT, [{1: (thrift.TRUE, True)}] * 20))
    data = thrift.write_struct(struct)
    assert thrift.read_struct(memoryview(data), 0) == (struct, len(data))
    for size in range(len(data)):
        with pytest.raises(ValueError, match="cut short"):
            thrift.read_struct(memoryview(data[:size]), 0)
