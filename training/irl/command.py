"""What the experiments of this package share as commands: flags, progress on stderr, errors in one line, Ctrl-C."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.errors import explained
from collector.flags import PlainParser
from training.interrupt import StopRequest
from training.irl.apprenticeship import REASONS, Settings
from training.irl.iterates import Iterate, IterateFolder
from training.irl.updates import UPDATES


def make_parser(module: str, description: str) -> PlainParser:
    """Return a parser with the flags that every experiment takes."""
    parser = PlainParser(prog=f"python -m training.irl.{module}", description=description)
    defaults = Settings()
    parser.add_argument(
        "--update", choices=list(UPDATES), default=defaults.update, help=f"default {defaults.update}"
    )
    parser.add_argument("--iterations", type=int, default=defaults.iterations, metavar="N", help="at most")
    parser.add_argument(
        "--epsilon",
        type=float,
        default=defaults.epsilon,
        metavar="SHARE",
        help="margin to stop at, of ||mu_E||",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout")
    parser.add_argument("--output_dir", type=Path, metavar="DIR", help="keep every iterate here")
    parser.add_argument("--resume", action="store_true", help="go on with the iterates in --output_dir")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw what was learnt")
    return parser


def settings_of(flags: Any) -> Settings:
    """Return the settings that the flags of `make_parser` ask for.

    Raises:
        UsageError: If one is not allowed.
    """
    return Settings(flags.update, flags.iterations, flags.epsilon, flags.seed)


def folder_of(flags: Any, part: str = "") -> IterateFolder | None:
    """Return the folder for iterates that the flags ask for, or for one of several runs a part of it."""
    return None if flags.output_dir is None else IterateFolder(flags.output_dir / part, flags.resume)


class Progress:
    """Says on stderr how each iteration went."""

    def __init__(self, expert_norm: float, title: str = "irl") -> None:
        """Begin.

        Args:
            expert_norm: ||mu_E||, what is shown is in shares of it.
            title: What each line begins with.
        """
        self._norm, self._title, self._started = expert_norm, title, time.monotonic()

    def __call__(self, iterate: Iterate) -> None:
        """Hear of an iterate."""
        margin = f"margin {iterate.margin / self._norm:.4f}" if iterate.number else "the first policy"
        print(
            f"{self._title}: iteration {iterate.number}, {margin}, "
            f"this policy's distance {iterate.distance / self._norm:.4f}, {time.monotonic() - self._started:.0f} s",
            file=sys.stderr,
            flush=True,
        )


def run(module: str, work: Callable[[list[str], StopRequest], dict[str, Any]]) -> int:
    """Run an experiment as a command, and return its exit code.

    Args:
        module: Its name, for messages.
        work: Takes the arguments and what tells of Ctrl-C; returns the figures, with `text` for people and
            `json`, whether figures are asked for; both are removed from them.
    """
    try:
        with StopRequest() as stop:
            figures = work(sys.argv[1:], stop)
        text, as_json = figures.pop("text"), figures.pop("json")
        print(json.dumps(figures) if as_json else text)
        return stop.exit_code
    except KeyboardInterrupt:
        print(f"{module}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        known = explained(error)
        if known is None or os.environ.get("DEMODECK_DEBUG"):
            raise
        print(f"{module}: error: {known}", file=sys.stderr)
        return known.exit_code


def ending(reason: str, flags: Any) -> str:
    """Return why a run ended and, where it was stopped, how to go on."""
    if reason != "stopped":
        return REASONS[reason]
    if flags.output_dir is None:
        return f"{REASONS[reason]}; nothing was kept, as there was no --output_dir"
    return f"{REASONS[reason]}; go on with the same flags and --resume"
