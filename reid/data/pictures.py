"""Where pixels come from: picture files, or crops in memory. Nothing is decoded before it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.errors import DataError

Image: TypeAlias = NDArray[np.uint8]  # (H, W, 3), BGR

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
_REDUCED = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))
_JPEG_QUALITY = 95
# start-of-frame markers of JPEG (ITU-T T.81, table B.1): C0..CF without C4 (tables), C8 (reserved) and CC (arithmetic)
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class PictureSource(Protocol):
    """Pictures by number."""

    def __len__(self) -> int: ...
    def read(self, index: int, height_px: int, width_px: int) -> Image:
        """(H, W, 3) uint8 BGR; may be reduced, but not below twice the size that it is wanted in.

        Raises:
            DataError: it cannot be read; the message names the file.
        """

    def name(self, index: int) -> str:
        """What to call it in a message."""


class FilePictures:
    """Picture files. JPEGs much larger than wanted are decoded at a half, a quarter or an eighth, which is quicker.

    Args:
        paths: the files.
    """

    def __init__(self, paths: Sequence[Path | str]) -> None:
        self._paths = [str(path) for path in paths]  # a Path each would be ten times the memory

    def __len__(self) -> int:
        return len(self._paths)

    def read(self, index: int, height_px: int, width_px: int) -> Image:
        path = Path(self._paths[index])
        try:
            data = path.read_bytes()  # not cv2.imread, which fails on names that are not UTF-8
        except OSError as error:
            raise DataError(f"picture {path} cannot be read: {error.strerror}") from error
        image = decode(data, height_px, width_px)
        if image is None:
            raise DataError(
                f"picture {path} cannot be decoded ({len(data)} bytes): it is damaged or no picture; "
                "replace or delete it"
            )
        return image

    def name(self, index: int) -> str:
        return self._paths[index]


class MemoryPictures:
    """Crops that were cut from frames: as they are while `budget_bytes` lasts, beyond it as JPEG of high quality.

    Args:
        budget_bytes: of crops that are kept exactly.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._held_bytes = 0
        self._pictures: list[Image | bytes] = []
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._pictures)

    def add(self, crop: Image, name: str) -> None:
        """Keep a copy of a crop (H, W, 3)."""
        if self._held_bytes + crop.nbytes <= self._budget_bytes:
            self._pictures.append(crop.copy())
            self._held_bytes += crop.nbytes
        else:
            self._pictures.append(encode(crop, _JPEG_QUALITY))
        self._names.append(name)

    def read(self, index: int, height_px: int, width_px: int) -> Image:  # noqa: ARG002 - crops are small
        picture = self._pictures[index]
        if not isinstance(picture, bytes):
            return picture
        image = decode(picture)
        assert image is not None, "encoded by this class"
        return image

    def name(self, index: int) -> str:
        return self._names[index]


class JoinedPictures:
    """Several sources behind each other."""

    def __init__(self, parts: Sequence[PictureSource]) -> None:
        self._parts = list(parts)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])  # (parts + 1,)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, index: int, height_px: int, width_px: int) -> Image:
        part, inside = self.find(index)
        return part.read(inside, height_px, width_px)

    def name(self, index: int) -> str:
        part, inside = self.find(index)
        return part.name(inside)

    def find(self, index: int) -> tuple[PictureSource, int]:
        """The source that a picture is from, and its number there."""
        which = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._parts[which], index - int(self._starts[which])


def decode(data: bytes, height_px: int = 0, width_px: int = 0) -> Image | None:
    """An encoded picture as (H, W, 3) BGR, turned as its EXIF data says; None where it is damaged.

    With a wanted size, a JPEG may come out reduced, by averaging inside its blocks, to no less than twice that size.
    """
    if not data:
        return None
    flags = cv2.IMREAD_COLOR
    if height_px and width_px and (size := _jpeg_size(data)) is not None:
        # a picture that EXIF turns has its sides exchanged: the shorter one must do for the longer one wanted
        fold = min(size) // (2 * max(height_px, width_px))
        flags = next((flag for factor, flag in _REDUCED if fold >= factor), flags)
    try:
        image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # a header that claims an impossible size
        return None
    return None if image is None else np.asarray(image, np.uint8)


def encode(crop: Image, quality: int) -> bytes:
    """JPEG of a crop (H, W, 3), with its colours in full resolution: clothes are told apart by them."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    done, data = cv2.imencode(".jpg", crop, options)
    assert done, "a uint8 picture with three channels can always be encoded"
    return data.tobytes()


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """(height_px, width_px) from a JPEG's frame header, None for other files."""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _START_OF_FRAME:
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
