"""With NO_COLOR the cockpit in a real terminal has no hue, and says all in words and signs."""

import os
import pty
import re
import select
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PROGRAM = "from cockpit_rig import *; cockpit(RECORDING).run()"
SGR = re.compile(r"\x1b\[([0-9;]*)m")


def shown_by(program, columns, lines, environ, last):
    """Return what a program writes to a terminal until what matches `last` was written."""
    import fcntl
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if k not in ("COLORTERM", "NO_COLOR", "COLUMNS", "LINES")} | {
        "PYTHONPATH": f"{PROJECT}:{Path(__file__).parent}",
        "TERM": "xterm-256color",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=env | environ, stdin=slave, stdout=slave, stderr=slave,
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    screen, deadline_s = b"", time.monotonic() + 240
    try:
        while not re.search(last, screen.decode(errors="ignore")):
            assert time.monotonic() < deadline_s, screen
            if select.select([master], [], [], 0.1)[0]:
                screen += os.read(master, 65536)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    return screen.decode(errors="ignore")


def hues(screen):
    """Return the colours of the screen's escape codes that are no grey."""
    found = set()
    for codes in SGR.findall(screen):
        numbers = [int(code or 0) for code in codes.split(";")]
        while numbers:
            number = numbers.pop(0)
            if number in (38, 48):
                if numbers.pop(0) == 2:
                    colour, numbers = tuple(numbers[:3]), numbers[3:]
                    grey = len(set(colour)) == 1
                else:
                    colour = numbers.pop(0)
                    grey = colour >= 232 or colour in (0, 7, 8, 15, 16, 59, 102, 145, 188, 231)
                if not grey:
                    found.add(colour)
            elif number in (*range(31, 37), *range(41, 47), *range(91, 97), *range(101, 107)):
                found.add(number)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of Unix")
@pytest.mark.parametrize("colorterm", ["", "truecolor"])
def test_without_colours_there_is_no_hue_and_the_word_is_there(colorterm):
    environ = {"NO_COLOR": "1", "COLORTERM": colorterm}
    screen = shown_by(PROGRAM, 80, 14, environ, "[=*#%]{2}")
    assert hues(screen) == set()
    assert "RECORDING" in screen
    assert "4/50" in screen
    assert "STOP" in screen
    assert "▀" not in screen  # pictures are a ramp of signs


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of Unix")
def test_with_colours_there_are():
    screen = shown_by(PROGRAM, 80, 14, {"COLORTERM": "truecolor"}, "▀")
    assert (0xD5, 0x5E, 0x00) in hues(screen)
