"""Where results go: text, tables, a video, crops, tracklets, reasons. A class a file, all `tracker.types.Sink`s."""

from tracker.sinks.crops import CropsSink
from tracker.sinks.csv import CsvSink
from tracker.sinks.explain import ExplainSink
from tracker.sinks.jsonl import JsonlSink
from tracker.sinks.mot import MotSink
from tracker.sinks.online import online_sinks
from tracker.sinks.opening import SINK_KINDS, open_sinks
from tracker.sinks.tracklets import TrackletsSink
from tracker.sinks.video import VideoSink

__all__ = [
    "SINK_KINDS",
    "CropsSink",
    "CsvSink",
    "ExplainSink",
    "JsonlSink",
    "MotSink",
    "TrackletsSink",
    "VideoSink",
    "online_sinks",
    "open_sinks",
]
