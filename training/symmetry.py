"""Mirror images of flights: symmetries of robot, task and scene, written down in a file, that multiply the data.

A symmetry takes each vector x that a policy sees or does to x', x'_i = sign_i x_{order_i} + offset_i. Where mirrored
scene and mirrored actions go together like those that were flown, the mirrored flight is as good as another one.

    [[symmetry]]                                   # (x, y) to (512 - y, 512 - x)
    "action" = { order = [1, 0], sign = [-1, -1], offset = [512, 512] }
    "observation.image" = { order = [1, 0], sign = [-1, -1] }

Of a camera, x points right and y down, from the picture's middle.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from collector.errors import UsageError
from training.data import EpisodeFrames
from training.images import ImageStore, on_device

SHIPPED = Path(__file__).with_name("symmetries")
SAME_FOR_ALL = ("task_index",)  # columns that no symmetry changes


@dataclass(frozen=True)
class SignedOrder:
    """x'_i = sign_i x_{order_i} + offset_i.

    Attributes:
        order: Which entry of x comes there, (dim,).
        sign: 1 or -1, (dim,).
        offset: In the column's units, (dim,).
    """

    order: list[int]
    sign: list[float]
    offset: list[float]

    def __call__(self, values: Tensor) -> Tensor:
        """Return the image of vectors, (n, dim)."""
        return values[:, self.order] * torch.tensor(self.sign) + torch.tensor(self.offset)

    def of_pictures(self, pictures: Tensor) -> Tensor:
        """Return what becomes of pictures where this is what becomes of (x, y), (..., height, width).

        Raises:
            UsageError: If x and y change places, and the pictures are not square.
        """
        if self.order == [1, 0]:
            if pictures.shape[-1] != pictures.shape[-2]:
                raise UsageError(
                    f"--dataset.symmetry: pictures of {pictures.shape[-1]}x{pictures.shape[-2]} cannot change x with y"
                )
            pictures = pictures.transpose(-1, -2)
        return pictures.flip([axis for axis, sign in zip((-1, -2), self.sign) if sign < 0])


@dataclass(frozen=True)
class Symmetries:
    """What a file holds.

    Attributes:
        name: The file, as messages name it.
        maps: Of each symmetry, by column.
        sha256: Of the file's bytes.
    """

    name: str
    maps: list[dict[str, SignedOrder]]
    sha256: str

    @classmethod
    def load(cls, path: str) -> Symmetries:
        """Read a file, or one of those shipped, by its name (`pusht`).

        Raises:
            UsageError: If there is none, or it is not as described above.
        """
        shipped = SHIPPED / f"{path}.toml"
        file = shipped if shipped.exists() else Path(path).expanduser()
        try:
            content = file.read_bytes()
            listed = tomllib.loads(content.decode()).get("symmetry", [])
        except OSError:
            names = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.toml")))
            raise UsageError(
                f"--dataset.symmetry={path}: no such file, and none of those shipped ({names})"
            ) from None
        except ValueError as error:
            raise UsageError(f"--dataset.symmetry: {file} is no TOML file: {error}") from None
        if not listed or not all(isinstance(one, dict) for one in listed):
            raise UsageError(f"--dataset.symmetry: {file} holds no [[symmetry]]")
        maps = [{column: _map(file, column, told) for column, told in one.items()} for one in listed]
        return cls(str(file), maps, hashlib.sha256(content).hexdigest())

    def add_to(self, frames: EpisodeFrames) -> EpisodeFrames:
        """Return the frames and behind them their images by each symmetry, in its order.

        Raises:
            UsageError: If a symmetry does not say what becomes of a column or camera that the policy sees.
        """
        columns = {
            name: torch.cat([values, *(self._image(name, values, maps) for maps in self.maps)])
            for name, values in frames.columns.items()
        }
        shifts = range(0, len(frames) * (len(self.maps) + 1), len(frames))
        first, last = (torch.cat([ends + shift for shift in shifts]) for ends in (frames.first, frames.last))
        images: dict[str, ImageStore] = {
            name: MirroredImages(store, len(frames), [self._of(name, maps, 2) for maps in self.maps])
            for name, store in frames.images.items()
        }
        return replace(frames, columns=columns, images=images, first=first, last=last)

    def _image(self, name: str, values: Tensor, maps: dict[str, SignedOrder]) -> Tensor:
        return values if name in SAME_FOR_ALL else self._of(name, maps, values.shape[1])(values)

    def _of(self, name: str, maps: dict[str, SignedOrder], dim: int) -> SignedOrder:
        """Return what becomes of a column or camera."""
        if name not in maps:
            raise UsageError(f"--dataset.symmetry: {self.name} does not say what becomes of '{name}': add it")
        if len(maps[name].order) != dim:
            raise UsageError(
                f"--dataset.symmetry: {self.name} has {len(maps[name].order)} entries for '{name}', the dataset {dim}"
            )
        return maps[name]


@dataclass
class MirroredImages:
    """A camera's images and behind them their images by each symmetry, made when they are asked for.

    Attributes:
        store: The camera's images.
        n: How many there are.
        maps: What becomes of (x, y), by symmetry.
    """

    store: ImageStore
    n: int
    maps: list[SignedOrder]

    def __getitem__(self, index: Tensor) -> Tensor:
        images, which = self.store[index % self.n], index // self.n
        for k, symmetry in enumerate(self.maps, start=1):
            images[which == k] = symmetry.of_pictures(images[which == k])
        return images

    def prefetch(self, index: Tensor) -> None:
        if hasattr(self.store, "prefetch"):
            self.store.prefetch(index % self.n)

    @property
    def device(self) -> torch.device:
        return getattr(self.store, "device", torch.device("cpu"))

    @property
    def nbytes(self) -> int | float:
        return getattr(self.store, "nbytes", math.inf)

    def to(self, device: str) -> MirroredImages:
        return replace(self, store=on_device(self.store, device))


def _map(file: Path, column: str, told: Any) -> SignedOrder:
    order = told.get("order") if isinstance(told, dict) else None
    if (
        not isinstance(order, list)
        or not order
        or sorted(map(str, order)) != sorted(map(str, range(len(order))))
    ):
        raise UsageError(
            f"--dataset.symmetry: {file}: '{column}' needs order = [...], each place once, from 0"
        )
    sign, offset = told.get("sign", [1] * len(order)), told.get("offset", [0] * len(order))
    numbers = [isinstance(values, list) and len(values) == len(order) for values in (sign, offset)]
    if not all(numbers) or not all(isinstance(x, int | float) for x in (*sign, *offset)) or {*sign} - {1, -1}:
        raise UsageError(
            f"--dataset.symmetry: {file}: '{column}' needs sign = [...] of 1 and -1 and offset = [...] of numbers, "
            f"{len(order)} each"
        )
    return SignedOrder(order, [float(x) for x in sign], [float(x) for x in offset])
