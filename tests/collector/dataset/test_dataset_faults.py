"""Whatever instant a save or a merge dies at, plain lerobot opens the dataset with every episode saved before."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flown import FPS, H264, STATE, files_of, fly, record, write_journal

from collector.dataset import schema
from collector.dataset.journal import list_journals
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.rewrite import TAKEN_BACK, compact
from collector.dataset.writer import DatasetWriter

FEATURES = schema.features_for(STATE, STATE, {"front": (32, 32)})
CAMERA = "observation.images.front"
FLIGHTS = [fly(0, 5, FEATURES), fly(1, 4, FEATURES), fly(2, 6, FEATURES, task="place")]


def run_server(operation: str, mode: str, base: Path, cases: Path, stride: int = 1) -> list[Path]:
    """Run the operation broken at every stride-th step; return the datasets left behind, in that order."""
    root = Path(__file__).parents[3]
    env = {**os.environ, "PYTHONPATH": str(root)}
    command = [
        sys.executable,
        Path(__file__).with_name("fault_server.py"),
        operation,
        mode,
        base,
        cases,
        str(stride),
    ]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [cases / str(k) / "set" for k in range(0, int(done.stdout), stride)]


def open_in_lerobot(root: Path):
    from lerobot.datasets import LeRobotDataset

    # Offline, a dataset that lerobot finds incomplete raises instead of being pulled.
    return LeRobotDataset("test/set", root=root, video_backend="pyav")


SEEN: dict[tuple[str, ...], int] = {}


def check(root: Path, flights: list, at_least: int) -> int:
    """Check in lerobot that at least so many episodes are there and what was flown; return their number.

    What lerobot can see (all but the journal) is often the same as after the step before:
    once is enough, for it takes a second to open a dataset.
    """
    digest = hashlib.sha256()
    for name in sorted(name for name in files_of(root) if not name.startswith(".journal")):
        digest.update(name.encode() + (root / name).read_bytes())
    key = digest.hexdigest(), *(flight.header["flight_id"] for flight in flights)
    if key not in SEEN:
        SEEN[key] = check_in_lerobot(root, flights)
    assert SEEN[key] >= at_least
    return SEEN[key]


def check_in_lerobot(root: Path, flights: list) -> int:
    opened = open_in_lerobot(root)
    count = opened.num_episodes
    assert len(opened) == sum(len(f) for f in flights[:count])
    actions = np.stack(opened.hf_dataset.with_format("numpy")["action"][: len(opened)])
    assert np.array_equal(actions, np.concatenate([f.columns["action"] for f in flights[:count]]))
    for episode in range(count):
        first = opened.meta.episodes[episode]["dataset_from_index"]
        for k in (0, len(flights[episode]) - 1):
            item = opened[first + k]
            image = (item[CAMERA].numpy() * 255).transpose(1, 2, 0)
            error = np.abs(image - flights[episode].images[CAMERA][k]).mean()
            assert error < 12 and item["task"] == flights[episode].header["task"]
    return count


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_killed_while_saving(tmp_path):
    base = tmp_path / "base"
    record(base, FLIGHTS[:2], features=FEATURES)
    write_journal(base, FLIGHTS[2], features=FEATURES)
    cases = run_server("save", "kill", base, tmp_path / "cases")
    assert len(cases) > 40
    counts = [check(root, FLIGHTS, at_least=2) for root in cases]
    assert counts == sorted(counts) and counts[-1] == 3
    untouched = tmp_path / "untouched"
    record(untouched, FLIGHTS, features=FEATURES)
    expected = Dataset.open(untouched).stats()
    for root in cases:
        writer = DatasetWriter.open(root)
        for folder in list_journals(root):
            assert writer.save(folder) == 2
        writer.close()
        assert check(root, FLIGHTS, at_least=3) == 3
        assert files_of(root) == files_of(untouched)
        for name, value in Dataset.open(root).stats().items():
            assert all(np.allclose(value[key], exact) for key, exact in expected[name].items()), name


def test_killed_while_saving_the_first_episode(tmp_path):
    base = tmp_path / "base"
    DatasetWriter.create(base, fps=FPS, features=FEATURES)
    write_journal(base, FLIGHTS[0], features=FEATURES)
    untouched = tmp_path / "untouched"
    record(untouched, FLIGHTS[:1], features=FEATURES)
    for root in run_server("save", "kill", base, tmp_path / "cases", stride=3):
        writer = DatasetWriter.open(root)
        for folder in list_journals(root):
            assert writer.save(folder) == 0
        writer.close()
        assert check(root, FLIGHTS, at_least=1) == 1
        assert Dataset.open(root).info == {**Dataset.open(untouched).info, "robot_type": None}


def test_killed_while_appending_to_a_set_of_plain_lerobot(tmp_path):
    from lerobot.configs import RGBEncoderConfig
    from lerobot.datasets import LeRobotDataset

    base = tmp_path / "base"
    own = {name: f for name, f in FEATURES.items() if name not in schema.DEFAULT_FEATURES}
    theirs = LeRobotDataset.create(
        "test/set", FPS, own, root=base, rgb_encoder=RGBEncoderConfig(vcodec="h264")
    )
    for flight in FLIGHTS[:2]:
        for k in range(len(flight)):
            frame = {name: np.atleast_1d(values[k]) for name, values in flight.columns.items()}
            theirs.add_frame({**frame, CAMERA: flight.images[CAMERA][k], "task": flight.header["task"]})
        theirs.save_episode()
    theirs.finalize()
    write_journal(base, FLIGHTS[2], features=FEATURES)
    for root in run_server("save", "kill", base, tmp_path / "cases", stride=3):
        check(root, FLIGHTS, at_least=2)
        writer = DatasetWriter.open(root)
        for folder in list_journals(root):
            assert writer.save(folder) == 2
        writer.close()
        assert check(root, FLIGHTS, at_least=3) == 3
    assert Dataset.open(root).episodes["flight_id"].to_pylist() == [None, None, "flight2"]


def test_killed_while_merging_files(tmp_path):
    base = tmp_path / "base"
    record(base, FLIGHTS, features=FEATURES)
    Labels(base).set([1], "verdict", "drop", "someone")
    waiting = write_journal(base, fly(7, 5, FEATURES), features=FEATURES)
    cases = run_server("compact", "kill", base, tmp_path / "cases", stride=2)
    assert len(cases) > 10
    for root in cases:
        assert check(root, FLIGHTS, at_least=3) == 3
        compact(root)
        assert check(root, FLIGHTS, at_least=3) == 3
        dataset = Dataset.open(root)
        assert len(set(dataset.data_files)) == 1
        assert [folder.name for folder in list_journals(root)] == [waiting.name]
        assert Labels(root).current() == {1: {"verdict": "drop"}}
        assert [path.name for path in root.parent.iterdir()] == ["set"]  # nothing is left beside
        assert compact(root) is False


def test_killed_while_leaving_out_what_was_taken_back(tmp_path):
    base = tmp_path / "base"
    record(base, FLIGHTS, features=FEATURES)
    left = [FLIGHTS[0], FLIGHTS[2]]
    for root in run_server("take_back", "kill", base, tmp_path / "cases", stride=4):
        before = Dataset.open(root).num_episodes == 3
        assert check(root, FLIGHTS if before else left, 0) == (3 if before else 2)
        compact(root, without=[1] if before else [])
        assert check(root, left, 0) == 2
        away = Dataset.open(root / TAKEN_BACK / "0")
        np.testing.assert_array_equal(away.columns(["action"])["action"], FLIGHTS[1].columns["action"])
        assert [path.name for path in root.parent.iterdir()] == ["set"]


@pytest.mark.parametrize("operation", ["save", "compact", "copy"])
def test_full_disk(tmp_path, operation):
    base = tmp_path / "base"
    record(base, FLIGHTS[:2], features=FEATURES)
    if operation == "save":
        write_journal(base, FLIGHTS[2], features=FEATURES)
    before = files_of(base)
    for root in run_server(operation, "full", base, tmp_path / "cases", stride=3):
        assert check(root, FLIGHTS, at_least=2) >= 2
        assert {path.name for path in root.parent.iterdir()} == {"set"}
        assert not [name for name in files_of(root) if name.endswith(".tmp")]
        if operation == "save":
            writer = DatasetWriter.open(root)
            for folder in list_journals(root):
                assert writer.save(folder) == 2
            writer.close()
            assert check(root, FLIGHTS, at_least=3) == 3
        elif Dataset.open(root).data_files[0] != Dataset.open(root).data_files[1]:
            assert files_of(root) == before


def test_retry_in_the_same_session_after_a_full_disk(tmp_path, monkeypatch):
    root = tmp_path / "set"
    writer = DatasetWriter.create(root, fps=FPS, features=FEATURES)
    writer.save(write_journal(root, FLIGHTS[0], features=FEATURES))
    folder = write_journal(root, FLIGHTS[1], features=FEATURES)
    real = os.replace
    for refused in ("data", "videos", "episodes", "meta"):

        def replace(source, target, refused=refused):
            if refused in Path(target).parts:
                raise OSError(28, "No space left on device")
            return real(source, target)

        monkeypatch.setattr(os, "replace", replace)
        if folder.exists():
            with pytest.raises(OSError, match="No space"):
                writer.save(folder)
        monkeypatch.setattr(os, "replace", real)
        assert check(root, FLIGHTS, at_least=1) >= 1
    if folder.exists():
        assert writer.save(folder) == 1
    assert writer.save(write_journal(root, FLIGHTS[2], features=FEATURES)) == 2
    writer.close()
    assert check(root, FLIGHTS, at_least=3) == 3


def test_full_disk_while_flying(tmp_path, monkeypatch):
    """The limit on a file's size stands for the full disk: what was recorded before stays whole."""
    resource = pytest.importorskip("resource")
    import signal

    from collector.dataset.journal import JournalWriter, read_journal
    from collector.errors import StorageError

    flight = fly(3, 200, FEATURES)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python 3.12.1 would leave modules half-written
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal = JournalWriter(tmp_path / "flight", flight.header, FEATURES, FPS, H264)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
        with pytest.raises(OSError):
            for k in range(200):
                journal.add(
                    {name: values[k] for name, values in flight.columns.items()},
                    {CAMERA: flight.images[CAMERA][k]},
                )
        with pytest.raises(StorageError, match="free some space"):
            journal.add({}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    back = read_journal(tmp_path / "flight")
    assert 5 < back.n_frames < 200
    assert np.array_equal(back.columns["action"], flight.columns["action"][: back.n_frames])
