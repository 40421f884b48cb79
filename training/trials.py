"""Flights while a run trains (`--eval_freq`): how often the averaged weights succeed, from seeds of their own.

They are told and logged, and change nothing: no checkpoint is chosen by them, least of all by a validation loss,
which says little about success. A result to report comes from `demodeck eval`, whose seeds these are not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lerobot.robots.config import RobotConfig
from lerobot.utils.random_utils import get_rng_state, set_rng_state

from collector.dataset.durable import write_bytes
from collector.errors import UsageError
from training.metrics import read_lines

TRIALS_JSONL = "evals.jsonl"
FIRST_SEED = 1_000_000  # `demodeck eval` begins at 5000
KEPT = ("n", "successes", "rate", "wilson_95", "mean_max_reward", "mean_reward", "mean_time_s", "wall_s")


@dataclass
class TrialFlags:
    """What flies during training, and how often."""

    # The simulation to fly in, as --eval.robot.type=sim_pusht
    robot: RobotConfig | None = None
    # Flights each time; their seeds are not those of 'demodeck eval'
    episodes: int = 20
    # A flight ends as a failure after this time [s] (default: the task's limit)
    time_limit_s: float | None = None
    # Processes that fly at once; 0 takes one a core
    workers: int = 0

    def check(self, eval_freq: int) -> None:
        """Raise `UsageError` where the flags cannot be flown."""
        if eval_freq and self.robot is None:
            raise UsageError(f"--eval_freq={eval_freq}: say where to fly, as --eval.robot.type=sim_pusht")
        for name, least in (("episodes", 1), ("workers", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"--eval.{name}={getattr(self, name)}: it must be at least {least}")


class Trials:
    """The flights of one run, and their log `evals.jsonl`: a line for each step after which was flown."""

    def __init__(self, folder: Path, flags: TrialFlags, eval_freq: int, step: int) -> None:
        """Open the log, cut to what was flown up to a step.

        Args:
            folder: The run's.
            flags: What flies.
            eval_freq: Steps between two times; 0 for never.
            step: Where the run goes on.

        Raises:
            OSError: If the disk refuses.
        """
        self._path, self._flags, self._eval_freq = folder / TRIALS_JSONL, flags, eval_freq
        self.lines = read_lines(self._path, step)
        if eval_freq or self.lines:
            self._write()

    def is_due(self, step: int) -> bool:
        """Whether to fly after a step: a run killed meanwhile flies when it is resumed."""
        return bool(self._eval_freq and step and step % self._eval_freq == 0) and not any(
            line["step"] == step for line in self.lines
        )

    def fly(self, step: int, model: Path) -> dict[str, Any]:
        """Fly a checkpoint's averaged weights, log the result and return it; training's noise is left as it was.

        Args:
            step: The checkpoint's.
            model: Its `pretrained_model`.

        Returns:
            `step`, `KEPT`'s values as `training.evaluate.measure` gives them, and `first_seed`.

        Raises:
            As `training.evaluate.evaluate`.
        """
        from training.evaluate import EvalConfig, PolicyFlags, evaluate

        robot = self._flags.robot
        if getattr(robot, "realtime", False):
            robot = dataclasses.replace(robot, realtime=False)  # type: ignore[type-var]
        state = get_rng_state()
        try:
            with _hushed():
                result = evaluate(
                    EvalConfig(
                        robot=robot,
                        policy=PolicyFlags(path=str(model), device="cpu"),
                        episodes=self._flags.episodes,
                        seed=FIRST_SEED,
                        time_limit_s=self._flags.time_limit_s,
                        workers=self._flags.workers,
                    )
                )
        finally:
            set_rng_state(state)
        line = {"step": step, **{key: result[key] for key in KEPT}, "first_seed": FIRST_SEED}
        self.lines.append(line)
        self._write()
        return line

    def _write(self) -> None:
        write_bytes(self._path, "".join(json.dumps(line) + "\n" for line in self.lines).encode())


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep what is printed meanwhile, by processes started too, out of the live block and of `--json`."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for descriptor, saved in zip((1, 2), kept, strict=True):
            os.dup2(saved, descriptor)
        for opened in (nowhere, *kept):
            os.close(opened)


def told(line: dict[str, Any]) -> str:
    """Return a result in a few words: `12 of 20 succeeded (60 %, 95 % interval 39 to 78 %)`."""
    low, high = line["wilson_95"]
    return (
        f"{line['successes']} of {line['n']} succeeded "
        f"({line['rate']:.0%}, 95 % interval {low:.0%} to {high:.0%})"
    )
