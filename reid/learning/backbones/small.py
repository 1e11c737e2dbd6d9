"""A network from pictures to features that is small enough for a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid.learning.backbones.base import Backbone
from reid.learning.model_config import Neck


class PartialInstanceNorm(nn.Module):
    """Instance norm on the first half of the channels, batch norm on the rest.

    Instance norm forgets light and cast, which change from camera to camera; batch norm keeps them, for they are also
    colours of clothes. Source: Pan, Luo, Shi, Tang 2018, "Two at Once" (IBN-Net), block IBN-a.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self._half = channels // 2
        self.instance = nn.InstanceNorm2d(self._half, affine=True)
        self.batch = nn.BatchNorm2d(channels - self._half)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        return torch.cat((self.instance(x[:, : self._half]), self.batch(x[:, self._half :])), dim=1)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut. Source: He et al. 2016, "Deep Residual Learning", figure 2."""

    def __init__(self, inputs: int, outputs: int, stride: int, partial_instance_norm: bool) -> None:
        super().__init__()
        norm: nn.Module = PartialInstanceNorm(outputs) if partial_instance_norm else nn.BatchNorm2d(outputs)
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            norm,
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h / stride, w / stride)."""
        return functional.relu(self.body(x) + self.shortcut(x))


class SmallBackbone(Backbone):
    """Residual blocks at 1/4 and 1/8 of the picture, then mean and maximum over horizontal parts.

    Parts (Sun et al. 2018, "Beyond Part Models", PCB) keep what is worn above apart from what is worn below; the
    maximum keeps what is small, such as shoes and bags, which the mean of a part drowns. Going on to 1/16 as deeper
    networks do costs such details: of rendered look-alikes it took 13 in 100 for each other, where this takes 9.
    The height of its pictures must be a multiple of 8 * parts.
    """

    def __init__(
        self,
        dimension: int | None,
        *,
        widths: tuple[int, int, int, int] = (16, 32, 48, 64),
        parts: int = 8,
        neck: Neck = "bnneck",
    ) -> None:
        super().__init__()
        stem, low, middle, high = widths
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), PartialInstanceNorm(stem), nn.ReLU())
        self.blocks = nn.Sequential(
            ResidualBlock(stem, low, 2, partial_instance_norm=True),
            ResidualBlock(low, middle, 2, partial_instance_norm=True),
            ResidualBlock(middle, high, 1, partial_instance_norm=False),
        )
        self._parts = parts
        self.add_head(2 * high * parts, dimension, neck)

    def pooled(self, pictures: Tensor) -> Tensor:
        """(B, 3, h, w) float, roughly -1..1 -> (B, 2 * high * parts)."""
        x = self.blocks(self.stem(pictures))  # (B, high, h / 8, w / 8)
        batch, channels, height, width = x.shape
        parts = x.reshape(batch, channels, self._parts, height // self._parts, width)
        return torch.cat((parts.mean(dim=(3, 4)), parts.amax(dim=(3, 4))), dim=1).flatten(1)
