"""A command in a tmux of its own: a real terminal whose screen is read as a person sees it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

AVAILABLE = shutil.which("tmux") is not None
_OPTIONS = {
    "remain-on-exit": "on",  # what a command showed last is still read when it has ended
    "default-terminal": "tmux-256color",
    "escape-time": "0",
    "history-limit": "5000",
}
# readline, once imported, writes a size into the environment, which Textual takes for the terminal's.
_OF_ANOTHER_TERMINAL = ("TMUX", "TMUX_PANE", "COLUMNS", "LINES")

# tmux 3.3 now and then never learns that its command ended: a shell around it writes down how it did. Ctrl-C is for the
# command alone.
_AROUND = 'trap : INT QUIT; "$@"; echo $? > "$0.part"; mv "$0.part" "$0"'


class Tmux:
    """A terminal with a server, and so an environment, of its own.

    Args:
        command: What runs in it, without a shell.
        env: The environment.
        columns, rows: Its size.

    Attributes:
        pid: Of the command's process group.
    """

    def __init__(
        self, command: Sequence[object], env: Mapping[str, str], columns: int = 120, rows: int = 36
    ) -> None:
        self._socket = f"rig-{secrets.token_hex(6)}"
        self._env = {key: value for key, value in env.items() if key not in _OF_ANOTHER_TERMINAL}
        self._env |= {"COLORTERM": "truecolor", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        options = [word for name, value in _OPTIONS.items() for word in ("set", "-g", name, value, ";")]
        size = ["-x", str(columns), "-y", str(rows)]
        # A session that begins with a manual size crashes tmux 3.3: it gets one afterwards.
        manual = [";", "set", "-g", "window-size", "manual"]
        self._folder = tempfile.TemporaryDirectory(prefix="rig-")
        self._ended = Path(self._folder.name) / "status"
        around = ["sh", "-c", _AROUND, str(self._ended)]
        begin = ["new-session", "-d", *size, "--", *around, *map(str, command)]
        self._tmux("start-server", ";", *options, *begin, *manual)
        self.pid = int(self._ask("#{pane_pid}"))

    def send(self, *keys: str) -> None:
        """Press keys by tmux's names: `Right`, `Space`, `+`, `q`."""
        self._tmux("send-keys", *keys)

    def capture(self, colours: bool = False, history: bool = False) -> str:
        """Return what the screen shows, line by line; a line that the terminal wrapped is one.

        Args:
            colours: With the escape sequences that set colours.
            history: With the lines that have left the screen at the top.
        """
        flags = ["-J", *(["-e", "-N"] if colours else []), *(["-S", "-"] if history else [])]
        return self._tmux("capture-pane", "-p", *flags)

    def wait_for(self, pattern: str, timeout_s: float = 300) -> re.Match[str]:
        """Wait until the screen matches; return the match. A blank matches a line's end too.

        Raises:
            AssertionError: If it does not within the time.
        """
        deadline = time.monotonic() + timeout_s
        spaced = pattern.replace(" ", r"\s+")
        while not (found := re.search(spaced, shown := self.capture())):
            assert time.monotonic() < deadline, f"{pattern!r} never came:\n{shown}"
            time.sleep(0.1)
        return found

    def wait_for_end(self, timeout_s: float = 300) -> int:
        """Wait until the command has ended; return its exit status, of a signal 128 and its number.

        Raises:
            AssertionError: If it does not within the time.
        """
        deadline = time.monotonic() + timeout_s
        while not self._ended.exists():
            assert time.monotonic() < deadline, f"it goes on:\n{self.capture()}"
            time.sleep(0.1)
        return int(self._ended.read_text())

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def kill(self) -> None:
        """Kill the command, and no other process, by `kill -9`."""
        (command,) = psutil.Process(self.pid).children()
        command.kill()

    def hang_up(self) -> None:
        """Close the terminal, as a window is closed or a line lost."""
        subprocess.run(
            ["tmux", "-L", self._socket, "kill-server"], env=self._env, capture_output=True, timeout=120
        )

    def close(self) -> None:
        """Close the terminal, and kill what is left of the command."""
        self.hang_up()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._folder.cleanup()

    def _ask(self, what: str) -> str:
        return self._tmux("display-message", "-p", what).strip()

    def _tmux(self, *words: str) -> str:
        result = subprocess.run(
            ["tmux", "-L", self._socket, "-f", os.devnull, *words],
            env=self._env, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert result.returncode == 0, f"tmux {words[0]}: {result.stderr}"
        return result.stdout
