"""Parts of episodes, of one dataset or several, as new episodes: every frame as it was, wherever the cut falls."""

import json

import numpy as np
import pyarrow as pa
import pytest
from flown import FPS, STATE, fly, record

from collector.dataset import schema, stats
from collector.dataset.durable import write_bytes
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.rewrite import copy_selection, write_sets, write_spans
from collector.dataset.spans import Changes, span, whole_episodes
from collector.dataset.stats import ImageHistogram
from collector.dataset.tables import parquet_bytes, read_parquet
from collector.errors import MismatchError, UsageError

FRONT = "observation.images.front"
WRIST = "observation.images.wrist"


def check_in_lerobot(copy, spans, names=()):
    """Check that plain lerobot shows every frame of the spans, bit by bit, and what they were told to be."""
    from lerobot.datasets import LeRobotDataset

    names = dict(names)
    opened = LeRobotDataset("test/spans", root=copy.root, video_backend="pyav")
    assert len(opened) == sum(len(s) for s in spans) and opened.num_episodes == len(spans)
    index = 0
    for new, part in enumerate(spans):
        where = slice(part.from_frame, part.to_frame)
        columns = part.source.episode(part.episode, ["action", "observation.state"])
        images = {c: list(part.source.frames(part.episode, c))[where] for c in part.source.camera_keys}
        ours = {c: list(copy.frames(new, names.get(c, c))) for c in images if names.get(c, c)}
        for k in range(len(part)):
            item = opened[index]
            for name, values in columns.items():
                if names.get(name, name):
                    assert np.array_equal(item[names.get(name, name)].numpy(), values[where][k])
            for camera in ours:
                theirs = (item[names.get(camera, camera)].numpy() * 255).round().transpose(1, 2, 0)
                assert np.array_equal(theirs, images[camera][k])
                assert np.array_equal(ours[camera][k], images[camera][k])
            assert item["frame_index"] == k and item["index"] == index and item["episode_index"] == new
            assert item["timestamp"] == np.float32(k / FPS)
            index += 1


def check_stats(copy, new, pictures=True):
    """Check an episode's statistics against its frames; those of a whole one's pictures are what was recorded."""
    noted = copy.episode_stats()[new]
    columns = copy.episode(new, schema.numeric_keys(copy.features))
    for name, values in columns.items():
        for key, exact in stats.column_stats(values).items():
            assert np.allclose(noted[name][key], exact), (name, key)
    for camera in copy.camera_keys if pictures else ():
        histogram = ImageHistogram()
        for image in copy.frames(new, camera):
            histogram.add(image)
        for key, exact in histogram.stats().items():
            assert np.allclose(noted[camera][key], exact), (camera, key)


def check_all_stats(copy):
    everything = copy.stats()
    for name, values in copy.columns(schema.numeric_keys(copy.features)).items():
        for key, exact in stats.column_stats(values).items():
            assert np.allclose(everything[name][key], exact), (name, key)


@pytest.fixture
def source(tmp_path):
    flights = [fly(seed, 11 + seed, task=task) for seed, task in enumerate(["a", "b", "a", "c"])]
    for flight in flights:
        flight.columns["clock.tick"] = np.arange(len(flight)) / FPS + 0.001
    record(tmp_path / "src", flights)
    return Dataset.open(tmp_path / "src")


def test_parts_of_episodes(source, tmp_path):
    # On a keyframe and off it, at either end; two parts of one episode; some whole.
    parts = [
        span(source, 1, 3, 8),
        span(source, 0),
        span(source, 3, 4),
        span(source, 2, 0, 5),
        span(source, 2, 5),
    ]
    copy = write_spans(tmp_path / "dst", parts, files={"curation/edit.json": b"{}"})
    check_in_lerobot(copy, parts)
    for new, part in enumerate(parts):
        check_stats(copy, new, pictures=not part.whole)
    check_all_stats(copy)
    assert copy.episodes["length"].to_pylist() == [5, 11, 10, 5, 8]
    assert copy.episodes["tasks"].to_pylist() == [["b"], ["a"], ["c"], ["a"], ["a"]]
    assert copy.episodes["flight_id"].to_pylist()[3:] == ["flight2", "flight2"]
    assert (copy.root / "curation" / "edit.json").read_bytes() == b"{}"
    clock, tick = (d.episode(e, ["clock.tick"])["clock.tick"] for d, e in ((copy, 0), (source, 1)))
    assert clock[0] == 0 and np.allclose(clock, tick[3:8] - tick[3])
    assert copy.episodes["started_at"][0].as_py() == "2026-01-02T03:04:05.879+00:00"  # 3 frames later
    done = copy.columns(["next.done"])["next.done"]
    assert done[[4, 30]].all()
    again = [span(copy, 0, 1, 4), span(copy, 2)]  # a cut of a cut, and a whole one that begins off a keyframe
    check_in_lerobot(write_spans(tmp_path / "again", again), again)


