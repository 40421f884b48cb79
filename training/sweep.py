"""Sweeps: a run for every combination of the lists given to `--policy.*` and `--seed`, one after the other.

    demodeck train --policy.type=bc --policy.horizon=[8,16] --seed=[1,2,3] ... --output_dir=DIR

    DIR/sweep.json            the command's flags, from which the sweep goes on
    DIR/horizon=8,seed=1/     a run as any other, that can be resumed, flown and published by itself

A flag whose value is a list by nature (`--policy.inputs`) is swept by a list of lists. The table is read from the
runs' folders alone, so that it is the same after a crash.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from collector.dataset.durable import make_folder, write_json
from collector.errors import DataError, UsageError
from training.arguments import joined
from training.checkpoints import PRETRAINED_MODEL, find_checkpoint
from training.config import load_record
from training.metrics import METRICS_JSONL, read_lines
from training.trials import TRIALS_JSONL

SWEEP_JSON = "sweep.json"
MOST_RUNS = 1000


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes:
        name: Its folder: what is swept and the values, as `horizon=8,seed=1`.
        args: The command's flags with one value for each list.
    """

    name: str
    args: list[str]


def points(args: list[str]) -> list[Point]:
    """Return the runs that a command asks for; none where no flag has a list to sweep.

    Args:
        args: Flags of `demodeck train`, in either spelling.

    Raises:
        UsageError: If a list is empty or has a value twice, or there are more than `MOST_RUNS` runs.
    """
    args = joined(args)
    swept: dict[str, list[Any]] = {}
    for name, text in _given(args).items():
        if not (name.startswith("policy.") or name == "seed"):
            continue
        values = _listed(text)
        if values is None:
            continue
        if _is_list_by_nature(name, args) and not (values and all(isinstance(v, list) for v in values)):
            continue
        if not values:
            raise UsageError(f"--{name}={text}: give the values to sweep, such as --{name}=[1,2]")
        if len({json.dumps(value) for value in values}) < len(values):
            raise UsageError(f"--{name}={text}: a value is there twice")
        swept[name] = values
    if not swept:
        return []
    total = math.prod(map(len, swept.values()))
    if total > MOST_RUNS:
        raise UsageError(f"the lists ask for {total} runs: at most {MOST_RUNS} in one sweep")
    runs = [
        _point(args, dict(zip(swept, chosen, strict=True))) for chosen in itertools.product(*swept.values())
    ]
    if len({run.name for run in runs}) < len(runs):
        raise UsageError(
            f"two of {', '.join(run.name for run in runs)} would share a folder: sweep them apart"
        )
    return runs


def _point(args: list[str], chosen: dict[str, Any]) -> Point:
    said = {name: value if isinstance(value, str) else json.dumps(value) for name, value in chosen.items()}
    kept = [arg for arg in args if arg.partition("=")[0].removeprefix("--") not in said]
    name = ",".join(f"{key.rpartition('.')[2]}={value}" for key, value in said.items())
    return Point(
        re.sub(r"[^\w.,=+\-\[\]]+", "-", name), [*kept, *(f"--{key}={value}" for key, value in said.items())]
    )


def _given(args: list[str]) -> dict[str, str]:
    return {
        name.removeprefix("--"): text
        for name, equals, text in (arg.partition("=") for arg in args)
        if equals and name.startswith("--")
    }


def _listed(text: str) -> list[Any] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        return None  # the flag's own parser says what is wrong
    return values if isinstance(values, list) else None


def _is_list_by_nature(name: str, args: list[str]) -> bool:
    """Whether a policy's setting holds a list, for any of the policies that are asked for."""
    from lerobot.configs import PreTrainedConfig

    kinds = _given(args).get("policy.type", "")
    known = PreTrainedConfig.get_known_choices()
    for kind in _listed(kinds) or [kinds]:
        hints = typing.get_type_hints(known[kind]) if kind in known else {}
        if _holds_list(hints.get(name.removeprefix("policy."))):
            return True
    return False


def _holds_list(hint: Any) -> bool:
    if typing.get_origin(hint) in (list, tuple) or hint in (list, tuple):
        return True
    return any(_holds_list(part) for part in typing.get_args(hint) if typing.get_origin(hint) not in (dict,))


def begin(folder: Path, args: list[str]) -> None:
    """Make a sweep's folder with its flags on record.

    Raises:
        UsageError: If it exists already.
        OSError: If the disk refuses.
    """
    if folder.exists():
        raise UsageError(
            f"{folder} exists already: choose another --output_dir, or go on with --resume=true --output_dir={folder}"
        )
    make_folder(folder)
    write_json(folder / SWEEP_JSON, {"args": args})


def recorded(folder: Path) -> list[str] | None:
    """Return the flags of the sweep in a folder, or None where there is none.

    Raises:
        DataError: If its record is damaged.
    """
    path = folder / SWEEP_JSON
    if not path.is_file():
        return None
    try:
        args = json.loads(path.read_text())["args"]
        return [str(arg) for arg in args]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is damaged ({error}): start the sweep anew in another --output_dir"
        ) from None


def row(folder: Path, name: str) -> dict[str, Any]:
    """Return what a run of a sweep has come to, by its folder alone.

    Returns:
        `name`, `output_dir`, `step` and `steps` (None before it began), `loss`, `seconds`, and of its last flights
        (`--eval_freq`) `n`, `successes`, `rate` and `wilson_95`, where it flew.

    Raises:
        DataError: If its record is damaged.
    """
    found: dict[str, Any] = {"name": name, "output_dir": str(folder), "step": None, "steps": None}
    checkpoint = find_checkpoint(folder)
    if checkpoint is None:
        return found
    record = load_record(checkpoint / PRETRAINED_MODEL)
    found |= {"step": record["run"]["step"], "steps": record["steps"], "loss": record["run"]["loss"]}
    found["checkpoint"] = str(checkpoint / PRETRAINED_MODEL)
    if lines := read_lines(folder / METRICS_JSONL, found["step"]):
        found["seconds"] = lines[-1]["seconds"]
    if flights := read_lines(folder / TRIALS_JSONL, found["step"]):
        found |= {key: flights[-1][key] for key in ("n", "successes", "rate", "wilson_95")}
    return found


def is_finished(found: dict[str, Any]) -> bool:
    """Whether a run, as `row` tells of it, took its last step."""
    return found["step"] is not None and found["step"] >= found["steps"]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the runs as a Markdown table."""
    flew = any("rate" in found for found in rows)
    head = ["run", "step", "loss", "time [s]", *(["succeeded", "95 % interval (Wilson)"] if flew else [])]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for found in rows:
        loss, seconds = found.get("loss"), found.get("seconds")
        cells = [
            found["name"],
            "not begun" if found["step"] is None else f"{found['step']} of {found['steps']}",
            "failed" if "error" in found else "" if loss is None else f"{loss:.4f}",
            "" if seconds is None else f"{seconds:.0f}",
        ]
        if flew and "rate" in found:
            low, high = found["wilson_95"]
            cells += [f"{found['successes']} of {found['n']}", f"{low:.0%} to {high:.0%}"]
        elif flew:
            cells += ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
