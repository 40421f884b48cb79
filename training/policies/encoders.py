"""Image encoders: an image to a short vector, by a small convolutional network or a ResNet."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from collector.errors import DataError

# Channels and strides of convolutions that are small enough for a CPU. Most of the time goes into the first, at full
# width: a step of `narrow` takes two thirds of the time of one of `conv`.
SMALL = {
    "narrow": ((16, 32, 64, 64), (2, 2, 2, 1)),
    "conv": ((32, 64, 64, 64), (2, 2, 2, 2)),
}
BACKBONES = (*SMALL, "resnet18", "resnet34")
N_KEYPOINTS = 32  # maps that are left of a ResNet's, as in robomimic and Chi et al. 2023, arXiv 2303.04137
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WEIGHTS_FILE = "model.safetensors"

_in_checkpoint = False


class ImageEncoder(nn.Module):
    """Convolutions, a spatial softmax and a linear layer.

    The spatial softmax gives where in the image each map answers (Finn et al. 2016, arXiv 1509.06113, section IV-B):
    2 coordinates a map in [-1, 1], whatever the image's size.
    """

    def __init__(
        self,
        n_channels: int,
        image_size: int,
        image_dim: int,
        backbone: str = "narrow",
        weights: str | None = None,
        frozen: bool = False,
        crop_ratio: float = 1.0,
    ) -> None:
        """Build it.

        Args:
            n_channels: Of the images.
            image_size: Those larger are shrunk to that square [px].
            image_dim: Length of the vector.
            backbone: One of `BACKBONES`.
            weights: Where a ResNet's weights come from; see `pretrained`. None begins at random, with group
                normalisation in the place of batch normalisation, which averaged weights do not go with.
            frozen: Whether the backbone stays as it came.
            crop_ratio: Share of height and width that is seen, at random places in training and else in the middle.

        Raises:
            DataError: If the weights do not fit the backbone.
            HubError: If they cannot be had.
        """
        super().__init__()
        self.image_size, self.crop_ratio = image_size, crop_ratio
        if backbone in SMALL:
            self.convolutions, n_maps = _small(backbone, n_channels), SMALL[backbone][0][-1]
        else:
            self.convolutions, n_maps = _resnet(backbone, n_channels, weights, frozen), N_KEYPOINTS
        self.out = nn.Linear(2 * n_maps, image_dim)
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if weights else ((0.5,) * n_channels, (0.5,) * n_channels)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Encode images.

        Args:
            images: uint8, or float in [0, 1], (batch, window, channels, height, width).

        Returns:
            (batch, window, image_dim).
        """
        if max(images.shape[-2:]) > self.image_size:
            shrunk = interpolate(_unit(images.flatten(0, 1)), (self.image_size,) * 2, mode="area")
            images = shrunk.unflatten(0, images.shape[:2])
        if self.crop_ratio < 1:
            images = cropped(images, self.crop_ratio, at_random=self.training)
        maps = self.convolutions((_unit(images.flatten(0, 1)) - self.mean) / self.std).float()
        height, width = maps.shape[-2:]
        where = maps.flatten(2).softmax(-1).unflatten(-1, (height, width))
        x = torch.linspace(-1, 1, width, device=maps.device)
        y = torch.linspace(-1, 1, height, device=maps.device)
        vectors = self.out(torch.cat([(where.sum(2) * x).sum(-1), (where.sum(3) * y).sum(-1)], dim=-1))
        return vectors.unflatten(0, images.shape[:2])


def cropped(images: Tensor, ratio: float, at_random: bool) -> Tensor:
    """Return a part of each image, the same one of all in a window.

    Args:
        images: (batch, window, channels, height, width).
        ratio: Share of height and width that is left.
        at_random: Anywhere, else in the middle.
    """
    for axis in (-2, -1):
        size = images.shape[axis]
        left = max(1, round(ratio * size))
        if not at_random:
            images = images.narrow(axis, (size - left) // 2, left)
            continue
        begin = torch.randint(size - left + 1, (len(images), 1), device=images.device)
        places = (begin + torch.arange(left, device=images.device))[:, None, None]
        images = images.take_along_dim(places.unsqueeze(-1 if axis == -2 else -2), dim=axis)
    return images


def _unit(images: Tensor) -> Tensor:
    return images.float() / 255 if images.dtype == torch.uint8 else images


def _small(backbone: str, n_channels: int) -> nn.Sequential:
    """Return the convolutions of one of `SMALL`."""
    layers: list[nn.Module] = []
    for n_out, stride in zip(*SMALL[backbone]):
        layers += [nn.Conv2d(n_channels, n_out, 3, stride, padding=1), _group_norm(n_out), nn.GELU()]
        n_channels = n_out
    return nn.Sequential(*layers[:-1])  # no GELU before the softmax


def _group_norm(n_channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, n_channels), n_channels)


def _resnet(backbone: str, n_channels: int, weights: str | None, frozen: bool) -> nn.Sequential:
    """Return a ResNet (He et al. 2016, arXiv 1512.03385) up to its last maps, and a layer that leaves few of them."""
    import torchvision

    norm = torchvision.ops.FrozenBatchNorm2d if weights else _group_norm
    whole = getattr(torchvision.models, backbone)(weights=None, norm_layer=norm)
    if n_channels != 3:
        whole.conv1 = nn.Conv2d(n_channels, 64, 7, stride=2, padding=3, bias=False)
    if weights and not _in_checkpoint:
        _load(whole, backbone, weights)
    n_maps = whole.fc.in_features
    body = nn.Sequential(*list(whole.children())[:-2])  # without pooling and classes
    if frozen:
        body.requires_grad_(False)
    return nn.Sequential(body, nn.Conv2d(n_maps, N_KEYPOINTS, 1))


def _load(network: nn.Module, backbone: str, weights: str) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = pretrained(weights)
    try:
        state = {key: value for key, value in load_file(path).items() if not key.startswith("fc.")}
        lacking, _ = network.load_state_dict(state, strict=False)
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"--policy.pretrained_backbone_weights={weights} does not fit --policy.vision_backbone={backbone} "
            f"({reason}): take weights of that network, such as timm/{backbone}.a1_in1k"
        ) from error
    if lacking := [key for key in lacking if not key.startswith("fc.")]:
        raise DataError(
            f"--policy.pretrained_backbone_weights={weights} lacks '{lacking[0]}' of "
            f"--policy.vision_backbone={backbone}: take weights of that network, such as timm/{backbone}.a1_in1k"
        )


def pretrained(weights: str) -> Path:
    """Return the file of a backbone's weights, pulled from the Hub where it is not here.

    Args:
        weights: A file of safetensors, or `user/name` or `user/name@revision` on the Hub, whose `model.safetensors`
            names its tensors as torchvision and timm do (`timm/resnet18.a1_in1k`).

    Raises:
        HubError: If the Hub cannot give it.
    """
    if Path(weights).is_file():
        return Path(weights)
    from collector.hub.client import pull

    repo_id, _, revision = weights.partition("@")
    folder = pull(repo_id, repo_type="model", revision=revision or None, allow_patterns=[WEIGHTS_FILE])
    return folder / WEIGHTS_FILE


@contextlib.contextmanager
def weights_in_checkpoint() -> Iterator[None]:
    """Let encoders that are built meanwhile begin without their pretrained weights: a checkpoint brings others."""
    global _in_checkpoint
    before, _in_checkpoint = _in_checkpoint, True
    try:
        yield
    finally:
        _in_checkpoint = before
