"""The first blocks of MobileNetV2: a network for CPUs that may begin with weights that know photographs."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from reid.learning.backbones.base import IMAGENET, Backbone
from reid.learning.model_config import Neck

_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
"""Expansion, channels, blocks, first stride: the first rows of the paper's table 2."""
_STEM, _MIDDLE, _DEEP = 32, 32, 96
_MIDDLE_BLOCKS = 7
"""The stem and the blocks up to 1/8 of the picture."""
_NESTED = re.compile(r"features\.\d+\.conv\.\d+\.\d+\.")
_LAYER = re.compile(r"features\.(\d+)\.conv\.(\d+)\.(?:(\d+)\.)?(\w+)$")


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


class MobileNetV2(Backbone):
    """MobileNetV2 up to its blocks of 96 channels, then mean and maximum over horizontal parts at 1/8 and at 1/16.

    What is small, such as a bag or a collar, is gone at 1/16 of the picture; what it is worn with is not yet understood
    at 1/8: the linear layer takes both. The deep features are normalised over each picture, which forgets its light.
    The height of its pictures must be a multiple of 16 * parts. Files of weights of width 1.0 can be read in two
    layouts, that of torchvision (`features.2.conv.0.0.weight`) and the flat one (`features.2.conv.3.weight`); what they
    have beyond these blocks is left out.

    Sources: Sandler, Howard, Zhu, Zhmoginov, Chen 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
    table 2; parts: Sun et al. 2018, "Beyond Part Models" (PCB).
    """

    normalisation = IMAGENET
    head_keys = ("instance.", "head.", "neck.")

    def __init__(self, dimension: int | None, *, parts: int = 8, neck: Neck = "bnneck") -> None:
        super().__init__()
        blocks: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(3, _STEM, 3, 2, 1, bias=False), nn.BatchNorm2d(_STEM), nn.ReLU6())
        ]
        channels = _STEM
        for expansion, width, count, stride in _STAGES:
            for place in range(count):
                blocks.append(InvertedResidual(channels, width, stride if place == 0 else 1, expansion))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.instance = nn.InstanceNorm2d(_DEEP, affine=True)
        self._parts = parts
        self.add_head(2 * parts * (_MIDDLE + _DEEP), dimension, neck)

    def pooled(self, pictures: Tensor) -> Tensor:
        """(B, 3, h, w) float, as `normalisation` says -> (B, 2 * parts * 128)."""
        middle = self.blocks[:_MIDDLE_BLOCKS](pictures)  # (B, 32, h / 8, w / 8)
        deep = self.instance(self.blocks[_MIDDLE_BLOCKS:](middle))  # (B, 96, h / 16, w / 16)
        return torch.cat((self._pool(middle), self._pool(deep)), dim=1)

    def _pool(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, 2 * C * parts)."""
        batch, channels, height, width = x.shape
        parts = x.reshape(batch, channels, self._parts, height // self._parts, width)
        return torch.cat((parts.mean(dim=(3, 4)), parts.amax(dim=(3, 4))), dim=1).flatten(1)

    def translate(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Also reads files of the whole network by names as torchvision publishes them, or flat."""
        if not any(name.startswith("features.") for name in state):
            return dict(state)
        nested = any(_NESTED.match(name) for name in state)
        own = self.state_dict()
        renamed = {_own_name(name, nested=nested): value for name, value in state.items()}
        return {name: value for name, value in renamed.items() if name in own}


def _own_name(name: str, *, nested: bool) -> str:
    """`features.B.conv...` -> `blocks.B.conv.L...`, L the layer of the block, where those of a file may be nested.

    Nested, expansion and filter are groups of convolution, batch norm and ReLU6, counted as one beside the two layers
    of the projection.
    """
    found = _LAYER.match(name) if nested else None
    if found is None:
        return name.replace("features.", "blocks.", 1)
    block, outer, inner, rest = found.groups()
    groups = 1 if block == "1" else 2  # the first block does not expand
    layer = 3 * int(outer) + int(inner) if inner is not None else int(outer) + 2 * groups
    return f"blocks.{block}.conv.{layer}.{rest}"
