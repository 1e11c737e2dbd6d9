"""Settings of the ONNX detector."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.detectors.decoding import Format
from tracker.detectors.letterbox import Fit
from tracker.detectors.preprocessing import ColourOrder, Preprocessing, Triple
from tracker.errors import ConfigError


@dataclass(frozen=True, slots=True)
class OnnxDetectorConfig:
    """How an ONNX detector is fed and read. Whatever is None follows the recognised family.

    Raises:
        ConfigError: a value is out of its range.
    """

    conf: float = 0.1
    """Detections with a lower score are dropped, 0..1. Low on purpose: weak ones serve the tracker's second stage."""
    nms_iou: float | None = None
    """Of two boxes of a class that overlap by more, the weaker goes, 0..1. None: 0.6, or no suppression for models
    that suppress by themselves."""
    classes: tuple[str, ...] = ()
    """Wanted classes, by name or id; empty for all."""
    max_detections: int = 300
    """At most so many detections a frame, the best first."""
    format: Format = "auto"
    """Family of the model; `auto` recognises it."""
    class_names: tuple[str, ...] = ()
    """Names in the order of the ids, or the one word `coco80` or `coco91`; empty for those of the model."""
    input_size: tuple[int, int] | None = None
    """(width_px, height_px) for a model whose input may vary; None for the size in its metadata, else 640x640."""
    fit: Fit | None = None
    """How a picture is fitted into the input."""
    colours: ColourOrder | None = None
    """Order of the colour channels."""
    scale: float | None = None
    """What a pixel 0..255 is multiplied by first."""
    mean: Triple | None = None
    """Subtracted after scaling, in the order of `colours`."""
    std: Triple | None = None
    """Divided by after subtracting, in the order of `colours`."""
    pad_value: int | None = None
    """Grey level 0..255 around a letterboxed picture."""

    def __post_init__(self) -> None:
        _in_range("conf", self.conf, 0, 1)
        if self.nms_iou is not None:
            _in_range("nms_iou", self.nms_iou, 0, 1)
        if self.max_detections < 1:
            raise ConfigError(f"max_detections must be at least 1, got {self.max_detections}")
        if self.input_size is not None and (len(self.input_size) != 2 or min(self.input_size) < 1):
            raise ConfigError(f"input_size must be (width_px, height_px), both at least 1, got {self.input_size}")
        if self.pad_value is not None:
            _in_range("pad_value", self.pad_value, 0, 255)
        if self.scale is not None and not self.scale > 0:
            raise ConfigError(f"scale must be above 0, got {self.scale}")
        if self.std is not None and not all(s > 0 for s in self.std):
            raise ConfigError(f"std must be above 0 in each channel, got {self.std}")

    def preprocessing(self, family: Preprocessing) -> Preprocessing:
        """The family's preprocessing with what is stated here in its place."""
        return Preprocessing(
            fit=self.fit or family.fit,
            colours=self.colours or family.colours,
            scale=family.scale if self.scale is None else self.scale,
            mean=family.mean if self.mean is None else self.mean,
            std=family.std if self.std is None else self.std,
            pad_value=family.pad_value if self.pad_value is None else self.pad_value,
        )


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # NaN fails too
        raise ConfigError(f"{name} must be within {low}..{high}, got {value}")
