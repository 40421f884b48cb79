"""Small convolutional encoder: an image to a short vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

CHANNELS = (32, 64, 64, 64)  # of each convolution, which halves height and width


class ConvEncoder(nn.Module):
    """Four strided convolutions, a spatial softmax and a linear layer.

    The spatial softmax gives where in the image each channel answers (Finn et al. 2016, arXiv 1509.06113,
    section IV-B): 2 coordinates a channel in [-1, 1], whatever the image's size.
    """

    def __init__(self, n_channels: int, image_size: int, image_dim: int) -> None:
        """Build it for images of `n_channels`; those larger than `image_size` are shrunk to that square."""
        super().__init__()
        self.image_size = image_size
        layers: list[nn.Module] = []
        for n_in, n_out in zip((n_channels, *CHANNELS), CHANNELS):
            norm = nn.GroupNorm(math.gcd(8, n_out), n_out)
            layers += [nn.Conv2d(n_in, n_out, 3, stride=2, padding=1), norm, nn.GELU()]
        self.convolutions = nn.Sequential(*layers[:-1])  # no GELU before the softmax
        self.out = nn.Linear(2 * CHANNELS[-1], image_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Encode images, uint8 or float in [0, 1], (batch, channels, height, width), to (batch, image_dim)."""
        images = images.float() / 255 if images.dtype == torch.uint8 else images
        if max(images.shape[-2:]) > self.image_size:
            images = interpolate(images, (self.image_size, self.image_size), mode="area")
        maps = self.convolutions(2 * images - 1)
        height, width = maps.shape[-2:]
        where = maps.flatten(2).softmax(-1).unflatten(-1, (height, width))
        x = torch.linspace(-1, 1, width, device=maps.device)
        y = torch.linspace(-1, 1, height, device=maps.device)
        return self.out(torch.cat([(where.sum(2) * x).sum(-1), (where.sum(3) * y).sum(-1)], dim=-1))
