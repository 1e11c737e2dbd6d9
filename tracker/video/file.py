"""A video file: every frame, in order, on the file's own clock."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import cv2
import numpy as np

from tracker.errors import SourceError
from tracker.types import Frame, Image, SourceInfo
from tracker.video.base import BaseSource
from tracker.video.capture import open_capture, read_first, retrieve, stated_rate_hz
from tracker.video.container import counts_frames, is_cut
from tracker.video.moment import Span

_logger = logging.getLogger(__name__)

_NO_IMAGE: Image = np.empty((0, 0, 3), np.uint8)  # of a frame before the span
_FALLBACK_RATE_HZ = 25.0  # of a file without time stamps and without a rate: raw streams, most often made at 25
_SLACK_FRAMES = 2  # a count may include frames that an edit list hides at either end
_SLACK_S = 2.0  # sound that goes on after the last picture lengthens the duration that an estimate is made from
_SLACK_SHARE = 0.05


class CapturedVideo(BaseSource):
    """Every frame of a finished video that OpenCV has open; `VideoFile` is the one to use for a file.

    Args:
        capture: open.
        first: its first frame.
        name: how to call it.
        exact: whether the frame count that it announces was counted, not estimated.
        cut: whether it is known or to be feared that its end is missing.
        span: which part of it to give.
        rate_hz: its frame rate, where its own time stamps shall not count.
    """

    def __init__(
        self,
        capture: cv2.VideoCapture,
        first: Image,
        name: str,
        *,
        exact: bool,
        cut: bool,
        span: Span | None = None,
        rate_hz: float | None = None,
    ) -> None:
        span = span or Span()
        self._capture = capture
        stated_hz = stated_rate_hz(capture)
        rate = rate_hz or stated_hz
        count = _positive(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if exact or stated_hz else None
        self._announced = None if count is None else round(count)
        self._exact, self._cut = exact, cut
        self._fixed_rate_hz = rate_hz
        self._first: Image | None = first
        self._index = 0
        self._time_s = self._stamp_s = 0.0
        height, width = first.shape[:2]
        frames = span.count(self._announced, rate)
        super().__init__(SourceInfo(name, width, height, rate, frames, live=False), span)

    def _read(self) -> Frame | None:
        if self._first is not None:
            first, self._first = self._first, None
            return self._next(first, self._next_time_s())
        if not self._capture.grab():
            self._check_end()
            return None
        time_s = self._next_time_s()
        skipped = self._span.before(self._index + 1, time_s)
        image = _NO_IMAGE if skipped else retrieve(self._capture)
        if image is None:
            raise self._defect()
        return self._next(image, time_s)

    def _next(self, image: Image, time_s: float) -> Frame:
        self._index, self._time_s = self._index + 1, time_s
        return Frame(image, self._index, time_s)

    def _next_time_s(self) -> float:
        """When the frame that was grabbed last is shown; `_index` still counts the ones before it."""
        nominal_s = 1 / (self._info.rate_hz or _FALLBACK_RATE_HZ)
        if self._fixed_rate_hz is not None:
            return self._index * nominal_s
        before_s, self._stamp_s = self._stamp_s, self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        advances = math.isfinite(self._stamp_s) and self._stamp_s > self._time_s
        if advances or self._index == 0:
            return self._stamp_s if advances else 0.0
        if self._stamp_s == before_s > 0:
            nominal_s /= 2  # a stamp that is there twice: the next one is right again
        return self._time_s + nominal_s

    def _check_end(self) -> None:
        """Tell a file that ends from one that breaks off.

        One that is whole may announce more than it shows: an edit list hides what was trimmed away, and where the count
        is an estimate, the sound may go on for longer.
        """
        if self._announced is None or not (self._cut or self._exact):
            return
        missing = self._announced - self._index
        slack = float(_SLACK_FRAMES)
        if not self._exact:
            slack = max(slack, _SLACK_S * (self._info.rate_hz or _FALLBACK_RATE_HZ), _SLACK_SHARE * self._announced)
        if self._cut and missing > slack:
            raise self._defect()
        if missing > _SLACK_FRAMES:
            _logger.warning("%s ends after %d%s frames", self._info.name, self._index, self._of())

    def _defect(self) -> SourceError:
        return SourceError(
            f"{self._info.name}: frame {self._index + 1}{self._of()} cannot be read: the file is truncated or corrupt "
            f"there; results up to frame {self._index} are kept"
        )

    def _of(self) -> str:
        return "" if self._announced is None else f" of {'' if self._exact else 'about '}{self._announced}"

    def _release(self) -> None:
        self._first = None
        self._capture.release()


class VideoFile(CapturedVideo):
    """Frames of a video file, turned upright where its metadata says that the camera was held sideways.

    Time is media time, from the file's own time stamps, so that a variable frame rate is kept; frame number over
    nominal rate where a file has none, or none that advance. To begin late, the frames before are decoded and thrown
    away: containers do not say which frame number a time stamp has, so that a seek would have to guess it.

    Args:
        path: the file.
        span: which part of it to give.
        rate_hz: its frame rate, where its own time stamps shall not count.

    Raises:
        SourceError: it cannot be opened, or holds no picture; on iteration, where its end is missing (it was truncated)
            or a frame cannot be decoded, after every frame that could be read.
    """

    def __init__(self, path: Path, *, span: Span | None = None, rate_hz: float | None = None) -> None:
        capture, first = _open(path)
        exact, cut = counts_frames(path), is_cut(path)
        super().__init__(capture, first, path.name, exact=exact, cut=cut, span=span, rate_hz=rate_hz)


def _open(path: Path) -> tuple[cv2.VideoCapture, Image]:
    """An open capture and its first frame."""
    if path.stat().st_size == 0:
        raise SourceError(f"{path} is empty")
    capture = open_capture(str(path))
    image = read_first(capture)
    if image is None:
        opened = capture.isOpened()
        capture.release()
        what = "holds no frame that OpenCV can decode" if opened else "is not a video that OpenCV can read"
        raise SourceError(f"{path} {what}: check that it plays, or convert it to H.264 in mp4")
    return capture, image


def _positive(value: float) -> float | None:
    """OpenCV says 0, a negative number or NaN for what it does not know."""
    return value if math.isfinite(value) and value > 0 else None
