"""The experiments as users run them."""

import json
import signal
import subprocess
import sys
import time

import pytest

SMALL = ("--size=24", "--macrocells=4", "--discount=0.95")


@pytest.fixture
def run_module(command_env, tmp_path):
    def run(module, *args):
        command = [sys.executable, "-m", f"training.irl.{module}", *map(str, args)]
        return subprocess.run(
            command, env=command_env, cwd=tmp_path, capture_output=True, text=True, timeout=2400
        )

    return run


def test_figures_as_json_and_progress_beside_them(run_module, tmp_path):
    done = run_module(
        "gridworld", *SMALL, "--iterations=5", "--demonstrations=10", "--json", "--picture=world.png"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["iteration"] for row in found["iterations"]] == list(range(6))
    assert len(found["baselines"]) == 3 and found["demonstrations"] == 10
    assert done.stderr.count("irl: iteration ") == 6 and "margin" in done.stderr
    assert (tmp_path / "world.png").read_bytes().startswith(b"\x89PNG")
    again = run_module("gridworld", *SMALL, "--iterations=5", "--demonstrations=10", "--json")
    assert json.loads(again.stdout) == found


def test_ctrl_c_keeps_the_iterates_and_resume_goes_on(command_env, run_module, tmp_path):
    command = [sys.executable, "-m", "training.irl.gridworld", "--iterations=500", "--epsilon=0", *SMALL]
    command += ["--size=64", "--output_dir=run"]
    process = subprocess.Popen(command, env=command_env, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "iteration 3" in line:
            break
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    assert process.wait(timeout=240) == 130
    kept = len(list((tmp_path / "run/iterates").glob("*.npz")))
    assert kept >= 4
    done = run_module(
        "gridworld", *SMALL, "--size=64", f"--iterations={kept + 1}", "--output_dir=run", "--resume", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["iterations"]) == kept + 2


def test_a_killed_run_goes_on(command_env, run_module, tmp_path):
    command = [sys.executable, "-m", "training.irl.gridworld", "--iterations=500", "--epsilon=0", *SMALL]
    process = subprocess.Popen([*command, "--output_dir=run"], env=command_env, cwd=tmp_path, stderr=-3)
    deadline = time.monotonic() + 240
    while not (tmp_path / "run/iterates/0002.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    done = run_module("gridworld", *SMALL, "--iterations=4", "--output_dir=run", "--resume", "--json")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("gridworld", "--update=maxmargin"), 2, "max_margin"),
        (("gridworld", "--size=100"), 2, "must divide the side"),
        (("gridworld", "--discount=1"), 2, "below 1"),
        (("gridworld", "--demonstrations=-1"), 2, "number of flights"),
        (("gridworld", "--picture=world.jpg"), 2, "must end in .png"),
        (("gridworld", "--resume", "--output_dir=nowhere", *SMALL), 3, "no run to resume"),
        (("driving", "--style=wild"), 2, "nasty"),
        (("driving", "--iterations=0"), 2, "at least 1"),
    ],
)
def test_errors_are_one_line(run_module, args, code, words):
    done = run_module(*args)
    assert done.returncode == code
    assert words in done.stderr and done.stderr.strip().count("\n") == 0


def test_one_style_is_learnt(run_module):
    done = run_module("driving", "--style=middle lane", "--iterations=2")
    assert done.returncode == 0, done.stderr
    assert "| middle lane | learnt, mixture |" in done.stdout
