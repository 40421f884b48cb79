"""`demodeck export`: a policy as one ONNX file, which flies where neither torch nor lerobot is.

What is written is all that happens between an observation and a chunk of actions: normalising, the network, the
sampler's steps, and back to the robot's units. Inputs carry the names of the dataset's columns:

    observation.*   float32, (1, dim), and (1, n_obs_steps, dim) where the policy sees several, the oldest first;
                    cameras in [0, 1], (1, 3, height, width) likewise
    task_index      int64, (1,): place in `tasks`, where the policy knows several
    noise           float32, (1, horizon, action_dim), standard normal: where it samples, what it begins from

The one output is `actions`, float32, (1, horizon - n_obs_steps + 1, action_dim), from the present on. The file's
metadata says the rest: `fps`, `n_action_steps`, the names of states and actions, the tasks, and where it comes from.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collector.errors import DataError, StorageError, UsageError
from collector.flags import parse_flags
from collector.teleoperators.checkpoint import find_policy
from training.arguments import bare_switches, quiet_lerobot, say

N_CHECKED = 8  # observations by which the file is held against the policy
TOLERANCE = 1e-4  # largest difference [standard deviations of the actions]


@dataclass
class ExportedPolicy:
    """The policy to write."""

    # Folder of a checkpoint, or name on the Hub
    path: str = ""
    # Tag, branch or commit on the Hub
    revision: str | None = None
    # Settings of the policy given anew, such as '{num_inference_steps: 2}'
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class ExportConfig:
    """Settings of one export."""

    policy: ExportedPolicy = field(default_factory=ExportedPolicy)
    # The file to write
    output: Path = Path("policy.onnx")
    # Print what was written as JSON
    json: bool = False


def main_export(args: list[str]) -> int:
    """Write a policy as one ONNX file that flies without torch."""
    quiet_lerobot()
    config = parse_flags(ExportConfig, bare_switches(args, "json"), "export")
    told = export(config)
    if config.json:
        print(json.dumps(told))
    else:
        print(
            f"{told['file']}: {told['bytes'] / 1e6:.1f} MB, inputs {', '.join(told['inputs'])}; over "
            f"{N_CHECKED} observations its actions differ from the policy's by at most {told['difference']:.1e} "
            "standard deviations"
        )
    return 0


def export(config: ExportConfig) -> dict[str, Any]:
    """Write a policy's file, after holding it against the policy.

    Returns:
        `file`, `bytes`, `inputs` ({name: shape}), `output` (shape), `difference` (largest between the file's actions
        and the policy's, in standard deviations of the normalised actions) and `metadata`.

    Raises:
        UsageError: If a package is missing, the policy is none of ours, or its sampler draws noise on its way.
        DataError: If the checkpoint is missing or damaged, or the file would act otherwise than the policy.
        HubError: If the Hub cannot give it.
        StorageError: If the disk refuses.
    """
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"demodeck export needs the package '{error.name}': pip install 'demodeck[onnx]'"
        ) from error
    from training.onnx_graph import Exported, differences

    with contextlib.redirect_stdout(sys.stderr):
        exported = Exported.load(
            find_policy(config.policy.path, config.policy.revision)[0], config.policy.settings
        )
        say("tracing the policy, which takes a while ...", "export")
        with _quiet():
            model = exported.traced()
    metadata = exported.metadata()
    model.metadata_props.update(
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    )
    content = in_bytes(model)
    difference = differences(exported, content, N_CHECKED)
    if not difference <= TOLERANCE:
        raise DataError(
            f"the exported file acts otherwise than '{config.policy.path}' (by {difference:.1e} standard deviations, "
            f"at most {TOLERANCE:g} is allowed): nothing was written; fly the policy itself"
        )
    _write(config.output, content)
    return {
        "file": str(config.output),
        "bytes": len(content),
        "inputs": {name: list(value.shape) for name, value in exported.example().items()},
        "output": list(exported(*exported.example().values()).shape),
        "difference": difference,
        "metadata": metadata,
    }


def in_bytes(model: Any) -> bytes:
    """Return the content of a model's file."""
    import onnx_ir

    return onnx_ir.to_proto(model).SerializeToString()


def _write(path: Path, content: bytes) -> None:
    from collector.dataset.durable import write_bytes

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    except OSError as error:
        raise StorageError(f"{path} could not be written ({error.strerror}): check --output") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the exporter tells its developers."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
