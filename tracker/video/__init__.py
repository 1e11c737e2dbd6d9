"""Frames in and pictures out: sources, drawing, the video writer, the window."""

from tracker.video.live import StreamTimeouts
from tracker.video.sources import open_source

__all__ = ["StreamTimeouts", "open_source"]
