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
from rigs.action_log import read_actions

from collector.session.keystream import ENABLE, QUERY, RESTORE

PROJECT = Path(__file__).parents[3]
FPS = 30
PAN, LIFT, GRIPPER = 0, 1, 5  # columns of an action
STILL = 8  # ticks without motion, after which it stands still


def stands(asked):
    """Return whether nothing has moved in the last of these actions, (n_ticks, 6)."""
    return np.ptp(asked[-STILL:], axis=0).max() == 0


def in_front(terminal):
    """Give a new session its terminal, as a shell does."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    os.tcsetpgrp(terminal, os.getpgrp())


@pytest.fixture
def session(command_env, tmp_path):
    """Record one flight of the simulated arm from a terminal; returns its keyboard once the flight runs."""
    screen, inside = os.openpty()
    log = tmp_path / "actions"
    env = command_env | {"ACTION_LOG": str(log)}
    env["PYTHONPATH"] += os.pathsep + str(PROJECT / "tests")
    process = subprocess.Popen(
        [
            sys.executable, str(PROJECT / "demodeck.py"), "record", "--robot.type=sim_so101", "--robot.realtime=true",
            "--robot.cameras=[]", "--robot.discover_packages_path=rigs.action_log",
            "--teleop.type=keys", f"--dataset.fps={FPS}", "--dataset.repo_id=lab/keys",
            f"--dataset.root={tmp_path / 'set'}", "--dataset.num_episodes=1", "--dataset.episode_time_s=300",
            "--dataset.push_to_hub=false",
        ],
        cwd=tmp_path, env=env, stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
        preexec_fn=partial(in_front, inside),
    )  # fmt: skip
    shown = b""

    def begin(answer):
        """Wait for the flight; a terminal that is asked whether it speaks the kitty protocol gives an answer."""
        nonlocal shown
        ends_s = time.monotonic() + 300
        answered = False
        while b"keys:" not in shown and time.monotonic() < ends_s and process.poll() is None:
            if select.select([screen], [], [], 0.1)[0]:
                shown += os.read(screen, 4096)
            if QUERY in shown and not answered:
                answered = True
                os.write(screen, answer)
        assert b"keys:" in shown and answered, shown
        await_actions(len)  # an attempt of the simulated arm lasts no more than 12 s
        return partial(os.write, screen)

    def await_actions(holds, typed=b""):
        """Type, and read what the terminal is sent, until it holds of the actions that were sent; return them.

        Args:
            holds: Takes them, (n_ticks, 6).
            typed: What is typed again and again meanwhile.
        """
        nonlocal shown
        ends_s = time.monotonic() + 240
        while not holds(asked := np.array(read_actions(log)).reshape(-1, 6)):
            assert time.monotonic() < ends_s and process.poll() is None, shown
            os.write(screen, typed)
            if select.select([screen], [], [], 0.02)[0]:
                shown += os.read(screen, 4096)
        return asked

    def end():
        """Wait for the end; return what was asked for, (n_ticks, 6), when, and all that the terminal was sent."""
        nonlocal shown
        while process.poll() is None:
            if select.select([screen], [], [], 0.1)[0]:
                shown += os.read(screen, 4096)
        while select.select([screen], [], [], 0.2)[0]:
            shown += os.read(screen, 4096)
        assert process.returncode == 0, shown
        rows = pyarrow.dataset.dataset(tmp_path / "set" / "data").to_table().to_pydict()
        return np.array(rows["action"]), np.array(rows["clock.tick"]), shown

    yield begin, await_actions, end
    process.kill()
    process.wait()
    os.close(screen), os.close(inside)


@pytest.mark.slow
def test_what_is_typed_into_a_plain_terminal_flies_and_ends_the_flight(session):
    begin, await_actions, end = session
    type_in = begin(answer=b"\x1b[?62c")
    for key, joint in ((b"w", LIFT), (b"w", LIFT), (b"a", PAN), (b"f", GRIPPER)):
        (before,) = await_actions(len)[-1:]
        type_in(key)
        await_actions(lambda asked: stands(asked) and asked[-1, joint] != before[joint])  # noqa: B023
    type_in(b"n")
    asked, _, shown = end()
    forwards, sideways, gripper = (np.ptp(asked[:, joint]) for joint in (1, 0, 5))
    assert forwards > 3 and sideways > 1
    assert gripper == pytest.approx(0.1 * 0.4 * 300, abs=0.5)
    assert ENABLE not in shown


@pytest.mark.slow
def test_keys_are_held_where_the_terminal_tells_when_they_are_let_go(session):
    begin, await_actions, end = session
    type_in = begin(answer=b"\x1b[?0u\x1b[?62c")
    type_in(b"\x1b[97;1:1u")  # a
    await_actions(lambda asked: np.count_nonzero(np.diff(asked[:, PAN])) >= 20, typed=b"\x1b[97;1:2u")
    type_in(b"\x1b[97;1:3u")
    await_actions(stands)
    type_in(b"\x1b[110;1:1u\x1b[110;1:3u")  # n
    asked, clock_s, shown = end()
    moving = np.flatnonzero(np.diff(asked[:, 0]))
    stood_still = np.diff(clock_s, axis=0).max() > 1  # after which a key is held that was told of again
    assert len(moving) >= 20 and (stood_still or np.ptp(moving) == len(moving) - 1), "without a gap"
    assert moving[-1] < len(asked) - STILL, "until it was let go"
    assert shown.count(ENABLE) == 1 and shown.index(ENABLE) < shown.rindex(RESTORE)
