"""Tracks that go on where one was lost a moment ago: what a person is broken into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.config import TrackerConfig
from tracker.types import DoubleArray, FrameResult

_LOST_S = 5.0
"""So long after a track was lost one that begins nearby may be the same person."""
_BORDER = 0.02
"""Of the picture's width and height: who leaves through the border is this near to it when last seen."""
_SPEED = TrackerConfig().recover_speed  # heights a second, as far as the tracker itself looks


@dataclass(frozen=True, slots=True)
class Fragments:
    """One frame."""

    renamed: int
    """How many people who had been lost inside the picture got a new number."""
    broken: int
    """How many who had been lost there were found again, under whatever number, and how many tracks turned out to be
    somebody else's."""


class FragmentMeter:
    """Counts them, one result after the other.

    Whoever comes in for the first time is none, wherever that is, unless somebody else was lost nearby just before: how
    long people stay changes nothing, how often they hide each other does.
    """

    def __init__(self) -> None:
        self._here: dict[int, DoubleArray] = {}  # boxes of those whom the last frame showed
        self._lost: dict[int, tuple[float, DoubleArray]] = {}  # when and where each was seen last
        self._time_s = 0.0

    def update(self, result: FrameResult) -> Fragments:
        """What one frame showed."""
        tracks, now = result.tracks, result.frame.time_s
        seen = tracks.detections >= 0
        here = dict(zip(tracks.ids[seen].tolist(), tracks.boxes[seen].astype(np.float64), strict=True))
        height, width = result.frame.image.shape[:2]
        replaced = {event.replaces for event in tracks.events}  # they go on under another number, and were not lost
        for number, box in self._here.items():
            if number not in here and number not in replaced and _is_inside(box, width, height):
                self._lost[number] = self._time_s, box
        self._lost = {number: last for number, last in self._lost.items() if 0 <= now - last[0] <= _LOST_S}
        renamed = broken = 0
        for event in tracks.events:
            if event.kind == "corrected":
                broken += 1
            elif event.kind != "ended" and event.track_id in here and self._takes_up(here[event.track_id], now):
                broken += 1
                renamed += event.kind == "born"
        for number in here:
            self._lost.pop(number, None)
        self._here, self._time_s = here, now
        return Fragments(renamed, broken)

    def _takes_up(self, box: DoubleArray, now: float) -> bool:
        """Whether somebody was lost near this box, who is found then."""
        for number, (last_s, last) in self._lost.items():
            way, tall = (box[:2] + box[2:] - last[:2] - last[2:]) / 2, last[3] - last[1]
            if np.hypot(*way) <= tall * (0.5 + _SPEED * (now - last_s)):
                del self._lost[number]
                return True
        return False


def _is_inside(box: DoubleArray, width: int, height: int) -> bool:
    x1, y1, x2, y2 = box.tolist()
    x, y = _BORDER * width, _BORDER * height
    return bool(x1 > x and y1 > y and x2 < width - x and y2 < height - y)
