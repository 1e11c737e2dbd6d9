"""Class names: the two lists of COCO, names inside a model's metadata, and which classes a user wants."""

from __future__ import annotations

import ast
import difflib
import json
import logging
from collections.abc import Mapping, Sequence

import numpy as np

from tracker.errors import ConfigError
from tracker.types import BoolArray, IntArray

_logger = logging.getLogger(__name__)

_COCO = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
]

# Category ids of the data set itself run from 1 to 90 and leave these out (Lin et al. 2014, annotation files)
_COCO_GAPS = frozenset((12, 26, 29, 30, 45, 66, 68, 69, 71, 83))

COCO_80: Mapping[int, str] = dict(enumerate(_COCO))
"""Contiguous ids 0..79, as YOLO-like models use them."""
COCO_91: Mapping[int, str] = dict(zip((i for i in range(1, 91) if i not in _COCO_GAPS), _COCO, strict=True))
"""Category ids 1..90, as TensorFlow's and DETR's models use them."""


def parse_names(text: str | None) -> dict[int, str]:
    """Names from a model's metadata: a dict or list, written as Python or JSON; empty where there are none.

    Ultralytics writes `{0: 'person', 1: 'bicycle'}`. The text is parsed as a literal and never run.
    """
    if not text:
        return {}
    value: object = None
    for parse in (ast.literal_eval, json.loads):
        try:
            value = parse(text)
            break
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        try:
            return {int(key): str(name) for key, name in value.items()}
        except (TypeError, ValueError):
            pass
    _logger.warning("the model's class names cannot be read and are ignored: %.80s", text)
    return {}


def names_from_config(given: Sequence[str]) -> dict[int, str]:
    """Names in the order of their ids, or one of the words `coco80` and `coco91`."""
    if len(given) == 1 and given[0] in {"coco80", "coco91"}:
        return dict(COCO_80 if given[0] == "coco80" else COCO_91)
    return dict(enumerate(given))


class ClassFilter:
    """Which classes of a detector are wanted: all, or those named by name or id.

    Raises:
        ConfigError: a name is unknown (near ones are listed), an id is out of range, or names are given for a detector
            that does not know the names of its classes.
    """

    def __init__(self, wanted: Sequence[str | int], names: Mapping[int, str], detector: str) -> None:
        if isinstance(wanted, str):
            raise ConfigError(f"classes must be a sequence of names or ids, got the text {wanted!r}")
        self.ids: tuple[int, ...] | None = None
        """Wanted ids, None for all."""
        if wanted:
            self.ids = tuple(sorted({_class_id(value, names, detector) for value in wanted}))

    def mask(self, classes: IntArray) -> BoolArray:
        """(N,) -> (N,) whether each row is wanted."""
        if self.ids is None:
            return np.ones(len(classes), np.bool_)
        return np.isin(classes, np.asarray(self.ids, np.int64))


def _class_id(value: str | int, names: Mapping[int, str], detector: str) -> int:
    text = str(value).strip()
    for number, name in names.items():
        if name.casefold() == text.casefold():
            return number
    if isinstance(value, bool) or not text.lstrip("-").isdecimal():
        if not names:
            raise ConfigError(f"classes: {detector} does not know the names of its classes, got {text!r}; give ids")
        near = difflib.get_close_matches(text.casefold(), [n.casefold() for n in names.values()], n=3, cutoff=0.5)
        if near:
            hint = "did you mean " + " or ".join(repr(n) for n in near) + "?"
        else:
            hint = f"it knows {', '.join(list(names.values())[:10])}{', ...' if len(names) > 10 else ''}"
        raise ConfigError(f"classes: {detector} has no class {text!r}; {hint}")
    number = int(text)
    if number < 0 or (names and number not in names):
        known = f", known are {min(names)} to {max(names)}" if names else ""
        raise ConfigError(f"classes: {detector} has no class with id {number}{known}")
    return number
