"""A folder or glob of pictures as a source, in natural order."""

from __future__ import annotations

import configparser
import glob
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from tracker.errors import SourceError
from tracker.types import Frame, Image, SourceInfo
from tracker.video.base import BaseSource
from tracker.video.moment import Span

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
DEFAULT_RATE_HZ = 25.0


class Pictures(BaseSource):
    """Pictures as frames.

    In a MOTChallenge sequence (a `seqinfo.ini` beside the pictures or one folder above) the rate is the one that it
    states and a frame's number is the one in its file name, so that it agrees with the sequence's `gt.txt` and
    `det.txt` also where pictures are missing; elsewhere pictures are numbered from 1.

    Args:
        paths: the pictures, in order.
        name: how to call them, a folder's name.
        span: which part of them to give.
        rate_hz: pictures a second; None takes the sequence's rate, or else 25.

    Raises:
        SourceError: there is none; on iteration, where one cannot be read.
    """

    def __init__(
        self, paths: Sequence[Path], name: str, *, span: Span | None = None, rate_hz: float | None = None
    ) -> None:
        span = span or Span()
        if not paths:
            raise SourceError(f"{name} holds no picture")
        sequence = _Sequence.find(paths[0].parent)
        numbers = _file_numbers(paths) if sequence else None
        self._entries = list(zip(numbers or range(1, len(paths) + 1), paths, strict=True))
        self._rate_hz = rate_hz or (sequence and sequence.rate_hz) or DEFAULT_RATE_HZ
        self._next = 0
        height, width = _read_picture(paths[0]).shape[:2]
        frames = sum(
            not span.before(n, self._time_s(n)) and not span.after(n, self._time_s(n)) for n, _ in self._entries
        )
        name = (sequence and sequence.name) or name
        super().__init__(SourceInfo(name, width, height, self._rate_hz, frames, live=False), span)

    def _time_s(self, number: int) -> float:
        return (number - 1) / self._rate_hz

    def _read(self) -> Frame | None:
        if self._next == len(self._entries):
            return None
        number, path = self._entries[self._next]
        self._next += 1
        skipped = self._span.before(number, self._time_s(number))
        image = np.empty((0, 0, 3), np.uint8) if skipped else _read_picture(path)
        return Frame(image, number, self._time_s(number))

    def _release(self) -> None:
        self._entries = self._entries[: self._next]


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What a MOTChallenge `seqinfo.ini` says."""

    name: str | None
    rate_hz: float | None

    @classmethod
    def find(cls, folder: Path) -> _Sequence | None:
        """Read it beside the pictures or one folder above."""
        for path in (folder / "seqinfo.ini", folder.resolve().parent / "seqinfo.ini"):
            if path.is_file():
                return cls._read(path)
        return None

    @classmethod
    def _read(cls, path: Path) -> _Sequence:
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(path, encoding="utf-8-sig")
            rate = parser.getfloat("Sequence", "frameRate", fallback=None)
            name = parser.get("Sequence", "name", fallback=None)
        except (configparser.Error, ValueError) as error:
            raise SourceError(f"{path} must be a MOTChallenge seqinfo.ini: {error}") from error
        if rate is not None and not rate > 0:
            raise SourceError(f"{path}: frameRate must be more than 0, got {rate:g}")
        return cls(name, rate)


def picture_paths(folder: Path) -> list[Path]:
    """The pictures in a folder in natural order; where it has none but an `img1` folder, the ones in that.

    Raises:
        SourceError: there is none.
    """
    for place in (folder, folder / "img1"):
        found = [p for p in place.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES] if place.is_dir() else []
        if found:
            return natural_order(p for p in found if p.is_file())
    what = "is empty" if not any(folder.iterdir()) else "holds no picture"
    raise SourceError(f"{folder} {what}: expected files named {', '.join(sorted(PICTURE_SUFFIXES))}")


def glob_paths(pattern: str) -> list[Path]:
    """The pictures that match, in natural order.

    Raises:
        SourceError: nothing matches, or something that is no picture.
    """
    found = natural_order(Path(p) for p in glob.glob(pattern, recursive=True) if Path(p).is_file())  # noqa: PTH207 - a pattern may be absolute
    if not found:
        raise SourceError(f"no file matches {pattern}")
    if other := next((p for p in found if p.suffix.lower() not in PICTURE_SUFFIXES), None):
        raise SourceError(
            f"{pattern} matches {other}, which is no picture: expected {', '.join(sorted(PICTURE_SUFFIXES))}"
        )
    return found


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Sorted as a person would: runs of digits by value (`2.jpg` before `10.jpg`), the rest by letter."""

    def key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
        text = path.as_posix()
        parts = re.split(r"([0-9]+)", text.lower())
        # the text itself decides between 1.jpg and 01.jpg, so that no order depends on the disk
        return [(0, int(part), "") if part[:1].isdigit() and part.isascii() else (1, 0, part) for part in parts], text

    return sorted(paths, key=key)


def _file_numbers(paths: Sequence[Path]) -> list[int] | None:
    """The number in each name, None unless all have one and they rise from 1 or more."""
    found = [re.search(r"(\d+)$", path.stem) for path in paths]
    numbers = [int(match[1]) for match in found if match]
    rising = all(a < b for a, b in itertools.pairwise(numbers))
    return numbers if len(numbers) == len(paths) and rising and numbers[0] >= 1 else None


def _read_picture(path: Path) -> Image:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # above a limit of its own, 2^30 pixels
        image = None
    if image is None:
        raise SourceError(
            f"{path} is not a picture that OpenCV can read: it is damaged, too large, or not what its name says"
        )
    return cast(Image, image)
