"""Using OpenCV's video classes without their noise on stderr."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import cv2

from tracker.types import Image


def _set_log_level(level: int) -> int:
    """Set OpenCV's log level, 0 being silence; the one before."""
    # OpenCV 4 has the function at the top, OpenCV 5 in a module of its own, and neither has both
    owner: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    return int(owner.setLogLevel(level))


class _LogLevel:
    """OpenCV's log level is one for the process: silent while anybody in it needs that, then as it was.

    Counting matters: two threads that each save, silence and restore would leave it silent for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._saved = 0

    def silence(self) -> None:
        with self._lock:
            if self._users == 0:
                self._saved = _set_log_level(0)
            self._users += 1

    def restore(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                _set_log_level(self._saved)


_LEAST_CLOCK_HZ = 1000.0
_LOG_LEVEL = _LogLevel()
_STDERR_LOCK = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep OpenCV and FFmpeg from writing to stderr about what we report ourselves.

    FFmpeg's level is read once, from the environment, when OpenCV first uses it; a value the user set is kept.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    _LOG_LEVEL.silence()
    try:
        yield
    finally:
        _LOG_LEVEL.restore()


@contextmanager
def without_lines(prefix: bytes) -> Iterator[None]:
    """Keep lines of this beginning off stderr while a C library runs that knows no log level.

    What anybody else in the process writes there meanwhile is passed on afterwards. One thread at a time.
    """
    with _STDERR_LOCK, tempfile.TemporaryFile() as caught:
        try:
            stderr = os.dup(2)
        except OSError:  # closed, as in some services: nothing to keep clean
            yield
            return
        try:
            os.dup2(caught.fileno(), 2)
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            others = b"".join(line for line in caught if not line.startswith(prefix))
            if others:
                os.write(2, others)


def is_utf8(path: str | Path) -> bool:
    """Whether OpenCV can be given this path: a name of other bytes makes it crash the process."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def open_capture(target: str | int, parameters: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open a file, URL or camera; check `isOpened()`.

    Args:
        target: what to open; a string with FFmpeg where the build has it, since it alone knows time stamps.
        parameters: `CAP_PROP_*` and value in turn.
    """
    backend = cv2.CAP_ANY
    if isinstance(target, str) and cv2.CAP_FFMPEG in cv2.videoio_registry.getBackends():
        backend = cv2.CAP_FFMPEG
    with quiet():
        return cv2.VideoCapture(target, backend, list(parameters))


def stated_rate_hz(capture: cv2.VideoCapture) -> float | None:
    """Frames a second; None where it is not known, of which OpenCV says 0, a negative number or NaN.

    Nor is it known where FFmpeg gives the clock's, such as 1000 or 90000, since none is stated.
    """
    rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if 0 < rate < _LEAST_CLOCK_HZ else None


def retrieve(capture: cv2.VideoCapture) -> Image | None:
    """The picture that was grabbed last, in an array of its own; None where it cannot be decoded."""
    try:
        ok, image = capture.retrieve()
    except cv2.error:
        return None
    return cast(Image, image) if ok else None


def read_first(capture: cv2.VideoCapture) -> Image | None:
    """The first picture: what proves a decoder, and tells the size after any rotation. None where there is none."""
    with quiet():
        return retrieve(capture) if capture.isOpened() and capture.grab() else None
