"""A terminal's bytes as keys: plain ones, escape sequences, and those of the kitty keyboard protocol.

The protocol: https://sw.kovidgoyal.net/kitty/keyboard-protocol (`CSI code ; modifiers : event u`).
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

# Asks whether the protocol is spoken, and then what every terminal answers (its kind), so as not to wait in vain.
QUERY = b"\x1b[?u\x1b[c"
# Push what we want on the terminal's stack: escape codes told apart (1), with events (2), for every key (8); and
# tell when the window is left (1004).
ENABLE = b"\x1b[>11u\x1b[?1004h"
RESTORE = b"\x1b[<u\x1b[?1004l"

PRESS, REPEAT, RELEASE = "press", "repeat", "release"
_KINDS = {1: PRESS, 2: REPEAT, 3: RELEASE}
_NAMES = {
    "\x1b": "escape", "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace", "\b": "backspace",
    " ": "space",
}  # fmt: skip
_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_PLAIN = {
    "escape": b"\x1b", "enter": b"\r", "tab": b"\t", "backspace": b"\x7f", "space": b" ",
    "up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D",
}  # fmt: skip
_F13 = 57376  # the kitty protocol's number
_LONGEST = 64  # of an escape sequence: what is longer is noise
# Ctrl, Alt, Super, Hyper, Meta: a key with them is a command to somebody else. (Shift is 1, Caps Lock 64.)
_COMMANDS = 0b00111110


@dataclass(frozen=True)
class Key:
    """A key that was pressed, repeats or was let go.

    Attributes:
        name: The character in small letters, or `space`, `enter`, `escape`, `tab`, `backspace`, `up` ...
        kind: `press`, `repeat` or `release`; a plain terminal knows presses only.
        told: Whether the terminal tells when keys are let go.
    """

    name: str
    kind: str = PRESS
    told: bool = False

    def plain(self) -> bytes:
        """Return what a plain terminal sends for it; nothing for a release."""
        return b"" if self.kind == RELEASE else _PLAIN.get(self.name, self.name.encode())


# What is no key: the answer to the question whether the terminal speaks the protocol, and the window left.
SPEAKS, LEFT = Key("(speaks)"), Key("(left)")


class KeyStream:
    """Takes bytes as they come, however they are split, and gives keys."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""  # of an escape sequence that has begun

    def feed(self, data: bytes) -> list[Key]:
        """Return the keys that are complete with these bytes, in order."""
        keys: list[Key] = []
        for character in self._decoder.decode(data):
            key = self._take(character)
            if key is not None:
                keys.append(key)
        return keys

    def flush(self) -> list[Key]:
        """Return the escape key where an escape came and nothing after it; call when nothing comes for a while."""
        alone, self._pending = self._pending == "\x1b", ""
        return [Key("escape")] if alone else []

    def _take(self, character: str) -> Key | None:
        if not self._pending:
            if character == "\x1b":
                self._pending = character
                return None
            return _plain(character)
        if character == "\x1b":  # the one before came alone, or broke off
            alone, self._pending = self._pending == "\x1b", character
            return Key("escape") if alone else None
        self._pending += character
        if len(self._pending) == 2:
            if character not in "[O":
                self._pending = ""  # Alt and a key: a command to somebody else
            return None
        if len(self._pending) > _LONGEST or not " " <= character <= "~":
            self._pending = ""
        elif self._pending[1] == "O" or (
            character >= "@" and self._pending != "\x1b[["
        ):  # Linux' F1 is ESC [ [ A
            sequence, self._pending = self._pending[2:], ""
            return _sequence(sequence)
        return None


def _plain(character: str) -> Key | None:
    name = _NAMES.get(character, character.lower())
    return Key(name) if len(name) > 1 or name.isprintable() else None


def _sequence(sequence: str) -> Key | None:
    """Return what a control sequence says, without its introducer, or None for what is not for us."""
    body, final = sequence[:-1], sequence[-1]
    if final == "u" and body.startswith("?"):
        return SPEAKS
    if final == "O" and not body:
        return LEFT
    if sequence == "25~":
        return Key("f13")
    if final not in _ARROWS and final != "u":
        return None
    fields = [field.split(":") for field in body.split(";")]
    try:
        code = int(fields[0][0] or "1")
        modifiers, *event = (int(part or "1") for part in fields[1]) if len(fields) > 1 else (1,)
        kind = _KINDS[event[0] if event else 1]
        name = _ARROWS.get(final) or ("f13" if code == _F13 else _NAMES.get(chr(code), chr(code).lower()))
    except (ValueError, OverflowError, KeyError):
        return None
    if (modifiers - 1) & _COMMANDS:
        return None
    # An arrow key without an event may come from any terminal.
    return Key(name, kind, told=final == "u" or bool(event))
