"""One run by several processes, as `accelerate launch` or `torchrun` start them: each a share of every batch.

Every process holds the whole model. Batch number `step` is the one that a single process with as large a batch would
take; each computes the gradient of its rows, the gradients are averaged, and all take the same step. The first
process alone writes and speaks.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from collector.errors import UsageError

_PATIENCE = datetime.timedelta(hours=2)  # the others wait while the first decodes images or evaluates


class Processes:
    """The processes of this run, as seen from one of them.

    Attributes:
        count: How many there are.
        rank: Which this is, from 0.
    """

    def __init__(self, count: int = 1, rank: int = 0) -> None:
        """Take part as number `rank` of `count`, which have found each other, or as the only one."""
        self.count, self.rank = count, rank

    @classmethod
    def join(cls, device: str) -> Processes:
        """Find the other processes by the environment that a launcher sets; without one there are none.

        Args:
            device: Where the policy trains; of `cuda`, each process of a machine takes its own.

        Raises:
            UsageError: If there are more processes than GPUs, or several for a device that cannot, or if several were
                asked for and the launcher started this one alone.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            _check_not_left_alone()
            return cls()
        kind = torch.device(device).type
        if kind == "cuda":
            local, n_gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
            if local >= n_gpus:
                raise UsageError(f"process {local + 1} of this machine finds {n_gpus} GPUs: start one a GPU")
            torch.cuda.set_device(local)
        elif kind != "cpu":
            raise UsageError(f"several processes train on cuda or cpu, not on {kind}: start one alone")
        dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=_PATIENCE)
        return cls(count, dist.get_rank())

    @property
    def is_first(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    def agree(self, value: Any) -> Any:
        """Return the first process' value in all of them."""
        if self.count == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def share_weights(self, weights: Iterable[Tensor]) -> None:
        """Give all processes the first one's weights."""
        if self.count > 1:
            with torch.no_grad():
                for tensor in weights:
                    dist.broadcast(tensor, src=0)

    def seed_noise(self, seed: int, step: int) -> None:
        """Give each process noise of its own: a pure function of (seed, step, rank), so that a resumed run draws it
        again. A single process goes on with its generator, which its checkpoints hold."""
        if self.count > 1:
            mixed = np.random.SeedSequence([seed, step, self.rank]).generate_state(1, np.uint64)[0]
            torch.manual_seed(int(mixed >> 1))

    def average(self, parameters: list[Tensor], loss: Tensor, wants_to_stop: bool) -> tuple[Tensor, bool]:
        """Replace each gradient by its mean over the processes.

        Args:
            parameters: Those with a gradient are averaged.
            loss: This process' loss, a scalar.
            wants_to_stop: Whether this process was asked to stop.

        Returns:
            The mean loss, and whether any process was asked to stop: the same in all of them.
        """
        if self.count == 1:
            return loss, wants_to_stop
        gradients = [p.grad for p in parameters if p.grad is not None]
        stop = loss.new_full((1,), float(wants_to_stop))
        flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), loss.reshape(1), stop])
        dist.all_reduce(flat)
        flat /= self.count
        *averaged, loss, stop = flat.split([*(gradient.numel() for gradient in gradients), 1, 1])
        for gradient, mean in zip(gradients, averaged, strict=True):
            gradient.copy_(mean.view_as(gradient))
        return loss.reshape(()), bool(stop > 0)

    @contextlib.contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Let the first process do something before the others do it too."""
        if self.count > 1 and not self.is_first:
            dist.barrier()
        yield
        if self.count > 1 and self.is_first:
            dist.barrier()

    def leave(self) -> None:
        """Part from the others, at the end of the run."""
        if self.count > 1:
            dist.destroy_process_group()


def _check_not_left_alone() -> None:
    """Raise `UsageError` in the one process that `accelerate launch --cpu` starts, however many it was asked for.

    Without --multi_gpu accelerate 1.15 (`simple_launcher`) tells its command where the others would meet, and starts no
    others, nor tells it how many there are.
    """
    told = os.environ
    if "ACCELERATE_MIXED_PRECISION" in told and "MASTER_PORT" in told and "WORLD_SIZE" not in told:
        raise UsageError(
            "accelerate launch --cpu started one process of the several asked for: write --multi_gpu in place of --cpu "
            "(where there is no GPU it starts them on the processor), or use torchrun --nproc_per_node=N"
        )
