"""What a column is: lerobot's feature dictionaries, their Arrow types, and the columns that demodeck adds.

A feature is lerobot's `{"dtype": ..., "shape": ..., "names": ...}`. A column of shape (1,) is a scalar in
parquet, (n,) a list of fixed size; a video has no column. Source: lerobot 0.6.1, `datasets/feature_utils.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from collector.errors import DataError, UsageError

CODEBASE_VERSION = "v3.0"
CHUNK_SIZE = 1000
DATA_FILE_MB = 100
VIDEO_FILE_MB = 200
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"

Feature = dict[str, Any]
Features = dict[str, Feature]


def scalar(dtype: str, **extra: Any) -> Feature:
    """Return the feature of a column with one value a frame, e.g. `scalar("float64", unit="s")`."""
    return {"dtype": dtype, "shape": (1,), "names": None, **extra}


def vector(names: Sequence[str], dtype: str = "float32", **extra: Any) -> Feature:
    """Return the feature of a column with one value a name."""
    return {"dtype": dtype, "shape": (len(names),), "names": list(names), **extra}


def video(height: int, width: int) -> Feature:
    """Return the feature of an RGB camera [px]."""
    return {"dtype": "video", "shape": (height, width, 3), "names": ["height", "width", "channels"]}


# What lerobot keeps in every dataset; the writer fills these in, a journal never holds them.
DEFAULT_FEATURES: Features = {
    "timestamp": scalar("float32"),
    "frame_index": scalar("int64"),
    "episode_index": scalar("int64"),
    "index": scalar("int64"),
    "task_index": scalar("int64"),
}

# Columns of the episode table that demodeck adds to lerobot's; readers do without them.
EPISODE_COLUMNS: dict[str, pa.DataType] = {
    "success": pa.bool_(),
    "started_at": pa.string(),
    "seed": pa.int64(),
    "missed_ticks": pa.int64(),
    "clipped_ticks": pa.int64(),  # changes that safety made to what the pilot asked for
    "camera_faults": pa.string(),  # JSON list of {camera, kind, from_s, to_s, limit_s}
    "interrupted": pa.bool_(),
    "pilot": pa.string(),
    "flight_id": pa.string(),
}


def picture_size(feature: dict[str, Any]) -> tuple[int, int]:
    """Return height and width [px] of a camera's pictures, by the names of the feature's shape where it has any.

    Raises:
        DataError: If the shape is none of a picture.
    """
    shape, names = tuple(feature.get("shape") or ()), feature.get("names")
    if isinstance(names, list) and {"height", "width"} <= set(map(str, names)) and len(names) == len(shape):
        height, width = (shape[names.index(side)] for side in ("height", "width"))
    elif len(shape) == 3:
        height, width = shape[1:] if shape[0] in (1, 3) and shape[2] not in (1, 3) else shape[:2]
    else:
        raise DataError(f"a camera has pictures of shape {shape}: give height, width and channels")
    return int(height), int(width)


def features_for(
    state_names: Sequence[str],
    action_names: Sequence[str],
    cameras: Mapping[str, tuple[int, int]],
    environment_state_names: Sequence[str] = (),
    outcome: bool = False,
) -> Features:
    """Return the features of a recording, without lerobot's default columns.

    Args:
        state_names: Names of `observation.state`, units in the name (`shoulder_pan.pos`: degrees).
        action_names: Names of `action` and `executed_action`.
        cameras: (height, width) [px] by camera name.
        environment_state_names: Names of the privileged state of a simulation; none on a real robot.
        outcome: Whether the robot knows reward and success.
    """
    features = {"observation.state": vector(state_names), "action": vector(action_names)}
    if environment_state_names:
        features["observation.environment_state"] = vector(environment_state_names, privileged=True)
    features |= {f"observation.images.{name}": video(*size) for name, size in cameras.items()}
    features |= {"executed_action": vector(action_names), "intervention": scalar("bool")}
    for clock in ("tick", "observation", "action", *cameras):
        features[f"clock.{clock}"] = scalar("float64", unit="s")
    if outcome:
        features |= {"next.reward": scalar("float32"), "next.success": scalar("bool")}
    features["next.done"] = scalar("bool")
    return features


def camera_keys(features: Mapping[str, Feature]) -> list[str]:
    """Return the columns that hold pictures, as videos or one by one."""
    return [name for name, feature in features.items() if feature["dtype"] in ("video", "image")]


def video_keys(features: Mapping[str, Feature]) -> list[str]:
    """Return the columns that are stored as videos."""
    return [name for name, feature in features.items() if feature["dtype"] == "video"]


def numeric_keys(features: Mapping[str, Feature]) -> list[str]:
    """Return the columns that hold numbers or truth values."""
    kinds = ("video", "image", "string", "language")
    return [name for name, feature in features.items() if feature["dtype"] not in kinds]


def normalised(features: Mapping[str, Feature]) -> Features:
    """Return a copy with shapes as tuples and lerobot's default columns appended.

    Raises:
        UsageError: If a name holds '/' (lerobot refuses it) or a feature lacks its dtype or shape, has more
            than one dimension, or is a video of odd or tiny size.
    """
    result: Features = {}
    for name, feature in {**features, **DEFAULT_FEATURES}.items():
        if "/" in name or not feature.get("dtype") or "shape" not in feature:
            raise UsageError(f"column '{name}' needs a name without '/', a dtype and a shape, got {feature}")
        shape = tuple(int(n) for n in feature["shape"])
        if feature["dtype"] == "video":
            if len(shape) != 3 or shape[2] != 3 or shape[0] % 2 or shape[1] % 2 or min(shape[:2]) < 16:
                raise UsageError(
                    f"camera '{name}' has shape {shape}: RGB with even height and width of at least 16 px "
                    "can be encoded, so change the camera's size"
                )
        elif len(shape) != 1:
            raise UsageError(f"column '{name}' has shape {shape}: one dimension can be recorded")
        else:
            arrow_type({**feature, "shape": shape})
        result[name] = {"names": None, **feature, "shape": shape}
    return result


def arrow_type(feature: Feature) -> pa.DataType:
    """Return the parquet type of a column.

    Raises:
        UsageError: If the dtype is neither numeric, `bool` nor `string`.
    """
    try:
        value = (
            pa.string() if feature["dtype"] == "string" else pa.from_numpy_dtype(np.dtype(feature["dtype"]))
        )
    except (TypeError, NotImplementedError, pa.ArrowNotImplementedError) as error:
        raise UsageError(
            f"dtype '{feature['dtype']}' cannot be stored: use float32, float64, int64, bool or string"
        ) from error
    return value if tuple(feature["shape"]) == (1,) else pa.list_(value, feature["shape"][0])


def data_schema(features: Mapping[str, Feature], hugging_face: bool = True) -> pa.Schema:
    """Return the schema of a data file: every column that is not a video, in the order of `features`.

    Args:
        hugging_face: Whether to add the metadata by which the `datasets` library knows the types.
    """
    fields = {name: arrow_type(f) for name, f in features.items() if f["dtype"] != "video"}
    schema = pa.schema(list(fields.items()))
    if not hugging_face:
        return schema
    described = {}
    for name in fields:
        value = {"dtype": features[name]["dtype"], "_type": "Value"}
        shape = tuple(features[name]["shape"])
        described[name] = value if shape == (1,) else {"feature": value, "length": shape[0], "_type": "List"}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": described}})})


def to_arrow(values: np.ndarray, feature: Feature) -> pa.Array:
    """Return a column, (n_frames,) or (n_frames, dim), as an Arrow array of the feature's type."""
    kind = arrow_type(feature)
    if pa.types.is_fixed_size_list(kind):
        flat = np.ascontiguousarray(values).reshape(-1)
        return pa.FixedSizeListArray.from_arrays(pa.array(flat, kind.value_type), kind.list_size)
    return pa.array(values, kind)


