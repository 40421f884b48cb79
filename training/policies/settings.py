"""The settings that every chunking policy shares, and what they say of its features."""

from __future__ import annotations

from dataclasses import dataclass, field

from lerobot.configs import FeatureType, NormalizationMode, PolicyFeature, PreTrainedConfig
from lerobot.optim import AdamWConfig
from lerobot.optim.schedulers import CosineAnnealingWithWarmupSchedulerConfig
from lerobot.utils.constants import ACTION, OBS_ENV_STATE, OBS_STATE

from collector.errors import UsageError
from training.policies.encoders import BACKBONES, SMALL


@dataclass
class ChunkConfig(PreTrainedConfig):
    """Settings that every chunking policy has; not registered, so never a `--policy.type` itself."""

    # Columns that the policy sees, cameras too (default: observation.state and observation.environment_state)
    inputs: list[str] | None = None
    n_obs_steps: int = 1  # observations the policy sees: the present one and those before it
    horizon: int = 16  # H, actions predicted at once, counted from the first observation seen
    n_action_steps: int = 8  # actions flown before the policy looks again
    hidden_dim: int = 512  # width of the network
    n_layers: int = 3  # hidden layers of the network
    image_size: int = 96  # larger images are shrunk to so many pixels in height and width
    image_dim: int = 64  # numbers that the network gets of each image
    vision_backbone: str = "narrow"  # narrow (for a CPU), conv (twice as wide at first), resnet18 or resnet34
    # A ResNet's first weights, on the Hub or in a file, such as: timm/resnet18.a1_in1k (default: random)
    pretrained_backbone_weights: str | None = None
    freeze_vision_encoder: bool = False  # leave pretrained weights as they are
    # Share of the image's height and width that is seen: at random places in training, else in the middle
    crop_ratio: float = 1.0
    observation_noise: float = (
        0.02  # noise added to normalised observations in training [standard deviations]
    )
    mask_padding: bool = (
        False  # leave actions past an episode's end out of the loss, instead of holding the last
    )

    # Compile what acts: sooner, but it needs a C++ compiler (Debian: g++) and a minute before the flight
    compile_model: bool = False

    normalization_mapping: dict[str, NormalizationMode] = field(
        default_factory=lambda: {
            "STATE": NormalizationMode.MEAN_STD,
            "ENV": NormalizationMode.MEAN_STD,
            "ACTION": NormalizationMode.MEAN_STD,
        }
    )
    optimizer_lr: float = 1e-3  # peak learning rate
    optimizer_weight_decay: float = 1e-4
    scheduler_warmup_steps: int = 200

    # Filled in from the dataset, so that the checkpoint knows which robot it fits and how fast it was flown.
    action_feature_names: list[str] | None = None
    state_feature_names: list[str] | None = None
    environment_state_names: list[str] | None = None
    fps: int | None = None  # control rate of the training data [Hz]
    tasks: list[str] | None = None  # the dataset's tasks, where there are several: the policy is told which

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_obs_steps", "n_layers", "hidden_dim", "image_size", "image_dim"):
            if getattr(self, name) < 1:
                raise UsageError(f"--policy.{name}={getattr(self, name)}: it must be at least 1")
        check_choice("vision_backbone", self.vision_backbone, BACKBONES)
        if self.pretrained_backbone_weights and self.vision_backbone in SMALL:
            raise UsageError(
                "--policy.pretrained_backbone_weights needs --policy.vision_backbone=resnet18 or resnet34"
            )
        if self.freeze_vision_encoder and not self.pretrained_backbone_weights:
            raise UsageError("--policy.freeze_vision_encoder needs --policy.pretrained_backbone_weights")
        if not 0 < self.crop_ratio <= 1:
            raise UsageError(f"--policy.crop_ratio={self.crop_ratio}: it must be above 0 and at most 1")
        most = self.horizon - self.n_obs_steps + 1
        if not 1 <= self.n_action_steps <= most:
            limit = "--policy.horizon"
            if self.n_obs_steps > 1:
                limit += " - --policy.n_obs_steps + 1"
            raise UsageError(
                f"--policy.n_action_steps={self.n_action_steps}: it must be between 1 and {limit} ({most})"
            )

    def get_optimizer_preset(self) -> AdamWConfig:
        return AdamWConfig(lr=self.optimizer_lr, weight_decay=self.optimizer_weight_decay, eps=1e-8)

    def get_scheduler_preset(self) -> CosineAnnealingWithWarmupSchedulerConfig:
        return CosineAnnealingWithWarmupSchedulerConfig(num_warmup_steps=self.scheduler_warmup_steps)

    def set_dataset_feature_metadata(self, features: dict[str, dict]) -> None:
        """Remember the names behind each vector; lerobot's `make_policy` calls this too."""
        self.action_feature_names = _names(features, ACTION)
        self.state_feature_names = _names(features, OBS_STATE)
        self.environment_state_names = _names(features, OBS_ENV_STATE)

    def set_tasks(self, tasks: list[str]) -> None:
        """Remember the tasks by task index, unless there is but one, which the policy need not be told."""
        self.tasks = list(tasks) if len(tasks) > 1 else None

    def validate_features(self) -> None:
        """Keep the inputs that the policy sees.

        Raises:
            ValueError: If `inputs` names a column that is not there, or there is no input or no action.
        """
        features: dict[str, PolicyFeature] = self.input_features or {}  # type: ignore[has-type]
        wanted = [OBS_STATE, OBS_ENV_STATE] if self.inputs is None else self.inputs
        if missing := [key for key in self.inputs or [] if key not in features]:
            raise ValueError(
                f"--policy.inputs: no column '{missing[0]}' to see, but {', '.join(features) or 'none'}"
            )
        self.input_features = {key: feature for key, feature in features.items() if key in wanted}
        # `executed_action` and the like carry the same type in lerobot's eyes; only `action` is predicted.
        features = self.output_features or {}  # type: ignore[has-type]
        self.output_features = {key: feature for key, feature in features.items() if key == ACTION}
        if not self.input_features:
            raise ValueError(
                f"'{self.type}' sees {OBS_STATE} or {OBS_ENV_STATE}, and the data has neither "
                "(to see cameras, name them in --policy.inputs)"
            )
        if not self.output_features:
            raise ValueError(f"'{self.type}' needs the feature '{ACTION}', and the data has none")
        for key in self.pictures:
            check_size(self, key, self.input_features[key].shape[1:])

    @property
    def observation_delta_indices(self) -> list[int] | None:
        """The observations seen, as offsets [frames]; None for the present one alone, without a window axis."""
        return None if self.n_obs_steps == 1 else list(range(1 - self.n_obs_steps, 1))

    @property
    def action_delta_indices(self) -> list[int]:
        """The actions predicted, as offsets [frames]: from the first observation on (Chi et al. 2023, fig. 2)."""
        first = 1 - self.n_obs_steps
        return list(range(first, first + self.horizon))

    @property
    def reward_delta_indices(self) -> None:
        return None

    @property
    def vectors(self) -> list[str]:
        """The inputs that are vectors."""
        features: dict[str, PolicyFeature] = self.input_features or {}
        return [key for key, feature in features.items() if feature.type is not FeatureType.VISUAL]

    @property
    def pictures(self) -> list[str]:
        """The inputs that are images."""
        features: dict[str, PolicyFeature] = self.input_features or {}
        return [key for key, feature in features.items() if feature.type is FeatureType.VISUAL]

    @property
    def observation_dim(self) -> int:
        """Length of all that the network sees: vectors and images of each observation, then the task."""
        seen = sum(_length((self.input_features or {})[key]) for key in self.vectors)
        seen += self.image_dim * len(self.pictures)
        return self.n_obs_steps * seen + len(self.tasks or [])

    @property
    def action_dim(self) -> int:
        """Length of one action."""
        return sum(_length(feature) for feature in (self.output_features or {}).values())


