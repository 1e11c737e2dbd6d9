"""Any model of the timm library as a backbone. Nothing is downloaded: weights come from a file that is named."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reid.errors import InputError, MissingExtraError
from reid.learning.backbones.base import Backbone, Normalisation
from reid.learning.model_config import Neck


class TimmBackbone(Backbone):
    """The named model of timm up to its pooled features; its own normalisation is kept."""

    def __init__(
        self, name: str, dimension: int | None, *, height_px: int, width_px: int, neck: Neck = "bnneck"
    ) -> None:
        """Make the model with random weights.

        Raises:
            MissingExtraError: timm is not installed.
            InputError: timm knows no such model, or it does not take pictures of that size.
        """
        super().__init__()
        self.body = _create(name, height_px, width_px)
        config: Any = self.body.pretrained_cfg
        self.normalisation = _normalisation(config)
        classifier = config.get("classifier") or ()
        self._classifiers = (classifier,) if isinstance(classifier, str) else tuple(classifier)
        self.add_head(_width(self.body, name, height_px, width_px), dimension, neck)

    def pooled(self, pictures: Tensor) -> Tensor:
        """(B, 3, h, w) float, as `normalisation` says -> (B, num_features)."""
        out: Tensor = self.body(pictures)
        return out

    def translate(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Also reads a file of timm's own names: its classifier is left out, positions are resized by timm itself."""
        if any(name.startswith("body.") for name in state):
            return dict(state)
        convert = getattr(inspect.getmodule(type(self.body)), "checkpoint_filter_fn", None)
        converted = dict(state) if convert is None else convert(dict(state), self.body)
        classifiers = tuple(f"{name}." for name in self._classifiers)
        return {f"body.{name}": value for name, value in converted.items() if not name.startswith(classifiers)}


def _create(name: str, height_px: int, width_px: int) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError("timm", "timm", f"the backbone timm:{name}") from error
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "timm.list_models() names them"
        raise InputError(f"timm {timm.__version__} has no model {name!r}: {hint}")
    body: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    if hasattr(body, "set_input_size"):  # transformers, whose positions belong to one size
        try:
            resize: Any = body.set_input_size
            resize(img_size=(height_px, width_px))
        except (AssertionError, TypeError, ValueError) as error:
            raise _wrong_size(name, height_px, width_px, error) from error
    return body


def _width(body: nn.Module, name: str, height_px: int, width_px: int) -> int:
    """How many features it gives, asked of the model itself: timm's own figure may be that of another layer."""
    try:
        with torch.no_grad():
            features: Any = body.eval()(torch.zeros(1, 3, height_px, width_px))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _wrong_size(name, height_px, width_px, error) from error
    body.train()
    if not isinstance(features, Tensor) or features.ndim != 2:
        raise InputError(f"timm:{name} must give one row of features a picture to be a backbone")
    return int(features.shape[1])


def _wrong_size(name: str, height_px: int, width_px: int, error: Exception) -> InputError:
    return InputError(f"timm:{name} takes no pictures of {height_px}x{width_px}, give its own size: {error}")


def _normalisation(config: Mapping[str, Any]) -> Normalisation:
    mean, std = (tuple(255 * value for value in config[key]) for key in ("mean", "std"))
    return Normalisation("RGB", (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))
