"""`demodeck eval --videos`: the flights that failed, once more before a camera, named by seed and outcome."""

from __future__ import annotations

import json

import numpy as np
import pytest

import demodeck
from collector.dataset.video import VideoReader
from collector.errors import DeviceError
from training import flight_videos
from training.flight_videos import side_by_side

FLAGS = ["eval", "--robot.type=sim_pusht", "--teleop.type=hold", "--time_limit_s=0.5", "--fps=10"]


def test_failures_are_filmed_up_to_so_many(tmp_path, capsys):
    pytest.importorskip("gym_pusht")
    folder, output = tmp_path / "a" / "videos", tmp_path / "hold.json"
    flags = [f"--videos={folder}", "--n_videos=2", "--episodes=3", "--seed=40", "--workers=1"]
    assert demodeck.main([*FLAGS, *flags, f"--output={output}"]) == 0
    assert sorted(file.name for file in folder.iterdir()) == ["seed_40_failure.mp4", "seed_41_failure.mp4"]
    videos = json.loads(output.read_text())["videos"]
    assert [video["as_measured"] for video in videos] == [True, True]
    assert f"wrote {videos[0]['file']}" in capsys.readouterr().err
    with VideoReader(folder / "seed_40_failure.mp4", 10) as reader:
        frames = list(reader.frames())
    assert len(frames) == 5
    assert frames[0].shape == (384, 384, 3)  # larger than the 96 pixels that a policy would see
    assert len(np.unique(frames[0].reshape(-1, 3), axis=0)) > 10


def video_of(monkeypatch, tmp_path, capsys, measured, filmed, *flags):
    """Evaluate one seed that goes as `measured`, and once more as `filmed`."""
    from training import evaluate

    def flying(flight):
        def in_order(job, seeds, workers, on_done=lambda done: None):
            for seed in seeds:
                done = {"seed": seed, "reward": 0.0, "max_reward": 0.0, "file": f"{seed}.mp4", **flight}
                on_done({seed: done})
                yield done

        return in_order

    monkeypatch.setattr(evaluate, "in_order", flying(measured))
    monkeypatch.setattr(flight_videos, "in_order", flying(filmed))
    code = demodeck.main([*FLAGS, "--episodes=1", "--json", f"--videos={tmp_path / 'videos'}", *flags])
    said = capsys.readouterr()
    assert code == 0, said.err
    return json.loads(said.out)["videos"], said.err


FAILED = {"success": False, "ticks": 5, "reason": "time"}
SUCCEEDED = {"success": True, "ticks": 3, "reason": "success"}


def test_another_outcome_before_the_camera_is_said(monkeypatch, tmp_path, capsys):
    pytest.importorskip("gym_pusht")
    (video,), err = video_of(monkeypatch, tmp_path, capsys, FAILED, SUCCEEDED)
    assert (video["success"], video["as_measured"]) == (True, False)
    assert "seed 5000 failed (time, 5 ticks, best reward 0.000) when it was measured and succeeded" in err


def test_another_flight_of_the_same_outcome_is_said_too(monkeypatch, tmp_path, capsys):
    pytest.importorskip("gym_pusht")
    (video,), err = video_of(monkeypatch, tmp_path, capsys, FAILED, FAILED | {"max_reward": 0.25})
    assert (video["success"], video["as_measured"]) == (False, False)
    assert "best reward 0.250" in err


def test_successes_are_filmed_only_if_asked(monkeypatch, tmp_path, capsys):
    pytest.importorskip("gym_pusht")
    videos, err = video_of(monkeypatch, tmp_path, capsys, SUCCEEDED, SUCCEEDED)
    assert videos == []
    assert "no flight failed" in err
    videos, _ = video_of(monkeypatch, tmp_path, capsys, SUCCEEDED, SUCCEEDED, "--videos_of=all")
    assert [video["success"] for video in videos] == [True]


def test_a_film_that_fails_costs_no_measurement(monkeypatch, tmp_path, capsys):
    pytest.importorskip("gym_pusht")
    from training import evaluate

    def measured(job, seeds, workers, on_done):
        yield from ({"seed": seed, "reward": 0.0, "max_reward": 0.0, **FAILED} for seed in seeds)

    def no_graphics(job, seeds, workers):
        raise DeviceError("no OpenGL")
        yield

    monkeypatch.setattr(evaluate, "in_order", measured)
    monkeypatch.setattr(flight_videos, "in_order", no_graphics)
    output = tmp_path / "hold.json"
    flags = ["--episodes=2", f"--videos={tmp_path}", f"--output={output}", "--json"]
    assert demodeck.main([*FLAGS, *flags]) == 4
    said = capsys.readouterr()
    assert json.loads(output.read_text()) == json.loads(said.out)
    assert "no OpenGL" in said.err


def test_pictures_of_any_size_stand_side_by_side():
    row = side_by_side([np.full((3, 5, 3), 1, np.uint8), np.full((6, 2, 3), 2, np.uint8)])
    assert row.shape == (6, 8, 3)
    assert row[2, 4, 0] == 1
    assert row[3, 4, 0] == 0
    assert row[5, 6, 0] == 2


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--videos=x", "--robot.cameras=[]"], "--videos needs a camera"),
        (["--videos=x", "--videos_of=some"], "choose failures or all"),
        (["--videos=x", "--n_videos=0"], "must be at least 1"),
    ],
)
def test_wrong_flags_cost_one_line(tmp_path, monkeypatch, capsys, flags, says):
    monkeypatch.chdir(tmp_path)
    assert demodeck.main([*FLAGS, *flags]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert says in line
    assert not (tmp_path / "x").exists()
