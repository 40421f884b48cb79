"""A sweep's runs, one after the other: those that are whole are left alone, others go on, and a table closes it."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import DemodeckError, UsageError
from training.arguments import flag, joined, say
from training.sweep import Point, begin, is_finished, points, recorded, row, table

if TYPE_CHECKING:
    from training.config import TrainConfig

EXIT_CODES = {"": 0, "SIGINT": 130, "SIGTERM": 143}
_OF_THE_SWEEP = ("--output_dir=", "--resume=", "--json=")


@dataclass(frozen=True)
class Asked:
    """A sweep that was asked for.

    Attributes:
        folder: Where its runs lie.
        goes_on: Whether it was begun before.
        args: The flags of all runs, lists and all.
        more: Flags given on going on, which hold for the runs that are left.
        points: The runs.
        as_json: Whether the table is wanted as JSON.
    """

    folder: Path
    goes_on: bool
    args: list[str]
    more: list[str]
    points: list[Point]
    as_json: bool


def asked_for(args: list[str]) -> Asked | None:
    """Return the sweep that a command asks for, or asks to go on with; None where it asks for one run.

    Raises:
        UsageError: If the lists cannot be swept.
        DataError: If the record of the sweep to go on with is damaged.
    """
    as_json, output_dir = flag(args, "json") == "true", flag(args, "output_dir")
    own = [arg for arg in joined(args) if not arg.startswith(_OF_THE_SWEEP)]
    if flag(args, "resume") == "true":
        before = None if output_dir is None else recorded(Path(output_dir))
        if before is None or output_dir is None:
            return None
        return Asked(Path(output_dir), True, before, own, points(before), as_json)
    runs = points(own)
    if not runs:
        return None
    now = datetime.datetime.now()
    folder = output_dir or f"outputs/train/{now:%Y-%m-%d}/{now:%H-%M-%S}_sweep"
    asked = Asked(Path(folder), False, own, [], runs, as_json)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "a sweep is run by one process: start it without the launcher, or its runs one by one"
        )
    if flag(args, "policy.repo_id") and flag(args, "policy.push_to_hub") != "false":
        raise UsageError(
            "--policy.repo_id names one policy and the lists ask for "
            f"{len(runs)}: leave it out, and publish the one you choose"
        )
    return asked


def sweep(asked: Asked, configured: Callable[[list[str]], TrainConfig]) -> int:
    """Train what is left of a sweep; returns the exit code: of the signal that stopped it, else of the last error.

    A run that fails says so in the table, and the others go on.

    Args:
        asked: The sweep.
        configured: Makes the settings of one run of its flags.

    Raises:
        UsageError: If the flags of a run are wrong, before any begins, or the folder is there already.
        OSError: If the disk refuses.
    """
    from training.train import train

    if not asked.goes_on:
        for point in asked.points:
            configured([*point.args, f"--output_dir={asked.folder / point.name}"])
        begin(asked.folder, asked.args)
    code, errors, stopped = 0, {}, ""
    for number, point in enumerate(asked.points, 1):
        folder = asked.folder / point.name
        if is_finished(row(folder, point.name)):
            continue
        say(f"run {number} of {len(asked.points)}: {point.name}")
        args = ["--resume=true"] if folder.exists() else point.args
        try:
            stopped = train(configured([*args, *asked.more, f"--output_dir={folder}"]))["interrupted"]
        except DemodeckError as error:
            say(f"{point.name}: {error}")
            errors[point.name], code = str(error), error.exit_code
        if stopped:
            say(f"stopped by {stopped}; go on with: demodeck train --resume=true --output_dir={asked.folder}")
            code = EXIT_CODES[stopped]
            break
    rows: list[dict[str, Any]] = [row(asked.folder / point.name, point.name) for point in asked.points]
    for found in rows:
        if found["name"] in errors:
            found["error"] = errors[found["name"]]
    if asked.as_json:
        print(json.dumps({"output_dir": str(asked.folder), "runs": rows}))
        return code
    print(table(rows))
    if not stopped and not any("rate" in found for found in rows):
        say(
            "a lower loss is no better policy: fly them by 'demodeck eval', and put them side by side by 'compare'"
        )
    return code
