"""`demodeck doctor --encoders` says what each encoder costs here, and which one recording takes."""

import json

import pytest

from collector.cli import main_doctor
from collector.dataset import probe
from collector.dataset.probe import Measured
from collector.errors import UsageError

DEVICE = Measured("h264_nvenc", None, True, problem="does not open here: Operation not permitted")
SLOW = Measured(
    "libsvtav1", 12, False, 4, 0.0348, 0.035, 0.06, 30400.0, 14.6, None, 2.09, "stopped after 4 frames: far"
)
GOOD = Measured("h264", "veryfast", False, 24, 0.0055, 0.0055, 0.007, 6600.0, 3.2, 32.29, 0.33)


@pytest.fixture
def canned(monkeypatch, tmp_path):
    asked = []

    def measure(sizes, fps, candidates=None, budget=None, base=None):
        asked.append((sizes, fps, base))
        return [DEVICE, SLOW, GOOD]

    monkeypatch.setattr(probe, "probe", measure)
    monkeypatch.setattr(probe, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(probe, "default_budget", lambda: 0.5)
    return asked


def test_the_table(canned, capsys):
    assert main_doctor(["--encoders"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cameras 640x480, 640x480 at 30 Hz; encoding may take 0.50 cores"
    assert lines[1].split() == ["encoder", "CPU", "ms", "cores", "kB", "Mbit/s", "PSNR", "dB"]
    assert lines[2].split()[:6] == ["h264_nvenc", "-", "-", "-", "-", "-"]
    assert lines[2].endswith("does not open here: Operation not permitted")
    assert lines[3].startswith("libsvtav1 12         34.80    2.09    30.4    14.6       -  too slow")
    assert lines[4].split()[:7] == ["h264", "veryfast", "5.50", "0.33", "6.6", "3.2", "32.3"]
    assert lines[4].endswith("chosen: smallest at equal quality")
    assert canned[0][:2] == ([(480, 640), (480, 640)], 30)


def test_json_and_the_flags(canned, capsys):
    assert main_doctor(["--encoders", "--cameras=320x240", "--fps=15", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cameras"] == ["320x240"] and found["fps"] == 15
    assert found["budget_cores"] == 0.5 and not found["may_lag"]
    assert found["chosen"] == {"vcodec": "h264", "preset": "veryfast"}
    assert [row["vcodec"] for row in found["encoders"]] == ["h264_nvenc", "libsvtav1", "h264"]
    assert found["encoders"][2]["psnr_db"] == 32.29 and found["encoders"][0]["load"] is None
    assert canned[0][:2] == ([(240, 320)], 15)


def test_it_measures_anew_what_recording_takes(canned):
    from collector.session.config import EncoderFlags

    for _ in range(2):
        main_doctor(["--encoders"])
    assert len(canned) == 2
    settings = probe.settings_for(EncoderFlags(), [(480, 640)] * 2, 30)
    assert (settings.vcodec, settings.preset) == ("h264", "veryfast")
    assert len(canned) == 2  # from the cache


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--encoders", "--cameras=640"], "WIDTHxHEIGHT"),
        (["--encoders", "--cameras=640x480,"], "WIDTHxHEIGHT"),
        (["--encoders", "--cameras=641x480"], "even"),
        (["--encoders", "--cameras=8x8"], "16 px"),
        (["--encoders", "--fps=0"], "above 0"),
        (["--encoders", "--fps=fast"], "fps"),
        (["--fps=30"], "add --encoders"),
        (["--cameras=640x480"], "add --encoders"),
    ],
)
def test_wrong_flags_are_refused(canned, flags, message):
    with pytest.raises(UsageError, match=message):
        main_doctor(flags)
    assert not canned


def test_a_true_measurement(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(probe, "cache_folder", lambda: tmp_path)
    assert main_doctor(["--encoders", "--cameras=64x64", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["encoders"]) == len(probe.HARDWARE) + len(probe.SOFTWARE)
    assert sum(row["verdict"].startswith("chosen") for row in found["encoders"]) == 1
