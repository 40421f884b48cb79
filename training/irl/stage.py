"""A reward from flights, within a run of `demodeck train`: before the policy is trained, and what it is trained on.

output_dir/irl/      the learner's own: its iterates, and `learnt.npz`, from which a resumed run goes on
output_dir/reward/   the reward, as `collector.dataset.linear_reward` and lerobot read it, with its card
"""

from __future__ import annotations

import io
import json
import sys
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.utils.constants import ACTION

from collector.dataset.durable import make_folder, write_bytes
from collector.dataset.feature_maps import FeatureMap
from collector.dataset.linear_reward import LinearReward, frame_table
from collector.dataset.reader import Dataset
from collector.errors import DataError, UsageError
from training.checkpoints import write_checkpoint
from training.config import TrainConfig
from training.data import EpisodeFrames
from training.interrupt import StopRequest
from training.irl.feature_file import FITTED, read_features
from training.irl.reward_card import write_reward_card
from training.irl.task import Flights, Learnt, Task
from training.irl.transitions import transitions_of_dataset
from training.irl.views import fit_features
from training.source import Provenance

FOLDER, REWARD = "irl", "reward"
_LEARNT = "learnt.npz"
_HORIZON = 2.5  # median flights of the expert that 1 / (1 - gamma) frames make
_INPUTS = ("observation.state", "observation.environment_state")


@dataclass(frozen=True)
class Stage:
    """What will be learnt of what.

    Attributes:
        config: The run's flags.
        provenance: Of the flights.
        flights: What was flown.
        inputs: Columns that make up the state.
        features: phi.
    """

    config: TrainConfig
    provenance: Provenance
    flights: Flights
    inputs: tuple[str, ...]
    features: FeatureMap

    @classmethod
    def prepare(cls, config: TrainConfig, dataset: Dataset, provenance: Provenance) -> Stage:
        """Read the flights and fit the features, before the run's folder is made.

        Raises:
            UsageError: If a flag or the file of features does not fit the dataset.
            DataError: If a column holds NaN or infinity.
        """
        assert config.irl is not None
        inputs = tuple(config.irl.inputs or [name for name in _INPUTS if name in dataset.features])
        numeric = [
            name
            for name, feature in dataset.features.items()
            if feature["dtype"].startswith(("float", "int")) and name not in dataset.camera_keys
        ]
        if missing := [name for name in inputs if name not in numeric]:
            raise UsageError(f"--irl.inputs: no column '{missing[0]}' of numbers, but {', '.join(numeric)}")
        if not inputs:
            raise UsageError(
                f"{dataset.root} has neither {' nor '.join(_INPUTS)}: say by --irl.inputs what is seen; it has "
                f"{', '.join(numeric)}"
            )
        seen = inputs
        if config.irl.features not in FITTED:
            read_features(config.irl.features)  # wrong ones are told before the flights are read
            seen = tuple(dict.fromkeys([*inputs, *_nameable(numeric)]))
        episodes = provenance.episodes
        flights = Flights(
            dataset,
            episodes,
            dataset.lengths(episodes),
            ~np.isin(episodes, provenance.coverage),
            _finite(frame_table(dataset, seen, episodes), dataset, episodes),
        )
        if not flights.is_expert.any():
            raise UsageError(
                "no expert: --dataset.filter chooses no episode that --dataset.coverage_filter leaves"
            )
        config = _with_discount(config, flights)
        assert config.irl is not None
        entries = {name: _entry_names(dataset, name) for name in seen}
        features = fit_features(
            config.irl.features,
            flights.columns,
            inputs,
            entries,
            lambda: transitions_of_dataset(dataset, episodes, inputs),
            config.irl.n_features,
            config.irl.bandwidth,
            config.seed,
            cls._say,
        )
        return cls(config, provenance, flights, inputs, features)

    @property
    def trains_policy(self) -> bool:
        """Whether a policy is asked for."""
        return self.config.irl is not None and self.config.irl.policy

    def run(self, output_dir: Path, resume: bool) -> Learnt:
        """Learn, or take what was learnt before; write the reward.

        Raises:
            As `IrlConfig.learn`, and StorageError if the disk is full.
        """
        folder = output_dir / FOLDER
        kept = folder / _LEARNT
        if resume and kept.exists():
            learnt = _load(kept)
            self._say(f"the reward in {output_dir / REWARD} is learnt already")
            return learnt
        learnt = self.learn(folder, resume)
        if learnt.interrupted:
            return learnt
        reward = self.reward(learnt)
        reward.save(output_dir / REWARD)
        write_reward_card(output_dir / REWARD, reward, self.flights)
        if learnt.write_policy is None:
            make_folder(folder)
            _keep(kept, learnt)
        self._say(f"wrote the reward to {output_dir / REWARD}")
        return learnt

    def learn(self, folder: Path, resume: bool = False) -> Learnt:
        """Learn, and write nothing but what the learner keeps of its own.

        Args:
            folder: Where it keeps that.
            resume: Whether `folder` may hold a part of the work.

        Raises:
            As `IrlConfig.learn`, and StorageError if the disk is full.
        """
        assert self.config.irl is not None
        n_expert = int(self.flights.is_expert.sum())
        self._say(
            f"{self.config.irl.type}: {n_expert} flights of the expert, {len(self.flights.episodes) - n_expert} "
            f"others; {len(self.features.names)} features ({self.features.kind}) of {', '.join(self.features.columns)}"
        )
        began, spent = time.monotonic(), time.process_time()
        with StopRequest() as stop:
            task = Task(
                self.config,
                self.flights,
                self.features,
                self.features(self.flights.columns),
                self.inputs,
                folder,
                resume,
                self._say,
                lambda: bool(stop.signal),
            )
            learnt = self.config.irl.learn(task)
        if learnt.interrupted:
            learnt.figures["signal"] = stop.signal or "SIGINT"
            return learnt
        learnt.figures["seconds"] = round(time.monotonic() - began, 2)
        learnt.figures["cpu_seconds"] = round(time.process_time() - spent, 2)
        return learnt

    def reward(self, learnt: Learnt) -> LinearReward:
        """Return the reward with what is to be known of it.

        Raises:
            DataError: If its weights are 0 or no numbers.
        """
        assert self.config.irl is not None
        norm = float(np.linalg.norm(learnt.weights))
        if not norm > 0 or not np.isfinite(norm):
            raise DataError(
                f"the reward's weights have norm {norm}: nothing was learnt; choose other --irl.features or flights"
            )
        source = self.provenance
        learnt_of = {
            "by": self.config.irl.type,
            "dataset": source.repo_id or "a local folder",
            "revision": source.revision,
            "filter": source.filter,
            "coverage_filter": source.coverage_filter,
            "expert_episodes": len(source.episodes) - len(source.coverage),
            "coverage_episodes": len(source.coverage),
            "episodes_sha256": source.episodes_sha256,
            "seed": self.config.seed,
            **learnt.figures,
        }
        return LinearReward(self.features, learnt.weights / norm, self.config.irl.discount, learnt_of)

    @staticmethod
    def _say(line: str) -> None:
        print(f"train: {line}", file=sys.stderr, flush=True)


