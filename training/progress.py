"""What a run shows while it trains: a live block at the bottom of a terminal, or plain lines elsewhere."""

from __future__ import annotations

import math
import os
import sys
import time
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from collector.tui.draw.braille import plot
from training.metrics import Metrics

REFRESH_S = 0.3
SMOOTHING = 0.2  # weight of the newest refresh in the loss and the speed that are shown
PLOT_ROWS, SUCCESS_ROWS, LEAST_PLOT_COLUMNS, LEAST_SCREEN_ROWS = 6, 3, 24, 14
CURVE_POINTS = 512


class Progress(Protocol):
    """What the training loop tells its display."""

    def __enter__(self) -> Progress:
        """Begin to show."""
        ...

    def __exit__(self, *error: object) -> None:
        """Leave the terminal as it was, with the last state in it."""
        ...

    def stepped(self, step: int, loss: Tensor, lr: float) -> None:
        """Hear of a step: its number, its loss (a scalar on the device) and the next learning rate."""
        ...

    def logged(self, line: Metrics) -> None:
        """Hear of a line of the log."""
        ...

    def flying(self) -> None:
        """Hear that flights begin, during which no step is taken."""
        ...

    def flown(self, line: dict[str, Any]) -> None:
        """Hear of flights, a line as `training.trials.Trials.fly` gives it."""
        ...


def make_progress(steps: int, samples_a_step: int, lines: list[Metrics], title: str) -> Progress:
    """Return the display that fits where stderr goes.

    Args:
        steps: Of the whole run.
        samples_a_step: Windows a gradient step, over all processes.
        lines: The log so far, of a resumed run.
        title: What is trained.
    """
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return LiveProgress(steps, samples_a_step, lines, title)
    return PlainProgress(steps)


class Silence:
    """Shows nothing: what all processes but the first do."""

    def __enter__(self) -> Silence:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def stepped(self, step: int, loss: Tensor, lr: float) -> None:
        pass

    def logged(self, line: Metrics) -> None:
        pass

    def flying(self) -> None:
        pass

    def flown(self, line: dict[str, Any]) -> None:
        pass


class PlainProgress(Silence):
    """A line on stderr for each line of the log."""

    def __init__(self, steps: int) -> None:
        """Args: the steps of the whole run."""
        self.steps = steps

    def logged(self, line: Metrics) -> None:
        left_s = (self.steps - line["step"]) / max(line["steps_per_s"], 1e-9)
        print(
            f"train: step {line['step']:>{len(str(self.steps))}}/{self.steps}  loss {line['loss']:.4f}  "
            f"lr {line['lr']:.1e}  {line['steps_per_s']:.0f} steps/s  {left_s:.0f} s left",
            file=sys.stderr,
            flush=True,
        )


class Curve:
    """A loss over the steps, thinned as it grows: neighbours are averaged when it holds `CURVE_POINTS`."""

    def __init__(self) -> None:
        """Begin empty."""
        self.steps: list[float] = []
        self.values: list[float] = []

    def add(self, step: float, value: float) -> None:
        """Add a point; steps ascend."""
        self.steps.append(step)
        self.values.append(value)
        if len(self.steps) == CURVE_POINTS:
            self.steps = self.steps[1::2]
            self.values = [(a + b) / 2 for a, b in zip(self.values[::2], self.values[1::2], strict=True)]

    def draw(
        self, columns: int, rows: int, last_step: int, between: tuple[float, float] | None = None
    ) -> list[str]:
        """Return the plot's lines with a scale at the left, from step 0 to `last_step`.

        The scale goes from one value to another, or from the least to the greatest, logarithmic where it can be.
        """
        values = np.array(self.values)
        known = values[np.isfinite(values)]
        if not len(known):
            return []
        low, high = between or (float(known.min()), float(known.max()))
        labels = [f"{high:.3g}", *[""] * (rows - 2), f"{low:.3g}"]
        width = max(map(len, labels))
        if low > 0:
            values, low, high = np.log(values), math.log(low), math.log(high)
        if not high > low:
            low, high = low - 0.5, high + 0.5
        at = np.array(self.steps) / max(last_step, 1)
        # Past the newest point nothing is known: without this the line would run on to the last step.
        points = np.append(values, np.nan)[None]
        at = np.append(at, np.nextafter(at[-1] + 0.5 / columns, 2.0))
        drawn = plot(points, columns - width - 2, rows, low, high, at=at)
        return [
            f"{label:>{width}} ┤{''.join(text for text, _ in runs)}".rstrip()
            for label, runs in zip(labels, drawn, strict=True)
        ]


