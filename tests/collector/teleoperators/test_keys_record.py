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

PROJECT = Path(__file__).parents[3]


def in_front(terminal):
    """Give a new session its terminal, as a shell does."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    os.tcsetpgrp(terminal, os.getpgrp())


@pytest.mark.slow
def test_what_is_typed_into_the_session_flies_and_ends_the_flight(command_env, tmp_path):
    screen, inside = os.openpty()
    process = subprocess.Popen(
        [
            sys.executable, str(PROJECT / "demodeck.py"), "record", "--robot.type=sim_so101", "--robot.realtime=true",
            "--robot.cameras=[]", "--teleop.type=keys", "--dataset.fps=30", "--dataset.repo_id=lab/keys",
            f"--dataset.root={tmp_path / 'set'}", "--dataset.num_episodes=1", "--dataset.episode_time_s=60",
            "--dataset.push_to_hub=false",
        ],
        cwd=tmp_path, env=command_env, stdin=inside, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, preexec_fn=partial(in_front, inside),
    )  # fmt: skip
    try:
        said = b""
        ends_s = time.monotonic() + 100
        while b"keys:" not in said and time.monotonic() < ends_s and process.poll() is None:
            if select.select([process.stderr], [], [], 0.1)[0]:
                said += os.read(process.stderr.fileno(), 4096)
        assert b"keys:" in said, said
        time.sleep(1.0)
        for key in (b"w", b"w", b"a", b"f"):
            os.write(screen, key)
            time.sleep(0.3)
        os.write(screen, b"n")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
        os.close(screen), os.close(inside)
    rows = pyarrow.dataset.dataset(tmp_path / "set" / "data").to_table().to_pydict()
    asked = np.array(rows["action"])
    forwards, sideways, gripper = (np.ptp(asked[:, joint]) for joint in (1, 0, 5))
    assert forwards > 3 and sideways > 1
    assert gripper == pytest.approx(0.1 * 0.4 * 300, abs=0.5)
