"""The pilot `policy`: flies any lerobot policy, from a folder or the Hub, as one more teleoperator.

It knows the policy only through lerobot's `PreTrainedPolicy` and its processors; packages that register
further policies are named in the config and loaded by lerobot's own plugin loader.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import sys
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from lerobot.teleoperators.config import TeleoperatorConfig

from collector.errors import DataError, DeviceError, MismatchError, UsageError
from collector.teleoperators.checkpoint import Checkpoint
from collector.teleoperators.chunk_stream import ChunkStream
from collector.teleoperators.software import SoftwarePilot, shown_nothing

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
    # What to do, in words, where it was trained on several tasks; default: the task in the simulated robot's scene
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
        self.checkpoint = Checkpoint(config.path, config.revision)
        self._robots_actions: list[str] = []
        self._robots_task = ""
        self._policy: Any = None
        self._observation: dict[str, Any] = {}
        self._dt_s, self._in_real_time = 1.0 / (self.fps or _USUAL_FPS), True
        self._stream: ChunkStream | None = None

    @property
    def fps(self) -> int | None:
        """Control rate that the policy was trained at [Hz], where its checkpoint says."""
        return self.checkpoint.fps

    @property
    def cameras(self) -> list[str]:
        """Names of the cameras that the policy sees, as robots name them."""
        return self.checkpoint.cameras

    @property
    def action_features(self) -> dict[str, type]:
        """Names of the actions, in the policy's order; where the checkpoint does not name them, the robot's."""
        unnamed = self._robots_actions or map(str, range(self.checkpoint.n_actions))
        return dict.fromkeys(self.checkpoint.action_names or unnamed, float)

    def fit_to(self, robot: Any) -> None:
        """Take the robot that is to be flown. Raises as `Checkpoint.check_robot` and `.check_task`."""
        self.checkpoint.check_robot(robot)
        self._robots_task = str(getattr(getattr(robot, "task", None), "instruction", ""))
        self.checkpoint.check_task(self.config.task or self._robots_task)
        self._robots_actions = list(robot.action_features)
        self._in_real_time = getattr(robot, "realtime", True)

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
        kind = self.checkpoint.settings.get("type")
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
            config = PreTrainedConfig.from_pretrained(self.checkpoint.folder, cli_overrides=overrides)
            config.pretrained_path = self.checkpoint.folder
            # lerobot prints there what it loads; stdout belongs to results.
            with contextlib.redirect_stdout(sys.stderr):
                policy = get_policy_class(config.type).from_pretrained(self.checkpoint.folder, config=config)
            device = str(config.device)
            self._before, self._after = make_pre_post_processors(
                config,
                pretrained_path=str(self.checkpoint.folder),
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
        features = self.checkpoint.settings.get("input_features") or {}
        self._observation = {
            key: self._torch.zeros(1, *feature["shape"]) for key, feature in features.items()
        } | {"task": self.config.task or (self.checkpoint.settings.get("tasks") or [""])[0]}
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
        for key in self.checkpoint.inputs:
            batch[key] = torch.from_numpy(self.checkpoint.vector(key, observation))[None]
        for key, camera in self.checkpoint.pictures.items():
            if camera not in observation:
                raise MismatchError(
                    f"policy '{self.config.path}' sees the camera '{camera}', "
                    "which the robot does not show: add it"
                )
            image = torch.from_numpy(np.ascontiguousarray(observation[camera]))
            batch[key] = (image.permute(2, 0, 1).float() / 255)[None]
        batch["task"] = self.config.task or str(observation.get("task", self._robots_task))
        self._observation = batch

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
