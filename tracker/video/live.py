"""Cameras and streams: frames that come on their own time."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from dataclasses import dataclass

import cv2

from tracker.errors import SourceError
from tracker.types import Frame, Image, SourceInfo
from tracker.video.base import BaseSource
from tracker.video.capture import open_capture, quiet, read_first, retrieve, stated_rate_hz
from tracker.video.file import CapturedVideo
from tracker.video.moment import Span
from tracker.video.url import StreamUrl
from tracker.video.web import has_length

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamTimeouts:
    """How long a stream may keep us waiting; one name a cause."""

    connect_s: float = 10.0
    """Until the server answers and sends its first frame."""
    stall_s: float = 10.0
    """Between two frames; `close` may have to wait for it too."""


class LiveSource(BaseSource):
    """Time is the clock of this machine when a frame arrives, from 0 at the first one: it never goes back.

    Args:
        capture: open.
        first: its first frame.
        name: how to call it.
        span: when to end; a start is refused.

    Raises:
        SourceError: on iteration, where a frame cannot be decoded or the source fails (see the subclasses).
    """

    def __init__(self, capture: cv2.VideoCapture, first: Image, name: str, span: Span) -> None:
        self._capture = capture
        self._first: Image | None = first
        self._index = 0
        self._began_s = time.monotonic()
        height, width = first.shape[:2]
        super().__init__(SourceInfo(name, width, height, stated_rate_hz(capture), None, live=True), span)

    def _read(self) -> Frame | None:
        if self._first is not None:
            first, self._first = self._first, None
            self._index = 1
            return Frame(first, 1, 0.0)
        asked_s = time.monotonic()
        with quiet():  # what OpenCV says of a stall is said below
            grabbed = self._capture.grab()
        now_s = time.monotonic()
        if not grabbed:
            self._check_end(now_s - asked_s)
            return None
        image = retrieve(self._capture)
        if image is None:
            raise SourceError(f"{self._info.name}: frame {self._index + 1} cannot be decoded")
        self._index += 1
        return Frame(image, self._index, now_s - self._began_s)

    @abstractmethod
    def _check_end(self, waited_s: float) -> None:
        """No frame came, after this wait: raise SourceError unless that is how such a source ends."""

    def _release(self) -> None:
        self._first = None
        self._capture.release()


class Camera(LiveSource):
    """A camera of this machine. It has no end: one that gives no frame any more is an error.

    Args:
        index: OpenCV's number of it, from 0.
        span: when to end; a start is refused.

    Raises:
        SourceError: there is none, or it gives no picture.
    """

    def __init__(self, index: int, *, span: Span | None = None) -> None:
        span = span or Span()
        _refuse_start(f"camera {index}", span)
        capture = open_capture(index)
        first = read_first(capture)
        if first is None:
            opened = capture.isOpened()
            capture.release()
            what = "gives no picture (is another program using it?)" if opened else "was not found"
            raise SourceError(f"camera {index} {what}; cameras are numbered from 0, see also `ls /dev/video*`")
        super().__init__(capture, first, f"camera{index}", span)

    def _check_end(self, waited_s: float) -> None:  # noqa: ARG002 - a camera's silence is a fault after any wait
        raise SourceError(
            f"camera {self._info.name.removeprefix('camera')} stopped giving pictures after frame {self._index}: "
            "was it unplugged?"
        )


class Stream(LiveSource):
    """A stream that is made while we look: RTSP, MJPEG over HTTP and the like.

    It ends when the server ends it. Made by `open_stream`.
    """

    def __init__(
        self, url: StreamUrl, capture: cv2.VideoCapture, first: Image, timeouts: StreamTimeouts, span: Span
    ) -> None:
        self._url = url
        self._timeouts = timeouts
        super().__init__(capture, first, url.name, span)

    def _check_end(self, waited_s: float) -> None:
        # the library gives up a little before or after its limit; an ended stream is known at once
        if waited_s >= 0.9 * self._timeouts.stall_s:
            raise SourceError(f"{self._url} stalled: no frame for {waited_s:.0f} s after frame {self._index}")
        _logger.info("%s was ended by the server after frame %d", self._url, self._index)


class WebVideo(CapturedVideo):
    """A finished video on a web server, read like a file: no frame of it is dropped. Made by `open_stream`."""

    def __init__(
        self,
        url: StreamUrl,
        capture: cv2.VideoCapture,
        first: Image,
        timeouts: StreamTimeouts,
        span: Span,
        rate_hz: float | None,
    ) -> None:
        self._url = url
        self._timeouts = timeouts
        super().__init__(capture, first, url.name, exact=False, cut=True, span=span, rate_hz=rate_hz)

    def _read(self) -> Frame | None:
        asked_s = time.monotonic()
        frame = super()._read()
        waited_s = time.monotonic() - asked_s
        if frame is None and waited_s >= 0.9 * self._timeouts.stall_s:  # a length that nobody states would not tell
            raise SourceError(f"{self._url} stalled: no frame for {waited_s:.0f} s after frame {self._index}")
        return frame


def open_stream(
    url: StreamUrl, *, span: Span | None = None, rate_hz: float | None = None, timeouts: StreamTimeouts | None = None
) -> BaseSource:
    """A live stream, or a finished video on a web server, which is one that states its frames or its length.

    Args:
        url: where it is.
        span: which part to give; of a live stream only the end.
        rate_hz: as `VideoFile`; refused for a live stream.
        timeouts: how long to wait.

    Raises:
        SourceError: the server does not answer in time, refuses, or sends no video. User and password are not shown.
    """
    span, timeouts = span or Span(), timeouts or StreamTimeouts()
    began_s = time.monotonic()
    capture = open_capture(
        url.secret(),
        (
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(1000 * timeouts.connect_s)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(1000 * timeouts.stall_s)),
        ),
    )
    first = read_first(capture)
    if first is None:
        capture.release()
        waited_s = time.monotonic() - began_s
        late = waited_s >= 0.9 * min(timeouts.connect_s, timeouts.stall_s)
        why = f"did not answer within {waited_s:.0f} s" if late else "refused the connection or sent no video"
        raise SourceError(f"{url} {why}: check address, user, password and that the stream is on")
    # RTSP servers set the pace also of a recording
    if url.is_http and (capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0 or has_length(url, timeouts.connect_s)):
        return WebVideo(url, capture, first, timeouts, span, rate_hz)
    try:
        _refuse_start(str(url), span)
        if rate_hz is not None:
            raise SourceError(f"{url} is live and has a clock of its own: leave rate_hz out")
    except SourceError:
        capture.release()
        raise
    return Stream(url, capture, first, timeouts, span)


def _refuse_start(name: str, span: Span) -> None:
    if span.start is not None:
        raise SourceError(f"{name} is live and begins when it is opened: leave start out (an end is possible)")
