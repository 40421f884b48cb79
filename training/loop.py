"""The loop of a run: steps, lines of the log, checkpoints, until the last step or a signal."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from typing import Any

from collector.errors import DataError
from training.boards import Board, open_boards
from training.checkpoints import PRETRAINED_MODEL
from training.history import tell_history
from training.interrupt import StopRequest
from training.metrics import METRICS_JSONL, Metrics, MetricsFiles, finite, read_metrics
from training.progress import Progress, Silence, make_progress
from training.run import TrainingRun
from training.trials import Trials, told


class Loop:
    """Drives a run, and is the only one to know what time it is."""

    def __init__(self, run: TrainingRun) -> None:
        """Prepare to go on from the run's step."""
        self.run, self.config = run, run.config
        self.files: MetricsFiles | None = None
        self.trials: Trials | None = None
        self.boards: list[Board] = []
        self._first_step, self._seconds_before = run.step, run.seconds
        self._saved_step = run.step if run.step else -1
        self._started = self._logged = 0.0
        self._logged_step = run.step

    def go(self) -> dict[str, Any]:
        """Train to the last step, or to Ctrl-C or SIGTERM; save a checkpoint either way.

        Returns:
            As `training.train.train`.

        Raises:
            DataError: If the loss stops being a number.
            StorageError: If a checkpoint cannot be written.
            HubError: If Weights & Biases refuses.
        """
        run, config = self.run, self.config
        run.policy.train()
        with contextlib.ExitStack() as stack:
            self._open_logs(stack)
            stop = stack.enter_context(StopRequest())
            progress = stack.enter_context(self._progress())
            self._started = self._logged = time.monotonic()
            stopping = bool(stop.signal)
            self._fly_if_due(progress)
            while run.step < config.steps and not stopping:
                loss, grad_norm, stopping = run.update(lambda: bool(stop.signal))
                run.window.add(loss, grad_norm)
                progress.stepped(run.step, loss, run.lr)
                if run.step % config.log_freq == 0 or run.step == config.steps:
                    progress.logged(self._log())
                if config.save_freq and run.step % config.save_freq == 0 and run.step < config.steps:
                    self._save()
                self._fly_if_due(progress)
            if run.window.n_steps and not math.isfinite(run.loss):
                run.loss = run.window.means()[0]
            seconds = time.monotonic() - self._started
            if run.step != self._saved_step:
                self._save()
            if self.files is not None:
                flown = self.trials.lines if self.trials else []
                lines = read_metrics(run.output_dir / METRICS_JSONL)
                tell_history(run.checkpoint / PRETRAINED_MODEL, run.record(), lines, flown)
        return {
            "output_dir": str(run.output_dir),
            "checkpoint": str(run.checkpoint / PRETRAINED_MODEL),
            "step": run.step,
            "steps": config.steps,
            "loss": run.loss,
            "seconds": round(seconds, 1),
            "steps_per_s": round((run.step - self._first_step) / max(seconds, 1e-9), 1),
            "interrupted": run.processes.agree(stop.signal) or ("SIGTERM" if stopping else ""),
            "dataset": run.provenance.to_dict(),
        }

    def _open_logs(self, stack: contextlib.ExitStack) -> None:
        """Open the log and the boards; processes but the first have none."""
        if not self.run.processes.is_first:
            return
        self.files = MetricsFiles(self.run.output_dir, self.run.step)
        stack.callback(self.files.close)
        config, step = self.config, self.run.step
        self.trials = Trials(self.run.output_dir, config.eval, config.eval_freq, step)
        self.boards = open_boards(self.config, self.run.step)
        for board in self.boards:
            stack.callback(board.close)

    def _progress(self) -> Progress:
        if self.files is None:
            return Silence()
        progress = make_progress(
            self.config.steps, self.run.samples_a_step, self.files.lines, self.run.policy.name
        )
        for line in self.trials.lines if self.trials else []:
            progress.flown(line)
        return progress

    def _count_seconds(self) -> float:
        """Bring the run's seconds up to now; return what the clock says [s]."""
        now = time.monotonic()
        self.run.seconds = self._seconds_before + now - self._started
        return now

    def _log(self) -> Metrics:
        """Write a line of the log, and return it.

        Raises:
            DataError: If the loss is no number.
        """
        run = self.run
        run.loss, grad_norm = run.window.means()
        if not math.isfinite(run.loss):
            raise DataError(
                f"the loss is {run.loss} at step {run.step}: "
                f"try a smaller --policy.optimizer_lr (now {run.config.policy.get_optimizer_preset().lr}); "
                f"the last checkpoint is that of step {max(self._saved_step, 0)}"
            )
        run.window.clear()
        now = self._count_seconds()
        steps_per_s = (run.step - self._logged_step) / max(now - self._logged, 1e-9)
        self._logged, self._logged_step = now, run.step
        samples = run.step * run.samples_a_step
        line = Metrics(
            step=run.step,
            epoch=round(samples / len(run.frames), 4),
            samples=samples,
            loss=run.loss,
            lr=run.lr,
            grad_norm=finite(grad_norm),
            samples_per_s=round(steps_per_s * run.samples_a_step, 1),
            steps_per_s=round(steps_per_s, 2),
            seconds=round(run.seconds, 2),
        )
        if self.files is not None:
            self.files.append(line)
        for board in self.boards:
            board.log(run.step, line)
        return line

    def _fly_if_due(self, progress: Progress) -> None:
        """Fly the averaged weights of this step where it is time to; the clock of training stands still meanwhile.

        Raises:
            As `_save` and `training.evaluate.evaluate`.
        """
        if self.trials is None or not self.trials.is_due(self.run.step):
            return
        if self.run.step != self._saved_step:
            self._save()
        progress.flying()
        began = time.monotonic()
        line = self.trials.fly(self.run.step, self.run.checkpoint / PRETRAINED_MODEL)
        seconds = time.monotonic() - began
        self._started += seconds
        self._logged += seconds
        print(f"train: step {self.run.step}: {told(line)}", file=sys.stderr, flush=True)
        progress.flown(line)
        for board in self.boards:
            board.log(
                self.run.step, {key: line[key] for key in ("rate", "mean_max_reward", "n")}, mode="eval"
            )

    def _save(self) -> None:
        """Write a checkpoint, after the log of all that led to it; the first process does, the others go on.

        Raises:
            StorageError: If the disk is full or not writable; earlier checkpoints are untouched.
        """
        self._saved_step = self.run.step
        if self.files is None:
            return
        self._count_seconds()
        self.files.sync()
        self.run.save()
        print(f"train: saved {self.run.checkpoint}", file=sys.stderr, flush=True)
        for board in self.boards:
            board.saved(self.run.checkpoint)
