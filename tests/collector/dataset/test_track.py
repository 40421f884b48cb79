"""A busy encoder: frames in = frames out, in order, and what waits on the disk survives a crash."""

import contextlib
import shutil
import threading
import time

import numpy as np
import pytest
from flown import FEATURES, FPS, H264, fly, psnr

from collector.dataset.encode import VideoEncoder
from collector.dataset.journal import JournalWriter, list_journals, read_journal
from collector.dataset.reader import Dataset
from collector.dataset.track import parts_of, rest_path
from collector.dataset.writer import DatasetWriter

CAMERAS = ["observation.images.front", "observation.images.wrist"]
FLIGHT = fly(6, 40)


def start(folder, monkeypatch, delay_s=0.0, until=0, **more):
    """Begin a journal whose encoders take `delay_s` a picture, and stop at picture number `until` for the gate."""
    real, gate = VideoEncoder.add, threading.Event()

    def slow(self, image):
        if until and self.n_frames == until:
            gate.wait(240)
        time.sleep(delay_s)
        real(self, image)

    monkeypatch.setattr(VideoEncoder, "add", slow)
    journal = JournalWriter(folder, FLIGHT.header, FEATURES, FPS, H264, **more)
    journal.gate = gate
    return journal


def add_all(journal, count=40):
    for k in range(count):
        journal.add({n: v[k] for n, v in FLIGHT.columns.items()}, {n: v[k] for n, v in FLIGHT.images.items()})


def left_by_a_crash(journal, folder):
    """Copy what is on the disk at this instant, in which nothing goes on."""
    with contextlib.ExitStack() as stack:
        for track in journal._tracks.values():
            stack.enter_context(track._changed)
        journal._write_columns()
        shutil.copytree(journal.folder, folder)


def check_images(journal):
    for camera in CAMERAS:
        images = list(journal.images(camera))
        assert len(images) == journal.n_frames
        for k, image in enumerate(images):
            assert psnr(image, FLIGHT.images[camera][k]) > 28, f"picture {k} of {camera} is another one"


def test_a_saturated_encoder_loses_and_swaps_nothing(tmp_path, monkeypatch):
    journal = start(tmp_path / "set/.journal/a", monkeypatch, until=5, patient=False, sync_every_s=0.02)
    add_all(journal)
    tracks = journal._tracks.values()
    assert all(track.spilled > 20 for track in tracks), "the encoder was to fall behind"
    journal.gate.set()
    journal.close({"success": None})
    assert not list(journal.folder.glob("*.raw*"))
    back = read_journal(journal.folder)
    assert back.n_frames == len(FLIGHT)
    check_images(back)
    # The track's own counts are those of the pictures.
    assert back.histogram(CAMERAS[0]).n_frames == len(FLIGHT)


def test_a_patient_journal_waits_and_needs_no_disk(tmp_path, monkeypatch):
    journal = start(tmp_path / "a", monkeypatch, 0.002)
    add_all(journal)
    assert all(track.spilled == 0 for track in journal._tracks.values())
    journal.close({"success": None})
    assert read_journal(journal.folder).n_frames == len(FLIGHT)


@pytest.mark.parametrize("cut_raw", [False, True])
def test_pictures_that_wait_on_the_disk_survive_a_crash(tmp_path, monkeypatch, cut_raw):
    writer = DatasetWriter.create(tmp_path / "set", fps=FPS, features=FEATURES)
    journal = start(tmp_path / "live", monkeypatch, until=5, patient=False)
    add_all(journal)
    left = tmp_path / "set/.journal/a"
    left_by_a_crash(journal, left)
    journal.gate.set()
    expected = len(FLIGHT)
    if cut_raw:
        last = max((left / f"{CAMERAS[0]}.raw").iterdir())
        last.unlink()
        last.write_bytes(b"half")
        expected -= 1
    journal.abandon()
    monkeypatch.undo()
    assert writer.save(left) == 0
    writer.close()
    dataset = Dataset.open(tmp_path / "set")
    assert dataset.lengths().tolist() == [expected]
    for camera in CAMERAS:
        for k, image in enumerate(dataset.frames(0, camera)):
            assert psnr(image, FLIGHT.images[camera][k]) > 28
    assert not list_journals(tmp_path / "set")


def test_reading_twice_encodes_once(tmp_path, monkeypatch):
    journal = start(tmp_path / "live", monkeypatch, until=5, patient=False)
    add_all(journal)
    left = tmp_path / "left"
    left_by_a_crash(journal, left)
    journal.gate.set()
    journal.abandon()
    monkeypatch.undo()
    first = read_journal(left)
    made = rest_path(left, CAMERAS[0]).stat().st_mtime_ns
    assert sum(part[1] for part in parts_of(left, CAMERAS[0])) == len(FLIGHT)
    again = read_journal(left)
    assert again.n_frames == first.n_frames == len(FLIGHT)
    assert rest_path(left, CAMERAS[0]).stat().st_mtime_ns == made
    check_images(again)


def test_an_encoder_that_fails_ends_the_flight_with_what_came_before(tmp_path, monkeypatch):
    real = VideoEncoder.add

    def failing(self, image):
        if self.n_frames == 12 and "wrist" in str(self._path):
            raise OSError(5, "Input/output error")
        real(self, image)

    monkeypatch.setattr(VideoEncoder, "add", failing)
    journal = JournalWriter(tmp_path / "a", FLIGHT.header, FEATURES, FPS, H264)
    with pytest.raises(OSError, match="Input/output"):
        add_all(journal)
        journal.flush()
    with pytest.raises(OSError):
        journal.close({"success": None})
    back = read_journal(tmp_path / "a")
    assert back.end is None
    assert 10 <= back.n_frames <= 12
    check_images(back)
    assert np.array_equal(back.columns["action"], FLIGHT.columns["action"][: back.n_frames])


def test_columns_reach_the_file_though_ticks_stop(tmp_path):
    journal = JournalWriter(tmp_path / "a", FLIGHT.header, FEATURES, FPS, H264, sync_every_s=0.02)
    add_all(journal, 1)
    time.sleep(0.2)
    journal.flush_if_due()
    assert read_journal(tmp_path / "a").n_frames in (0, 1)  # the container holds one picture back
    assert read_journal(tmp_path / "a").columns is not None
    journal.abandon()
    assert not (tmp_path / "a").exists()
