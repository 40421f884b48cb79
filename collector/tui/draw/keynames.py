"""How Textual calls a key that a flag or a list of actions names by its letter, and the other way round."""

from __future__ import annotations

from textual.keys import _character_to_key, key_to_character


def textual_key(key: str) -> str:
    """Return Textual's name of a key: `slash` for `/`; names of several letters are its own already."""
    return _character_to_key(key) if len(key) == 1 else key


def letter_key(key: str) -> str:
    """Return a key by its letter or sign, where it has one that can be seen: `/` for `slash`, but `space`."""
    letter = key_to_character(key)
    return letter if letter and letter.isprintable() and letter != " " else key
