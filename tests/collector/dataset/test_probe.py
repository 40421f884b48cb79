"""The encoder is chosen by what this machine measures, by a rule that stays the same."""

import json
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from collector.dataset import probe as module
from collector.dataset.encode import HARDWARE, EncoderSettings
from collector.dataset.probe import Measured, choose, default_budget, measured_here, probe, settings_for
from collector.dataset.synthetic_clip import synthetic_clip
from collector.errors import UsageError

SIZES = [(64, 80), (64, 80)]
FPS = 30
AUTO = {"vcodec": "auto", "g": 2, "crf": 30.0, "preset": None}


def measured(vcodec, preset, load, kilobytes=10.0, psnr_db=34.0, **more):
    return Measured(
        vcodec,
        preset,
        vcodec in HARDWARE,
        n_frames=24,
        cpu_s=load / 60,
        wall_s=load / 60,
        wall_p95_s=load / 50,
        bytes_per_frame=1000 * kilobytes,
        mbit_s=0.48 * kilobytes,
        psnr_db=psnr_db,
        load=load,
        camera_load=load / 2,
        **more,
    )


NO_DEVICE = Measured("h264_nvenc", None, True, problem="does not open here: Operation not permitted")
AV1 = measured("libsvtav1", 12, 2.1, 30.0, None, problem="stopped after 4 frames: far above the budget")
VERYFAST = measured("h264", "veryfast", 0.33, 7.0)
ULTRAFAST = measured("h264", "ultrafast", 0.17, 11.0)


def test_the_smallest_that_fits_is_chosen():
    choice = choose([NO_DEVICE, AV1, VERYFAST, ULTRAFAST], 0.5)
    assert choice.best is VERYFAST and not choice.lags
    assert choice.verdicts == (
        "does not open here: Operation not permitted",
        "too slow: 2.10 cores of 0.50",
        "chosen: smallest at equal quality",
        "fits, but takes 1.57 times the bytes at equal quality",
    )


def test_the_budget_comes_before_the_bytes():
    assert choose([VERYFAST, ULTRAFAST], 0.2).best is ULTRAFAST
    affordable = measured("libsvtav1", 12, 0.4, 4.0)
    assert choose([affordable, VERYFAST], 0.5).best is affordable


def test_hardware_comes_before_smaller_software():
    device = measured("h264_nvenc", None, 0.05, 20.0)
    choice = choose([device, VERYFAST], 0.5)
    assert choice.best is device and choice.verdicts[0] == "chosen: hardware"
    assert choose([measured("h264_nvenc", None, 0.6, 20.0), VERYFAST], 0.5).best is VERYFAST


def test_bytes_are_compared_at_equal_quality():
    coarse = measured("h264", "ultrafast", 0.2, 6.0, psnr_db=31.0)  # would need 2^(3/2) times 6 kB for 34 dB
    assert choose([VERYFAST, coarse], 0.5).best is VERYFAST
    close = measured("h264", "ultrafast", 0.2, 6.0, psnr_db=33.8)
    assert choose([VERYFAST, close], 0.5).best is close


def test_one_camera_must_keep_up_however_many_cores_there_are():
    small = measured("libsvtav1", 12, 2.1, 1.0)
    choice = choose([small, VERYFAST], 16.0)
    assert choice.best is VERYFAST
    assert choice.verdicts[0] == "too slow: 1.05 cores of 0.75 for one camera"


def test_where_none_fits_the_fastest_is_taken_and_said_to_lag():
    choice = choose([NO_DEVICE, AV1, VERYFAST, ULTRAFAST], 0.1)
    assert choice.best is ULTRAFAST and choice.lags
    assert choice.verdicts[3] == "chosen as the fastest, but it may lag: 0.17 cores of 0.10"


def test_what_could_not_be_measured_is_never_chosen():
    with pytest.raises(UsageError, match="Operation not permitted"):
        choose([NO_DEVICE], 0.5)
    with pytest.raises(UsageError, match="no candidates"):
        choose([], 0.5)


def test_the_default_budget():
    assert [default_budget(n) for n in (1, 2, 4, 64)] == [0.25, 0.5, 1, 16]


def test_the_clip_is_the_same_every_time_and_moves():
    first, second = (list(synthetic_clip(64, 80, 8)) for _ in range(2))
    assert np.array_equal(first, second)
    assert first[0].shape == (64, 80, 3) and first[0].dtype == np.uint8
    changes = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(first)]
    assert min(changes) > 2


def test_every_candidate_is_measured_or_has_a_reason():
    results = probe([*SIZES, (48, 48)], FPS, budget=1e6)
    assert [(one.vcodec, one.preset) for one in results[-5:]] == list(module.SOFTWARE)
    for one in results:
        if one.hardware and one.problem:
            assert one.load is None
            continue
        assert one.problem is None and one.n_frames == 24
        assert one.cpu_s > 0 and 0 < one.wall_s <= one.wall_p95_s
        assert 20 < one.psnr_db < 60 and 100 < one.bytes_per_frame < 64 * 80 * 3
        assert one.load >= 3 * FPS * one.cpu_s * 0.999 and 1 / 3 <= one.camera_load / one.load < 1
        assert one.mbit_s == pytest.approx(3 * 8e-6 * FPS * one.bytes_per_frame)


