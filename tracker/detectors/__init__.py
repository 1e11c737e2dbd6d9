"""Detectors: what finds boxes in a frame. Importing this package loads no model runtime."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tracker.detectors.file import FileDetector
from tracker.detectors.motion import MotionDetector
from tracker.detectors.motion_config import MotionDetectorConfig
from tracker.detectors.onnx import OnnxDetector
from tracker.detectors.onnx_config import OnnxDetectorConfig
from tracker.detectors.ultralytics import UltralyticsDetector
from tracker.errors import ConfigError
from tracker.types import DetectorLike

__all__ = [
    "FileDetector",
    "MotionDetector",
    "MotionDetectorConfig",
    "OnnxDetector",
    "OnnxDetectorConfig",
    "UltralyticsDetector",
    "open_detector",
]

_ULTRALYTICS_PREFIXES = ("yolo", "rtdetr")
_KINDS = (
    "motion (background subtraction), a path ending in .onnx, a MOTChallenge .txt file, "
    "or with the yolo extra a .pt file or an Ultralytics name such as yolo11n.pt"
)


def open_detector(
    name: str | Path,
    *,
    device: str = "auto",
    conf: float | None = None,
    classes: Sequence[str | int] = (),
    threads: int | None = None,
    onnx: OnnxDetectorConfig | None = None,
    motion: MotionDetectorConfig | None = None,
) -> DetectorLike:
    """The detector that `name` stands for.

    Args:
        name: `motion`, a path ending in `.onnx`, a MOTChallenge `.txt` file, or an Ultralytics name or `.pt` file.
        device: where a model runs; `auto` counts as not given.
        conf: lowest score that is kept; None for the detector's own. Takes the place of `onnx.conf`.
        classes: wanted classes by name or id. Takes the place of `onnx.classes`.
        threads: CPU threads of one operator of an ONNX model.
        onnx: settings of an ONNX detector.
        motion: settings of the motion detector.

    Raises:
        ConfigError: the name is none of these, or an option was given that this detector cannot honour.
        ModelError, InputError, MissingExtraError: as the detector's own constructor says.
    """
    text = str(name)
    suffix = Path(text).suffix.lower()
    given = _Given(text, device, conf, classes, threads, onnx, motion)
    if text == "motion":
        given.refuse("device", "conf", "classes", "threads", "onnx")
        return MotionDetector(motion)
    if suffix == ".onnx":
        given.refuse("motion")
        config = onnx or OnnxDetectorConfig()
        config = dataclasses.replace(
            config,
            conf=config.conf if conf is None else conf,
            classes=tuple(str(c) for c in classes) or config.classes,
        )
        return OnnxDetector(text, config, device=device, threads=threads)
    if suffix == ".txt":
        given.refuse("device", "classes", "threads", "onnx", "motion")
        return FileDetector(text, conf=conf or 0.0)
    if suffix == ".pt" or (not suffix and text.lower().startswith(_ULTRALYTICS_PREFIXES)):
        given.refuse("threads", "onnx", "motion")
        file = text if suffix else f"{text}.pt"
        if conf is None:
            return UltralyticsDetector(file, classes=classes, device=device)
        return UltralyticsDetector(file, classes=classes, device=device, conf=conf)
    raise ConfigError(f"detector must be {_KINDS}; got {text!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Given:
    """The options of one `open_detector` call, to refuse those that would have no effect."""

    detector: str
    device: str
    conf: float | None
    classes: Sequence[str | int]
    threads: int | None
    onnx: OnnxDetectorConfig | None
    motion: MotionDetectorConfig | None

    def refuse(self, *options: str) -> None:
        """Raise for the first of these that was given; a default is not given."""
        defaults = {"device": "auto", "onnx": OnnxDetectorConfig(), "motion": MotionDetectorConfig()}
        for option in options:
            value, default = getattr(self, option), defaults.get(option)
            if value is None or value == default or (option == "classes" and len(self.classes) == 0):
                continue
            if dataclasses.is_dataclass(value):
                changed = [f.name for f in dataclasses.fields(value) if _differs(value, default, f.name)]
                option = f"{option}.{changed[0]}"
                value = getattr(value, changed[0])
            raise ConfigError(
                f"{option} cannot be honoured by detector {self.detector!r}, got {value!r}: leave it out, "
                f"or choose another detector"
            )


def _differs(value: object, default: object, field: str) -> bool:
    return bool(getattr(value, field) != getattr(default, field))
