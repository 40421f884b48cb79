"""What action-chunking policies share: how observations become one vector, the loss over a chunk, the action queue.

Such a policy sees the present state s (joint positions, where the dataset has it the scene's state, and the
cameras it is told to see), with `n_obs_steps` - 1 observations before it, and predicts `horizon` actions at once;
it flies the next `n_action_steps` of them before it looks again (Zhao et al. 2023, arXiv 2304.13705; Chi et al.
2023, arXiv 2303.04137).
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from lerobot.policies.pretrained import PreTrainedPolicy
from lerobot.utils.constants import ACTION
from torch import Tensor, nn

from collector.errors import UsageError
from training.policies.encoders import ImageEncoder, weights_in_checkpoint
from training.policies.settings import ChunkConfig


@functools.cache
def _compiled(kind: type[ChunkPolicy]) -> Callable[..., Tensor]:
    """Return a policy's `sample`, compiled; it draws the noise that the plain one draws."""
    return torch.compile(kind.sample, options={"fallback_random": True})


class ChunkPolicy(PreTrainedPolicy):
    """A policy that predicts action chunks and queues them; subclasses give `sample` and `loss`."""

    config_class = ChunkConfig
    name = "chunk"
    config: ChunkConfig

    def __init__(self, config: ChunkConfig, dataset_meta: Any = None, **kwargs: Any) -> None:
        """Check the features against what the policy can see, and make an encoder for each camera.

        Args:
            config: Settings with `input_features` and `output_features` filled in.
            dataset_meta: lerobot's dataset metadata, where lerobot builds the policy: gives rate and tasks.
            **kwargs: What lerobot's factories pass besides; unused.

        Raises:
            ValueError: If the features lack an input that is to be seen, or the action.
        """
        super().__init__(config)
        config.validate_features()
        if dataset_meta is not None:
            config.fps = int(dataset_meta.fps)
            config.set_tasks([str(task) for task in dataset_meta.tasks.sort_values("task_index").index])
        if config.pictures:
            self.encoders = nn.ModuleList(
                ImageEncoder(
                    config.input_features[key].shape[0],
                    config.image_size,
                    config.image_dim,
                    config.vision_backbone,
                    config.pretrained_backbone_weights,
                    config.freeze_vision_encoder,
                    config.crop_ratio,
                )
                for key in config.pictures
            )
        self._can_compile = True
        self._queue: deque[Tensor] = deque()
        self._history: deque[dict[str, Tensor]] = deque(maxlen=config.n_obs_steps)

    def loss(self, observation: Tensor, actions: Tensor, real: Tensor | None) -> Tensor:
        """Return the loss of each sample.

        Args:
            observation: What `observe` made of the observations, float32, (batch, observation_dim).
            actions: Normalised expert chunks, float32, (batch, horizon, action_dim).
            real: 1 where an action is the expert's, 0 where it pads, (batch, horizon, 1); None counts all.

        Returns:
            float32, (batch,).
        """
        raise NotImplementedError

    def sample(
        self, observation: Tensor, noise: Tensor | None = None, prefix: Tensor | None = None
    ) -> Tensor:
        """Return one normalised action chunk for each observation, float32, (batch, horizon, action_dim).

        Args:
            observation: As in `loss`.
            noise: As in `predict_action_chunk`.
            prefix: Actions from the present on that are flown whatever is predicted, (batch, n, action_dim).
        """
        raise NotImplementedError

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As lerobot's; encoders do not fetch the weights they began with, since the checkpoint brings theirs."""
        with weights_in_checkpoint():
            return super().from_pretrained(*args, **kwargs)

    def get_optim_params(self) -> Any:
        return [weights for weights in self.parameters() if weights.requires_grad]

    def reset(self) -> None:
        """Forget past observations and queued actions: a new episode begins."""
        self._queue.clear()
        self._history.clear()

    def forward(self, batch: dict[str, Tensor], reduction: str = "mean") -> tuple[Tensor, dict | None]:
        """Return the training loss of a batch as lerobot's data loaders make it.

        Args:
            batch: As `observe` takes it, with `action` (batch, horizon, action_dim) and, with `mask_padding`,
                `action_is_pad` (batch, horizon) bool.
            reduction: "mean" over the batch, or "none" for one loss a sample.

        Returns:
            The loss, a scalar or (batch,), and nothing more to log.
        """
        noise = self.config.observation_noise if self.training else 0.0
        real = None
        if self.config.mask_padding and "action_is_pad" in batch:
            # The present action of a window is never padding, so no denominator is 0.
            real = (~batch["action_is_pad"]).unsqueeze(-1).to(batch[ACTION].dtype)
        per_sample = self.loss(self.observe(batch, noise), batch[ACTION], real)
        return (per_sample if reduction == "none" else per_sample.mean()), None

    @torch.no_grad()
    def predict_action_chunk(
        self,
        batch: dict[str, Tensor],
        noise: Tensor | None = None,
        prev_chunk_left_over: Tensor | None = None,
        inference_delay: int | None = None,
        **_: Any,
    ) -> Tensor:
        """Predict normalised actions from the present on, float32, (batch, horizon - n_obs_steps + 1, action_dim).

        Args:
            batch: As `observe` takes it.
            noise: Where the policy samples: what to start from, (batch, horizon, action_dim).
            prev_chunk_left_over: What is left of the chunk that is being flown, normalised, from the present on,
                (batch, n, action_dim); as lerobot's real-time chunking names it.
            inference_delay: How many of those are flown before this prediction is there.
        """
        self.eval()
        prefix = None
        if prev_chunk_left_over is not None and inference_delay:
            prefix = prev_chunk_left_over[:, :inference_delay]
        return self._sampled(self.observe(batch), noise, prefix)[:, self.config.n_obs_steps - 1 :]

    def _sampled(self, observation: Tensor, noise: Tensor | None, prefix: Tensor | None) -> Tensor:
        """Return what `sample` does, compiled where that is asked for and can be."""
        # Each length of a prefix would be compiled anew, in flight.
        if self.config.compile_model and self._can_compile and prefix is None:
            try:
                return _compiled(type(self))(self, observation, noise)  # type: ignore[arg-type]
            except Exception as error:
                self._can_compile = False
                reason = " ".join(str(error).split())[:200]
                print(
                    f"policy: it cannot be compiled here ({reason}) and acts uncompiled: install a C++ compiler "
                    "(Debian: g++), or leave out compile_model",
                    file=sys.stderr,
                )
        return self.sample(observation, noise, prefix)

    @torch.no_grad()
    def select_action(self, batch: dict[str, Tensor], noise: Tensor | None = None, **_: Any) -> Tensor:
        """Return the next normalised action, (batch, action_dim); predicts anew when the queue is empty.

        Args:
            batch: The present observation, (batch, ...) each; those before are remembered since `reset`.
            noise: As in `predict_action_chunk`.
        """
        batch = self.remember(batch)
        if not self._queue:
            chunk = self.predict_action_chunk(batch, noise)[:, : self.config.n_action_steps]
            self._queue.extend(chunk.transpose(0, 1))
        return self._queue.popleft()

    def remember(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Remember an observation, and return it with those before it, (batch, n_obs_steps, ...) each."""
        if self.config.n_obs_steps == 1:
            return batch
        self._history.append({key: batch[key] for key in self.config.input_features})
        # Before an episode's start its first observation stands in, as in training.
        missing = self.config.n_obs_steps - len(self._history)
        seen = [self._history[0]] * missing + list(self._history)
        return {**batch, **{key: torch.stack([past[key] for past in seen], dim=1) for key in seen[0]}}

    def observe(self, batch: dict[str, Any], noise: float = 0.0) -> Tensor:
        """Make one vector of what is seen: vectors, then images, oldest first each, then which task.

        Args:
            batch: Vectors normalised, (batch, dim); images uint8 or float in [0, 1], (batch, channels, height,
                width); either with a window axis (batch, n_obs_steps, ...), else the one stands for all. Where
                the policy knows several tasks, `task_index` (batch,), or `task`, one string for all or a list.
            noise: Standard deviation of the normal noise added to vectors.

        Returns:
            float32, (batch, observation_dim).

        Raises:
            UsageError: If the task is not one of those trained.
        """
        parts: list[Tensor] = []
        if self.config.vectors:
            vectors = torch.cat([self._window(batch, key).flatten(1) for key in self.config.vectors], dim=-1)
            parts.append(vectors + noise * torch.randn_like(vectors) if noise else vectors)
        for i, key in enumerate(self.config.pictures):
            parts.append(self.encoders[i](self._window(batch, key)).flatten(1))
        if self.config.tasks:
            index = self._task_index(batch, len(parts[0])).to(parts[0].device)
            parts.append(nn.functional.one_hot(index, len(self.config.tasks)).to(parts[0].dtype))
        return torch.cat(parts, dim=-1)

    def _window(self, batch: dict[str, Any], key: str) -> Tensor:
        """Return an input with its window axis, (batch, n_obs_steps, ...)."""
        values, n_obs_steps = batch[key], self.config.n_obs_steps
        if values.ndim == len(self.config.input_features[key].shape) + 1:
            values = values.unsqueeze(1).expand(-1, n_obs_steps, *values.shape[1:])
        return values

    def _task_index(self, batch: dict[str, Any], n: int) -> Tensor:
        """Return each sample's place in `config.tasks`, int64, (n,)."""
        if "task_index" in batch:
            return torch.as_tensor(batch["task_index"]).long().reshape(n)
        tasks = batch.get("task") or ""
        named = [tasks] * n if isinstance(tasks, str) else list(tasks)
        known = self.config.tasks or []
        if unknown := [task for task in named if task not in known]:
            raise UsageError(
                f"task '{unknown[0]}' is none that the policy was trained on: give one of '{"', '".join(known)}'"
            )
        return torch.tensor([known.index(task) for task in named * (n // len(named))])


def mean_error(error: Tensor, real: Tensor | None) -> Tensor:
    """Return each sample's mean over its chunk, (batch,); padding does not count.

    Args:
        error: (batch, horizon, dim).
        real: As in `ChunkPolicy.loss`.
    """
    if real is None:
        return error.mean((1, 2))
    return (error * real).sum((1, 2)) / (real.sum((1, 2)).clamp(min=1) * error.shape[-1])
