"""A video that plays in a browser, from what the OpenCV at hand can encode.

H.264 in mp4 where this build of OpenCV has an encoder for it (the wheels from PyPI have none, for its licence), else
VP8 in WebM, encoded in its real-time mode (`tracker.video.webm`): VP9 takes five times as long for 40 % of the size. A
WebM file also plays as far as it goes when the program is killed; an mp4 file needs `close`.
"""

from __future__ import annotations

import logging
import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tracker.errors import InputError, OutputError
from tracker.types import Image
from tracker.video import webm
from tracker.video.capture import is_utf8, open_capture, quiet, without_lines

_logger = logging.getLogger(__name__)

_LEAST_FREE_BYTES = 4 << 20  # FFmpeg holds up to this much back (a Matroska cluster is at most 5 MB or 5 s)
_CHECK_EVERY_FRAMES = 25
_LEAST_PX = 16  # a macroblock: of smaller pictures the encoders write files that do not read back
_PROBE_FRAMES = 5
_PROBE_SIZE = (320, 240)  # hardware encoders refuse very small pictures


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to encode that browsers play."""

    name: str
    """As people call it."""
    fourcc: str
    """As OpenCV calls it."""
    suffix: str
    """Of the file, with the dot."""


CODECS = (Codec("H.264", "avc1", ".mp4"), Codec("VP8", "VP80", ".webm"), Codec("VP9", "VP90", ".webm"))
"""In the order of preference."""


def probe_codec(codecs: Sequence[Codec] = CODECS) -> Codec:
    """The first that really works here: it encodes a few frames into a file that reads back. Takes milliseconds.

    Raises:
        OutputError: none does.
    """
    with tempfile.TemporaryDirectory(prefix="reidtrack-") as folder:
        for codec in codecs:
            if _works(codec, Path(folder) / f"probe-{codec.fourcc}{codec.suffix}"):
                return codec
    names = ", ".join(codec.name for codec in codecs)
    raise OutputError(
        f"this build of OpenCV ({cv2.__version__}) can encode none of {names}: install opencv-python from PyPI, "
        "or leave the video out"
    )


def _works(codec: Codec, path: Path) -> bool:
    with quiet():
        writer = _open(path, codec, _PROBE_SIZE, 25.0)
        for step in range(_PROBE_FRAMES):
            writer.write(np.full((_PROBE_SIZE[1], _PROBE_SIZE[0], 3), 40 * step, np.uint8))
        writer.release()
    return _readable_frames(path) is not None


def _open(path: Path, codec: Codec, size: tuple[int, int], rate_hz: float) -> cv2.VideoWriter:
    fourcc = cv2.VideoWriter.fourcc(*codec.fourcc)
    # OpenCV prints that WebM has no four-letter code for VP8, which is right and harms nothing
    with quiet(), without_lines(b"OpenCV: FFMPEG: "):
        return cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, rate_hz, size)


def _readable_frames(path: Path) -> float | None:
    """The number of frames that the finished file announces, None where it does not open."""
    if not path.is_file():
        return None
    capture = open_capture(str(path))
    try:
        frames = capture.get(cv2.CAP_PROP_FRAME_COUNT) if capture.isOpened() and capture.grab() else 0
    finally:
        capture.release()
    return frames if frames > 0 else None


class VideoWriter:
    """Pictures into a video file.

    Args:
        stem: the file's path without the suffix, which the codec decides (see `path`).
        size: (width_px, height_px) of every picture; an odd side is lengthened by one pixel, since the encoders halve
            the colours' resolution, and one below 16 pixels to that.
        rate_hz: pictures a second.
        codec: None probes for the best one here.
        overwrite: replace an existing file; otherwise that is an error, also where it comes to be at this moment.

    Raises:
        InputError: size or rate is impossible.
        OutputError: nothing here can encode, or the file cannot be written; from `write` and `close` too, since a
            full disk shows late: OpenCV reports no failure, so free space is watched and the end is read back.
    """

    def __init__(
        self, stem: Path, size: tuple[int, int], rate_hz: float, *, codec: Codec | None = None, overwrite: bool = True
    ) -> None:
        if min(size) < 1:
            raise InputError(f"size must be (width_px, height_px), both 1 or more, got {size}")
        if not (math.isfinite(rate_hz) and rate_hz > 0):
            raise InputError(f"rate_hz must be more than 0, got {rate_hz}")
        self.codec = codec or probe_codec()
        self.path = stem.with_name(stem.name + self.codec.suffix)
        self.frames = 0
        self._size = size
        encoded = (_encodable(size[0]), _encodable(size[1]))
        self._padding = (encoded[0] - size[0], encoded[1] - size[1])
        self._check_place("wb" if overwrite else "xb")
        self._rate_hz = rate_hz
        self._retimed = self._retime_due = self.codec.suffix == ".webm" and webm.can_retime(rate_hz)
        announced_hz = webm.ENCODING_RATE_HZ if self._retimed else rate_hz
        self._writer: cv2.VideoWriter | None = _open(self.path, self.codec, encoded, announced_hz)
        if not self._writer.isOpened():
            self._writer = None
            self.path.unlink(missing_ok=True)
            raise OutputError(
                f"{self.path} cannot be written: {self.codec.name} takes no pictures of {size[0]}x{size[1]} at "
                f"{rate_hz:g} a second; leave the video out, or give smaller pictures"
            )

    def write(self, image: Image) -> None:
        """Append one picture, (H, W, 3) uint8 BGR of the size that was announced."""
        if self._writer is None:
            raise InputError(f"{self.path} is closed")
        width, height = self._size
        if image.shape != (height, width, 3):
            raise InputError(f"the picture must have shape {(height, width, 3)}, got {image.shape}")
        if self._padding != (0, 0):
            right, bottom = self._padding
            padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            self._writer.write(padded)
        else:
            self._writer.write(image)
        self.frames += 1
        if self._retime_due:  # as early as the header is on the disk, for the case that the program is killed
            self._retime_due = not self._retime()
        if self.frames % _CHECK_EVERY_FRAMES == 0:
            self._check_space()

    def close(self) -> None:
        """Finish the file and make sure that it reads; harmless more than once."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        with quiet():
            writer.release()
        if self.frames == 0:
            self.path.unlink(missing_ok=True)  # a video without a picture plays nowhere
            return
        found = _readable_frames(self.path)
        # Matroska's duration is rounded to milliseconds and ends with the last frame's begin or end
        if found is None or found < self.frames - max(2.0, 0.02 * self.frames):
            raise OutputError(
                f"{self.path} is incomplete: {self.frames} frames were written, {round(found or 0)} arrived "
                f"({_free_text(self.path.parent)}); is the disk full, or a limit on file sizes reached?"
            )
        # the header is written anew at the end, with the encoder's clock again
        if self._retimed and not self._retime():
            raise OutputError(f"{self.path} plays too slowly: this build of OpenCV writes an unknown header")

    def _retime(self) -> bool:
        try:
            return self.path.stat().st_size > 0 and webm.retime(self.path, self._rate_hz)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror}") from error

    def _check_place(self, mode: str) -> None:
        """Find out with Python's own errors what OpenCV would be silent about."""
        if not is_utf8(self.path):
            raise OutputError(f"{str(self.path)!a} has a name that is not UTF-8 text: choose another folder")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open(mode):
                pass
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror}") from error
        self._check_space()

    def _check_space(self) -> None:
        if shutil.disk_usage(self.path.parent).free < _LEAST_FREE_BYTES:
            raise OutputError(
                f"{self.path} cannot be continued: the disk is almost full ({_free_text(self.path.parent)})"
            )


def _encodable(side_px: int) -> int:
    return max(side_px + side_px % 2, _LEAST_PX)


def _free_text(folder: Path) -> str:
    return f"{shutil.disk_usage(folder).free / 1e6:.1f} MB free"
