"""The plain display of a session: a line for each thing that happens, keys without a screen."""

from __future__ import annotations

import sys
from multiprocessing.connection import wait
from typing import Any

from collector.session import keys
from collector.session.actions import help_lines, with_keys
from collector.session.process import Processes
from collector.session.words import Said


class Log:
    """Prints what a session tells, and passes on what is typed.

    Args:
        processes: The session.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes, self._account = processes, processes.account
        self._keyboard: keys.KeyReader | None = None

    def show(self) -> None:
        """Show the session until its processes have ended, or want another display."""
        with keys.terminal_keys() as self._keyboard:
            while self._processes.pipes and self._account.config["display"] != "cockpit":
                sources = [*self._processes.pipes, *([self._keyboard] if self._keyboard else [])]
                for ready in wait(sources):
                    if isinstance(ready, keys.KeyReader):
                        self._read_keys(ready)
                    elif (message := self._processes.receive(ready)) is not None:
                        self._heard(message)

    def say(self, said: Said | str) -> None:
        """Print it, with the terminal's bell where it must be heard."""
        said = Said(said) if isinstance(said, str) else said
        if self._account.config["display"] != "none":
            bell = "\a" if said.alarm and sys.stderr.isatty() else ""
            print(said.text + bell, file=sys.stderr, flush=True)

    def _read_keys(self, keyboard: keys.KeyReader) -> None:
        events, typed = keyboard.read()
        for event, episode in events:
            self._processes.command(event, episode)
        if self._account.config.get("feed"):
            self._processes.typed(typed)

    def _heard(self, message: dict[str, Any]) -> None:
        for one in self._processes.take_in(message):
            self.say(one)
        kind = message["kind"]
        if kind == "config" and self._keyboard is not None:
            self._keyboard.actions = with_keys(message["keys"])
        elif kind == "feed" and self._keyboard is not None:
            self._keyboard.ask_for_releases()
        elif kind in ("flying", "teleop") and self._keyboard is not None and not message.get("lock_step"):
            self.say(help_lines(self._keyboard.actions, recording=kind == "flying"))
