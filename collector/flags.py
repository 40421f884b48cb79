"""Dotted flags (`--robot.type=... --dataset.fps=30`, `--config_path rig.yaml`) into a config dataclass.

The grammar is lerobot's own (draccus); what differs is that a wrong flag gives one line that says what was
seen, what is allowed and what to do, instead of argparse's whole usage text.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import re
from typing import NoReturn

from collector.errors import UsageError, explained


def parse_flags[T](config_class: type[T], args: list[str], verb: str) -> T:
    """Parse `args` into `config_class`.

    Args:
        config_class: A dataclass whose nested fields give the dotted flags.
        args: Command-line arguments after the verb. `--help` prints the flags and exits.
        verb: The verb's name, for messages.

    Returns:
        The filled dataclass.

    Raises:
        UsageError: If a flag is unknown or a value does not fit its type.
    """
    import draccus
    from draccus.utils import DecodingError, ParsingError

    if "--help" in args or "-h" in args:
        from lerobot.configs.parser import print_scoped_help

        # Only the flags of the chosen robot, teleoperator and policy types: the others would fill screens.
        print_scoped_help(config_class, [a for a in args if a not in ("--help", "-h")])
        raise SystemExit(0)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return draccus.parse(config_class, args=args)
    except SystemExit as stop:
        raise UsageError(_explain(complaint.getvalue(), verb)) from stop
    except (DecodingError, ParsingError, ValueError, TypeError, OSError) as error:
        known = explained(error)
        if known is not None:  # a config's own check, which draccus has wrapped
            raise known from error
        raise UsageError(f"{_words_of(error)} (see 'demodeck {verb} --help')") from error


def _words_of(error: BaseException) -> str:
    """Return what an error of draccus says, in one line; where it hides what a class said of its values, that."""
    seen: BaseException | None = error
    while seen is not None:
        made = re.match(r"Couldn't instantiate class (\S+)", str(seen))
        if made and seen.__cause__ is not None:
            return f"{made[1]}: {_one_line(str(seen.__cause__))}"
        seen = seen.__cause__
    return _one_line(str(error))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _explain(stderr: str, verb: str) -> str:
    """Turn argparse's complaint into one line, with the nearest known flag where one is unknown."""
    message = _one_line(stderr.rpartition("error:")[2]) or "the flags could not be understood"
    unknown = re.search(r"unrecognized arguments: (--[\w.]+)", message)
    if unknown:
        known = sorted(set(re.findall(r"--[\w.]+", stderr.rpartition("error:")[0])))
        near = difflib.get_close_matches(unknown.group(1), known, n=1)
        message = f"unknown flag '{unknown.group(1)}'" + (f": did you mean '{near[0]}'?" if near else "")
    return f"{message} (see 'demodeck {verb} --help')"


class PlainParser(argparse.ArgumentParser):
    """argparse for verbs with positional arguments; a wrong flag raises `UsageError` with one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{_one_line(message)} (see '{self.prog} --help')")
