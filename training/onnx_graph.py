"""What `training.onnx_export` writes: from an observation in the robot's units to actions in its units."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.configs import PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from torch import Tensor, nn

from collector.errors import DataError, UsageError
from training.lerobot_policies import TASK_INDEX
from training.policies.chunk import ChunkPolicy
from training.train_cli import register_ours

NOISE, ACTIONS = "noise", "actions"


class Exported(nn.Module):
    """A policy between its processors, called with tensors by place.

    Attributes:
        policy: The policy.
        names: Of the inputs, in order.
    """

    def __init__(self, policy: ChunkPolicy, before: Any, after: Any) -> None:
        """Put a policy between the pipelines that come with it."""
        super().__init__()
        self.policy, self._before, self._after = policy, before, after
        config = policy.config
        self.names = [*config.vectors, *config.pictures]
        self.names += [TASK_INDEX] if config.tasks else []
        self.names += [NOISE] if policy.name == "action_diffusion" else []

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> Exported:
        """Load a checkpoint's `pretrained_model`, some settings given anew.

        Raises:
            UsageError: If it is none of ours, a setting does not fit, or its sampler draws noise on its way.
            DataError: If it is damaged.
        """
        register_ours()
        overrides = [
            f"--{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in {**settings, "device": "cpu", "compile_model": False}.items()
        ]
        kind = json.loads((folder / "config.json").read_text()).get("type")
        if kind not in PreTrainedConfig.get_known_choices() or not issubclass(
            get_policy_class(kind), ChunkPolicy
        ):
            raise UsageError(f"a policy of type '{kind}' cannot be exported: bc and action_diffusion can")
        try:
            config = PreTrainedConfig.from_pretrained(folder, cli_overrides=overrides)
            with contextlib.redirect_stdout(io.StringIO()):  # lerobot says there what it loads
                policy = get_policy_class(kind).from_pretrained(folder, config=config)
            before, after = make_pre_post_processors(
                config,
                pretrained_path=str(folder),
                preprocessor_overrides={"device_processor": {"device": "cpu"}},
            )
        except UsageError:
            raise
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"{folder} cannot be loaded ({reason}): check the checkpoint and --policy.settings"
            ) from error
        if getattr(config, "sampler", None) == "ddpm":
            raise UsageError(
                "--policy.settings: the sampler ddpm draws noise at every step, which a file cannot: take "
                "'{sampler: ddim}'"
            )
        return cls(policy.eval(), before, after)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return actions for inputs in the order of `names`."""
        batch: dict[str, Any] = dict(zip(self.names, inputs, strict=True))
        noise = batch.pop(NOISE, None)
        return self._after(self.policy.predict_action_chunk(self._before(batch), noise))

    def example(self, seed: int = 0) -> dict[str, Tensor]:
        """Return inputs drawn at random, by name: vectors as widely spread as those that the policy was trained on."""
        generator = torch.Generator().manual_seed(seed)
        config = self.policy.config
        window = () if config.n_obs_steps == 1 else (config.n_obs_steps,)
        made: dict[str, Tensor] = {}
        for name in self.names:
            if name == TASK_INDEX:
                made[name] = torch.randint(len(config.tasks or []), (1,), generator=generator)
            elif name == NOISE:
                made[name] = torch.randn(1, config.horizon, config.action_dim, generator=generator)
            else:
                shape = (1, *window, *(config.input_features or {})[name].shape)
                if name in config.pictures:
                    made[name] = torch.rand(shape, generator=generator)
                    continue
                seen = self._statistics().get(name, {})
                mean, std = (
                    torch.as_tensor(seen.get(key, usual)) for key, usual in (("mean", 0.0), ("std", 1.0))
                )
                made[name] = (mean + std * torch.randn(shape, generator=generator)).float()
        return made

    def _statistics(self) -> dict[str, Any]:
        """Return mean and std of each vector, as the checkpoint's normaliser knows them."""
        steps = getattr(self._before, "steps", [])
        return next((step.stats for step in steps if getattr(step, "stats", None)), {})

    def traced(self) -> Any:
        """Return it as onnx_ir's `Model`."""
        inputs = tuple(self.example().values())
        program = torch.onnx.export(
            self, inputs, input_names=self.names, output_names=[ACTIONS], dynamo=True, verbose=False
        )
        assert program is not None
        return program.model

    def metadata(self) -> dict[str, Any]:
        """Return what a program that flies the file has to know besides."""
        config = self.policy.config
        known = {
            "type": self.policy.name,
            "fps": config.fps,
            "n_action_steps": config.n_action_steps,
            "n_obs_steps": config.n_obs_steps,
            "state_names": config.state_feature_names,
            "environment_state_names": config.environment_state_names,
            "action_names": config.action_feature_names,
            "tasks": config.tasks,
        }
        return {"producer": "demodeck", **{key: value for key, value in known.items() if value is not None}}


def differences(exported: Exported, content: bytes, n: int) -> float:
    """Return the largest difference between a file's actions and the policy's over `n` observations drawn at random.

    Args:
        exported: The policy.
        content: The file.
        n: Observations.

    Returns:
        In standard deviations of the actions that the policy was trained on, or units where it knows none.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    unit = exported._after(torch.ones(1, exported.policy.config.action_dim))
    unit = (
        (unit - exported._after(torch.zeros(1, exported.policy.config.action_dim)))
        .abs()
        .clamp(min=1e-12)
        .numpy()
    )
    largest = 0.0
    for seed in range(n):
        inputs = exported.example(seed)
        found = session.run([ACTIONS], {name: value.numpy() for name, value in inputs.items()})[0]
        with torch.inference_mode():
            wanted = exported(*inputs.values()).numpy()
        largest = max(largest, float(np.abs((found - wanted) / unit).max()))
    return largest
