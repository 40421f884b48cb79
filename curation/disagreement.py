"""How far each flight's actions are from what a policy would have done, as one more soft score.

The policy is an ONNX file, as `demodeck export` writes it: so neither torch nor the trainer is needed here. A policy
that was trained on these very flights agrees with them more than with new ones; and where two ways are right, it
takes but one. So the score orders the review, and accuses nobody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from collector.dataset.reader import Dataset
from collector.errors import DataError, MismatchError, UsageError, shown
from curation.checks.base import Episode
from curation.checks.reference import Reference
from curation.ranking import Ranking

NAME = "disagreement"
MOST_FRAMES = 32
"""Frames of a flight at which the policy is asked; more would cost time and change little."""


class FilePolicy:
    """A policy's file, ready to be asked.

    Args:
        path: The ONNX file.

    Raises:
        UsageError: If onnxruntime is not installed.
        DataError: If there is no such file, or it is none of `demodeck export`.
        MismatchError: If the policy looks at cameras.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise UsageError("--policy needs onnxruntime: pip install 'demodeck[onnx]'") from error
        if not path.is_file():
            raise DataError(f"there is no file {shown(path)}: 'demodeck export' writes a policy's")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            known = self._session.get_modelmeta().custom_metadata_map
            self.fps = float(known["fps"])
            self.n_action_steps = int(known["n_action_steps"])
            self.names = {
                "observation.state": json.loads(known.get("state_names", "[]")),
                "action": json.loads(known.get("action_names", "[]")),
            }
            self.tasks = [str(task) for task in json.loads(known.get("tasks", "[]"))]
            self.inputs = {i.name: tuple(int(n) for n in i.shape) for i in self._session.get_inputs()}
            self.width = int(self._session.get_outputs()[0].shape[2])
        except (
            Exception
        ) as error:  # onnxruntime has an exception for each stage, with no common ancestor of its own
            raise DataError(f"{shown(path)} is no policy that 'demodeck export' wrote") from error
        self.columns = [name for name in self.inputs if name.startswith("observation.")]
        cameras = [name for name in self.columns if len(self.inputs[name]) > 3]
        if cameras:
            raise MismatchError(
                f"the policy of {shown(path)} looks at {', '.join(map(shown, cameras))}: only policies that see "
                "numbers can be asked here"
            )

    def actions(self, seen: dict[str, np.ndarray], task: int, rng: np.random.Generator) -> np.ndarray:
        """Return what the policy would do from now on, (n_steps, n_action).

        Args:
            seen: By column the last observations, the oldest first, (n_obs_steps, dim).
            task: Place of the task in `tasks`.
            rng: For a policy that samples.
        """
        inputs: dict[str, Any] = {
            name: np.float32(seen[name]).reshape(self.inputs[name]) for name in self.columns
        }
        if "task_index" in self.inputs:
            inputs["task_index"] = np.array([task])
        if "noise" in self.inputs:
            inputs["noise"] = rng.standard_normal(self.inputs["noise"], np.float32)
        return np.asarray(self._session.run(["actions"], inputs)[0][0], float)

    def steps_seen(self, name: str) -> int:
        """Return how many observations of a column the policy sees at once."""
        shape = self.inputs[name]
        return shape[1] if len(shape) == 3 else 1


def check_policy_fits(policy: FilePolicy, dataset: Dataset) -> None:
    """Check that a dataset has what the policy sees, and the actions that it takes.

    Raises:
        MismatchError: If a column is missing, of another width or of other names, or the frame rate differs.
    """
    widths = {name: policy.inputs[name][-1] for name in policy.columns} | {"action": policy.width}
    for name, width in widths.items():
        feature = dataset.features.get(name)
        if feature is None:
            raise MismatchError(
                f"the policy needs '{shown(name)}', {dataset.root} has none: it is of another robot"
            )
        has = int(np.prod(feature["shape"], dtype=int))
        entries, wanted = feature.get("names"), policy.names.get(name)
        if has != width or (isinstance(entries, list) and wanted and list(map(str, entries)) != wanted):
            raise MismatchError(
                f"the policy has '{shown(name)}' of {width} entries {shown(wanted or '')}, {dataset.root} of {has}: "
                "it is of another robot or scene"
            )
    if policy.fps != dataset.fps:
        raise MismatchError(
            f"the policy acts at {policy.fps:g} Hz, the dataset has {dataset.fps:g}: they must agree"
        )


def ranking_by_policy(policy: FilePolicy, tasks: Sequence[str]) -> Ranking:
    """Return the soft score of a policy; `tasks` are the dataset's, by their numbers."""
    places = [policy.tasks.index(task) if task in policy.tasks else -1 for task in tasks]

    def disagreements(episodes: Sequence[Episode], reference: Reference) -> np.ndarray:
        return np.array([_disagreement(policy, places, e, reference.action_scale) for e in episodes], float)

    return Ranking(NAME, "actions as the policy would choose", False, disagreements)


def _disagreement(policy: FilePolicy, places: Sequence[int], episode: Episode, scale: np.ndarray) -> float:
    """Return the median over frames of the distance to the policy's next actions.

    The distance is the root mean square over the steps that the policy would take and the entries, in ranges of the
    entries. NaN for a task that the policy does not know, or numbers that are none.
    """
    columns = {name: np.asarray(episode.columns[name], float) for name in policy.columns}
    numbers = np.asarray(episode.columns.get("task_index", np.zeros(1)), int).ravel()
    task = 0
    if "task_index" in policy.inputs:
        task = places[numbers[0]] if len(numbers) and 0 <= numbers[0] < len(places) else -1
    if task < 0 or not len(episode) or not all(np.isfinite(values).all() for values in columns.values()):
        return float("nan")
    rng = np.random.default_rng(episode.index)
    found = []
    for t in np.unique(np.linspace(0, len(episode) - 1, MOST_FRAMES).astype(int)).tolist():
        seen = {
            name: values[np.maximum(0, np.arange(t + 1 - policy.steps_seen(name), t + 1))]
            for name, values in columns.items()
        }
        flown = episode.action[t : t + policy.n_action_steps]
        chosen = policy.actions(seen, task, rng)[: len(flown)]
        found.append(float(np.sqrt((((chosen - flown[: len(chosen)]) / scale) ** 2).mean())))
    return float(np.median(found))
