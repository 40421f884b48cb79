"""Actions with keys: how a flag (`--keys='{drop: d}'`) gives them others. The cockpit and the review room share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from collector.errors import UsageError

_SHOWN = {
    "right": "→",
    "left": "←",
    "up": "↑",
    "down": "↓",
    "escape": "Esc",
    "space": "Space",
    "enter": "Enter",
}


def shown_key(key: str) -> str:
    """Return how a key is called on a screen."""
    return _SHOWN.get(key, key.upper() if key.startswith("f") and key[1:].isdigit() else key)


def rekeyed[A: Any](
    actions: Sequence[A],
    keys: Mapping[str, str | list[str]],
    refuse: Callable[[str], str | None] = lambda key: None,
) -> tuple[A, ...]:
    """Return actions with other keys; a key that is given away is taken from who had it.

    Args:
        actions: Dataclasses with `name` and `keys`.
        keys: Key, or list of keys, by the name of the action.
        refuse: Says why a key cannot be one; None where it can.

    Raises:
        UsageError: If there is no such action, or a key would mean two things.
    """
    names = [action.name for action in actions]
    for name in keys:
        if name not in names:
            raise UsageError(f"--keys names '{name}': there are {', '.join(names)}")
    given = {name: (one,) if isinstance(one, str) else tuple(one) for name, one in keys.items()}
    taken = [key for one in given.values() for key in one]
    for key in taken:
        if taken.count(key) > 1:
            raise UsageError(f"--keys: '{key}' is given to more than one action")
        if why := refuse(key):
            raise UsageError(f"--keys: '{key}' cannot be a key: {why}")
    return tuple(
        replace(action, keys=given.get(action.name, tuple(key for key in action.keys if key not in taken)))
        for action in actions
    )
