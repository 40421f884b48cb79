"""A terminal opened by its name: single keys, with releases where it speaks the kitty keyboard protocol.

However this process ends, `kill -9` too, the terminal is left as it was found: a child waits for that.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from typing import Any

from collector.errors import DeviceError
from collector.session.keystream import ENABLE, QUERY, RESTORE, SPEAKS, Key, KeyStream

_ANSWER_S = 0.5  # a terminal behind a slow line answers later than this: then it counts as a plain one
_ESCAPE_S = 0.05  # an escape sequence comes in one go

# Reads until the parent ends; a line says that it has put everything back itself.
_KEEPER = r"""
trap '' INT TERM HUP QUIT TTOU TSTP
read -r done && exit 0
exec 3>"$1" || exit 0
printf '\033[<u\033[?1004l' >&3
stty "$2" <"$1"
"""


class Terminal:
    """A terminal's keys.

    Attributes:
        tells_releases: Whether it tells when keys are let go.
    """

    def __init__(self, path: str) -> None:
        """Open it.

        Raises:
            DeviceError: If it cannot be opened, or there are no terminals on this system.
        """
        try:
            import termios
            import tty
        except ImportError as error:
            raise DeviceError(
                "keys are read from a terminal on Linux and macOS only: use --teleop.type=pad"
            ) from error
        self._termios: Any = termios
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        except OSError as error:
            raise DeviceError(
                f"terminal '{path}' cannot be opened ({error.strerror}): run in a terminal, or name one by "
                "--teleop.terminal ('tty' says its name)"
            ) from error
        try:
            self._before = termios.tcgetattr(self._descriptor)
            saved = subprocess.run(
                ["stty", "-g"], stdin=self._descriptor, capture_output=True, text=True, check=True, timeout=5
            ).stdout.strip()
            self._keeper = subprocess.Popen(
                ["sh", "-c", _KEEPER, "sh", os.ttyname(self._descriptor), saved],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            tty.setcbreak(self._descriptor)
        except (OSError, termios.error, subprocess.SubprocessError) as error:
            os.close(self._descriptor)
            raise DeviceError(
                f"'{path}' is no terminal ({' '.join(str(error).split())}): name one"
            ) from error
        self._stream = KeyStream()
        self._came_s = time.monotonic()
        self._early: list[Key] = []
        self.tells_releases = self._ask()
        if self.tells_releases:
            os.write(self._descriptor, ENABLE)

    def read(self) -> list[Key]:
        """Return the keys that came since the last call.

        Raises:
            ConnectionError: If the terminal is gone.
        """
        keys, self._early = self._early, []
        now_s = time.monotonic()
        try:
            while select.select([self._descriptor], [], [], 0)[0]:
                data = os.read(self._descriptor, 1024)
                if not data:
                    raise ConnectionError("the terminal is gone: open another one")
                keys += self._stream.feed(data)
                self._came_s = now_s
        except OSError as error:
            if isinstance(error, ConnectionError):
                raise
            raise ConnectionError(f"the terminal is gone ({error.strerror}): open another one") from error
        if now_s - self._came_s > _ESCAPE_S:
            keys += self._stream.flush()
        return keys

    def close(self) -> None:
        """Put the terminal back as it was."""
        with contextlib.suppress(OSError):
            if self.tells_releases:
                os.write(self._descriptor, RESTORE)
        with contextlib.suppress(OSError, self._termios.error):
            self._termios.tcsetattr(self._descriptor, self._termios.TCSADRAIN, self._before)
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            self._keeper.communicate(b"done\n", timeout=5)

    def _ask(self) -> bool:
        """Return whether the terminal speaks the protocol; keys typed meanwhile are kept."""
        os.write(self._descriptor, QUERY)
        ends_s = time.monotonic() + _ANSWER_S
        seen = b""
        while (left_s := ends_s - time.monotonic()) > 0:
            if not select.select([self._descriptor], [], [], left_s)[0]:
                break
            data = os.read(self._descriptor, 1024)
            seen += data
            self._early += self._stream.feed(data)
            if (b"\x1b[?" in seen and seen.rstrip().endswith(b"c")) or not data:
                break
        speaks = SPEAKS in self._early
        self._early = [key for key in self._early if key is not SPEAKS]
        return speaks