def test_bytes_and_quality_do_not_depend_on_the_moment():
    candidates = [EncoderSettings(vcodec="h264", preset="veryfast")]
    first, second = (probe(SIZES, FPS, candidates)[0] for _ in range(2))
    assert first.bytes_per_frame == second.bytes_per_frame and first.psnr_db == second.psnr_db


def test_a_hopeless_candidate_is_stopped_early():
    candidates = [EncoderSettings(vcodec="h264", preset=p) for p in ("veryfast", "ultrafast")]
    results = probe(SIZES, FPS, candidates, budget=1e-9)
    assert all(one.n_frames == 4 and "far above the budget" in one.problem for one in results)
    assert all(one.load > 1e-9 and one.psnr_db is None for one in results)
    assert choose(results, 1e-9).lags


def test_an_encoder_that_refuses_is_skipped_with_its_reason():
    odd = EncoderSettings(vcodec="h264", pix_fmt="no_such_format")
    unknown = EncoderSettings(vcodec="mpeg2")
    results = probe(SIZES, FPS, [odd, unknown])
    assert all(one.load is None and one.problem for one in results)
    assert "mpeg2" in results[1].problem


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, and a probe that counts instead of measuring."""
    folder, calls = tmp_path / "cache", []

    def counted(sizes, fps, candidates=None, budget=None, base=None):
        calls.append((tuple(sizes), fps, base))
        return [NO_DEVICE, VERYFAST, ULTRAFAST]

    monkeypatch.setattr(module, "probe", counted)
    monkeypatch.setattr(module, "cache_folder", lambda: folder)
    return SimpleNamespace(folder=folder, calls=calls)


def test_a_hit_measures_nothing(cache):
    first = measured_here(SIZES, FPS)
    assert measured_here(SIZES, FPS) == first == [NO_DEVICE, VERYFAST, ULTRAFAST]
    same = EncoderSettings(vcodec="h264", crf=30.0)
    assert measured_here([list(size) for size in SIZES], float(FPS), same) == first
    assert len(cache.calls) == 1
    measured_here(SIZES, FPS, renew=True)
    assert len(cache.calls) == 2


def test_what_it_depends_on_is_in_the_key(cache, monkeypatch):
    measured_here(SIZES, FPS)
    for other in (
        lambda: measured_here(SIZES, 20),
        lambda: measured_here([(96, 96)], FPS),
        lambda: measured_here(SIZES, FPS, EncoderSettings(vcodec="h264", g=10)),
        lambda: (monkeypatch.setattr(module, "VERSION", -1), measured_here(SIZES, FPS)),
    ):
        before = len(cache.calls)
        other()
        assert len(cache.calls) == before + 1


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3", b'{"key": 1}'])
def test_a_damaged_cache_is_measured_again_and_mended(cache, content):
    measured_here(SIZES, FPS)
    (file,) = cache.folder.iterdir()
    file.write_bytes(content)
    assert measured_here(SIZES, FPS)[1] == VERYFAST
    assert len(cache.calls) == 2
    assert json.loads(file.read_text())["measured"]


def test_a_cache_that_cannot_be_written_is_done_without(cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "file" / "cache")
    for _ in range(2):
        assert measured_here(SIZES, FPS)[1] == VERYFAST
    assert len(cache.calls) == 2


def test_auto_takes_what_was_chosen(cache):
    settings = settings_for({**AUTO, "g": 7, "threads": 1}, SIZES, FPS)
    assert (settings.vcodec, settings.preset, settings.g) == ("h264", "veryfast", 7)
    assert cache.calls[0][2].g == 7
    assert settings_for(SimpleNamespace(**AUTO), SIZES, FPS).preset == "veryfast"


@pytest.mark.parametrize(
    ("flags", "codec"),
    [
        ({"vcodec": "libsvtav1"}, "libsvtav1"),
        ({"vcodec": "h264", "preset": "slow"}, "h264"),
        ({**AUTO, "preset": "slow"}, "h264"),
        ({**AUTO, "preset": "12"}, "libsvtav1"),
        ({**AUTO, "extra_options": {"svtav1-params": "tune=0"}}, "libsvtav1"),
        ({**AUTO, "extra_options": {"x265-params": "aq-mode=0"}}, "hevc"),
        (None, "libsvtav1"),  # lerobot's default
    ],
)
def test_what_is_said_wins_unmeasured(cache, flags, codec):
    settings = settings_for(flags, SIZES, FPS)
    assert settings.vcodec == codec and settings.preset == (flags or {}).get("preset")
    assert not cache.calls


def test_without_cameras_nothing_is_measured(cache):
    assert settings_for(AUTO, [], FPS).vcodec == "h264" and not cache.calls


def test_an_unknown_codec_is_refused(cache):
    with pytest.raises(UsageError, match="mpeg2"):
        settings_for({"vcodec": "mpeg2"}, SIZES, FPS)


def test_where_nothing_can_be_measured_h264_is_tried(cache, monkeypatch):
    monkeypatch.setattr(module, "probe", lambda *args, **kwargs: [NO_DEVICE])
    assert settings_for(AUTO, SIZES, FPS).vcodec == "h264"
