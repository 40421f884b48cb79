"""`demodeck edit trim`, `split`, `merge`, `apply`, renames and `diff`, as users type them."""

import json

import numpy as np
import pytest
from arm_dataset import CAMERA, record
from synthetic_arm import flight
from test_edit_command import digest

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.tables import read_parquet


def same_frames(new, episode, old, of, first=0, last=None):
    """Check rows and pictures of an episode against a stretch of another's; the pictures bit by bit."""
    ours, theirs = new.episode(episode, ["action"])["action"], old.episode(of, ["action"])["action"]
    assert np.array_equal(ours, theirs[first:last])
    pictures = list(old.frames(of, CAMERA))[first:last]
    assert all(map(np.array_equal, new.frames(episode, CAMERA), pictures))


def test_trim_named_frames(arm, curate, tmp_path):
    before = digest(arm)
    code, out, _ = curate(
        "edit", "trim", "arm", "--episode=3", "--frames=12:40", "--episode=3", "--frames=50:", "--episode=0",
        "--frames=:7", "--output=new",
    )  # fmt: skip
    assert code == 0 and "15 episodes written, 2 episodes cut (0, 3)" in out and digest(arm) == before
    old, new = Dataset.open(arm), Dataset.open(tmp_path / "new")
    assert new.num_episodes == 15 and new.lengths().tolist()[:2] == [7, int(old.lengths([1])[0])]
    for episode, of, first, last in (
        (0, 0, 0, 7),
        (1, 1, 0, None),
        (3, 3, 12, 40),
        (4, 3, 50, None),
        (5, 4, 0, None),
    ):
        same_frames(new, episode, old, of, first, last)
    (tmp_path / "cuts.txt").write_text("# head\n0 :7\n\n3 12:40  # the reach\n3 50:\n")
    assert curate("edit", "trim", "arm", "--spans=cuts.txt", "--output=again")[0] == 0
    assert Dataset.open(tmp_path / "again").lengths().tolist() == new.lengths().tolist()
    manifest = json.loads((tmp_path / "new" / "curation" / "edit.json").read_text())
    assert (
        manifest["author"] == "ann"
        and manifest["verb"] == "trim"
        and manifest["spans"][:2] == [[0, 0, 0, 7], [0, 1, 0, int(old.lengths([1])[0])]]
    )
    assert (
        manifest["sources"][0]["name"] == "arm"
        and str(tmp_path) not in json.dumps(manifest)
        and manifest["sources"][0]["edit"] is None
    )


def test_trim_standing_still(arm, curate, refuses, tmp_path):
    refuses(
        "edit",
        "trim",
        "arm",
        "--idle",
        "--margin_s=1",
        "--output=x",
        words=["no episode", "cut away"],
        code=2,
    )
    before, after = [0, 40, 31, 0], [25, 0, 50, 0]  # frames of standing still
    flights = [
        {
            name: np.concatenate([v[:1].repeat(b, 0), v, v[-1:].repeat(a, 0)])
            for name, v in flight(seed).items()
        }
        for seed, b, a in zip(range(4), before, after)
    ]
    old = Dataset.open(record(tmp_path / "slow", flights))
    curate("score", "slow")
    code, out, _ = curate("edit", "trim", "slow", "--idle", "--margin_s=0.2", "--output=new", "--json")
    cuts = {episode: (first, last) for episode, first, last in json.loads(out)["sets"][""]["cut"]}
    new = Dataset.open(tmp_path / "new")
    assert code == 0 and new.num_episodes == 4
    for episode, n in enumerate(old.lengths().tolist()):
        first, last = cuts.get(episode, (0, n))
        # What moves within 0.15 s of a frame makes it move; 4 frames are left besides.
        assert (before[episode] - 9 if before[episode] else 0) <= first <= before[episode]
        assert n - after[episode] <= last <= n - after[episode] + 9
        same_frames(new, episode, old, episode, first, last)
    scored = read_parquet(new.root / "curation" / "scores.parquet")["episode_index"].to_pylist()
    assert set(scored) == set(range(4)) - set(cuts)  # of a part, a score of the whole says nothing
    assert curate("edit", "trim", "slow", "0-1", "--idle", "--output=some")[0] == 0
    assert Dataset.open(tmp_path / "some").lengths()[2] == old.lengths()[2]


