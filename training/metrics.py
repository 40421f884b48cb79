"""The log of a run: a line every `--log_freq` steps, in `metrics.jsonl` for programs, `metrics.csv` for spreadsheets.

The JSONL file is the log; the CSV file is the same lines, and is made anew from it whenever a run is resumed. After a
crash both end as an uninterrupted run's would have looked at the restored step: later lines are cut, and so is a torn
one.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, TypedDict, cast

import torch
from torch import Tensor

from collector.dataset.durable import write_all, write_bytes

METRICS_JSONL, METRICS_CSV = "metrics.jsonl", "metrics.csv"


class Metrics(TypedDict):
    """One line of the log; losses and norms are means over the steps since the line before.

    Keys:
        step: Gradient steps taken.
        epoch: Passes through the data, with decimals.
        samples: Windows seen, over all processes.
        loss: None where it was no number.
        lr: Learning rate of the next step.
        grad_norm: Norm of the gradient before it is clipped; None where it was no number.
        samples_per_s, steps_per_s: Since the line before, or since the run was resumed.
        seconds: Time spent in training [s], over all resumes; what a killed run lost does not count.
    """

    step: int
    epoch: float
    samples: int
    loss: float | None
    lr: float
    grad_norm: float | None
    samples_per_s: float
    steps_per_s: float
    seconds: float


FIELDS = tuple(Metrics.__annotations__)


class MetricsFiles:
    """The two files in a run's folder, opened to append."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open them, cut to what was logged up to a step.

        Args:
            folder: The run's; it must exist.
            step: Where the run goes on.

        Raises:
            OSError: If the disk refuses.
        """
        self._jsonl, self._csv = folder / METRICS_JSONL, folder / METRICS_CSV
        self.lines = read_metrics(self._jsonl, step)
        write_bytes(self._jsonl, "".join(map(_as_json, self.lines)).encode())
        write_bytes(self._csv, (_HEADER + "".join(map(_as_csv, self.lines))).encode())
        self._files = [os.open(path, os.O_WRONLY | os.O_APPEND) for path in (self._jsonl, self._csv)]

    def append(self, line: Metrics) -> None:
        """Add a line to both.

        Raises:
            OSError: If the disk refuses, e.g. because it is full.
        """
        for file, text in zip(self._files, (_as_json(line), _as_csv(line)), strict=True):
            write_all(file, text.encode())

    def sync(self) -> None:
        """Wait until all lines are on the disk."""
        for file in self._files:
            os.fsync(file)

    def close(self) -> None:
        """Close both files."""
        for file in self._files:
            os.close(file)
        self._files = []


def read_metrics(path: Path, up_to: float = math.inf) -> list[Metrics]:
    """Return the lines of a `metrics.jsonl`, as `read_lines`."""
    return cast("list[Metrics]", read_lines(path, up_to))


def read_lines(path: Path, up_to: float = math.inf) -> list[dict[str, Any]]:
    """Return the whole lines of a log up to a step, in their order; none where there is no file."""
    lines: list[dict[str, Any]] = []
    if not path.exists():
        return lines
    for text in path.read_text(errors="replace").splitlines():
        try:
            line = json.loads(text)
            step = line["step"]
        except (ValueError, TypeError, KeyError):
            break  # torn: nothing whole follows
        if step > up_to:
            break
        lines.append(line)
    return lines


def finite(value: float) -> float | None:
    """Return a number, or None where it is infinite or none: JSON knows no other word for that."""
    return value if math.isfinite(value) else None


def _as_json(line: Metrics) -> str:
    return json.dumps(line) + "\n"


def _as_csv(line: dict[str, Any] | Metrics) -> str:
    values = (line.get(field) for field in FIELDS)
    return ",".join("" if value is None else str(value) for value in values) + "\n"


_HEADER = ",".join(FIELDS) + "\n"


class Window:
    """Sums over the steps since the last line, on the device, so that no step waits for them."""

    def __init__(self, device: torch.device) -> None:
        """Begin with no steps."""
        self.n_steps = 0
        self._loss, self._grad_norm = torch.zeros((), device=device), torch.zeros((), device=device)

    def add(self, loss: Tensor, grad_norm: Tensor) -> None:
        """Add a step's, scalars."""
        self._loss += loss
        self._grad_norm += grad_norm
        self.n_steps += 1

    def means(self) -> tuple[float, float]:
        """Return the mean loss and the mean norm of the gradient; NaN where there was no step."""
        n_steps = self.n_steps or math.nan
        return float(self._loss) / n_steps, float(self._grad_norm) / n_steps

    def clear(self) -> None:
        """Begin anew."""
        self.n_steps = 0
        self._loss.zero_()
        self._grad_norm.zero_()

    def state(self) -> dict[str, Any]:
        """Return the sums as JSON values, exact."""
        return {"steps": self.n_steps, "loss": float(self._loss), "grad_norm": float(self._grad_norm)}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.n_steps = state["steps"]
        self._loss.fill_(state["loss"])
        self._grad_norm.fill_(state["grad_norm"])
