"""Reading the outputs of detector networks: one small file a family, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from tracker.detectors.decoding import detr, end_to_end, nanodet, ssd, yolo, yolox
from tracker.detectors.decoding.base import Candidates, Family, Signature
from tracker.errors import ModelError

__all__ = ["FORMATS", "Candidates", "Family", "Format", "Signature", "recognise"]

Format: TypeAlias = Literal["auto", "yolox", "yolo", "yolov5", "end_to_end", "nanodet", "ssd", "detr", "rtdetr"]
"""Families of detector networks; `auto` recognises."""

# In this order: a family stands before those that would also take its models
FORMATS: Mapping[str, Callable[[Signature], Family | None]] = MappingProxyType(
    {
        "rtdetr": detr.recognise_with_frame_size,
        "nanodet": nanodet.recognise,
        "yolox": yolox.recognise,
        "yolov5": yolo.recognise_with_objectness,
        "yolo": yolo.recognise,
        "end_to_end": end_to_end.recognise,
        "ssd": ssd.recognise,
        "detr": detr.recognise,
    }
)


def recognise(signature: Signature, wanted: Format, model: str) -> Family:
    """The family of a model, or the one that is stated.

    Raises:
        ModelError: no family fits; the message lists what the model showed.
    """
    if wanted != "auto":
        family = FORMATS[wanted](signature)
        if family is None:
            raise ModelError(f"{model} cannot be read as format {wanted!r}: it has {signature.describe()}")
        return family
    for attempt in FORMATS.values():
        family = attempt(signature)
        if family is not None:
            return family
    raise ModelError(
        f"{model} is no detector that is recognised: it has {signature.describe()}. "
        f"State its format ({', '.join(sorted(FORMATS))}) if it is one of these"
    )
