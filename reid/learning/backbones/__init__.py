"""Networks from pictures to features: OSNet, two small ones for CPUs, and any of timm."""

from __future__ import annotations

from reid.learning.backbones.base import IMAGENET, PLAIN, Backbone, Normalisation
from reid.learning.backbones.mobilenet import MobileNetV2
from reid.learning.backbones.osnet import OSNet
from reid.learning.backbones.small import PartialInstanceNorm, ResidualBlock, SmallBackbone
from reid.learning.backbones.timm_models import TimmBackbone
from reid.learning.model_config import OSNET_WIDTHS, ModelConfig

__all__ = [
    "IMAGENET",
    "PLAIN",
    "Backbone",
    "MobileNetV2",
    "Normalisation",
    "OSNet",
    "PartialInstanceNorm",
    "ResidualBlock",
    "SmallBackbone",
    "TimmBackbone",
    "build_backbone",
]


def build_backbone(config: ModelConfig) -> Backbone:
    """The backbone that `config` names, with random weights from torch's generator.

    Raises:
        MissingExtraError: it is one of timm's, and timm is not installed.
        InputError: timm knows no such model, or it takes no pictures of that size.
    """
    if config.backbone == "small":
        return SmallBackbone(config.dimension, neck=config.neck)
    if config.backbone == "mobilenet_v2":
        return MobileNetV2(config.dimension, neck=config.neck)
    if config.backbone in OSNET_WIDTHS:
        return OSNet(config.dimension, width=OSNET_WIDTHS[config.backbone], neck=config.neck)
    size = {"height_px": config.height_px, "width_px": config.width_px}
    return TimmBackbone(config.timm_name, config.dimension, neck=config.neck, **size)
