"""Detections by an ONNX model of any of the usual families."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tracker.detectors.classes import COCO_80, COCO_91, ClassFilter, names_from_config, parse_names
from tracker.detectors.decoding import Candidates, Family, Signature, recognise
from tracker.detectors.letterbox import Placement, fit_image
from tracker.detectors.nms import non_maximum_suppression
from tracker.detectors.onnx_config import OnnxDetectorConfig
from tracker.detectors.preprocessing import to_tensor
from tracker.errors import ConfigError, ModelError
from tracker.image import check_image
from tracker.types import Detections, FloatArray, Frame

if TYPE_CHECKING:
    from reid.runtime import OnnxSession, TensorInfo

_DEFAULT_SIZE = 640  # of nearly all published exports with a free input size
_DEFAULT_NMS_IOU = 0.6
_MOST_CANDIDATES = 5000  # more boxes than that before suppression are noise, and its cost is quadratic
_FLOATS_AND_BYTES = {"float32", "float16", "uint8"}


class OnnxDetector:
    """Finds objects with an ONNX model: YOLOX, YOLO, NanoDet, SSD and DETR families (see `decoding`).

    Boxes come in frame pixels and are not clipped: a regressed box that reaches over the border is the best guess of
    an object that is half outside. Rows that are not finite, have no area or lie outside the picture are dropped.

    Args:
        model: path of the `.onnx` file.
        config: how it is fed and read.
        device: `auto`, `cpu`, `cuda[:N]` or `tensorrt[:N]`.
        threads: CPU threads of one operator; None leaves it to onnxruntime.

    Raises:
        ModelError: the file is missing, no ONNX model, or no detector that is understood.
        ConfigError: a wanted class is unknown, or the configuration contradicts the model.
        reid.errors.DeviceError: the device cannot be used.
        reid.errors.MissingExtraError: onnxruntime is not installed.
    """

    def __init__(
        self,
        model: str | Path,
        config: OnnxDetectorConfig | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.config = config or OnnxDetectorConfig()
        self.path = Path(model)
        self._session = _open(self.path, device, threads)
        image_input = _image_input(self._session, self.path)
        self._input = image_input
        self._channels_last = image_input.shape[1] != 3 and image_input.shape[3] == 3
        self.input_size = _input_size(image_input, self._channels_last, self._session.metadata, self.config, self.path)
        """(width_px, height_px) of the network's input."""
        self._size_input = _size_input(self._session, image_input, self.path)
        names = parse_names(self._session.metadata.get("names"))
        if self._session.metadata.get("task") in {"obb", "classify"}:
            raise ModelError(f"{self.path} is a model for {self._session.metadata['task']}, upright boxes are needed")
        self.family: Family = recognise(self._probe(names), self.config.format, str(self.path))
        """What the model was recognised as."""
        self._preprocessing = self.config.preprocessing(self.family.preprocessing)
        self._names = MappingProxyType(_class_names(self.config, names, self.family, self.path))
        self._filter = ClassFilter(self.config.classes, self._names, str(self.path))
        self._nms_iou = self.config.nms_iou
        if self._nms_iou is None and self.family.suppress:
            self._nms_iou = _DEFAULT_NMS_IOU

    @property
    def class_names(self) -> Mapping[int, str]:
        """Names of the classes; empty where neither the model nor the configuration tells."""
        return self._names

    @property
    def device(self) -> str:
        """What the model runs on, such as `cpu` or `cuda:0`."""
        return self._session.device

    def __call__(self, frame: Frame) -> Detections:
        """Detections of one frame, the best first.

        Raises:
            InputError: the frame's image is not (H, W, 3) uint8.
            ModelError: the model fails on it.
        """
        size = check_image(frame.image)
        placement = Placement.of(size, self.input_size, self._preprocessing.fit)
        fitted = fit_image(frame.image, placement, self.input_size, self._preprocessing.pad_value)
        tensor = to_tensor(fitted, self._preprocessing, channels_last=self._channels_last, dtype=self._input.dtype)
        found = self.family.decode(self._run(tensor, size), self.config.conf)
        return self._finish(found, placement, size)

    def _finish(self, found: Candidates, placement: Placement, size: tuple[int, int]) -> Detections:
        boxes, scores, classes = found.boxes, found.scores, found.classes
        usable = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # (N,)
        usable &= self._filter.mask(classes) & (classes >= 0)
        rows = np.flatnonzero(usable)
        best = rows[np.argsort(-scores[rows], kind="stable")[:_MOST_CANDIDATES]]
        boxes, scores, classes = boxes[best], scores[best], classes[best]
        if self.family.space == "unit":
            boxes = boxes * np.tile(np.asarray(self.input_size, np.float32), 2)
        if self.family.space != "frame":
            boxes = placement.to_frame(boxes)
        # after the way back a padding-only box lies outside the picture: it shall not suppress a real one
        inside = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < size).all(axis=1)
        inside &= (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # a sliver may lose its area to rounding
        boxes, scores, classes = boxes[inside], scores[inside], classes[inside]
        if self._nms_iou is None:
            kept = np.arange(min(len(boxes), self.config.max_detections))
        else:
            kept = non_maximum_suppression(
                boxes, scores, classes, iou=self._nms_iou, max_kept=self.config.max_detections
            )
        # half precision rounds a certain detection to a little above 1
        return Detections(boxes[kept], np.clip(scores[kept], 0, 1), classes[kept], frame_size=size)

    def _run(self, tensor: NDArray[Any], frame_size: tuple[int, int]) -> list[FloatArray]:
        feeds = {self._input.name: tensor}
        if self._size_input is not None:
            feeds[self._size_input.name] = np.array([frame_size], self._size_input.dtype)  # (1, 2) width, height
        from reid.errors import ReidError

        try:
            outputs = self._session.run(feeds)
        except ReidError as error:
            raise ModelError(str(error)) from error
        return [np.asarray(output, np.float32) for output in outputs]

    def _probe(self, names: Mapping[int, str]) -> Signature:
        """What the model answers to a grey picture: real shapes, also where the file leaves them open."""
        width, height = self.input_size
        shape = (1, height, width, 3) if self._channels_last else (1, 3, height, width)
        grey = np.full(shape, 114 if self._input.dtype == "uint8" else 0.45, self._input.dtype)
        return Signature(
            width_px=width,
            height_px=height,
            channels_last=self._channels_last,
            output_names=tuple(info.name for info in self._session.outputs),
            outputs=tuple(self._run(grey, self.input_size)),
            metadata=self._session.metadata,
            class_names=names_from_config(self.config.class_names) or names,
            takes_frame_size=self._size_input is not None,
            input_dtype=self._input.dtype,
            stated=self.config.format != "auto",
        )


def _open(path: Path, device: str, threads: int | None) -> OnnxSession:
    from reid.errors import ModelError as SessionError
    from reid.runtime import open_session

    try:
        return open_session(path, device=device, threads=threads)
    except SessionError as error:
        raise ModelError(str(error)) from error


def _image_input(session: OnnxSession, path: Path) -> TensorInfo:
    images = [i for i in session.inputs if len(i.shape) == 4 and 3 in (i.shape[1], i.shape[3])]
    if not images:  # an export with every axis open: channels first is the rule
        images = [i for i in session.inputs if len(i.shape) == 4 and i.shape[1] is None]
    seen = ", ".join(f"{i.name} {i.shape} {i.dtype}" for i in session.inputs)
    if len(images) != 1:
        raise ModelError(f"{path} must have one picture input of shape (1, 3, H, W) or (1, H, W, 3), it has {seen}")
    if images[0].dtype not in _FLOATS_AND_BYTES:
        raise ModelError(f"{path} must take float32, float16 or uint8 pictures, it has {seen}")
    if images[0].shape[0] not in (1, None):
        raise ModelError(f"{path} must take one picture at a time (batch 1 or free), it has {seen}: export it so")
    return images[0]


def _size_input(session: OnnxSession, image: TensorInfo, path: Path) -> TensorInfo | None:
    others = [i for i in session.inputs if i is not image]
    if not others:
        return None
    only = others[0]
    if len(others) > 1 or len(only.shape) != 2 or only.shape[1] not in (2, None):
        seen = ", ".join(f"{i.name} {i.shape}" for i in others)
        raise ModelError(f"{path} wants inputs that are not known: {seen}; known is a picture, and its size as (1, 2)")
    return only


def _input_size(
    image: TensorInfo, channels_last: bool, metadata: Mapping[str, str], config: OnnxDetectorConfig, path: Path
) -> tuple[int, int]:
    height, width = image.shape[1:3] if channels_last else image.shape[2:4]
    given = config.input_size
    stated = _size_from_metadata(metadata)  # (height, width)
    if given is not None:
        for fixed, wanted in zip((width, height), given, strict=True):
            if fixed is not None and fixed != wanted:
                raise ConfigError(f"input_size: {path} takes {width}x{height} only, got {given[0]}x{given[1]}")
        return given
    return width or stated[1], height or stated[0]


def _size_from_metadata(metadata: Mapping[str, str]) -> Sequence[int]:
    """(height, width) as Ultralytics writes it under `imgsz`, else the usual square."""
    try:
        value = ast.literal_eval(metadata.get("imgsz", ""))
        height, width = (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))
    except (ValueError, SyntaxError, TypeError, IndexError):
        return _DEFAULT_SIZE, _DEFAULT_SIZE
    return height, width


def _class_names(
    config: OnnxDetectorConfig, metadata_names: Mapping[int, str], family: Family, path: Path
) -> dict[int, str]:
    stated = names_from_config(config.class_names)
    if stated:
        word = config.class_names[0] in {"coco80", "coco91"}
        if family.class_count is not None and not word and len(stated) != family.class_count:
            raise ConfigError(f"class_names: {path} has {family.class_count} classes, got {len(stated)} names")
        return stated
    if metadata_names:
        return dict(metadata_names)
    if family.class_count == 1:
        return {0: "person"}  # single-class detectors without a name are pedestrian detectors nearly always
    if family.names == "coco80" and family.class_count == 80:
        return dict(COCO_80)
    if family.names == "coco91" and family.class_count in {90, 91}:
        return dict(COCO_91)
    return {}
