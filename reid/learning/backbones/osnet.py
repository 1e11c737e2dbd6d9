"""OSNet: features of several scales at once, weighed by the picture itself.

Written from Zhou, Yang, Cavallaro, Xiang 2019, "Omni-Scale Feature Learning for Person Re-Identification" (ICCV):
figures 3 and 4, table 1 and equations 1 to 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid.learning.backbones.base import IMAGENET, Backbone
from reid.learning.model_config import Neck

_CHANNELS = (64, 256, 384, 512)  # of the stem and the three stages, table 1
_SCALES = 4  # streams t = 1..4; one sees (2 t + 1) x (2 t + 1) pixels
_BOTTLENECK = 4  # channels of a block's streams are a quarter of its output's
_GATE_REDUCTION = 16  # hidden layer of the aggregation gate, section 3.2


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, and ReLU where asked for."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, *, activation: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self._activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h / stride, w / stride)."""
        x = self.norm(self.conv(x))
        return functional.relu(x) if self._activation else x


class LiteConv(nn.Module):
    """A 3x3 convolution as a linear 1x1 one and then a depthwise 3x3 one (figure 3b), batch norm, ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> the same shape."""
        return functional.relu(self.norm(self.depthwise(self.pointwise(x))))


class AggregationGate(nn.Module):
    """Weighs each channel of one stream by what the stream sees; one gate serves all streams of a block (eq. 3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // _GATE_REDUCTION, 1)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> the same shape."""
        mean = x.mean(dim=(2, 3), keepdim=True)  # (B, channels, 1, 1)
        weight = self.excite(functional.relu(self.squeeze(mean)))
        return x * torch.sigmoid(weight)


class OmniScaleBlock(nn.Module):
    """Reduce, four streams of one to four Lite convolutions, gate and sum, expand, add the shortcut (figure 4)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        middle = outputs // _BOTTLENECK
        self.reduce = ConvNorm(inputs, middle)
        self.streams = nn.ModuleList(
            nn.Sequential(*(LiteConv(middle) for _ in range(scale))) for scale in range(1, _SCALES + 1)
        )
        self.gate = AggregationGate(middle)
        self.expand = ConvNorm(middle, outputs, activation=False)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = ConvNorm(inputs, outputs, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w)."""
        reduced = self.reduce(x)
        # x~ = sum over t of G(x^t) * x^t
        first, *others = (self.gate(stream(reduced)) for stream in self.streams)
        fused = first
        for other in others:  # by pairs: a stack of them would be copied together first
            fused = fused + other
        return functional.relu(self.expand(fused) + self.shortcut(x))


class OSNet(Backbone):
    """OSNet with the widths of its layers multiplied by `width` (1.0, 0.75, 0.5 and 0.25 in the paper).

    Its own last layer (linear, batch norm, ReLU) is the head here, without the ReLU: a linear layer of the wanted
    dimension and the neck. Pictures are those of ImageNet's colours (`IMAGENET`), 256x128 in the paper, at least 32x32.
    """

    normalisation = IMAGENET

    def __init__(self, dimension: int | None, *, width: float = 1.0, neck: Neck = "bnneck") -> None:
        super().__init__()
        stem, *outputs = (int(channels * width) for channels in _CHANNELS)
        self.stem = ConvNorm(3, stem, kernel=7, stride=2)
        self.stages = nn.ModuleList()
        inputs = stem
        for stage, channels in enumerate(outputs):
            layers: list[nn.Module] = [OmniScaleBlock(inputs, channels), OmniScaleBlock(channels, channels)]
            if stage < len(outputs) - 1:
                layers.append(ConvNorm(channels, channels))  # the transition, before the picture is halved
            self.stages.append(nn.Sequential(*layers))
            inputs = channels
        self.last = ConvNorm(inputs, inputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.add_head(inputs, dimension, neck)

    def pooled(self, pictures: Tensor) -> Tensor:
        """(B, 3, h, w) float, as `IMAGENET` says -> (B, 512 * width)."""
        x = functional.max_pool2d(self.stem(pictures), 3, 2, 1)  # (B, stem, h / 4, w / 4)
        for stage, layers in enumerate(self.stages):
            x = layers(x)
            if stage < len(self.stages) - 1:
                x = functional.avg_pool2d(x, 2)  # h / 8, then h / 16
        out: Tensor = self.last(x).mean(dim=(2, 3))
        return out

    def translate(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Also reads the names under which the authors of the paper publish weights (`conv2.0.conv2a.conv1.weight`)."""
        if "conv1.conv.weight" not in state:
            return dict(state)
        return {_our_name(name): value for name, value in state.items()}


_PUBLISHED = (  # pattern of a published name -> ours, first match of each line applied in turn
    (r"^conv1\.conv\.", "stem.conv."),
    (r"^conv1\.bn\.", "stem.norm."),
    (r"^conv5\.(conv|bn)\.", r"last.\1."),
    (r"^conv([23])\.2\.0\.", r"conv\1.2."),  # the transition stands in a pair with its pooling there
    (r"\.gate\.fc1\.", ".gate.squeeze."),
    (r"\.gate\.fc2\.", ".gate.excite."),
    (r"\.downsample\.", ".shortcut."),
    (r"^(conv[234]\.[01])\.conv1\.(conv|bn)\.", r"\1.reduce.\2."),
    (r"^(conv[234]\.[01])\.conv3\.(conv|bn)\.", r"\1.expand.\2."),
    (r"^(conv[234]\.[01])\.conv2a\.", r"\1.conv2a.0."),  # a stream of one layer has no number there
    (r"\.conv1\.weight$", ".pointwise.weight"),
    (r"\.conv2\.weight$", ".depthwise.weight"),
    (r"\.bn\.", ".norm."),
    *((rf"\.conv2{letter}\.", f".streams.{number}.") for number, letter in enumerate("abcd")),
    *((rf"^conv{number + 2}\.", f"stages.{number}.") for number in range(3)),
)


def _our_name(name: str) -> str:
    for pattern, replacement in _PUBLISHED:
        name = re.sub(pattern, replacement, name)
    return name
