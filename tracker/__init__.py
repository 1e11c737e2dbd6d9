"""Tracking: detections in, identities out; `Tracker` alone, or a whole `Pipeline` from a source to sinks.

Each name is loaded when it is first asked for: the command's help waits for neither numpy nor scipy, and who wants the
types alone does not pay for the pipeline.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.config import TrackerConfig
    from tracker.errors import TrackerError
    from tracker.pipeline import Pipeline
    from tracker.pipeline_config import PipelineConfig
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

_MODULE_OF = {
    "Detections": "types",
    "Frame": "types",
    "FrameResult": "types",
    "Pipeline": "pipeline",
    "PipelineConfig": "pipeline_config",
    "TrackEvent": "types",
    "Tracker": "tracker",
    "TrackerConfig": "config",
    "TrackerError": "errors",
    "Tracks": "types",
}


if not TYPE_CHECKING:  # a type checker must not take it for granted that every name exists

    def __getattr__(name: str) -> object:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        globals()[name] = value  # found at once from now on
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
