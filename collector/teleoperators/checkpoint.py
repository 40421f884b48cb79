"""A policy on the disk: where it lies, and what it sees and does as far as its settings tell. No network is loaded."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from collector.errors import DataError, HubError, MismatchError, UsageError

STATE, ENVIRONMENT_STATE, ACTION = "observation.state", "observation.environment_state", "action"
# lerobot's prefix of camera columns, and the older one of datasets with a single camera (observation.image).
IMAGE_PREFIXES = ("observation.images.", "observation.")


class Checkpoint:
    """A policy's folder and what its `config.json` says.

    Args:
        path: A folder (a run's folder means its last checkpoint), or a name on the Hub.
        revision: Tag, branch or commit on the Hub.

    Attributes:
        path: As given.
        folder: Where it lies.
        commit: Its commit where it came from the Hub, else None.
        settings: Its `config.json`.

    Raises:
        UsageError: If no path is given.
        DataError: If the path holds no policy.
        HubError: If the Hub cannot give it.
    """

    def __init__(self, path: str, revision: str | None = None) -> None:
        self.path = path
        self.folder, self.commit = find_policy(path, revision)
        self.settings: dict[str, Any] = json.loads((self.folder / "config.json").read_text())

    @functools.cached_property
    def inputs(self) -> dict[str, int]:
        """Length of each low-dimensional input by feature name; cameras are not among them."""
        return {
            key: int(feature["shape"][0])
            for key, feature in (self.settings.get("input_features") or {}).items()
            if feature["type"] != "VISUAL"
        }

    @functools.cached_property
    def pictures(self) -> dict[str, str]:
        """The camera of each picture that the policy sees, by feature name."""
        features = self.settings.get("input_features") or {}
        return {key: _camera_of(key) for key, feature in features.items() if feature["type"] == "VISUAL"}

    @property
    def cameras(self) -> list[str]:
        """Names of the cameras that the policy sees, as robots name them."""
        return list(self.pictures.values())

    @functools.cached_property
    def fps(self) -> int | None:
        """Control rate that the policy was trained at [Hz], where its checkpoint says."""
        if self.settings.get("fps"):
            return int(self.settings["fps"])
        try:
            record = json.loads((self.folder / "train_config.json").read_text())
            return int(record["run"]["dataset"]["fps"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # a checkpoint of plain lerobot does not say

    @property
    def n_actions(self) -> int:
        """Length of the action."""
        return int((self.settings.get("output_features") or {}).get(ACTION, {}).get("shape", [0])[0])

    @property
    def action_names(self) -> list[str] | None:
        """Names of the actions, in the policy's order, where the checkpoint names them."""
        names = self.settings.get("action_feature_names") or self.settings.get("state_feature_names")
        return list(names) if names and len(names) == self.n_actions else None

    def check_robot(self, robot: Any) -> None:
        """Compare what the policy sees and does with what a robot shows and takes.

        Args:
            robot: A lerobot `Robot`, connected or not; where it has a `task`, that gives the scene's state.

        Raises:
            MismatchError: If they do not fit, naming every difference.
        """
        wrong = []
        shown = [name for name, kind in robot.observation_features.items() if not isinstance(kind, tuple)]
        wrong += _differences(
            "state", self.settings.get("state_feature_names"), shown, self.inputs.get(STATE)
        )
        if ENVIRONMENT_STATE in self.inputs:
            task = getattr(robot, "task", None)
            known = list(getattr(task, "environment_state_names", None) or [])
            names = self.settings.get("environment_state_names")
            differences = _differences("environment_state", names, known, self.inputs[ENVIRONMENT_STATE])
            if names and not differences and names != known:  # taken as one vector, not by name
                differences = [f"environment_state: the policy takes it in the order {', '.join(names)}"]
            wrong += differences
        taken = list(robot.action_features)
        names = self.settings.get("action_feature_names")
        wrong += _differences("action", names, taken, self.n_actions)
        pictures = [name for name, kind in robot.observation_features.items() if isinstance(kind, tuple)]
        missing = [name for name in self.cameras if name not in pictures]
        if missing:
            wrong.append(
                f"cameras: the policy sees {', '.join(missing)}, "
                f"the robot has {', '.join(pictures) or 'none'}"
            )
        if wrong:
            raise MismatchError(
                f"policy '{self.path}' does not fit the robot '{robot.name}': {'; '.join(wrong)}: "
                "fly it on the robot it was trained on, or train it anew"
            )

    def check_task(self, task: str) -> None:
        """Raise `UsageError` where the policy has to be told one of several tasks, and `task` is none of them."""
        known = self.settings.get("tasks") or []
        if known and task not in known:
            told = f"'{task}' is none of them" if task else "it has to be told which"
            raise UsageError(
                f"policy '{self.path}' was trained on the tasks '{"', '".join(known)}', and {told}: give one with "
                "--policy.task= (rollout: --task=, teleop and record: --teleop.task=)"
            )

    def vector(self, key: str, observation: dict[str, Any]) -> np.ndarray:
        """Return one low-dimensional input of an observation, float32, (n,), in the policy's order of names.

        Raises:
            MismatchError: If the robot does not show it, or with another length.
        """
        if key == ENVIRONMENT_STATE:
            if "environment_state" not in observation:
                raise MismatchError(
                    f"policy '{self.path}' sees the scene's state, which only a simulation knows: "
                    "train one on observation.state or images for a real robot"
                )
            return self._whole(key, observation["environment_state"])
        names = self.settings.get("state_feature_names")
        if not names:
            names = [k for k, v in observation.items() if isinstance(v, (int, float, np.floating))]
        missing = [name for name in names if name not in observation]
        if missing:
            raise MismatchError(
                f"policy '{self.path}' sees {', '.join(missing)}, which the robot does not show: "
                "fly it on the robot it was trained on"
            )
        return self._whole(key, [observation[name] for name in names])

    def _whole(self, key: str, values: Any) -> np.ndarray:
        if len(values) != self.inputs[key]:
            raise MismatchError(
                f"policy '{self.path}' was trained on {self.inputs[key]} entries of {key}, "
                f"the robot shows {len(values)}: fly it on the robot it was trained on"
            )
        return np.asarray(values, dtype=np.float32)


def _camera_of(column: str) -> str:
    """Return a camera's name from the name of its column."""
    for prefix in IMAGE_PREFIXES:
        if column.startswith(prefix):
            return column.removeprefix(prefix)
    return column


def find_policy(path: str, revision: str | None = None) -> tuple[Path, str | None]:
    """Find a policy in a folder (a run's folder means its last checkpoint), or pull it from the Hub.

    Returns:
        Its folder, and its commit where it came from the Hub.

    Raises:
        UsageError: If no path is given.
        DataError: If a local folder holds no policy.
        HubError: If the path is neither a folder nor on the Hub.
    """
    if not path:
        raise UsageError("which policy? give its folder or its name on the Hub as .path=")
    local = Path(path).expanduser()
    if local.is_dir():
        for folder in (
            local,
            local / "pretrained_model",
            local / "checkpoints" / "last" / "pretrained_model",
        ):
            if (folder / "config.json").is_file():
                return folder, None
        raise DataError(
            f"{local} holds no policy (no config.json): give the folder 'pretrained_model' of a checkpoint"
        )
    if local.exists() or path.count("/") != 1 or path.startswith((".", "/", "~")):
        raise DataError(
            f"'{path}' is neither a folder with a policy nor a name on the Hub (user/name): check it"
        )
    from collector.hub.client import pull, resolve_revision

    try:
        commit = resolve_revision(path, repo_type="model", revision=revision)
        folder = pull(path, repo_type="model", revision=commit)
    except HubError as error:
        raise HubError(f"no folder '{path}', and from the Hub: {error}") from error
    if not (folder / "config.json").is_file():
        raise DataError(f"'{path}' on the Hub holds no policy (no config.json)")
    return folder, commit


def _differences(what: str, trained: list[str] | None, offered: list[str], length: int | None) -> list[str]:
    """Say how the names (or, where unnamed, the number) of one vector differ; [] where they fit."""
    if length is None:
        return []
    if not trained:
        if length == len(offered):
            return []
        return [f"{what}: the policy has {length} entries, the robot {len(offered)}"]
    lacking = [name for name in trained if name not in offered]
    # An observed vector may be a choice of what the robot shows, but an action must be whole.
    extra = [name for name in offered if name not in trained] if what == "action" else []
    parts = []
    if lacking:
        parts.append(f"the robot lacks {', '.join(lacking)}")
    if extra:
        parts.append(f"the policy does not know {', '.join(extra)}")
    return [f"{what}: {' and '.join(parts)}"] if parts else []
