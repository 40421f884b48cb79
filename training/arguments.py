"""What the verbs of this package share of reading arguments and speaking."""

from __future__ import annotations

import logging
import sys


def bare_switches(args: list[str], *names: str) -> list[str]:
    """Let `--json` stand for `--json=true`."""
    return [f"{arg}=true" if arg in [f"--{name}" for name in names] else arg for arg in args]


def flag(args: list[str], name: str) -> str | None:
    """Return a flag's value as given on the command line, in either spelling, or None."""
    for i, arg in enumerate(args):
        if arg.startswith(f"--{name}="):
            return arg.partition("=")[2]
        if arg == f"--{name}" and i + 1 < len(args):
            return args[i + 1]
    return None


def joined(args: list[str]) -> list[str]:
    """Write `--name value` as `--name=value`."""
    joined: list[str] = []
    for arg in args:
        if joined and not arg.startswith("--") and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += f"={arg}"
        else:
            joined.append(arg)
    return joined


def quiet_lerobot() -> None:
    """Hold back lerobot's warnings that no device was asked for and none is fast: we say which one trains."""
    noise = ("Device 'None' is not available", "No accelerated backend detected")

    def asked_for(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(noise)

    for name in ("lerobot.configs.policies", "root"):
        logging.getLogger(name).addFilter(asked_for)


def say(line: str, verb: str = "train") -> None:
    print(f"{verb}: {line}", file=sys.stderr, flush=True)
