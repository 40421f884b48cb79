"""A whole recording flown by keys that are typed into the terminal of `demodeck record`."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import termios
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.dataset
import pytest

from collector.session.keystream import ENABLE, QUERY, RESTORE

PROJECT = Path(__file__).parents[3]


def in_front(terminal):
    """Give a new session its terminal, as a shell does."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    os.tcsetpgrp(terminal, os.getpgrp())


@pytest.fixture
def session(command_env, tmp_path):
    """Record one flight of the simulated arm from a terminal; returns its keyboard once the flight runs."""
    screen, inside = os.openpty()
    process = subprocess.Popen(
        [
            sys.executable, str(PROJECT / "demodeck.py"), "record", "--robot.type=sim_so101", "--robot.realtime=true",
            "--robot.cameras=[]", "--teleop.type=keys", "--dataset.fps=30", "--dataset.repo_id=lab/keys",
            f"--dataset.root={tmp_path / 'set'}", "--dataset.num_episodes=1", "--dataset.episode_time_s=60",
            "--dataset.push_to_hub=false",
        ],
        cwd=tmp_path, env=command_env, stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
        preexec_fn=partial(in_front, inside),
    )  # fmt: skip
    shown = b""

    def begin(answer):
        """Wait for the flight; a terminal that is asked whether it speaks the kitty protocol gives an answer."""
        nonlocal shown
        ends_s = time.monotonic() + 100
        answered = False
        while b"keys:" not in shown and time.monotonic() < ends_s and process.poll() is None:
            if select.select([screen], [], [], 0.1)[0]:
                shown += os.read(screen, 4096)
            if QUERY in shown and not answered:
                answered = True
                os.write(screen, answer)
        assert b"keys:" in shown and answered, shown
        time.sleep(1.0)
        return partial(os.write, screen)

    def end():
        """Wait for the end; return what was asked for, (n_ticks, 6), and all that the terminal was sent."""
        nonlocal shown
        while process.poll() is None:
            if select.select([screen], [], [], 0.1)[0]:
                shown += os.read(screen, 4096)
        while select.select([screen], [], [], 0.2)[0]:
            shown += os.read(screen, 4096)
        assert process.returncode == 0, shown
        rows = pyarrow.dataset.dataset(tmp_path / "set" / "data").to_table().to_pydict()
        return np.array(rows["action"]), shown

    yield begin, end
    process.kill()
    process.wait()
    os.close(screen), os.close(inside)


@pytest.mark.slow
def test_what_is_typed_into_a_plain_terminal_flies_and_ends_the_flight(session):
    begin, end = session
    type_in = begin(answer=b"\x1b[?62c")
    for key in (b"w", b"w", b"a", b"f"):
        type_in(key)
        time.sleep(0.3)
    type_in(b"n")
    asked, shown = end()
    forwards, sideways, gripper = (np.ptp(asked[:, joint]) for joint in (1, 0, 5))
    assert forwards > 3 and sideways > 1
    assert gripper == pytest.approx(0.1 * 0.4 * 300, abs=0.5)
    assert ENABLE not in shown


@pytest.mark.slow
def test_keys_are_held_where_the_terminal_tells_when_they_are_let_go(session):
    begin, end = session
    type_in = begin(answer=b"\x1b[?0u\x1b[?62c")
    type_in(b"\x1b[97;1:1u")  # a
    time.sleep(1.0)
    type_in(b"\x1b[97;1:3u")
    time.sleep(0.5)
    type_in(b"\x1b[110;1:1u\x1b[110;1:3u")  # n
    asked, shown = end()
    moving = np.flatnonzero(np.diff(asked[:, 0]))
    assert 20 <= len(moving) <= 45 and np.ptp(moving) == len(moving) - 1  # a second at 30 Hz, without a gap
    assert shown.count(ENABLE) == 1 and shown.index(ENABLE) < shown.rindex(RESTORE)
