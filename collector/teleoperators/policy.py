"""The pilot `policy`: flies any lerobot policy, from a folder or the Hub, as one more teleoperator.

It knows the policy only through lerobot's `PreTrainedPolicy` and its processors; packages that register
further policies are named in the config and loaded by lerobot's own plugin loader.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from lerobot.teleoperators.config import TeleoperatorConfig

from collector.errors import DataError, DeviceError, HubError, MismatchError, UsageError
from collector.teleoperators.chunk_stream import ChunkStream
from collector.teleoperators.software import SoftwarePilot, shown_nothing

STATE, ENVIRONMENT_STATE, ACTION = "observation.state", "observation.environment_state", "action"
# lerobot's prefix of camera columns, and the older one of datasets with a single camera (observation.image).
IMAGE_PREFIXES = ("observation.images.", "observation.")
INFERENCES = ("sync", "rtc")


_USUAL_FPS = 30


@TeleoperatorConfig.register_subclass("policy")
@dataclass(kw_only=True)
class PolicyConfig(TeleoperatorConfig):
    """Settings of `--teleop.type=policy`."""

    # Folder of a checkpoint (its pretrained_model), or name on the Hub
    path: str = ""
    # Tag, branch or commit on the Hub
    revision: str | None = None
    # Device that runs the network: cpu, cuda or mps; default: the one it was trained on where present
    device: str | None = None
    # Packages that register policies beyond lerobot's own
    packages: list[str] = field(default_factory=lambda: ["training.policies"])
    # Actions flown of each predicted chunk; default: as trained
    n_action_steps: int | None = None
    # Settings of the policy given anew, such as '{sampler: ddim, num_inference_steps: 2}'
    settings: dict[str, Any] = field(default_factory=dict)
    # What to do, in words, where it was trained on several tasks; default: what the robot says
    task: str = ""
    # When the network thinks: sync (the robot waits) or rtc (beside the flight of the chunk before)
    inference: str = "sync"
    # With rtc: ticks from looking to flying what was predicted; default: as long as it takes here
    inference_delay: int | None = None

    def __post_init__(self) -> None:
        if self.inference not in INFERENCES:
            raise UsageError(f"--teleop.inference={self.inference}: choose one of {', '.join(INFERENCES)}")
        if self.inference_delay is not None and (self.inference != "rtc" or self.inference_delay < 0):
            raise UsageError(
                f"--teleop.inference_delay={self.inference_delay}: it is a number of ticks from 0, with "
                "--teleop.inference=rtc"
            )


class Policy(SoftwarePilot):
    """A lerobot policy behind lerobot's teleoperator interface."""

    config_class = PolicyConfig
    name = "policy"

    def __init__(self, config: PolicyConfig) -> None:
        """Find the checkpoint and read what it sees and does; the network itself is loaded by `connect`.

        Raises:
            UsageError: If no path is given.
            DataError: If the path holds no policy.
            HubError: If the Hub cannot give it.
        """
        super().__init__(config)
        self.config = config
        self.folder, self.commit = find_policy(config.path, config.revision)
        self.settings: dict[str, Any] = json.loads((self.folder / "config.json").read_text())
        self._robots_actions: list[str] = []
        self._policy: Any = None
        self._observation: dict[str, Any] = {}
        self._dt_s, self._in_real_time = 1.0 / (self.fps or _USUAL_FPS), True
        self._stream: ChunkStream | None = None

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
    def action_features(self) -> dict[str, type]:
        """Names of the actions, in the policy's order; where the checkpoint does not name them, the robot's."""
        n = int((self.settings.get("output_features") or {}).get(ACTION, {}).get("shape", [0])[0])
        names = self.settings.get("action_feature_names") or self.settings.get("state_feature_names")
        if not names or len(names) != n:
            names = self._robots_actions or [str(i) for i in range(n)]
        return dict.fromkeys(names, float)

    def fit_to(self, robot: Any) -> None:
        """Take the robot that is to be flown. Raises as `check_robot`."""
        self.check_robot(robot)
        self._robots_actions = list(robot.action_features)
        self._in_real_time = getattr(robot, "realtime", True)

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
        wrong += _differences("action", names, taken, len(self.action_features))
        pictures = [name for name, kind in robot.observation_features.items() if isinstance(kind, tuple)]
        missing = [name for name in self.cameras if name not in pictures]
        if missing:
            wrong.append(
                f"cameras: the policy sees {', '.join(missing)}, "
                f"the robot has {', '.join(pictures) or 'none'}"
            )
        if wrong:
            raise MismatchError(
                f"policy '{self.config.path}' does not fit the robot '{robot.name}': {'; '.join(wrong)}: "
                "fly it on the robot it was trained on, or train it anew"
            )

    @property
    def is_connected(self) -> bool:
        """Whether the network is loaded."""
        return self._policy is not None

    def connect(self, calibrate: bool = True) -> None:
        """Load the network and its processors.

        Raises:
            UsageError: If its type is unknown, or a setting does not fit it.
            DataError: If the checkpoint is damaged.
        """
        import torch
        from lerobot.configs import PreTrainedConfig
        from lerobot.configs.parser import PluginLoadError, load_plugin
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors

        try:
            for package in self.config.packages:
                load_plugin(package)
        except PluginLoadError as error:
            raise UsageError(f"--teleop.packages: {' '.join(str(error).split())}") from error
        kind = self.settings.get("type")
        if kind not in PreTrainedConfig.get_known_choices():
            raise UsageError(
                f"'{self.config.path}' is a policy of type '{kind}', which nothing installed provides: "
                "name its package with --teleop.packages"
            )
        given = {
            "device": self.config.device,
            "n_action_steps": self.config.n_action_steps,
            **self.config.settings,
        }
        known = [setting.name for setting in fields(PreTrainedConfig.get_choice_class(kind))]
        if unknown := [name for name in given if name not in known and given[name] is not None]:
            raise UsageError(
                f"a policy of type '{kind}' has no setting '{unknown[0]}', but {', '.join(sorted(known))}"
            )
        overrides = [
            f"--{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in given.items()
            if value is not None
        ]
        try:
            config = PreTrainedConfig.from_pretrained(self.folder, cli_overrides=overrides)
            config.pretrained_path = self.folder
            # lerobot prints there what it loads; stdout belongs to results.
            with contextlib.redirect_stdout(sys.stderr):
                policy = get_policy_class(config.type).from_pretrained(self.folder, config=config)
            device = str(config.device)
            self._before, self._after = make_pre_post_processors(
                config,
                pretrained_path=str(self.folder),
                preprocessor_overrides={"device_processor": {"device": device}},
            )
        except (Exception, SystemExit) as error:
            root: BaseException = error
            while root.__cause__ is not None:  # draccus hides what a setting's own check said
                root = root.__cause__
            reason = " ".join(str(root).split())
            raise DataError(
                f"policy '{self.config.path}' cannot be loaded ({type(root).__name__}: {reason}): "
                "check the checkpoint and the settings given for it"
            ) from error
        if self.config.inference == "rtc":
            self._check_asynchronous(policy)
        parameters = inspect.signature(policy.predict_action_chunk).parameters.values()
        self._can_be_told = any(
            one.name == "prev_chunk_left_over" or one.kind is one.VAR_KEYWORD for one in parameters
        )
        self._torch, self._device, self._policy = torch, device, policy.eval()
        self.reset(0)
        if getattr(config, "compile_model", False):
            self._warm_up()

    def _warm_up(self) -> None:
        """Act once on nothing, so that what is compiled at the first call is compiled before the flight."""
        print(
            f"policy '{self.config.path}' is compiled, which takes a while ...", file=sys.stderr, flush=True
        )
        features = self.settings.get("input_features") or {}
        self._observation = {
            key: self._torch.zeros(1, *feature["shape"]) for key, feature in features.items()
        } | {"task": self.config.task or (self.settings.get("tasks") or [""])[0]}
        self.get_action()
        self.reset(0)

    def _check_asynchronous(self, policy: Any) -> None:
        """Raise `UsageError` where a policy cannot be asked for a chunk apart from flying the one before."""
        config = policy.config
        if getattr(config, "n_obs_steps", 1) > 1 and not hasattr(policy, "remember"):
            wrong = "it keeps what it saw where its actions are queued"
        elif getattr(config, "temporal_ensemble_coeff", None) is not None:
            wrong = "it averages the chunks of every tick"
        elif not getattr(config, "n_action_steps", None):
            wrong = "it predicts no chunks"
        else:
            return
        raise UsageError(
            f"--teleop.inference=rtc: a policy of type '{policy.name}' cannot think beside the flight, for {wrong}: "
            "leave it out"
        )

    def disconnect(self) -> None:
        """Free the network."""
        self._end_stream()
        self._policy = None

    def reset(self, seed: int) -> None:
        """Begin an episode: forget queued actions, and seed what the policy samples.

        Raises:
            DeviceError: If `connect` was not called.
        """
        if self._policy is None:
            raise DeviceError("the pilot 'policy' is not connected: call connect() first")
        if self._stream is not None:
            self._stream.reset()  # before the generator is seeded, from which it may draw
        # Policies of lerobot draw from torch's global generator, so that is the one to seed.
        self._torch.manual_seed(seed)
        self._policy.reset()
        self._before.reset()
        self._after.reset()
        self._observation = {}

    def set_control_period(self, dt_s: float) -> None:
        """Take note of how long a tick is, for what is predicted beside the flight."""
        if dt_s != self._dt_s:
            self._end_stream()
        self._dt_s = dt_s

    def observe(self, observation: dict[str, Any]) -> None:
        """Take the robot's observation of this tick.

        Args:
            observation: Joints by name; cameras uint8, (height, width, 3); `environment_state` float32, (n,).

        Raises:
            MismatchError: If it lacks what the policy sees.
        """
        torch = self._torch
        batch: dict[str, Any] = {}
        for key, length in self.inputs.items():
            values = self._vector(key, observation)
            if len(values) != length:
                raise MismatchError(
                    f"policy '{self.config.path}' was trained on {length} entries of {key}, "
                    f"the robot shows {len(values)}: fly it on the robot it was trained on"
                )
            batch[key] = torch.from_numpy(values)[None]
        for key, camera in self.pictures.items():
            if camera not in observation:
                raise MismatchError(
                    f"policy '{self.config.path}' sees the camera '{camera}', "
                    "which the robot does not show: add it"
                )
            image = torch.from_numpy(np.ascontiguousarray(observation[camera]))
            batch[key] = (image.permute(2, 0, 1).float() / 255)[None]
        batch["task"] = self.config.task or str(observation.get("task", ""))
        self._observation = batch

    def _vector(self, key: str, observation: dict[str, Any]) -> np.ndarray:
        """Return one low-dimensional input, float32, (n,), in the policy's order of names."""
        if key == ENVIRONMENT_STATE:
            if "environment_state" not in observation:
                raise MismatchError(
                    f"policy '{self.config.path}' sees the scene's state, which only a simulation knows: "
                    "train one on observation.state or images for a real robot"
                )
            return np.asarray(observation["environment_state"], dtype=np.float32)
        names = self.settings.get("state_feature_names")
        if not names:
            names = [k for k, v in observation.items() if isinstance(v, (int, float, np.floating))]
        missing = [name for name in names if name not in observation]
        if missing:
            raise MismatchError(
                f"policy '{self.config.path}' sees {', '.join(missing)}, which the robot does not show: "
                "fly it on the robot it was trained on"
            )
        return np.array([observation[name] for name in names], dtype=np.float32)

    def get_action(self) -> dict[str, float]:
        """Return the policy's action for the observation last given, by name, in the robot's units.

        Raises:
            DeviceError: If there is no observation yet.
        """
        if not self._observation:
            raise shown_nothing(self.name)
        with self._torch.inference_mode():
            batch = self._before(dict(self._observation))
            action = (
                self._streamed(batch) if self.config.inference == "rtc" else self._policy.select_action(batch)
            )
            values = self._after(action).squeeze(0).tolist()
        return dict(zip(self.action_features, values, strict=True))

    def _streamed(self, batch: dict[str, Any]) -> Any:
        """Return the action of this tick, of a chunk that was predicted beside the flight, (1, dim)."""
        if self._stream is None:
            self._stream = ChunkStream(
                self._predict,
                self._policy.config.n_action_steps,
                self._dt_s,
                self.config.inference_delay,
                self._in_real_time,
            )
        if hasattr(self._policy, "remember"):
            batch = self._policy.remember(batch)
        return self._stream.next_action(batch)

    def _predict(self, batch: dict[str, Any], left_over: Any, delay: int) -> Any:
        told = {}
        if delay and self._can_be_told:  # of the actions that are flown meanwhile, under lerobot's names
            told = {"prev_chunk_left_over": left_over, "inference_delay": delay}
        with self._torch.inference_mode():
            return self._policy.predict_action_chunk(batch, **told)

    def _end_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None


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