def _with_discount(config: TrainConfig, flights: Flights) -> TrainConfig:
    """Return the config with gamma filled in where it is left to the flights' length."""
    assert config.irl is not None
    if config.irl.discount:
        return config
    median = float(np.median(flights.lengths[flights.is_expert]))
    discount = round(1 - 1 / max(_HORIZON * median, 2.0), 6)
    return replace(config, irl=replace(config.irl, discount=discount))


def write_learners_policy(learnt: Learnt, checkpoint: Path) -> None:
    """Write the policy of a learner that trained one itself, as a checkpoint.

    Args:
        learnt: With `write_policy`.
        checkpoint: As `checkpoint_dir` gives it.

    Raises:
        StorageError: If the disk is full or not writable.
    """

    def write(model: Path, state: Path) -> None:
        assert learnt.write_policy is not None
        learnt.write_policy(model)
        (state / "figures.json").write_text(json.dumps(learnt.figures))

    write_checkpoint(checkpoint, write)


def taught(
    frames: EpisodeFrames, weights: np.ndarray | None, learnt: Learnt
) -> tuple[EpisodeFrames, np.ndarray | None]:
    """Return frames and weights from which the policy is trained.

    Args:
        frames: Of the policy, in the order of the flights.
        weights: As the flags weigh them, (n_frames,), or None.
        learnt: What the reward says of the frames.

    Returns:
        The frames, their actions replaced where the learner has better ones, and float32 weights with mean 1.
    """
    if learnt.actions is not None:
        actions = torch.as_tensor(learnt.actions, dtype=torch.float32)
        frames = replace(frames, columns={**frames.columns, ACTION: actions})
    if learnt.frame_weights is not None:
        weighed = learnt.frame_weights if weights is None else learnt.frame_weights * weights
        weights = (weighed / weighed.mean()).astype(np.float32)
    return frames, weights


def _nameable(numeric: list[str]) -> list[str]:
    """Return the columns whose entries a file of features may name: what is seen and done, not rewards or clocks."""
    return [name for name in numeric if name.startswith("observation.") or name == "action"]


def _finite(table: dict[str, np.ndarray], dataset: Dataset, episodes: list[int]) -> dict[str, np.ndarray]:
    of_frame = np.repeat(episodes, dataset.lengths(episodes))
    for name, values in table.items():
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            raise DataError(
                f"column '{name}' holds NaN or infinity in {bad.sum()} frames (the first in episode "
                f"{of_frame[bad][0]}): run 'demodeck score' and leave such episodes out"
            )
    return table


def _entry_names(dataset: Dataset, column: str) -> list[str]:
    names: Any = dataset.features[column].get("names")
    if isinstance(names, dict):  # older lerobot: {"motors": [...]}
        names = [name for group in names.values() for name in group or []]
    return [str(name) for name in names or []]


def _keep(path: Path, learnt: Learnt) -> None:
    arrays: dict[str, Any] = {
        name: array
        for name in ("weights", "frame_weights", "actions")
        if (array := getattr(learnt, name)) is not None
    }
    content = io.BytesIO()
    np.savez_compressed(content, figures=json.dumps(learnt.figures), **arrays)
    write_bytes(path, content.getvalue())


def _load(path: Path) -> Learnt:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Learnt(
                weights=arrays["weights"],
                figures=json.loads(str(arrays["figures"])),
                frame_weights=arrays.get("frame_weights"),
                actions=arrays.get("actions"),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged ({error}): remove it, the reward is then learnt again") from None
