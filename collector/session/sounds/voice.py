"""Short sentences, spoken by whatever program of this machine can; where none can, what to install."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

NO_VOICE = (
    "no program that speaks was found (say, spd-say, espeak-ng, espeak or PowerShell): "
    "install one, such as Debian's package 'espeak-ng'"
)
_LONGEST_S = 15.0  # a program that speaks for longer hangs
_MOST_LETTERS = 200
_POWERSHELL = (
    "Add-Type -AssemblyName System.Speech; "
    "(New-Object System.Speech.Synthesis.SpeechSynthesizer).Speak([Console]::In.ReadToEnd())"
)


@dataclass(frozen=True)
class Program:
    """A program that speaks.

    Attributes:
        command: What to run; it ends when it has spoken.
        stdin: Whether it reads the sentence there; else it is the last argument.
    """

    command: tuple[str, ...]
    stdin: bool = True


_BY_NAME = {
    "spd-say": Program(("spd-say", "--wait", "--language", "en", "--"), stdin=False),
    "espeak-ng": Program(("espeak-ng", "-v", "en", "--stdin")),
    "espeak": Program(("espeak", "-v", "en", "--stdin")),
}


def find_program(
    platform: str = sys.platform, which: Callable[[str], str | None] = shutil.which
) -> Program | None:
    """Return the program of this machine that speaks, or None; `NO_VOICE` says what to do then."""
    if platform == "darwin" and which("say"):
        return Program(("say",))
    if platform == "win32" and (shell := which("powershell") or which("pwsh")):
        return Program((shell, "-NoProfile", "-NonInteractive", "-Command", _POWERSHELL))
    return next((program for name, program in _BY_NAME.items() if which(name)), None)


class Voice:
    """Speaks one sentence at a time, and after it the newest that came meanwhile; those between are dropped.

    Args:
        program: What speaks.

    Attributes:
        failed: Why the last sentence was not spoken; None where it was.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._speaking: subprocess.Popen[bytes] | None = None
        self._begun_s = 0.0
        self._next: str | None = None
        self.failed: str | None = None

    def say(self, words: str) -> None:
        """Speak, at once or after the present sentence; never waits."""
        self._next = plain(words) or None
        self.tend()

    def tend(self) -> bool:
        """Go on with what waits; return whether anything is being spoken."""
        if self._speaking is not None:
            code = self._speaking.poll()
            if code is None and time.monotonic() - self._begun_s < _LONGEST_S:
                return True
            if code is None:
                self._speaking.kill()
                code = self._speaking.wait()
            name = self._program.command[0]
            self.failed = f"'{name}' could not speak (exit code {code}): try it by hand" if code else None
            self._speaking = None
        if self._next is not None:
            words, self._next = self._next, None
            self._start(words)
        return self._speaking is not None

    def stop(self) -> None:
        """Be silent at once."""
        self._next = None
        if self._speaking is not None:
            self._speaking.kill()
            self._speaking.wait()
            self._speaking = None

    def _start(self, words: str) -> None:
        program, quiet = self._program, subprocess.DEVNULL
        arguments = program.command if program.stdin else (*program.command, words)
        stdin = subprocess.PIPE if program.stdin else quiet
        try:
            self._speaking = subprocess.Popen(arguments, stdin=stdin, stdout=quiet, stderr=quiet)
            self._begun_s = time.monotonic()
            if self._speaking.stdin is not None:
                self._speaking.stdin.write(words.encode())  # fits into the pipe: nobody waits
                self._speaking.stdin.close()
        except OSError as error:
            self.failed = f"'{program.command[0]}' could not be started: {error.strerror or error}"


def plain(words: str) -> str:
    """Return a sentence as it can be handed to any program: short, on one line, no option."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    return line.lstrip("-")[:_MOST_LETTERS].strip()