def test_split_by_fractions(arm, curate, tmp_path):
    Labels(arm).set([2], "note", "second", "ann")
    code, out, _ = curate(
        "edit", "split", "arm", "--fractions=train:0.8,val:0.2", "--seed=1", "--output=sets"
    )
    assert code == 0 and "14 episodes split: train 11, val 3" in out
    sets = {name: Dataset.open(tmp_path / "sets" / name) for name in ("train", "val")}
    seeds = [seed for d in sets.values() for seed in d.episodes["seed"].to_pylist()]
    assert sorted(seeds) == list(range(100, 114))
    assert [note for d in sets.values() for note in Labels(d.root).current().values()] == [{"note": "second"}]
    old = Dataset.open(arm)
    for d in sets.values():
        for episode, seed in enumerate(d.episodes["seed"].to_pylist()):
            same_frames(d, episode, old, seed - 100)
    curate("edit", "split", "arm", "--fractions=train:0.8,val:0.2", "--seed=1", "--output=again")
    assert Dataset.open(tmp_path / "again" / "val").episodes["seed"] == sets["val"].episodes["seed"]


def test_split_by_value(arm, curate, refuses, tmp_path):
    assert curate("edit", "split", "arm", "--by", "seed < 104", "--output", "sets")[0] == 0
    assert Dataset.open(tmp_path / "sets" / "true").episodes["seed"].to_pylist() == [100, 101, 102, 103]
    assert Dataset.open(tmp_path / "sets" / "false").num_episodes == 10
    curate("label", "arm", "1,3", "--verdict", "drop")
    assert curate("edit", "split", "arm", "--by=verdict", "--output=verdicts")[0] == 0
    assert Dataset.open(tmp_path / "verdicts" / "drop").num_episodes == 2
    assert Dataset.open(tmp_path / "verdicts" / "none").num_episodes == 12
    refuses("edit", "split", "arm", "--by=seed > 0", "--output=x", words=["nothing to split"], code=2)
    refuses("edit", "split", "arm", "--by=unnest([1, 2])", "--output=x", words=["each episode"], code=2)
    refuses("edit", "split", "arm", "--by=nothing", "--output=x", words=["columns:"], code=2)
    for wrong, words in (
        ("a:0.5", "0.5"),
        ("a:0.5,a:0.5", "twice"),
        ("../a:0.5,b:0.5", "no share"),
        ("a", "no share"),
    ):
        refuses("edit", "split", "arm", f"--fractions={wrong}", "--output=x", words=[words], code=2)
    assert not (tmp_path / "x").exists()


def test_merge_puts_back_what_split_took_apart(arm, curate, tmp_path):
    curate("edit", "split", "arm", "--by", "seed < 104", "--output", "sets")
    code, out, _ = curate("edit", "merge", "sets/true", "sets/false", "--output=whole")
    assert code == 0 and "2 datasets merged: 14 episodes" in out
    old, new = Dataset.open(arm), Dataset.open(tmp_path / "whole")
    assert new.tasks == old.tasks and new.features == old.features
    for episode in range(14):
        same_frames(new, episode, old, episode)
    for name, figures in old.stats().items():
        assert all(np.allclose(new.stats()[name][key], value) for key, value in figures.items()), name
    manifest = json.loads((tmp_path / "whole" / "curation" / "edit.json").read_text())
    assert [source["edit"]["verb"] for source in manifest["sources"]] == ["split", "split"]


def test_merge_of_what_differs(arm, curate, refuses, tmp_path):
    curate("edit", "remove-feature", "arm", "clock.front", "--output", "fewer")
    words = ["clock.front", "--common"]
    refuses("edit", "merge", "arm", "fewer", "--output=x", words=words, code=7)
    assert curate("edit", "merge", "arm", "fewer", "--common", "--output=both")[0] == 0
    both = Dataset.open(tmp_path / "both")
    assert both.num_episodes == 28 and "clock.front" not in both.features
    same_frames(both, 20, Dataset.open(arm), 6)
    path = tmp_path / "fewer" / "meta" / "info.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps({**info, "robot_type": "other"}))
    refuses(
        "edit", "merge", "both", "fewer", "--output=x", words=["synthetic_arm, other", "--robot_type"], code=7
    )
    assert curate("edit", "merge", "both", "fewer", "--robot_type=arms", "--output=all")[0] == 0
    assert Dataset.open(tmp_path / "all").info["robot_type"] == "arms"
    path.write_text(json.dumps({**info, "fps": 10}))
    refuses("edit", "merge", "both", "fewer", "--output=x", words=["20 and 10 frames a second"], code=7)
    refuses("edit", "merge", "arm", "arm", "--output=x", words=["two datasets"], code=2)
    assert not (tmp_path / "x").exists() and not list(tmp_path.glob(".x*"))


