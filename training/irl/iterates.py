"""Every policy of a run with its reward, each in a file that is whole or absent: a killed run goes on from there.

folder/apprenticeship.json   what the iterates belong to: settings, feature names, the expert's mu
folder/iterates/0007.npz     weights, mu and policy of one iterate
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from collector.dataset.durable import make_folder, write_bytes, write_json
from collector.errors import DataError, UsageError

RECORD = "apprenticeship.json"
_POLICY = "policy."


@dataclass(frozen=True)
class Iterate:
    """One pass of the loop.

    Attributes:
        number: i; 0 is the policy that it began with, without a reward.
        weights: w_i, (n_features,).
        margin: t_i, of the reward that this policy was then learnt for; infinite for 0.
        mean: mu_i, (n_features,).
        distance: ||mu_E - mu_i||.
        truncation: As `Expectations.truncation`.
        sampling_error: As `Expectations.sampling_error`.
        policy: The policy, arrays by name.
    """

    number: int
    weights: np.ndarray
    margin: float
    mean: np.ndarray
    distance: float
    truncation: float
    sampling_error: float
    policy: dict[str, np.ndarray]


class IterateFolder:
    """Keeps iterates."""

    def __init__(self, path: Path, resume: bool = False) -> None:
        """Choose a folder.

        Args:
            path: It must not exist, or be empty, unless `resume`.
            resume: Go on with what it holds.
        """
        self.path, self._resume = path, resume

    def begin(self, record: dict[str, Any]) -> list[Iterate]:
        """Make the folder, or read what it holds.

        Args:
            record: What all iterates in it share, JSON.

        Raises:
            UsageError: If it holds a run and `resume` was not asked for, or one that differs in `record`.
            DataError: If it is asked to resume and holds no run, or an iterate is damaged.
        """
        file = self.path / RECORD
        if not self._resume:
            if self.path.exists() and any(self.path.iterdir()):
                raise UsageError(
                    f"{self.path} is not empty: go on with --resume, or take another --output_dir"
                )
            make_folder(self.path / "iterates")
            write_json(file, record)
            return []
        try:
            kept = json.loads(file.read_text())
        except FileNotFoundError:
            raise DataError(
                f"{self.path} holds no run to resume: check --output_dir, or leave --resume out"
            ) from None
        except ValueError:
            raise DataError(f"{file} is damaged: begin anew in another --output_dir") from None
        if differing := [key for key in record if kept.get(key) != record[key]]:
            raise UsageError(
                f"{self.path} was begun with another {', '.join(differing)}: give the same, or another --output_dir"
            )
        return self._read()

    def _read(self) -> list[Iterate]:
        iterates: list[Iterate] = []
        while (file := self._file(len(iterates))).exists():
            iterates.append(load_iterate(file))
        return iterates

    def keep(self, iterate: Iterate) -> None:
        """Write an iterate.

        Raises:
            OSError: If the disk refuses.
        """
        arrays: dict[str, Any] = {
            name: getattr(iterate, name) for name in Iterate.__dataclass_fields__ if name != "policy"
        }
        arrays |= {_POLICY + name: array for name, array in iterate.policy.items()}
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        write_bytes(self._file(iterate.number), content.getvalue())

    def _file(self, number: int) -> Path:
        return self.path / "iterates" / f"{number:04d}.npz"


def load_iterate(file: Path) -> Iterate:
    """Read one iterate.

    Raises:
        DataError: If it is missing or damaged.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            policy = {name.removeprefix(_POLICY): arrays[name] for name in arrays if name.startswith(_POLICY)}
            return Iterate(
                number=int(arrays["number"]),
                weights=arrays["weights"],
                margin=float(arrays["margin"]),
                mean=arrays["mean"],
                distance=float(arrays["distance"]),
                truncation=float(arrays["truncation"]),
                sampling_error=float(arrays["sampling_error"]),
                policy=policy,
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{file} is no iterate or is damaged ({error}): remove it, it is then learnt again"
        ) from None
