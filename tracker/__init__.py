"""Tracking: detections in, identities out.

    from tracker import Detections, Tracker
"""

from tracker.config import TrackerConfig
from tracker.errors import TrackerError
from tracker.tracker import Tracker
from tracker.types import Detections, Frame, FrameResult, TrackEvent, Tracks

__all__ = ["Detections", "Frame", "FrameResult", "TrackEvent", "Tracker", "TrackerConfig", "TrackerError", "Tracks"]