def to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    """Return an Arrow column as (n_frames,), or (n_frames, dim) where it holds lists of equal length."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_fixed_size_list(array.type) or pa.types.is_list(array.type):
        n_frames = len(array)
        if pa.types.is_struct(array.type.value_type):  # lerobot's language: as many rows as there is to say
            rows = np.empty(n_frames, object)
            rows[:] = array.to_pylist()
            return rows
        inner = to_numpy(pa.chunked_array([array.flatten()]))
        size = getattr(array.type, "list_size", None) or (len(inner) // n_frames if n_frames else 0)
        return inner.reshape(n_frames, size, *inner.shape[1:])
    kind = array.type
    if not array.null_count and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return np.from_dlpack(array)  # to_numpy() would import pandas, which costs more than most reading
    return array.to_numpy(zero_copy_only=False)


def validate_frame(columns: Mapping[str, Any], images: Mapping[str, np.ndarray], features: Features) -> None:
    """Check one tick against the features that a journal holds.

    Raises:
        ValueError: If a column is missing, unknown or of the wrong shape: a defect of the caller.
    """
    given = columns.keys() | images.keys()
    wanted = features.keys() - DEFAULT_FEATURES.keys()
    if given != wanted:
        raise ValueError(f"frame lacks {sorted(wanted - given)} and has unknown {sorted(given - wanted)}")
    for name, value in columns.items():
        shape = np.shape(value)
        if shape != features[name]["shape"] and not (shape == () and features[name]["shape"] == (1,)):
            raise ValueError(f"'{name}' has shape {shape}, not {features[name]['shape']}")
    for name, image in images.items():
        if image.shape != features[name]["shape"] or image.dtype != np.uint8:
            raise ValueError(f"'{name}' is {image.dtype} {image.shape}, not uint8 {features[name]['shape']}")