class LiveProgress:
    """One block that is drawn over and over: bar, numbers, and the loss so far."""

    def __init__(self, steps: int, samples_a_step: int, lines: list[Metrics], title: str) -> None:
        """Arguments as `make_progress`'s."""
        from rich.console import Console
        from rich.live import Live

        self.steps, self.samples_a_step, self.title = steps, samples_a_step, title
        self.curve, self.success = Curve(), Curve()
        self.flights: dict[str, Any] | None = None
        self._is_flying = False
        for line in lines:
            self._extend(line["step"], line["loss"])
        self.loss = lines[-1]["loss"] if lines else None
        self.grad_norm = lines[-1]["grad_norm"] if lines else None
        self.step, self.lr = (lines[-1]["step"] if lines else 0), math.nan
        self._steps_per_s: float | None = None
        self._sum: Any = 0.0
        self._n_summed = 0
        self._shown = time.monotonic()
        self.console = Console(stderr=True, highlight=False)
        self._live = Live(console=self.console, auto_refresh=False, get_renderable=self.block)

    def __enter__(self) -> LiveProgress:
        self._live.start(refresh=False)
        self.console.show_cursor()  # rich hides it, and a killed process could not show it again
        self._shown = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        if self._n_summed:
            self._take_in(time.monotonic())
        self._live.refresh()
        self._live.stop()

    def stepped(self, step: int, loss: Tensor, lr: float) -> None:
        self.step, self.lr = step, lr
        self._sum = self._sum + loss
        self._n_summed += 1
        now = time.monotonic()
        if now - self._shown >= REFRESH_S:
            self._take_in(now)
            self._live.refresh()

    def logged(self, line: Metrics) -> None:
        self.grad_norm = line["grad_norm"]

    def flying(self) -> None:
        if self._n_summed:
            self._take_in(time.monotonic())
        self._is_flying = True
        self._live.refresh()
        self._is_flying = False

    def flown(self, line: dict[str, Any]) -> None:
        self.flights = line
        self.success.add(line["step"], line["rate"])
        self._shown = time.monotonic()

    def _take_in(self, now: float) -> None:
        """Smooth what came since the last refresh into what is shown."""
        loss = float(self._sum) / self._n_summed
        speed = self._n_summed / max(now - self._shown, 1e-9)
        self._extend(self.step, loss)
        self.loss = loss if self.loss is None else self.loss + SMOOTHING * (loss - self.loss)
        self._steps_per_s = (
            speed
            if self._steps_per_s is None
            else self._steps_per_s + SMOOTHING * (speed - self._steps_per_s)
        )
        self._sum, self._n_summed, self._shown = 0.0, 0, now

    def _extend(self, step: int, loss: float | None) -> None:
        if loss is not None and math.isfinite(loss):
            self.curve.add(step, loss)

    def block(self) -> Any:
        """Return what is drawn now."""
        from rich.console import Group
        from rich.text import Text

        columns, rows = self.console.size
        lines: list[Any] = [self._bar(), Text(self._numbers(), no_wrap=True, overflow="ellipsis")]
        if rows >= LEAST_SCREEN_ROWS and columns >= LEAST_PLOT_COLUMNS:
            drawn = self.curve.draw(columns - 1, PLOT_ROWS, self.steps)
            lines += [Text(line, no_wrap=True, overflow="crop", style="cyan") for line in drawn]
            if self.flights is not None:
                low, high = self.flights["wilson_95"]
                lines.append(
                    f"success {self.flights['rate']:.0%} ({low:.0%} to {high:.0%}) at step {self.flights['step']:,}"
                )
                drawn = self.success.draw(columns - 1, SUCCESS_ROWS, self.steps, (0.0, 1.0))
                lines += [Text(line, no_wrap=True, overflow="crop", style="green") for line in drawn]
        return Group(*lines)

    def _bar(self) -> Any:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        bar = Table.grid(padding=(0, 1), expand=True)
        bar.add_column(no_wrap=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        place = f"{self.step:,}/{self.steps:,}  {100 * self.step // self.steps} %"
        if self._is_flying:
            place += "  flying"
        elif self._steps_per_s:
            place += f"  {clock((self.steps - self.step) / self._steps_per_s)} left"
        bar.add_row(self.title, ProgressBar(self.steps, self.step), place)
        return bar

    def _numbers(self) -> str:
        parts = [] if self.loss is None else [f"loss {self.loss:.4f}"]
        if math.isfinite(self.lr):
            parts.append(f"lr {self.lr:.1e}")
        if self.grad_norm is not None:
            parts.append(f"gradient {self.grad_norm:.2f}")
        if self._steps_per_s:
            parts.append(f"{self._steps_per_s * self.samples_a_step:,.0f} samples/s")
            parts.append(f"{self._steps_per_s:,.1f} steps/s")
        return "   ".join(parts)


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds, or hours, minutes and seconds: `4:05`, `1:00:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