def test_other_words_and_names(arm, curate, refuses, tmp_path):
    curate("label", "arm", "2", "--task", "Move the cube, way 1")
    assert curate("edit", "rename-task", "arm", "Move the cube, way 1", "Push it", "--output=tasks")[0] == 0
    new = Dataset.open(tmp_path / "tasks")
    assert new.tasks == ["Move the cube, way 0", "Push it"] and new.episodes["tasks"].to_pylist()[1] == [
        "Push it"
    ]
    assert Labels(new.root).current() == {2: {"task": "Push it"}}
    top = "observation.images.top"
    assert curate("edit", "rename-feature", "arm", CAMERA, top, "--output=names")[0] == 0
    new = Dataset.open(tmp_path / "names")
    assert new.camera_keys == [top] and all(
        map(np.array_equal, new.frames(4, top), Dataset.open(arm).frames(4, CAMERA))
    )
    assert set(new.stats()) == {top if name == CAMERA else name for name in Dataset.open(arm).stats()}
    assert curate("edit", "remove-feature", "arm", CAMERA, "clock.front", "--output=blind")[0] == 0
    new = Dataset.open(tmp_path / "blind")
    assert not new.camera_keys and "clock.front" not in new.features and not (new.root / "videos").exists()
    refuses("edit", "rename-task", "arm", "Move", "x", "--output=x", words=["no task 'Move'"], code=2)
    refuses(
        "edit", "rename-feature", "arm", "actoin", "x", "--output=x", words=["did you mean 'action'"], code=2
    )
    refuses("edit", "rename-feature", "arm", "action", CAMERA, "--output=x", words=["one already"], code=2)
    refuses(
        "edit", "remove-feature", "arm", "timestamp", "--output=x", words=["no feature 'timestamp'"], code=2
    )


def test_apply_does_what_the_labels_say(arm, curate, refuses, tmp_path):
    refuses("edit", "apply", "arm", "--output=new", words=["no label", "--trim"], code=2)
    curate("label", "arm", "1,5", "--verdict", "drop")
    curate("label", "arm", "2", "--trim", "10:30", "--task", "Only reach")
    curate("label", "arm", "3", "--trim", "5:9")
    curate("label", "arm", "--undo")
    code, out, _ = curate("edit", "apply", "arm", "--output=new")
    assert code == 0 and "12 episodes written, 2 episodes dropped, 1 episode cut (2)" in out
    new, old = Dataset.open(tmp_path / "new"), Dataset.open(arm)
    same_frames(new, 1, old, 2, 10, 30)
    assert new.episodes["tasks"][1].as_py() == ["Only reach"] and new.tasks[-1] == "Only reach"
    assert new.tasks[new.episode(1, ["task_index"])["task_index"][0]] == "Only reach"
    assert Labels(new.root).current() == {1: {"task": "Only reach"}}
    refuses("label", "arm", "2", "--trim", "9:", words=["both ends"], code=2)
    refuses("label", "arm", "4", "--trim", "0:9999", words=["9999", "episode 4"], code=2)
    Labels(arm).set([4], "trim", [0, 9999], "another tool")
    refuses("edit", "apply", "arm", "--output=x", words=["9999", "episode 4"], code=2)


def test_diff(arm, curate, tmp_path):
    curate("label", "arm", "1,5", "--verdict", "drop")
    curate("label", "arm", "2", "--trim", "10:30")
    curate("edit", "apply", "arm", "--output=one")
    curate("edit", "rename-task", "one", "Move the cube, way 1", "Push", "--output=two")
    curate("edit", "remove-feature", "two", "clock.front", "--output=new")
    code, out, _ = curate("edit", "diff", "arm", "new")
    assert code == 0
    for words in (
        "the same: 11",
        "only in A: 1, 5",
        "B 1 is 10:30 of A 2",
        "clock.front",
        "only in A: Move",
        "only in B: Push",
    ):
        assert words in out
    found = json.loads(curate("edit", "diff", "new", "arm", "--json")[1])
    assert found["cut"] == [{"a": 1, "b": 2, "from_frame": 10, "to_frame": 30, "of": "b"}]
    assert found["only_b"] == [1, 5] and found["only_a"] == [] and len(found["same"]) == 11


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["trim", "arm"], "say what to cut"),
        (["trim", "arm", "--idle", "--episode=1", "--frames=1:2"], "say what to cut"),
        (["trim", "arm", "--episode=1"], "give each episode its frames"),
        (["trim", "arm", "--episode=1", "--frames=9:3"], "9:3"),
        (["trim", "arm", "--episode=99", "--frames=1:3"], "no episode 99"),
        (["trim", "arm", "--episode=1", "--frames=x"], "no range of frames"),
        (["trim", "arm", "--idle", "--margin_s=-1"], "at least 0"),
        (["trim", "arm", "--idle", "--margin_s=1000"], "nothing is written"),
        (["drop", "arm", "1", "--episodes=2"], "named twice"),
        (["merge", "arm"], "at least two"),
    ],
)
def test_wrong_flags_write_nothing(args, words, arm, refuses, tmp_path):
    refuses("edit", *args, "--output=new", words=[words], code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arm"]


def test_episodes_as_lerobot_writes_them(arm, curate, tmp_path):
    assert curate("edit", "drop", "arm", "--episodes=[3,7]", "--output=new")[0] == 0
    assert Dataset.open(tmp_path / "new").num_episodes == 12
