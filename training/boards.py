"""The log shown elsewhere as well: TensorBoard (`--tensorboard=true`), Weights & Biases (`--wandb.enable=true`).

Both are asked for and imported only then; names of curves are lerobot's (`train/loss`).
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from collector.errors import HubError, UsageError
from training.config import TrainConfig, encode

WANDB_MODES = (None, "online", "offline", "disabled")


class Board(Protocol):
    """Where lines go besides the log."""

    def log(self, step: int, values: Mapping[str, Any], mode: str = "train") -> None:
        """Show values of a step; those that are None are left out."""
        ...

    def saved(self, checkpoint: Path) -> None:
        """Hear of a new checkpoint."""
        ...

    def close(self) -> None:
        """Write out what is left."""
        ...


def check_boards(config: TrainConfig) -> None:
    """Check before any work that what is asked for is installed.

    Raises:
        UsageError: If it is not, or `--wandb.mode` is none.
    """
    if config.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise UsageError(
            "--tensorboard=true: tensorboard is not installed: pip install 'demodeck[tensorboard]', or leave it out "
            "(metrics.csv and metrics.jsonl are written all the same)"
        )
    if config.wandb.mode not in WANDB_MODES:
        raise UsageError(f"--wandb.mode={config.wandb.mode}: choose online, offline or disabled")
    if config.wandb.enable and importlib.util.find_spec("wandb") is None:
        raise UsageError(
            "--wandb.enable=true: wandb is not installed: pip install 'demodeck[wandb]', or leave it out "
            "(metrics.csv and metrics.jsonl are written all the same)"
        )


def open_boards(config: TrainConfig, step: int) -> list[Board]:
    """Return the boards that the flags ask for, going on at a step.

    Raises:
        HubError: If Weights & Biases refuses.
    """
    boards: list[Board] = []
    if config.tensorboard:
        boards.append(TensorBoard(config, step))
    if config.wandb.enable:
        boards.append(WeightsAndBiases(config))
    return boards


class TensorBoard:
    """Event files in `tensorboard/` of the run's folder."""

    def __init__(self, config: TrainConfig, step: int) -> None:
        """Open another event file; TensorBoard hides what earlier ones hold past `step`."""
        from torch.utils.tensorboard import SummaryWriter

        assert config.output_dir is not None
        folder = config.output_dir / "tensorboard"
        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def log(self, step: int, values: Mapping[str, Any], mode: str = "train") -> None:
        for name, value in values.items():
            if name != "step" and value is not None:
                self._writer.add_scalar(f"{mode}/{name}", value, step)

    def saved(self, checkpoint: Path) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases, by lerobot's flags; a resumed run goes on in the same one."""

    def __init__(self, config: TrainConfig) -> None:
        """Begin, or go on with the run `run_id` of the flags.

        Raises:
            HubError: If the service refuses or is out of reach.
        """
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        self._flags, self._wandb = config.wandb, wandb
        assert config.policy is not None
        self._name = f"{config.policy.type}-seed-{config.seed}"
        tags = [f"policy:{config.policy.type}", f"seed:{config.seed}", f"dataset:{config.dataset.repo_id}"]
        try:
            self._run = wandb.init(
                id=self._flags.run_id,
                project=self._flags.project,
                entity=self._flags.entity,
                notes=self._flags.notes,
                tags=[tag[:64] for tag in tags] if self._flags.add_tags else None,  # its limit
                dir=str(config.output_dir),
                config=encode(config),
                save_code=False,
                job_type="train",
                resume="allow",
                mode=self._flags.mode or "online",
            )
        except wandb.errors.Error as error:
            raise HubError(
                f"Weights & Biases: {' '.join(str(error).split())}: run 'wandb login', "
                "or keep the run here with --wandb.mode=offline"
            ) from error

    def log(self, step: int, values: Mapping[str, Any], mode: str = "train") -> None:
        shown = {f"{mode}/{k}": v for k, v in values.items() if k != "step" and v is not None}
        self._run.log(shown, step=step)

    def saved(self, checkpoint: Path) -> None:
        if self._flags.disable_artifact:
            return
        artifact = self._wandb.Artifact(f"{self._name}-{checkpoint.name}", type="model")
        artifact.add_dir(str(checkpoint / "pretrained_model"))
        self._run.log_artifact(artifact)

    def close(self) -> None:
        self._run.finish()
