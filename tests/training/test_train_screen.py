"""What is seen while a run trains: a live block in a terminal, which every end leaves clean, plain lines elsewhere."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from rigs import tmux
from rigs.commands import PROJECT
from test_train_command import TINY
from test_train_log import line

from training.progress import CURVE_POINTS, Curve, LiveProgress, PlainProgress, clock, make_progress


def drawn(progress, columns=80, rows=24):
    progress.console.size = (columns, rows)
    with progress.console.capture() as captured:
        progress.console.print(progress.block())
    return captured.get().splitlines()


@pytest.fixture
def live(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    return LiveProgress(100, 8, [line(10, loss=2.0, grad_norm=0.5), line(20, loss=1.0, grad_norm=0.25)], "bc")


def test_the_block_shows_how_far_it_is_and_the_log_so_far(live):
    bar, numbers, *plot = drawn(live)
    assert bar.startswith("bc ")
    assert bar.endswith(" 20/100  20 %")
    assert numbers.split() == ["loss", "1.0000", "gradient", "0.25"]
    assert [row.partition("┤")[0].strip() for row in plot] == ["2", "", "", "", "", "1"]
    assert all(len(row) <= 80 for row in (bar, numbers, *plot))


def test_flights_are_shown_with_their_interval_and_a_curve_from_none_to_all(live):
    live.flown({"step": 10, "rate": 0.0, "wilson_95": [0.0, 0.3]})
    live.flown({"step": 50, "rate": 0.6, "wilson_95": [0.39, 0.78]})
    *_, success, top, middle, bottom = drawn(live)
    assert success == "success 60% (39% to 78%) at step 50"
    assert [row[:3] for row in (top, middle, bottom)] == ["1 ┤", "  ┤", "0 ┤"]
    assert bottom.strip("0 ┤") and middle.strip(" ┤")


def test_a_small_terminal_shows_no_curve(live):
    assert len(drawn(live, rows=10)) == 2
    assert len(drawn(live, columns=20)) == 2


def test_the_loss_is_smoothed_and_speed_and_time_left_follow_the_clock(live, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("training.progress.time.monotonic", lambda: now[0])
    live._shown = 0.0
    for step in range(21, 31):
        now[0] += 0.05
        live.stepped(step, torch.tensor(0.5), 1e-3)
    assert live.loss == pytest.approx(1.0 + 0.2 * (0.5 - 1.0))
    bar, numbers, *_ = drawn(live)
    assert bar.endswith(" 30/100  30 %  0:04 left")
    assert numbers == "loss 0.9000   lr 1.0e-03   gradient 0.25   160 samples/s   20.0 steps/s"


def test_a_curve_keeps_its_shape_when_it_is_thinned():
    curve = Curve()
    for step in range(1, 5 * CURVE_POINTS):
        curve.add(step, 1000 / step)
    assert len(curve.steps) == len(curve.values) < CURVE_POINTS
    assert curve.steps == sorted(curve.steps)
    assert curve.values == sorted(curve.values, reverse=True)
    rows = curve.draw(60, 6, 10 * CURVE_POINTS)
    assert len(rows) == 6
    assert max(map(len, rows)) <= 40  # half of the run is to come, and its half of the plot is empty


def test_a_curve_of_negative_and_of_equal_losses_is_drawn():
    curve = Curve()
    assert curve.draw(40, 6, 100) == []
    curve.add(1, -1.0)
    assert len(curve.draw(40, 6, 100)) == 6
    curve.add(50, -3.0)
    assert curve.draw(40, 6, 100)[0].startswith("-1 ┤")
    curve.add(60, math.nan)
    assert curve.draw(40, 6, 100)[-1].startswith("-3 ┤")


def test_without_a_terminal_there_are_plain_lines(capsys, monkeypatch):
    plain = make_progress(200, 8, [], "bc")
    assert isinstance(plain, PlainProgress)
    with plain:
        plain.stepped(1, torch.tensor(1.0), 1e-3)
        plain.logged(line(10, loss=0.25, lr=1e-3, steps_per_s=50.0))
    assert capsys.readouterr().err == "train: step  10/200  loss 0.2500  lr 1.0e-03  50 steps/s  4 s left\n"


@pytest.mark.parametrize(("seconds", "text"), [(3.6, "0:04"), (65, "1:05"), (3600, "1:00:00")])
def test_durations_are_read_at_a_glance(seconds, text):
    assert clock(seconds) == text


@pytest.mark.slow
@pytest.mark.skipif(not tmux.AVAILABLE, reason="no tmux")
def test_ctrl_c_saves_and_leaves_the_terminal_clean(small_dataset, tmp_path, command_env):
    flags = ["--policy.type=bc", *TINY, f"--dataset.root={small_dataset}", f"--output_dir={tmp_path / 'run'}"]
    command = [sys.executable, PROJECT / "demodeck.py", "train", *flags, "--steps=1000000", "--save_freq=0"]
    terminal = tmux.Tmux(command, command_env)
    try:
        terminal.wait_for(r"loss \d\.\d+ .* samples/s")
        terminal.wait_for("┤")
        terminal.send("C-c")
        terminal.wait_for(r"pretrained_model: step \d+, loss \S+ .* steps/s\)")
        rows = [row for row in terminal.capture(history=True).splitlines() if row]
        assert sum(row.startswith("bc ━") for row in rows) == 1  # drawn in place, not one below the other
        assert sum("samples/s" in row for row in rows) == 1
        assert any("go on with: demodeck train --resume=true" in row for row in rows)
    finally:
        terminal.close()
