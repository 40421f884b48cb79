"""A journal cut at any byte gives back every whole tick before the cut, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flown import FEATURES, FPS, H264, fly, psnr, write_journal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.dataset import schema, tables
from collector.dataset.journal import JournalWriter, list_journals, read_journal
from collector.dataset.writer import DatasetWriter
from collector.errors import DataError

CAMERAS = ["observation.images.front", "observation.images.wrist"]
FLIGHT = fly(4, 40)


@pytest.fixture(scope="module", params=["h264", "libsvtav1"])
def folder(tmp_path_factory, request):
    root = tmp_path_factory.mktemp("journals")
    journal = JournalWriter(
        root / "whole", FLIGHT.header, FEATURES, FPS, {"vcodec": request.param, "crf": 18}
    )
    for k in range(len(FLIGHT)):
        journal.add({n: v[k] for n, v in FLIGHT.columns.items()}, {n: v[k] for n, v in FLIGHT.images.items()})
        if k % 4 == 3:
            journal.flush()  # as time would do
    return root / "whole"  # never closed


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["columns.arrows", *(f"{c}.mp4" for c in CAMERAS)]), st.floats(0, 1))
def test_any_cut_leaves_a_prefix(folder, name, share):
    cut = folder.with_name("cut")
    shutil.rmtree(cut, ignore_errors=True)
    shutil.copytree(folder, cut)
    content = (folder / name).read_bytes()
    (cut / name).write_bytes(content[: int(share * len(content))])
    journal = read_journal(cut)
    whole = read_journal(folder)
    assert 0 <= journal.n_frames <= whole.n_frames
    # What lies before the cut is there: a batch or a frame at most is missing.
    assert journal.n_frames >= int(share * whole.n_frames) - 14
    for column, values in journal.columns.items():
        assert np.array_equal(values, FLIGHT.columns[column][: journal.n_frames])
    for camera in CAMERAS:
        if journal.n_frames:
            images = list(journal.images(camera))
            assert all(psnr(a, b) > 28 for a, b in zip(images, FLIGHT.images[camera], strict=False))


def test_at_most_a_quarter_second_is_behind(folder):
    whole = read_journal(folder)
    assert whole.end is None and len(FLIGHT) - whole.n_frames <= 0.25 * FPS


def test_a_cut_flight_becomes_an_episode(folder, tmp_path):
    root = tmp_path / "set"
    writer = DatasetWriter.create(root, fps=FPS, features=FEATURES)
    cut = root / ".journal" / "cut"
    shutil.copytree(folder, cut)
    video = cut / f"{CAMERAS[0]}.mp4"
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    n_frames = read_journal(cut).n_frames
    assert 5 < n_frames < len(FLIGHT)
    assert list_journals(root) == [cut] and writer.save(cut) == 0
    row = tables.read_episodes(root, with_stats=True).to_pylist()[0]
    assert row["length"] == n_frames and row["interrupted"] is True
    assert row[f"stats/{CAMERAS[0]}/count"] == [n_frames]


def test_no_tick_waits_for_an_import(tmp_path):
    script = f"""if True:
        import sys
        from pathlib import Path
        from flown import FEATURES, FPS, H264, fly
        from collector.dataset.journal import JournalWriter
        flight = fly(4, 2)
        journal = JournalWriter(Path({str(tmp_path / "journal")!r}), flight.header, FEATURES, FPS, H264)
        before = set(sys.modules)
        for k in range(2):
            journal.add({{n: v[k] for n, v in flight.columns.items()}}, {{n: v[k] for n, v in flight.images.items()}})
        journal._write_columns()
        late = {{name.partition(".")[0] for name in set(sys.modules) - before}}
        journal.abandon()
        print(*sorted(late & {{"pandas", "pyarrow", "av", "numpy", "scipy"}}))
    """
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    env = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=400
    )
    assert (done.stdout, done.returncode) == ("\n", 0), done.stdout + done.stderr


def test_nothing_is_left_of_an_abandoned_flight(tmp_path):
    journal = JournalWriter(tmp_path / ".journal" / "a", FLIGHT.header, FEATURES, FPS, H264)
    journal.add({n: v[0] for n, v in FLIGHT.columns.items()}, {n: v[0] for n, v in FLIGHT.images.items()})
    journal.abandon()
    assert list((tmp_path / ".journal").iterdir()) == []
    with pytest.raises(DataError, match=r"header.json is missing"):
        read_journal(tmp_path / ".journal" / "a")


def test_frames_that_do_not_fit_are_refused(tmp_path):
    journal = JournalWriter(tmp_path / "a", FLIGHT.header, FEATURES, FPS, H264)
    columns = {n: v[0] for n, v in FLIGHT.columns.items()}
    images = {n: v[0] for n, v in FLIGHT.images.items()}
    with pytest.raises(ValueError, match="lacks \\['action'\\]"):
        journal.add({n: v for n, v in columns.items() if n != "action"}, images)
    with pytest.raises(ValueError, match="'action' has shape"):
        journal.add({**columns, "action": np.zeros(2)}, images)
    with pytest.raises(ValueError, match="not uint8"):
        journal.add(columns, {**images, CAMERAS[0]: images[CAMERAS[0]].astype(float)})
    journal.add(columns, images)  # a refused frame leaves no trace
    journal.close({"success": None})
    assert read_journal(tmp_path / "a").n_frames == 1


def test_journals_are_listed_oldest_first_and_only_whole_ones(tmp_path):
    for seed in (9, 3, 5):
        write_journal(tmp_path, fly(seed, 2))
    (tmp_path / ".journal" / "torn").mkdir()
    assert [path.name for path in list_journals(tmp_path)] == ["flight9", "flight3", "flight5"]
    header = json.loads((tmp_path / ".journal" / "flight9" / "header.json").read_text())
    assert header["features"].keys() == FEATURES.keys() - schema.DEFAULT_FEATURES.keys()


def test_text_columns(tmp_path):
    features = {"action": schema.vector(["a", "b"]), "subtask": schema.scalar("string")}
    flight_columns = [{"action": np.float32([k, -k]), "subtask": f"step {k}"} for k in range(70)]
    writer = DatasetWriter.create(tmp_path / "set", fps=30, features=features)
    journal = JournalWriter(tmp_path / "set/.journal/a", {"task": "t"}, features, 30)
    for columns in flight_columns:
        journal.add(columns, {})
    journal.close({"success": True})
    writer.save(journal.folder)
    writer.close()
    from lerobot.datasets import LeRobotDataset

    opened = LeRobotDataset("test/text", root=tmp_path / "set")
    assert opened[69]["subtask"] == "step 69" and opened[69]["action"].tolist() == [69, -69]
