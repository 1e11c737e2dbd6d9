"""What every backbone is: a trunk from pictures to pooled features, a linear layer, and a neck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from reid.learning.model_config import Neck


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How pixels 0..255 are prepared for a backbone: `(pixel - mean) / std`, channels in the order of `colour`."""

    colour: Literal["BGR", "RGB"]
    """Order of the channels that the backbone sees."""
    mean: tuple[float, float, float]
    """Of pixel values 0..255, in that order."""
    std: tuple[float, float, float]
    """Of pixel values 0..255, in that order."""


PLAIN = Normalisation("BGR", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
"""Pixels become -1..1."""
IMAGENET = Normalisation("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Mean and deviation of ImageNet (0.485, 0.456, 0.406; 0.229, 0.224, 0.225, times 255): what nearly all published
weights expect."""


class Backbone(nn.Module):
    """Trunk -> (B, width) -> linear layer -> before the neck (B, D) -> batch norm -> after the neck (B, D).

    The neck is Luo et al. 2019, "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", section 3.5
    (BNNeck): triplets want the free features before it, the classifier of identities and cosines the ones after it,
    which lie around the origin; so its bias stays 0.

    A subclass calls `add_head` last in its constructor and defines `pooled`.
    """

    normalisation: Normalisation = PLAIN
    """How its pictures must be prepared."""
    head_keys: ClassVar[tuple[str, ...]] = ("head.", "neck.")
    """Where the names of those weights begin that belong to one training set, not to the trunk."""

    def add_head(self, width: int, dimension: int | None, neck: Neck = "bnneck") -> None:
        """`width` is that of `pooled`; None as dimension leaves out the linear layer."""
        self.dimension = width if dimension is None else dimension
        self.head: nn.Module = nn.Identity() if dimension is None else nn.Linear(width, dimension, bias=False)
        self.neck: nn.Module = nn.Identity()
        if neck == "bnneck":
            batch_norm = nn.BatchNorm1d(self.dimension)
            batch_norm.bias.requires_grad_(False)
            self.neck = batch_norm

    def pooled(self, pictures: Tensor) -> Tensor:
        """(B, 3, h, w) float, as `normalisation` says -> (B, width)."""
        # not abc: a class without it is found by the first picture, and mypy knows nn.Module's metaclass alone
        raise TypeError(f"{type(self).__name__} must define pooled, got {tuple(pictures.shape)}")

    def features(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, h, w) -> (B, D) before the neck and (B, D) after it."""
        before = self.head(self.pooled(pictures))
        return before, self.neck(before)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, D) after the neck."""
        return self.features(pictures)[1]

    def translate(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights by the names of another publisher -> by ours; ours stay as they are."""
        return dict(state)