def check_size(config: ChunkConfig, camera: str, size: tuple[int, ...]) -> None:
    """Raise `ValueError` where so little is left of a picture of (height, width) that no place in it can be told."""
    height, width = (config.image_size,) * 2 if max(size) > config.image_size else size
    seen = [round(config.crop_ratio * length) for length in (width, height)]
    # Halved three, four and five times, two places are left each way.
    least = {"narrow": 9, "conv": 17}.get(config.vision_backbone, 33)
    if min(seen) < least:
        raise ValueError(
            f"'{camera}' has {size[1]}x{size[0]} px, of which the network sees {seen[0]}x{seen[1]}: with "
            f"--policy.vision_backbone={config.vision_backbone} it needs {least} px each way; give a larger "
            "--policy.image_size or --policy.crop_ratio, or pictures"
        )


def check_choice(flag: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Raise `UsageError` unless a flag `--policy.<flag>` has one of its choices."""
    if value not in choices:
        raise UsageError(f"--policy.{flag}={value}: choose one of {', '.join(choices)}")


def _names(features: dict[str, dict], key: str) -> list[str] | None:
    """Return the flat list of a feature's entry names, or None where the dataset does not name them."""
    names = features.get(key, {}).get("names")
    if isinstance(names, dict):  # {"motors": [...]}, as older converters wrote it
        names = [name for group in names.values() for name in group]
    return [str(name) for name in names] if names else None


def _length(feature: PolicyFeature) -> int:
    if len(feature.shape) != 1:
        raise ValueError(f"a feature of shape {tuple(feature.shape)} is not a vector")
    return int(feature.shape[0])
