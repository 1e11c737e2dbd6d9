"""Detections by an Ultralytics model (extra `yolo`).

Ultralytics is licensed under AGPL-3.0: it is imported only when this detector is made, and no weights are shipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tracker.detectors.classes import ClassFilter
from tracker.errors import ConfigError, MissingExtraError, ModelError
from tracker.image import check_image
from tracker.types import Detections, Frame

_UPRIGHT_TASKS = {"detect", "segment", "pose"}


class UltralyticsDetector:
    """Finds objects with any detection, segmentation or pose model that Ultralytics can load.

    Boxes are those of Ultralytics: in frame pixels, clipped to the picture.

    Args:
        model: a `.pt` file, or a published name such as `yolo11n.pt`, which Ultralytics downloads on first use.
        conf: detections with a lower score are dropped, 0..1; low on purpose, as in `OnnxDetectorConfig`.
        nms_iou: overlap above which the weaker of two boxes of a class goes.
        classes: wanted classes by name or id; empty for all.
        max_detections: at most so many a frame.
        device: `auto` (Ultralytics chooses), `cpu` or `cuda[:N]`.

    Raises:
        MissingExtraError: ultralytics is not installed.
        ModelError: the model cannot be loaded, or gives no upright boxes.
        ConfigError: a value is out of range, a class is unknown, or the device cannot be used.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        conf: float = 0.1,
        nms_iou: float = 0.7,
        classes: Sequence[str | int] = (),
        max_detections: int = 300,
        device: str = "auto",
    ) -> None:
        for name, value in (("conf", conf), ("nms_iou", nms_iou)):
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} must be within 0..1, got {value}")
        if max_detections < 1:
            raise ConfigError(f"max_detections must be at least 1, got {max_detections}")
        self._device = _device(device)
        self._model = _load(str(model))
        self._name = str(model)
        if self._model.task not in _UPRIGHT_TASKS:
            raise ModelError(f"{model} is a model for {self._model.task}, upright boxes are needed")
        self._names = MappingProxyType({int(k): str(v) for k, v in dict(self._model.names).items()})
        self._classes = ClassFilter(classes, self._names, self._name)
        self._options = {"conf": conf, "iou": nms_iou, "max_det": max_detections, "verbose": False}

    @property
    def class_names(self) -> Mapping[int, str]:
        """Names of the classes, as the model holds them."""
        return self._names

    def __call__(self, frame: Frame) -> Detections:
        """Detections of one frame, the best first.

        Raises:
            InputError: the frame's image is not (H, W, 3) uint8.
            ModelError: the model fails on it.
            ConfigError: the device cannot be used (Ultralytics tries it with the first frame).
        """
        size = check_image(frame.image)
        wanted = None if self._classes.ids is None else list(self._classes.ids)
        try:
            results = self._model.predict(frame.image, classes=wanted, device=self._device, **self._options)
        except ValueError as error:
            if "device" in str(error).lower():
                what = f"device {self._device} cannot be used by Ultralytics"
                raise ConfigError(f"{what}: {_first_line(error)}") from error
            raise ModelError(f"{self._name} failed on a frame: {_first_line(error)}") from error
        except RuntimeError as error:
            raise ModelError(f"{self._name} failed on a frame: {_first_line(error)}") from error
        found = Detections.from_ultralytics(results[0])
        return Detections(found.boxes, found.scores, found.classes, frame_size=size)


def _device(device: str) -> str | None:
    kind, _, number = device.partition(":")
    if kind == "auto" and not number:
        return None
    if (kind == "cpu" and not number) or (kind == "cuda" and (not number or number.isdecimal())):
        return device
    raise ConfigError(f"device must be auto, cpu or cuda[:N] for an Ultralytics model, got {device!r}")


def _load(model: str) -> Any:
    try:
        import ultralytics
    except ImportError as error:
        raise MissingExtraError("ultralytics", "yolo", f"detector {model}") from error
    try:
        return ultralytics.YOLO(model)
    except Exception as error:  # torch, pickle, zip and network errors of any kind
        raise ModelError(f"Ultralytics cannot load {model}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
