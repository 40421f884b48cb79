"""`demodeck edit add-feature`, `fps`, `merge --map` and `split --query`, as users type them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from arm_dataset import CAMERA
from test_edit_parts import same_frames

from collector.dataset import stats
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.video import VideoReader


def in_lerobot(root):
    from lerobot.datasets import LeRobotDataset

    return LeRobotDataset("test/edited", root=root, video_backend="pyav")


def check_stats(dataset, name):
    values = dataset.columns([name])[name]
    for key, exact in stats.column_stats(values).items():
        assert np.allclose(dataset.stats()[name][key], exact), (name, key)
    ends = np.cumsum(dataset.lengths())
    for episode, (first, last) in enumerate(zip([0, *ends], ends)):
        noted = dataset.episode_stats()[episode][name]
        for key, exact in stats.column_stats(values[first:last]).items():
            assert np.allclose(noted[key], exact), (episode, name, key)


def test_a_column_from_sql(arm, curate, refuses, tmp_path):
    sql = "action[1] - lag(action[1], 1, action[1]) OVER (PARTITION BY episode_index ORDER BY frame_index)"
    assert (
        curate("edit", "add-feature", "arm", "speed", "--sql", sql, "--dtype=float32", "--output=new")[0] == 0
    )
    old, new = Dataset.open(arm), Dataset.open(tmp_path / "new")
    for episode in (0, 13):
        action = old.episode(episode, ["action"])["action"][:, 0]
        expected = np.diff(action, prepend=action[:1])
        assert np.allclose(new.episode(episode, ["speed"])["speed"], expected, atol=1e-5)
        same_frames(new, episode, old, episode)
    check_stats(new, "speed")
    item = in_lerobot(new.root)[1]
    assert item["speed"].item() == pytest.approx(new.columns(["speed"])["speed"][1])
    two = '[action[1], "observation.state"[1]]'
    assert curate("edit", "add-feature", "new", "pair", "--sql", two, "--names=a,b", "--output=pairs")[0] == 0
    pairs = Dataset.open(tmp_path / "pairs")
    assert pairs.features["pair"]["names"] == ["a", "b"] and pairs.features["pair"]["shape"] == (2,)
    assert in_lerobot(pairs.root)[5]["pair"].shape == (2,)
    check_stats(pairs, "pair")
    # Taken along by other edits like any column.
    curate("edit", "keep", "pairs", "3,4", "--output=few")
    assert np.array_equal(
        Dataset.open(tmp_path / "few").episode(0, ["pair"])["pair"], pairs.episode(3, ["pair"])["pair"]
    )
    for flags, words in (
        (["action", "--sql=1"], ["there is one already"]),
        (["x", "--sql=nosuch"], ["nosuch"]),
        (["x", "--sql=1); DROP VIEW frames"], ["brackets"]),
        (["x", "--sql=CASE WHEN frame_index > 3 THEN 1 END"], ["frame 0", "COALESCE"]),
        (["x", "--sql=(SELECT content FROM read_text('/etc/passwd'))"], ["read_text"]),
        (["x", "--sql=0.5", "--dtype=int64"], ["no int64"]),
        (["x", "--sql=range(frame_index)"], ["different length"]),
        (["x"], ["--sql", "--file"]),
    ):
        refuses("edit", "add-feature", "arm", *flags, "--output=x", words=words, code=2)
    assert not (tmp_path / "x").exists()


def test_a_column_from_a_file(arm, curate, refuses, tmp_path):
    old = Dataset.open(arm)
    n = old.num_frames
    values = np.arange(n * 3, dtype=np.float32).reshape(n, 3)
    np.save(tmp_path / "values.npy", values)
    assert (
        curate("edit", "add-feature", "arm", "force", "--file=values.npy", "--names=x,y,z", "--output=new")[0]
        == 0
    )
    new = Dataset.open(tmp_path / "new")
    assert (
        np.array_equal(new.columns(["force"])["force"], values)
        and new.features["force"]["dtype"] == "float32"
    )
    check_stats(new, "force")
    # A file says itself which frame a row is of, in any order.
    order = np.random.default_rng(0).permutation(n)
    keys = {name: old.columns([name])[name][order] for name in ("episode_index", "frame_index")}
    words = np.array([f"w{k % 7}" for k in range(n)])
    table = pa.table({**keys, "said": words[order], "other": order})
    pa.csv.write_csv(table, tmp_path / "values.csv")
    refuses(
        "edit",
        "add-feature",
        "arm",
        "said",
        "--file=values.csv",
        "--output=x",
        words=["--column", "said"],
        code=2,
    )
    flags = ("--file=values.csv", "--column=said", "--output=words")
    assert curate("edit", "add-feature", "arm", "said", *flags)[0] == 0
    assert list(Dataset.open(tmp_path / "words").columns(["said"])["said"]) == list(words)
    assert in_lerobot(tmp_path / "words")[8]["said"] == "w1"
    np.save(tmp_path / "short.npy", values[:5])
    refuses("edit", "add-feature", "arm", "x", "--file=short.npy", "--output=x", words=["5 rows"], code=2)
    (tmp_path / "bad.npy").write_bytes(b"nonsense")
    refuses(
        "edit", "add-feature", "arm", "x", "--file=bad.npy", "--output=x", words=["cannot be read"], code=3
    )


@pytest.mark.parametrize("actions", ["last", "first", "sum"])
def test_half_the_frames_a_second(arm, curate, tmp_path, actions):
    curate("label", "arm", "3", "--trim", "10:31", "--segment", "4:9=reach", "--segment", "20:21=blink")
    curate("score", "arm")
    assert curate("edit", "fps", "arm", "--fps=10", f"--actions={actions}", "--output=new")[0] == 0
    old, new = Dataset.open(arm), Dataset.open(tmp_path / "new")
    assert (old.fps, new.fps, new.num_episodes) == (20, 10, 14)
    assert new.lengths().tolist() == [-(-n // 2) for n in old.lengths().tolist()]
    for episode in (0, 3, 13):
        was, now = old.episode(episode), new.episode(episode)
        n = len(was["action"])
        assert np.array_equal(now["observation.state"], was["observation.state"][::2])
        assert np.array_equal(now["clock.tick"], was["clock.tick"][::2])  # what really happened stays
        assert np.array_equal(now["timestamp"], (np.arange(len(now["timestamp"])) / 10).astype(np.float32))
        last = was["action"][np.minimum(np.arange(0, n, 2) + 1, n - 1)]
        summed = np.add.reduceat(was["action"], np.arange(0, n, 2), axis=0)
        expected = {"last": last, "first": was["action"][::2], "sum": summed}[actions]
        assert np.allclose(now["action"], expected)
        assert now["next.success"][-1] == was["next.success"][-2:].any()
        # One frame in ten is a keyframe here: encoded anew, yet the same pictures in the right order.
        for got, was_there in zip(
            new.frames(episode, CAMERA), list(old.frames(episode, CAMERA))[::2], strict=True
        ):
            assert np.abs(got.astype(int) - was_there).mean() < 6
    check_stats(new, "action")
    opened = in_lerobot(new.root)
    assert (
        opened.fps == 10
        and len(opened) == new.num_frames
        and opened[len(opened) - 1][CAMERA].shape == (3, 32, 48)
    )
    label = Labels(new.root).current()[3]
    assert label["trim"] == [5, 16]
    assert [(s["from_frame"], s["to_frame"]) for s in label["segments"]] == [(2, 5), (10, 11)]
    assert not (new.root / "curation" / "scores.parquet").exists() or not json.loads(
        curate("query", "new", "SELECT * FROM scores", "--json")[1]
    )


def test_keyframes_alone_are_copied_bit_by_bit(arm, curate, refuses, tmp_path):
    assert curate("edit", "fps", "arm", "--fps=2", "--output=new")[0] == 0  # one frame in ten is a keyframe
    old, new = Dataset.open(arm), Dataset.open(tmp_path / "new")
    for episode in (0, 7, 13):
        assert all(
            np.array_equal(a, b)
            for a, b in zip(new.frames(episode, CAMERA), list(old.frames(episode, CAMERA))[::10], strict=True)
        )
    path, _ = new.video_place(0, CAMERA)
    with VideoReader(path, 2) as reader:
        assert all(packet.is_keyframe for packet, *_ in reader.packets())
    assert len(in_lerobot(new.root)) == new.num_frames
    for fps in ("20", "15", "40", "0", "-1"):
        refuses("edit", "fps", "arm", f"--fps={fps}", "--output=x", words=["no whole part", "10, "], code=2)


def test_merge_of_features_with_other_names(arm, curate, refuses, tmp_path):
    curate("edit", "rename-feature", "arm", CAMERA, "observation.images.top", "--output", "other")
    refuses(
        "edit", "merge", "arm", "other", "--output=x",
        words=[CAMERA, f"--map=observation.images.top:{CAMERA}", "--common"], code=7,
    )  # fmt: skip
    flags = (f"--map=observation.images.top:{CAMERA}", "--output=both")
    assert curate("edit", "merge", "arm", "other", *flags)[0] == 0
    old, both = Dataset.open(arm), Dataset.open(tmp_path / "both")
    assert both.num_episodes == 28 and both.camera_keys == [CAMERA] and both.features == old.features
    same_frames(both, 20, old, 6)
    assert len(in_lerobot(both.root)) == 2 * old.num_frames
    flags = (f"--map={CAMERA}:observation.images.top", "--common", "--output=top")
    assert curate("edit", "merge", "arm", "other", *flags)[0] == 0
    assert Dataset.open(tmp_path / "top").camera_keys == ["observation.images.top"]
    refuses("edit", "merge", "arm", "other", "--map=nosuch:x", "--output=x", words=["nosuch"], code=2)
    refuses("edit", "merge", "arm", "other", "--map=nosuch", "--output=x", words=["OLD:NEW"], code=2)


def test_split_by_queries(arm, curate, refuses, tmp_path):
    curate("label", "arm", "0-3", "--tag", "slow")
    curate("query", "arm", "list_contains(tags, 'slow')", "--save", "slow")
    flags = ("--query", "slow=@slow", "--query", "rest=not @slow and seed < 110")
    code, out, _ = curate("edit", "split", "arm", *flags, "--output=sets")
    assert code == 0 and "slow 4, rest 6" in out and "4 episodes in no set" in out
    assert Dataset.open(tmp_path / "sets" / "slow").episodes["seed"].to_pylist() == [100, 101, 102, 103]
    flags = ("--query", "a=seed < 104", "--query", "b=seed > 102")
    refuses("edit", "split", "arm", *flags, "--output=x", words=["episode 3", "'a'", "'b'"], code=2)
    refuses("edit", "split", "arm", "--query", "seed < 104", "--output=x", words=["good="], code=2)
