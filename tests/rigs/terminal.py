"""`demodeck` in a terminal of its own, as a person sees it and types."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time

from rigs.commands import PROJECT


class Terminal:
    """A command in a terminal: what it shows is waited for, keys are typed.

    Sessions show the plain log, unless the command says otherwise.
    """

    def __init__(self, command, env):
        if command[0] in ("record", "teleop", "replay") and not any(
            "--display" in str(arg) for arg in command
        ):
            command = [*command, "--display=log"]
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, PROJECT / "demodeck.py", *map(str, command)],
            env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.screen = ""

    def wait_for(self, pattern, timeout_s=240):
        """Wait until a line matches, and forget what came before it; return the match."""
        deadline = time.monotonic() + timeout_s
        while not (found := re.search(pattern, self.screen)):
            assert time.monotonic() < deadline, f"{pattern!r} never came: {self.screen}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.screen += os.read(self.master, 4096).decode()
                except OSError:
                    raise AssertionError(f"ended without {pattern!r}: {self.screen}") from None
        self.screen = self.screen[found.end() :]
        return found

    def type(self, keys):
        os.write(self.master, keys)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
