"""How what the cache keeps looks as plain arrays: the set's reference, and series of pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from curation.checks.picture_model import PictureModel
from curation.checks.reference import Reference
from curation.checks.tracking_model import TrackingModel
from curation.frames import Series
from curation.grey import BLOCK_COLUMNS, BLOCK_ROWS

_PLAIN = ("fps", "state_names", "action_names", "usual_difference")


def reference_arrays(reference: Reference) -> dict[str, np.ndarray]:
    """Return a reference as arrays, with its names and numbers as JSON in `plain`."""
    head = {name: getattr(reference, name) for name in _PLAIN} | {"cameras": sorted(reference.pictures)}
    plain = json.dumps(head, sort_keys=True)
    arrays = {"plain": np.frombuffer(plain.encode(), np.uint8)}
    for name in ("state_scale", "action_scale", "motion", "action_motion", "tracks", "sigma", "quantum"):
        arrays[name] = getattr(reference, name)
    arrays["centre_state"], arrays["centre_action"] = reference.centre
    if reference.weights is not None:
        arrays["weights"] = reference.weights
    if reference.tracking is not None:
        for field in fields(TrackingModel):
            arrays[f"tracking_{field.name}"] = getattr(reference.tracking, field.name)
    for number, camera in enumerate(sorted(reference.pictures)):
        for field in fields(PictureModel):
            arrays[f"pictures_{number}_{field.name}"] = getattr(reference.pictures[camera], field.name)
    return arrays


def reference_from(arrays: Mapping[str, np.ndarray]) -> Reference:
    """Return the reference that `reference_arrays` made arrays of.

    Raises:
        ValueError: If the arrays are none of its.
    """
    try:
        plain = json.loads(arrays["plain"].tobytes())
        tracking = None
        if "tracking_joints" in arrays:
            tracking = TrackingModel(*(arrays[f"tracking_{field.name}"] for field in fields(TrackingModel)))
        return Reference(
            float(plain["fps"]),
            [str(name) for name in plain["state_names"]],
            [str(name) for name in plain["action_names"]],
            arrays["state_scale"],
            arrays["action_scale"],
            arrays["motion"],
            arrays["tracks"],
            arrays.get("weights"),
            arrays["sigma"],
            {str(camera): float(value) for camera, value in plain["usual_difference"].items()},
            tracking,
            arrays["quantum"],
            (arrays["centre_state"], arrays["centre_action"]),
            arrays["action_motion"],
            {
                str(camera): PictureModel(
                    *(arrays[f"pictures_{number}_{field.name}"] for field in fields(PictureModel))
                )
                for number, camera in enumerate(plain["cameras"])
            },
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no reference: {error}") from error


SERIES = ("brightness", "difference", "sharpness", "blocks")
"""Of each picture; `portraits` are of an episode, and of any size."""


def series_arrays(series: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return series of pictures, by key, as arrays: one behind the other, in the keys' order."""
    found = list(series.values())
    width = BLOCK_ROWS * BLOCK_COLUMNS
    empty = {name: np.zeros((0, width), np.uint16) if name == "blocks" else np.zeros(0) for name in SERIES}
    return {
        "lengths": np.array([len(one["brightness"]) for one in found], np.int64),
        "broken": np.array(["broken" in one for one in found], bool),
        **{name: np.concatenate([empty[name], *(one[name] for one in found)]) for name in SERIES},
        "shapes": np.array([one["portraits"].shape for one in found], np.int64).reshape(-1, 3),
        "portraits": np.concatenate([np.zeros(0, np.uint8), *(one["portraits"].ravel() for one in found)]),
    }


def series_from(keys: list[str], arrays: Mapping[str, np.ndarray]) -> Series:
    """Return the series that `series_arrays` made arrays of, by key.

    Raises:
        ValueError: If the arrays are none of its.
    """
    try:
        ends = np.cumsum(arrays["lengths"])
        if len(ends) != len(keys) or any(len(arrays[name]) != sum(arrays["lengths"]) for name in SERIES):
            raise ValueError("another number of pictures")
        shapes, pixels = arrays["shapes"], np.cumsum(arrays["shapes"].prod(axis=1))
        if len(shapes) != len(keys) or len(arrays["portraits"]) != (pixels[-1] if len(keys) else 0):
            raise ValueError("another number of pixels")
        result: Series = {}
        for i, (key, end, length, broken) in enumerate(zip(keys, ends, arrays["lengths"], arrays["broken"])):
            result[key] = {name: arrays[name][end - length : end] for name in SERIES}
            first = pixels[i] - shapes[i].prod()
            result[key]["portraits"] = arrays["portraits"][first : pixels[i]].reshape(shapes[i])
            if broken:
                result[key]["broken"] = np.ones(1)
        return result
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"no series of pictures: {error}") from error
