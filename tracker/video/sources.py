"""From what a user writes to the source that it means."""

from __future__ import annotations

import glob
import math
import os
import re
from pathlib import Path

from tracker.errors import ConfigError, SourceError
from tracker.types import Source
from tracker.video.capture import is_utf8
from tracker.video.file import VideoFile
from tracker.video.live import Camera, StreamTimeouts, open_stream
from tracker.video.moment import Span
from tracker.video.pictures import PICTURE_SUFFIXES, Pictures, glob_paths, picture_paths
from tracker.video.url import StreamUrl, looks_like_url


def open_source(
    spec: str | Path,
    *,
    start: str | None = None,
    end: str | None = None,
    rate_hz: float | None = None,
    timeouts: StreamTimeouts | None = None,
) -> Source:
    """Open a source of frames.

    Args:
        spec: a video file; a picture, a folder of pictures or a glob such as `shots/*.jpg`; the number of a camera
            (`0`); or a stream's URL (`rtsp://user:password@host/path`, `http://host/video.mjpg`).
            A file that is called `0` is written `./0`; a number of more than four digits is a file or folder.
        start: where to begin, in the grammar of `tracker.video.moment`.
        end: where to end, likewise.
        rate_hz: frames a second: of pictures (default: of the sequence, or 25); of a video instead of its own clock.
        timeouts: how long a stream may keep us waiting.

    Raises:
        SourceError: it is missing, empty, or not what it should be; the message says what was expected.
        ConfigError: `start`, `end` or `rate_hz` is malformed.
    """
    span = Span.parse(start, end)
    if rate_hz is not None and not (math.isfinite(rate_hz) and rate_hz > 0):
        raise ConfigError(f"rate_hz must be more than 0, got {rate_hz}")
    text = str(spec)
    if isinstance(spec, str):
        if camera := re.fullmatch(r"(?:/dev/video)?(\d{1,4})", text.strip()):
            if rate_hz is not None:
                raise SourceError(f"camera {camera[1]} is live and has a clock of its own: leave rate_hz out")
            return Camera(int(camera[1]), span=span)
        if looks_like_url(text):
            return open_stream(StreamUrl(text), span=span, rate_hz=rate_hz, timeouts=timeouts)
    if not text.strip():
        raise SourceError("the source must be a file, folder, glob, camera number or URL, got an empty text")
    if not is_utf8(text):
        raise SourceError(f"{text!a} has a name that is not UTF-8 text, which OpenCV cannot open: rename it")
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - unlike Path's own, it leaves `~nobody` as it is
    return _open_path(path, span, rate_hz)


def _open_path(path: Path, span: Span, rate_hz: float | None) -> Source:
    try:
        if path.is_dir():
            return Pictures(picture_paths(path), path.resolve().name, span=span, rate_hz=rate_hz)
        if path.is_file():
            if path.suffix.lower() in PICTURE_SUFFIXES:
                return Pictures([path], path.name, span=span, rate_hz=rate_hz)
            return VideoFile(path, span=span, rate_hz=rate_hz)
        if path.exists():
            raise SourceError(f"{path} is neither a file nor a folder")
        if glob.has_magic(str(path)):
            paths = glob_paths(str(path))
            return Pictures(paths, paths[0].resolve().parent.name, span=span, rate_hz=rate_hz)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    raise SourceError(f"{path} was not found: expected a video file, a folder of pictures, a camera number or a URL")
