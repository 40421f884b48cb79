"""Which devices a command line names, its config file included: those are imported, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROBOT, TELEOP, CAMERA = "robot", "teleop", "camera"
# The flags that choose a device, and of which kind; a type that is named further in is a camera's.
_CHOOSE = {"robot": ROBOT, "teleop": TELEOP, "takeover": TELEOP}


def named_devices(args: list[str]) -> set[tuple[str, str]] | None:
    """Return (kind, type) of every device that flags or their config file name.

    Args:
        args: Flags as lerobot's, `--robot.type=NAME` or `--robot.type NAME`.

    Returns:
        None where it cannot be told: help is asked for, a device has settings but no type, or something cannot be
        read. The parser of the flags then says what is wrong, or allowed.
    """
    if {"--help", "-h"} & set(args):
        return None
    try:
        given = list(_settings(args))
    except Exception:  # draccus and the parsers behind it raise what they like
        return None
    types = {path: str(value) for path, value in given if path[-1] == "type"}
    if any((path[0], "type") not in types for path, _ in given):
        return None
    return {(_CHOOSE[path[0]] if len(path) == 2 else CAMERA, name) for path, name in types.items()}


def _settings(args: list[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give (path, value) of each setting of a device; where flag and file disagree, the flag's comes last.

    Raises:
        Exception: If something cannot be read.
    """
    from draccus.cfgparsing import load_config, parse_string
    from draccus.utils import CONFIG_ARG

    flags = dict(_flags(args))
    file = flags.pop(CONFIG_ARG, None)
    if file is not None:
        with Path(file).open(encoding="utf-8") as stream:
            for name, value in load_config(stream, file=file).items():
                if name in _CHOOSE:
                    yield from _leaves((name,), value)
    for name, text in flags.items():
        path = tuple(name.split("."))
        if path[0] in _CHOOSE:
            value = parse_string(text)
            if isinstance(value, str) and value.startswith("include"):  # draccus reads a file there
                raise ValueError(f"--{name} includes a file")
            yield from _leaves(path, value)


def _flags(args: list[str]) -> Iterator[tuple[str, str]]:
    """Give (name, text) of each flag, in either spelling."""
    for arg, following in zip(args, [*args[1:], ""], strict=False):
        if arg.startswith("--"):
            name, assigned, text = arg[2:].partition("=")
            yield name, text if assigned or following.startswith("--") else following


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves((*path, str(key)), one)
    else:
        yield path, value
