"""Tracking: detections in, identities out; `Tracker` alone, or a whole `Pipeline` from a source to sinks."""

from tracker.config import TrackerConfig
from tracker.errors import TrackerError
from tracker.pipeline import Pipeline, PipelineConfig
from tracker.tracker import Tracker
from tracker.types import Detections, Frame, FrameResult, TrackEvent, Tracks

__all__ = [
    "Detections",
    "Frame",
    "FrameResult",
    "Pipeline",
    "PipelineConfig",
    "TrackEvent",
    "Tracker",
    "TrackerConfig",
    "TrackerError",
    "Tracks",
]
