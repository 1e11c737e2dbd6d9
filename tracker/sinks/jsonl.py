"""JSON Lines: everything that is known of each frame, for programs."""

from __future__ import annotations

from typing import Any

from tracker.sinks.json_lines import json_line, run_header
from tracker.sinks.text import TextSink
from tracker.types import FrameResult, RunInfo, TrackEvent

SCHEMA = "reidtrack.tracks"
SCHEMA_VERSION = 1


class JsonlSink(TextSink):
    """One JSON object a line: first a header, then one a frame, also where nothing is in it.

    Header:

        {"schema": "reidtrack.tracks", "version": 1, "program": "reidtrack 0.1.0",
         "source": {"name": "clip.mp4", "width_px": 640, "height_px": 480, "rate_hz": 25.0, "live": false},
         "classes": {"0": "person"}}

    Frame:

        {"frame": 12, "time_s": 0.44, "detected": true,
         "tracks": [{"id": 3, "box": [10.25, 20.5, 60.0, 180.75], "score": 0.91, "class": 0, "class_name": "person",
                     "coasted": false}],
         "events": [{"kind": "born", "id": 3, "time_s": 0.44}]}

    | key | meaning |
    |---|---|
    | frame | the source's frame number, from 1 |
    | time_s | seconds since the source began |
    | detected | false where the detector did not look at this frame and positions are predicted |
    | box | x1, y1, x2, y2 in pixels |
    | score | the detector's, 0..1; of a predicted position the last one |
    | class_name | null where the detector has no name for the class |
    | coasted | true where the position is predicted |
    | events | kind, id and time_s of each `TrackEvent`, and `replaces` and `since_s` where it has them |

    The version rises when a key changes its meaning or goes; new keys may come without that.
    """

    def _head(self, run: RunInfo) -> str:
        return run_header(SCHEMA, SCHEMA_VERSION, run)

    def write(self, result: FrameResult) -> None:
        """Append one frame."""
        tracks = result.tracks
        columns = (tracks.ids, tracks.boxes, tracks.scores, tracks.classes, tracks.coasted)
        frame = {
            "frame": result.frame.index,
            "time_s": round(result.frame.time_s, 6),
            "detected": result.detected,
            "tracks": [
                {
                    "id": track_id,
                    "box": [round(corner, 2) for corner in box],
                    "score": round(score, 4),
                    "class": number,
                    "class_name": self._class_names.get(number),
                    "coasted": coasted,
                }
                for track_id, box, score, number, coasted in zip(*(c.tolist() for c in columns), strict=True)
            ],
            "events": [_event(event) for event in tracks.events],
        }
        self._append(json_line(frame))


def _event(event: TrackEvent) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": event.kind, "id": event.track_id, "time_s": round(event.time_s, 6)}
    if event.replaces is not None:
        shown["replaces"] = event.replaces
    if event.since_s is not None:
        shown["since_s"] = round(event.since_s, 6)
    return shown