def test_several_datasets(source, tmp_path):
    other = copy_selection(source.root, tmp_path / "other", [3, 2])
    Labels(source.root).set([0], "note", "first", "ana")
    Labels(other.root).set([1], "note", "second", "ben")
    for root, text in ((source.root, b"one"), (other.root, b"two")):
        write_bytes(root / "README.md", text)
        write_bytes(root / "same.txt", b"same")
    extra = pa.table({"episode_index": [0, 1], "frame_index": [4, 1], "mark": ["x", "y"]})
    write_bytes(other.root / "curation" / "marks.parquet", parquet_bytes(extra))
    parts = [
        *whole_episodes(other, [0, 1]),
        *whole_episodes(source, [1]),
        span(source, 0, 2, 9),
        span(other, 0, 4),
    ]
    copy = write_spans(tmp_path / "dst", parts, Changes(tasks={"b": "bee"}, robot_type="both"))
    check_in_lerobot(copy, parts)
    check_all_stats(copy)
    assert copy.tasks == ["a", "c", "bee"] and copy.info["robot_type"] == "both"
    assert copy.episodes["tasks"].to_pylist() == [["c"], ["a"], ["bee"], ["a"], ["c"]]
    assert [copy.tasks[t] for t in copy.columns(["task_index"])["task_index"][[0, 20, 30, 45]]] == [
        "c",
        "a",
        "bee",
        "a",
    ]
    assert Labels(copy.root).current() == {1: {"note": "second"}, 3: {"note": "first"}}
    marks = read_parquet(copy.root / "curation" / "marks.parquet").to_pylist()
    assert [tuple(row.values()) for row in marks] == [(0, 4, "x"), (4, 0, "x"), (1, 1, "y")]
    assert (copy.root / "README.md").read_bytes() == b"two" and (
        copy.root / "same.txt"
    ).read_bytes() == b"same"
    assert (copy.root / "curation" / "of" / "src" / "README.md").read_bytes() == b"one"


def test_other_names_and_fewer_features(source, tmp_path):
    names = {"observation.state": "observation.pose", FRONT: "observation.images.top", WRIST: None}
    kept = {names.get(name, name): name for name in source.features if names.get(name, name)}
    parts = [*whole_episodes(source, [2, 0]), span(source, 1, 3, 7)]
    copy = write_spans(tmp_path / "dst", parts, Changes(features=kept))
    check_in_lerobot(copy, parts, names)
    check_all_stats(copy)
    check_stats(copy, 2)
    assert "observation.state" not in copy.features and copy.camera_keys == ["observation.images.top"]
    assert sorted(path.name for path in (copy.root / "videos").iterdir()) == ["observation.images.top"]
    assert not [name for name in copy.episodes.column_names if WRIST in name or FRONT in name]


def test_reordered_frames(tmp_path):
    """Videos with frames that refer to later ones, by plain lerobot: cuts at each place of a group of pictures."""
    from lerobot.configs import RGBEncoderConfig
    from lerobot.datasets import LeRobotDataset

    features = schema.features_for(STATE, STATE, {"front": (64, 80)})
    encoder = RGBEncoderConfig(vcodec="h264", g=8, extra_options={"bf": 2})
    theirs = LeRobotDataset.create("test/plain", FPS, features, root=tmp_path / "src", rgb_encoder=encoder)
    for seed in range(2):
        flight = fly(seed, 20, features)
        for k in range(len(flight)):
            frame = {name: np.atleast_1d(v[k]) for name, v in flight.columns.items()}
            theirs.add_frame({**frame, **{n: v[k] for n, v in flight.images.items()}, "task": "t"})
        theirs.save_episode(parallel_encoding=False)
    theirs.finalize()
    source = Dataset.open(tmp_path / "src")
    parts = [span(source, e, first, first + 9) for first in range(0, 11, 2) for e in (0, 1)]
    copy = write_spans(tmp_path / "dst", parts)
    check_in_lerobot(copy, parts)


def test_sets_are_made_together_or_not_at_all(source, tmp_path):
    made = write_sets(
        tmp_path / "both", {"x": (whole_episodes(source, [0]), {}), "y": ([span(source, 1, 2)], {})}
    )
    assert {name: d.num_frames for name, d in made.items()} == {"x": 11, "y": 10}
    source.video_place(2, FRONT)[0].unlink()
    sets = {"x": (whole_episodes(source, [0]), {}), "y": (whole_episodes(source, [2]), {})}
    with pytest.raises(Exception, match="missing"):
        write_sets(tmp_path / "none", sets)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both", "src"]


def test_what_is_refused(source, tmp_path):
    for wrong in ((0, 0, 12), (0, 5, 5), (0, -1, 4), (4, 0, 1)):
        with pytest.raises(UsageError, match=r"no part of|no episode 4"):
            span(source, *wrong)
    with pytest.raises(UsageError, match="chosen twice"):
        write_spans(tmp_path / "dst", [span(source, 0, 1, 2)] * 2)
    with pytest.raises(UsageError, match="lies in the dataset"):
        write_spans(source.root / "dst", [span(source, 0)])
    path = copy_selection(source.root, tmp_path / "other", [0]).root / "meta" / "info.json"
    info = json.loads(path.read_text())
    info["features"]["action"]["names"] = ["x", "y", "z"]
    path.write_text(json.dumps({**info, "fps": 10}))
    with pytest.raises(MismatchError, match="15 and 10 frames a second; action has names"):
        write_spans(tmp_path / "dst", [span(source, 0), span(Dataset.open(tmp_path / "other"), 0)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "src"]


def test_interrupted_it_leaves_nothing(source, tmp_path):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_spans(tmp_path / "dst", whole_episodes(source, range(4)), progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["src"]
