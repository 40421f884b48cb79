"""How Textual calls a key that a flag or a list of actions names by its letter."""

from __future__ import annotations

from textual.keys import _character_to_key


def textual_key(key: str) -> str:
    """Return Textual's name of a key: `slash` for `/`; names of several letters are its own already."""
    return _character_to_key(key) if len(key) == 1 else key
