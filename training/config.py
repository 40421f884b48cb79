"""The flags of `demodeck train`, as lerobot names them, and the record that a run's checkpoints carry."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import draccus
from lerobot.configs import PreTrainedConfig
from lerobot.configs.default import WandBConfig

from collector.errors import DataError, UsageError
from training.images import CACHES
from training.irl.config import IrlConfig
from training.policies.settings import ChunkConfig
from training.trials import TrialFlags

TRAIN_CONFIG_FILE = "train_config.json"

if TYPE_CHECKING:
    PolicyChoice = ChunkConfig
else:
    # draccus builds the flags of every choice at each parse, which for all of lerobot's policies takes a second.
    @dataclass
    class PolicyChoice(draccus.ChoiceRegistry):
        """The policy to train: ours, or the one of lerobot's that is asked for."""

        asked: ClassVar[str] = ""

        @classmethod
        def get_known_choices(cls) -> dict[str, type]:
            known = PreTrainedConfig.get_known_choices()
            asked = [PolicyChoice.asked, *(name for name in known if issubclass(known[name], ChunkConfig))]
            return {name: known[name] for name in asked if name in known}

        @classmethod
        def get_choice_class(cls, name: str) -> type:
            return cls.get_known_choices()[name]

        @classmethod
        def get_choice_name(cls, subcls: type) -> str:
            return PreTrainedConfig.get_choice_name(subcls)


@dataclass
class DatasetSource:
    """Where the flights come from and which of them are used."""

    # Name on the Hub, as user/name
    repo_id: str | None = None
    # Folder of a local dataset; without it the dataset is pulled from the Hub
    root: Path | None = None
    # Tag, branch or commit on the Hub (default: the tag v3.0); the commit it means is recorded
    revision: str | None = None
    # SQL condition over the episodes, such as: verdict = 'keep' and success
    filter: str | None = None
    # SQL condition over the episodes that cover what the expert did not do, for --irl.type; their frames are no example
    coverage_filter: str | None = None
    # SQL expression over an episode: how much its frames count in the loss, such as: 1 / (1 + warnings)
    weight: str | None = None
    # How much frames count where a person overrode a policy (the column intervention)
    intervention_weight: float = 1.0
    # How much frames count that a policy flew and nobody overrode (episodes with pilot = 'policy'); HG-DAgger: 0
    policy_weight: float = 1.0
    # File of symmetries by which every flight is mirrored too, or one of those shipped: pusht
    symmetry: str | None = None


@dataclass
class TrainConfig:
    """Settings of one training run."""

    dataset: DatasetSource = field(default_factory=DatasetSource)
    policy: PolicyChoice = None  # type: ignore[assignment]
    # Learn a reward first (inverse reinforcement learning), and clone the flights as far as it finds them good
    irl: IrlConfig | None = None
    # Folder of the run (default: outputs/train/<date>/<time>_<policy>)
    output_dir: Path | None = None
    # Go on from the last checkpoint in output_dir
    resume: bool = False
    # Seed of the weights, the order of the batches and all noise
    seed: int = 1000
    # Gradient steps
    steps: int = 8000
    # Windows a gradient step: of each process, where several train, and of each part, where gradients are accumulated
    batch_size: int = 256
    # Parts of a gradient step, one after the other: as a batch so many times as large, in the memory of one
    gradient_accumulation_steps: int = 1
    # Compute in bfloat16 where that is safe (cuda, cpu); weights stay in float32
    bf16: bool = False
    # Decay of the averaged weights, which are the ones that fly; 0 flies the raw ones
    ema_decay: float = 0.995
    # Steps between two lines of the log (metrics.jsonl and metrics.csv in output_dir)
    log_freq: int = 200
    # Steps between two checkpoints; 0 saves at the end only
    save_freq: int = 2000
    # Where decoded images are kept: memory, disk (in output_dir), stream (decoded ahead), or auto, the first that fits
    image_cache: str = "auto"
    # Threads of the processor; 0 takes OMP_NUM_THREADS, or else all cores up to 4
    num_threads: int = 0
    # Steps between two times that the policy is flown in simulation; 0 flies never (results: evals.jsonl)
    eval_freq: int = 0
    eval: TrialFlags = field(default_factory=TrialFlags)
    # Show the log in TensorBoard too (output_dir/tensorboard)
    tensorboard: bool = False
    # Show the log in Weights & Biases too, by lerobot's flags
    wandb: WandBConfig = field(default_factory=WandBConfig)
    # Print the summary as JSON
    json: bool = False

    def validate(self) -> None:
        """Check what no type can say.

        Raises:
            UsageError: If a flag is missing or out of range.
        """
        if self.policy is None:
            raise UsageError(
                "--policy.type is missing: give --policy.type=bc or --policy.type=action_diffusion (or act, diffusion, "
                "... of lerobot)"
            )
        if self.dataset.root is None and self.dataset.repo_id is None:
            raise UsageError(
                "no data: give --dataset.repo_id=USER/NAME, or --dataset.root=FOLDER for a local one"
            )
        positive = ("steps", "batch_size", "gradient_accumulation_steps", "log_freq")
        for name, least in (
            *((name, 1) for name in positive),
            ("save_freq", 0),
            ("eval_freq", 0),
            ("seed", 0),
        ):
            if getattr(self, name) < least:
                raise UsageError(f"--{name}={getattr(self, name)}: it must be at least {least}")
        for name in ("intervention_weight", "policy_weight"):
            if not getattr(self.dataset, name) >= 0:
                raise UsageError(f"--dataset.{name}={getattr(self.dataset, name)}: it must be at least 0")
        self.eval.check(self.eval_freq)
        if self.irl is not None:
            self._check_irl(self.irl)
        elif self.dataset.coverage_filter is not None:
            raise UsageError("--dataset.coverage_filter belongs to --irl.type: give one, or leave it out")
        if self.image_cache not in CACHES:
            raise UsageError(f"--image_cache={self.image_cache}: choose one of {', '.join(CACHES)}")
        if not 0 <= self.ema_decay < 1:
            raise UsageError(f"--ema_decay={self.ema_decay}: it must be at least 0 and below 1")

    def _check_irl(self, irl: IrlConfig) -> None:
        irl.check()
        if self.dataset.symmetry is not None:
            raise UsageError("--dataset.symmetry does not go with --irl.type: leave one of them out")


