"""What was measured is remembered by content: an interrupted scoring goes on, and a damaged memory costs only time."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from arm_dataset import record
from plain_arm import write
from synthetic_arm import NAMES, flight, inject

from collector.dataset.reader import Dataset
from curation.cache import FOLDER
from curation.frames import BLOCK_FRAMES
from curation.run import score_dataset
from curation.scores import ENOUGH_FRAMES, reference_choice
from curation.store import store

PROJECT = Path(__file__).parents[2]


class Heard:
    """A progress line that remembers."""

    def __init__(self):
        self.calls = []

    def __call__(self, phase, done, total):
        self.calls.append((phase, done, total))

    def measured(self, phase="checks"):
        """Return how many episodes were measured now."""
        done = [d for p, d, _ in self.calls if p == phase]
        return max(done) - min(done) if done else 0


def same(a, b):
    assert a.findings == b.findings and a.skipped == b.skipped
    assert repr(a.limits) == repr(b.limits)
    for name, scores in a.scores.items():
        np.testing.assert_array_equal(scores, b.scores[name])


@pytest.fixture(scope="module")
def long_set(tmp_path_factory):
    """A set of several blocks, without pictures; nobody writes to it."""
    flights = [flight(seed) for seed in range(3 * BLOCK_FRAMES // 130)]
    flights[5], flights[60] = inject(flights[5], "spike", 5), inject(flights[60], "stall", 60)
    return write(tmp_path_factory.mktemp("long") / "set", flights, NAMES)


@pytest.fixture
def copied(long_set, tmp_path):
    return shutil.copytree(long_set, tmp_path / "set")


KILLED = """
import os, signal, sys
from collector.dataset.reader import Dataset
from curation.run import score_dataset

def stop(phase, done, total):
    if 0 < done < total:
        os.kill(os.getpid(), signal.SIGKILL)

