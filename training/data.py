"""Frames of the chosen episodes: low-dimensional columns in memory, images beside them, windows by one gather.

A batch equals what `LeRobotDataset` with `delta_timestamps` and its collate function give, bit for bit, pad
masks included, images as bytes instead of floats / 255, with no Python per item
(measured in tests/benchmarks/bench_training.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from collector.errors import DataError
from training.images import ImageStore, on_device


@dataclass
class EpisodeFrames:
    """Columns of whole episodes, one after the other.

    Attributes:
        columns: By feature name: float32, (n_frames, dim).
        first: For each frame, the index of its episode's first frame, int64, (n_frames,).
        last: For each frame, the index of its episode's last frame, int64, (n_frames,).
        deltas: By feature name: offsets [frames] of the window around each frame; None or absent for the
            frame alone, without a window axis.
        images: By camera: uint8, (n_frames, channels, height, width), on the disk, the processor or the device.
        tasks: The dataset's tasks in words, by task index.
    """

    columns: dict[str, Tensor]
    first: Tensor
    last: Tensor
    deltas: dict[str, list[int] | None] = field(default_factory=dict)
    images: dict[str, ImageStore] = field(default_factory=dict)
    tasks: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        columns: dict[str, np.ndarray],
        lengths: np.ndarray,
        deltas: dict[str, list[int] | None] | None = None,
    ) -> EpisodeFrames:
        """Take columns as the dataset's reader gives them.

        Args:
            columns: By feature name: (n_frames, dim), or (n_frames,) for a feature of shape (1,).
            lengths: Frames of each episode, in order, (n_episodes,).
            deltas: Windows, as in the attribute.

        Raises:
            DataError: If a column holds NaN or infinity, or its length is not the sum of `lengths`.
        """
        lengths = np.asarray(lengths, dtype=np.int64)
        ends = np.cumsum(lengths)
        tensors = {}
        for name, values in columns.items():
            array = np.asarray(values, dtype=np.float32)
            if len(array) != (ends[-1] if len(ends) else 0):
                raise DataError(
                    f"column '{name}' has {len(array)} frames, the episodes {lengths.sum()}: "
                    "the dataset is damaged; record or download it again"
                )
            bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
            if len(bad):
                episode = int(np.searchsorted(ends, bad[0], side="right"))
                frame = int(bad[0] - (ends[episode] - lengths[episode]))
                raise DataError(
                    f"column '{name}' holds {len(bad)} frames with NaN or infinity (the first is frame {frame} "
                    f"of the chosen episode {episode}, counted from 0): "
                    "run 'demodeck score' and leave such episodes out with --dataset.filter"
                )
            tensors[name] = torch.from_numpy(array.reshape(len(array), -1).copy())
        first = torch.from_numpy(np.repeat(ends - lengths, lengths))
        last = torch.from_numpy(np.repeat(ends - 1, lengths))
        return cls(tensors, first, last, deltas or {})

    def __len__(self) -> int:
        return len(self.first)

    def batch(self, index: Tensor) -> dict[str, Tensor]:
        """Gather the windows around some frames.

        Args:
            index: Frames, int64, (batch,).

        Returns:
            By feature name: (batch, dim), or (batch, n_deltas, dim) where the feature has a window, with
            `<name>_is_pad` (batch, n_deltas) bool beside it: true where the window reaches past the episode,
            where the episode's first or last frame stands in. Images likewise, uint8, on the index's device.
        """
        batch = {}
        for name in (*self.columns, *self.images):
            inside, is_pad = self._window(name, index)
            if name in self.images:
                images = self.images[name]
                where = getattr(images, "device", torch.device("cpu"))
                batch[name] = images[inside.to(where)].to(index.device)
            else:
                batch[name] = self.columns[name][inside]
            if is_pad is not None:
                batch[f"{name}_is_pad"] = is_pad
        return batch

    def prefetch(self, index: Tensor) -> None:
        """Begin to decode the images of a later batch, where they are streamed."""
        for name, images in self.images.items():
            if hasattr(images, "prefetch"):
                images.prefetch(self._window(name, index)[0].cpu())

    def _window(self, name: str, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return a feature's frames around some frames, kept inside the episode, and which reached past it."""
        deltas = self.deltas.get(name)
        if deltas is None:
            return index, None
        wanted = index[:, None] + torch.tensor(deltas, device=index.device)
        first, last = self.first[index][:, None], self.last[index][:, None]
        return wanted.clamp(first, last), (wanted < first) | (wanted > last)

    def to(self, device: str) -> EpisodeFrames:
        """Return the same frames on another device; images go with them where it has room, else batch by batch."""
        columns = {name: column.to(device) for name, column in self.columns.items()}
        images = {name: on_device(store, device) for name, store in self.images.items()}
        return replace(
            self, columns=columns, images=images, first=self.first.to(device), last=self.last.to(device)
        )

    def stats(self) -> dict[str, dict[str, np.ndarray]]:
        """Return each column's `mean` and `std` over these frames, float32, (dim,), for lerobot's normaliser.

        An entry that never changes gets the std 1: dividing rounding noise by a std of 0 would make the
        network's input jump.
        """
        stats = {}
        for name, column in self.columns.items():
            values = column.double()
            mean, std = values.mean(0), values.std(0, correction=0)
            constant = std <= 1e-6 * mean.abs().clamp(min=1.0)
            std = torch.where(constant, torch.ones_like(std), std)
            stats[name] = {"mean": mean.float().numpy(), "std": std.float().numpy()}
        return stats


class BatchOrder:
    """The frames of batch number `step`: each epoch a new permutation, a pure function of (seed, step).

    So a run that is resumed at a step sees the very batches that an uninterrupted one sees.
    """

    def __init__(self, n_frames: int, batch_size: int, seed: int) -> None:
        """Args: frames to draw from, frames a batch, and the seed of the order."""
        self.n_frames, self.batch_size, self.seed = n_frames, batch_size, seed
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def indices(self, step: int) -> Tensor:
        """Return the frames of batch `step` (counted from 0), int64, (batch_size,)."""
        epoch, offset = divmod(step * self.batch_size, self.n_frames)
        parts: list[Tensor] = []
        missing = self.batch_size
        while missing:
            part = self._permutation(epoch)[offset : offset + missing]
            parts.append(part)
            missing -= len(part)
            epoch, offset = epoch + 1, 0
        return torch.cat(parts)

    def _permutation(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            # SeedSequence mixes (seed, epoch) so that neighbouring seeds share no epochs.
            mixed = np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)[0]
            generator = torch.Generator().manual_seed(int(mixed >> 1))
            self._order, self._epoch = torch.randperm(self.n_frames, generator=generator), epoch
        return self._order
