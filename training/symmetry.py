"""Mirror images of flights: symmetries of robot, task and scene, written down in a file, that multiply the data.

A symmetry takes each vector x that a policy sees or does to x', x'_i = sign_i x_{order_i} + offset_i. Where mirrored
scene and mirrored actions go together like those that were flown, the mirrored flight is as good as another one.

    [[symmetry]]                                   # (x, y) to (512 - y, 512 - x)
    "action" = { order = [1, 0], sign = [-1, -1], offset = [512, 512] }
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from collector.errors import UsageError
from training.data import EpisodeFrames

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
            UsageError: If a symmetry does not say what becomes of a column, or the policy sees cameras.
        """
        if frames.images:
            raise UsageError(
                f"--dataset.symmetry: {self.name} mirrors vectors, and the policy sees {', '.join(frames.images)}: "
                "leave the cameras out of --policy.inputs, or the symmetry out"
            )
        columns = {
            name: torch.cat([values, *(self._image(name, values, maps) for maps in self.maps)])
            for name, values in frames.columns.items()
        }
        shifts = range(0, len(frames) * (len(self.maps) + 1), len(frames))
        first, last = (torch.cat([ends + shift for shift in shifts]) for ends in (frames.first, frames.last))
        return replace(frames, columns=columns, first=first, last=last)

    def _image(self, name: str, values: Tensor, maps: dict[str, SignedOrder]) -> Tensor:
        if name in SAME_FOR_ALL:
            return values
        if name not in maps:
            raise UsageError(f"--dataset.symmetry: {self.name} does not say what becomes of '{name}': add it")
        if len(maps[name].order) != values.shape[1]:
            raise UsageError(
                f"--dataset.symmetry: {self.name} has {len(maps[name].order)} entries for '{name}', "
                f"the dataset {values.shape[1]}"
            )
        return maps[name](values)


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