score_dataset(Dataset.open(sys.argv[1]), progress=stop, jobs=1)
"""


def test_a_killed_scoring_goes_on_where_it_stood(copied, long_set):
    env = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(copied)], env=env, timeout=300)
    assert done.returncode == -signal.SIGKILL
    heard, whole = Heard(), Heard()
    resumed = score_dataset(Dataset.open(copied), progress=heard, jobs=1)
    same(resumed, score_dataset(Dataset.open(copied), progress=whole, jobs=1, fresh=True))
    assert whole.measured() == len(resumed.episodes)
    assert 0 < heard.measured() < whole.measured()
    assert heard.calls[0][1] > 0


def test_scoring_twice_measures_nothing(copied):
    first = score_dataset(Dataset.open(copied))
    heard = Heard()
    same(score_dataset(Dataset.open(copied), progress=heard), first)
    assert heard.calls == []


def test_what_was_measured_is_found_after_files_are_merged_and_renamed(copied):
    first = score_dataset(Dataset.open(copied))
    path = next((copied / "data").rglob("*.parquet"))
    table = pq.read_table(path)
    pq.write_table(table, path, compression="gzip", row_group_size=500)
    moved = copied.rename(copied.with_name("moved"))
    heard = Heard()
    same(score_dataset(Dataset.open(moved), progress=heard), first)
    assert heard.calls == []


def test_a_changed_value_is_measured_again(copied):
    score_dataset(Dataset.open(copied))
    path = next((copied / "data").rglob("*.parquet"))
    table = pq.read_table(path)
    action = np.stack(table["action"].to_numpy())
    action[7, 2] += 40
    table = table.set_column(table.schema.get_field_index("action"), "action", [action.tolist()])
    pq.write_table(table, path)
    scoring = score_dataset(Dataset.open(copied))
    assert (0, "glitch") in {(f.episode_index, f.check) for f in scoring.findings}
    same(scoring, score_dataset(Dataset.open(copied), fresh=True))


@pytest.mark.parametrize("damage", ["cut", "garbage", "other", "folder"])
def test_a_damaged_memory_is_no_error(copied, damage):
    first = score_dataset(Dataset.open(copied))
    parts = sorted((copied / FOLDER).rglob("*.npz"))
    assert len(parts) == 3
    for path in parts:
        if damage == "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        elif damage == "garbage":
            path.write_bytes(os.urandom(1000))
        elif damage == "other":
            np.savez(path, keys=np.frombuffer(b'["x"]', np.uint8), counts=np.array([3.5]), head=np.zeros(3))
        else:
            path.unlink()
            path.mkdir()
    heard = Heard()
    same(score_dataset(Dataset.open(copied), progress=heard), first)
    assert heard.measured() == len(first.episodes)


def test_where_nothing_may_be_written_nothing_is_remembered(copied):
    (copied / "curation").mkdir()
    (copied / FOLDER).write_text("a file where a folder should be")
    heard = Heard()
    score_dataset(Dataset.open(copied), progress=heard)
    assert heard.measured() == Dataset.open(copied).num_episodes


def test_pictures_are_decoded_once_and_only_new_episodes_later(arm):
    first, again, later = Heard(), Heard(), Heard()
    dataset = Dataset.open(arm)
    scoring = score_dataset(dataset, video=True, progress=first, jobs=1)
    assert first.measured("video") > 0
    same(score_dataset(dataset, video=True, progress=again, jobs=1), scoring)
    assert not again.calls
    record(arm, [flight(77)], resume=True)
    dataset = Dataset.open(arm)
    found = score_dataset(dataset, video=True, progress=later, jobs=1)
    assert [call for call in later.calls if call[0] == "video"] == [("video", 15, 15)]
    same(found, score_dataset(dataset, video=True, jobs=1, fresh=True))


def test_a_video_that_is_restored_is_looked_at_again(arm):
    path = next((arm / "videos").rglob("*.mp4"))
    kept = path.read_bytes()
    path.unlink()
    broken = score_dataset(Dataset.open(arm), video=True)
    assert any(f.check == "video_broken" for f in broken.findings)
    path.write_bytes(kept)
    assert not any(f.check == "video_broken" for f in score_dataset(Dataset.open(arm), video=True).findings)


def test_episodes_added_to_a_large_set_leave_its_reference_as_it_is():
    frames = 130
    n = 20 * ENOUGH_FRAMES // frames
    chosen = [tuple(reference_choice([frames] * k)) for k in range(n, n + 200, 10)]
    assert len(set(chosen)) <= 2
    assert all(max(c) >= 0.93 * n for c in chosen)
    assert all(0.4 * ENOUGH_FRAMES < frames * len(c) <= 1.1 * ENOUGH_FRAMES for c in chosen)
    assert reference_choice([frames] * 100) == list(range(100))
    assert reference_choice([10 * ENOUGH_FRAMES]) == [0] and reference_choice([]) == []


def test_of_a_large_set_only_added_episodes_are_measured(copied, tmp_path, monkeypatch):
    monkeypatch.setattr("curation.scores.ENOUGH_FRAMES", 3000)  # a large set is one of more frames than these
    before = Dataset.open(copied).num_episodes
    score_dataset(Dataset.open(copied), jobs=1)
    flights = [flight(seed) for seed in range(before + 4)]
    flights[5], flights[60] = inject(flights[5], "spike", 5), inject(flights[60], "stall", 60)
    longer = write(tmp_path / "longer", flights, NAMES)
    shutil.copytree(copied / "curation", longer / "curation")
    heard = Heard()
    found = score_dataset(Dataset.open(longer), progress=heard, jobs=1)
    assert heard.measured() == 4 and len(found.episodes) == before + 4
    same(found, score_dataset(Dataset.open(longer), jobs=1, fresh=True))


def test_the_memory_is_neither_published_nor_carried_into_an_edit(arm, curate):
    curate("score", "arm")
    assert list((arm / FOLDER).rglob("*.npz"))
    from collector.dataset.carry import _sidecars
    from collector.hub.mirror import _publishable

    for found in (_sidecars(arm), list(_publishable(arm, []))):
        names = [path.relative_to(arm).as_posix() for path in found]
        assert "curation/scores.parquet" in names and not any(".cache" in name for name in names)


def test_scores_are_written_as_before(arm):
    dataset = Dataset.open(arm)
    scoring = score_dataset(dataset)
    store(arm, scoring, False, {"smoothness": np.array([np.nan, *range(13)], float)})
    table = pq.read_table(arm / "curation" / "scores.parquet")
    assert [str(f.type) for f in table.schema] == ["int64", "string", "double", "string", "string"]
    ranked = [row for row in table.to_pylist() if row["check"] == "smoothness"]
    assert ranked[0]["score"] is None and ranked[0]["note"] == "nothing to measure"
    assert ranked[13] == {
        "episode_index": 13,
        "check": "smoothness",
        "score": 12.0,
        "state": "rank",
        "note": None,
    }
    findings = pq.read_table(arm / "curation" / "findings.parquet").to_pylist()
    assert [f["message"] for f in findings] == [f.message for f in scoring.findings]
