"""The arrays and protocols that the whole of `tracker` speaks: structs of arrays, one row an object."""

from tracker.types.arrays import BoolArray, DoubleArray, FloatArray, Image, IntArray
from tracker.types.detections import Detections
from tracker.types.models import (
    AppearanceInfo,
    CalibrationLike,
    DetectorLike,
    EmbedderLike,
    EmbedRows,
    RemakeVectors,
    SwappableEmbedder,
)
from tracker.types.results import FrameResult, RunInfo, Sink
from tracker.types.rows import UNIT_NORM_TOLERANCE, off_unit
from tracker.types.sources import Frame, Source, SourceInfo
from tracker.types.tracks import TrackEvent, TrackEventKind, Tracks

__all__ = [
    "UNIT_NORM_TOLERANCE",
    "AppearanceInfo",
    "BoolArray",
    "CalibrationLike",
    "Detections",
    "DetectorLike",
    "DoubleArray",
    "EmbedRows",
    "EmbedderLike",
    "FloatArray",
    "Frame",
    "FrameResult",
    "Image",
    "IntArray",
    "RemakeVectors",
    "RunInfo",
    "Sink",
    "Source",
    "SourceInfo",
    "SwappableEmbedder",
    "TrackEvent",
    "TrackEventKind",
    "Tracks",
    "off_unit",
]
