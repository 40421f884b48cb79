"""`demodeck edit`: a new dataset by stream copy; the source is never touched."""

import hashlib
import json

import av
from arm_dataset import CAMERA, N_EPISODES

from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset


def digest(root):
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def packets(dataset, episode):
    """Digests of the coded pictures of an episode, in order."""
    path, from_s = dataset.video_place(episode, CAMERA)
    first = round(from_s * dataset.fps)
    count = int(dataset.lengths([episode])[0])
    with av.open(str(path)) as container:
        data = [bytes(p) for p in container.demux(video=0) if p.size]
    return [hashlib.sha256(d).hexdigest() for d in data[first : first + count]]


def test_drop_makes_a_new_dataset_and_leaves_the_source_alone(arm, curate, tmp_path):
    curate("score", "arm", "--drop-faults")
    curate("label", "arm", "0", "--note", "first")
    before = digest(arm)
    code, out, _ = curate(
        "edit", "drop", "arm", "--where", "verdict = 'drop' or not success", "--output", "new"
    )
    assert code == 0 and "dropped 4 of 14 episodes (3, 5, 7, 11), 10 kept: new" in out
    assert digest(arm) == before
    old, new = Dataset.open(arm), Dataset.open(tmp_path / "new")
    kept = [e for e in range(N_EPISODES) if e not in (3, 5, 7, 11)]
    assert new.num_episodes == 10
    for i, e in enumerate(kept):
        assert packets(new, i) == packets(old, e)
        a, b = old.episode(e, ["action", "clock.tick"]), new.episode(i, ["action", "clock.tick"])
        assert all((a[k] == b[k]).all() for k in a)
    assert Labels(tmp_path / "new").current() == {0: {"note": "first"}}
    assert new.episodes["seed"].to_pylist() == [100 + e for e in kept]
    assert not list(tmp_path.glob(".new*"))


def test_keep_is_the_complement_of_drop(arm, curate, tmp_path):
    curate("edit", "keep", "arm", "--where", "not success or seed < 102", "--output", "kept")
    curate("edit", "drop", "arm", "2-4,6-13", "--output", "dropped")
    a, b = Dataset.open(tmp_path / "kept"), Dataset.open(tmp_path / "dropped")
    assert a.episodes["seed"].to_pylist() == b.episodes["seed"].to_pylist() == [100, 101, 105]


def test_a_dry_run_writes_nothing(arm, curate, tmp_path):
    code, out, _ = curate("edit", "drop", "arm", "1-3", "--output", "new", "--dry-run", "--json")
    plan = json.loads(out)
    assert code == 0 and plan["dropped"] == [1, 2, 3] and not plan["written"]
    assert not (tmp_path / "new").exists()


def test_edits_of_edits(arm, curate, tmp_path):
    curate("edit", "drop", "arm", "0-3", "--output", "one")
    curate("edit", "drop", "one", "0-3", "--output", "two")
    new = Dataset.open(tmp_path / "two")
    assert new.episodes["seed"].to_pylist() == [108, 109, 110, 111, 112, 113]
    assert packets(new, 0) == packets(Dataset.open(arm), 8)


def test_what_would_lose_or_change_nothing_is_refused(arm, refuses, tmp_path):
    refuses("edit", "drop", "arm", "0-13", "--output", "new", words=["all 14"], code=2)
    refuses("edit", "keep", "arm", "0-13", "--output", "new", words=["nothing to drop"], code=2)
    refuses("edit", "drop", "arm", "--where", "seed < 0", "--output", "new", words=["none of 14"], code=2)
    refuses("edit", "drop", "arm", "20", "--output", "new", words=["no episode 20"], code=2)
    refuses("edit", "drop", "arm", "--output", "new", words=["--where"], code=2)
    refuses("edit", "drop", "arm", "1", words=["--output"], code=2)
    refuses("edit", "drop", "arm", "1", "--output", "arm", words=["exists"], code=2)
    refuses("edit", "split", "arm", "--output", "new", words=["--fractions"], code=2)
    refuses("edit", "drop", "nowhere", "1", "--output", "new", words=["nowhere"], code=3)
    assert not (tmp_path / "new").exists()


def test_a_damaged_source_leaves_nothing_behind(arm, refuses, tmp_path):
    path = next((arm / "videos").rglob("*.mp4"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refuses("edit", "drop", "arm", "1", "--output", "new", code=3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["arm"]