def encode(config: TrainConfig) -> dict[str, Any]:
    """Return the config as JSON values, as lerobot's own train_config.json holds its config."""
    # Encoded against their base classes, policy and learner carry their `type`.
    irl = None if config.irl is None else draccus.encode(config.irl, IrlConfig)
    return {**draccus.encode(config), "policy": draccus.encode(config.policy, PreTrainedConfig), "irl": irl}


_WHOLE = {"policy.input_features", "policy.output_features", "policy.normalization_mapping"}
# What a run fills in by itself, and what is of one machine or moment.
_NOT_ASKED = {
    "output_dir", "resume", "json", "num_threads", "run", "wandb.run_id", "policy.type", "policy.device",
    "policy.input_features", "policy.output_features", "policy.action_feature_names", "policy.state_feature_names",
    "policy.environment_state_names", "policy.fps", "policy.tasks", "dataset.revision",
}  # fmt: skip


def command(record: dict[str, Any]) -> str:
    """Return the command line that trains anew what a record tells of, at the data's very commit.

    Args:
        record: What train_config.json holds.
    """
    kind = record["policy"]["type"]
    usual = _flat(encode(TrainConfig(policy=PreTrainedConfig.get_choice_class(kind)(device="cpu"))))
    flags = {"policy.type": kind}
    flags |= {
        name: value
        for name, value in _flat({key: record[key] for key in record if key not in _NOT_ASKED}).items()
        if name not in _NOT_ASKED and usual.get(name) != value
    }
    if record["dataset"]["root"]:
        flags["dataset.root"] = "FOLDER"  # what it is called here is nobody's business
    if record["run"]["dataset"]["revision"]:
        flags["dataset.revision"] = record["run"]["dataset"]["revision"]
    told = {name: value if isinstance(value, str) else json.dumps(value) for name, value in flags.items()}
    return shlex.join(["demodeck", "train", *(f"--{name}={value}" for name, value in told.items())])


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return values by dotted name; lists and the policy's dictionaries of settings stay whole."""
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        whole = not isinstance(value, dict) or f"{prefix}{name}" in _WHOLE
        flat |= {f"{prefix}{name}": value} if whole else _flat(value, f"{prefix}{name}.")
    return flat


def load_record(checkpoint: Path) -> dict[str, Any]:
    """Read a checkpoint's `train_config.json`: the run's flags, and under `run` its data's origin.

    Args:
        checkpoint: A `pretrained_model` folder.

    Raises:
        DataError: If there is none or it is not JSON.
    """
    path = checkpoint / TRAIN_CONFIG_FILE
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise DataError(
            f"{checkpoint} holds no {TRAIN_CONFIG_FILE}: it is no checkpoint of demodeck"
        ) from None
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}): use an earlier checkpoint") from None
