"""What a caller gives of one frame, checked: picture, time, numbers, and the boxes that show an object."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """M objects that were seen in a frame, at least in part inside it."""

    ids: NDArray[np.int64]
    """(M,) numbers of the tracks, each once."""
    boxes: NDArray[np.float64]
    """(M, 4) `x1, y1, x2, y2` in pixels."""
    inside: NDArray[np.float64]
    """(M, 4) the part of each box that lies in the frame."""
    scores: NDArray[np.float64]
    """(M,) 0..1."""
    covered: NDArray[np.float64]
    """(M,) share that something hides, as far as the caller knows."""
    classes: NDArray[np.int64]
    """(M,) class of the object."""
    border_px: NDArray[np.float64]
    """(M,) distance from the border of the frame; negative where a box reaches over it."""

    @classmethod
    def of(
        cls,
        ids: ArrayLike,
        boxes: ArrayLike,
        scores: ArrayLike,
        seen: ArrayLike | None,
        covered: ArrayLike | None,
        classes: ArrayLike | None,
        shape: tuple[int, ...],
    ) -> Sightings:
        """Check what a caller gave for a frame of this shape (H, W, ...), and leave out what was not seen.

        Raises:
            InputError: lengths do not fit each other, or a number comes twice, or is none.
        """
        numbers = checked_ids(ids)
        n = len(numbers)
        corners = _column("boxes", boxes, (n, 4), np.float64)
        looked_at = np.ones(n, np.bool_) if seen is None else _column("seen", seen, (n,), np.bool_)
        hidden = np.zeros(n) if covered is None else _column("covered", covered, (n,), np.float64)
        kinds = np.zeros(n, np.int64) if classes is None else _column("classes", classes, (n,), np.int64)
        likely = _column("scores", scores, (n,), np.float64)
        if len(set(numbers.tolist())) < n:
            raise InputError(f"ids must be different numbers, got {sorted(numbers.tolist())}")
        height_px, width_px = shape[:2]
        inside = corners.clip(0, (width_px, height_px, width_px, height_px))  # (n, 4); NaN stays NaN
        border_px = np.concatenate((corners[:, :2], (width_px, height_px) - corners[:, 2:]), axis=1).min(axis=1)
        usable = looked_at & np.isfinite(corners).all(axis=1) & np.isfinite(likely)
        usable &= (inside[:, 2:] - inside[:, :2] >= 1).all(axis=1)
        return cls(
            numbers[usable],
            corners[usable],
            inside[usable],
            likely[usable],
            hidden[usable],
            kinds[usable],
            border_px[usable],
        )

    def __len__(self) -> int:
        return len(self.ids)

    def crop(self, image: NDArray[np.uint8], row: int) -> NDArray[np.uint8]:
        """A copy of what a box shows of the frame, one pixel wide and high at least."""
        x1, y1, x2, y2 = np.rint(self.inside[row]).astype(np.int64).tolist()
        x1, y1 = min(x1, image.shape[1] - 1), min(y1, image.shape[0] - 1)
        return image[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)].copy()  # 301.5 and 302.5 are both rounded to 302


def checked_ids(ids: ArrayLike) -> NDArray[np.int64]:
    """(M,) numbers of tracks.

    Raises:
        InputError: they are no whole numbers, or none of 64 bits.
    """
    with contextlib.suppress(ValueError):  # rows of different lengths
        numbers = np.asarray(ids).reshape(-1)
        if not numbers.size:
            return np.zeros(0, np.int64)
        if numbers.dtype.kind in "iu" and int(numbers.max()) <= np.iinfo(np.int64).max:
            return numbers.astype(np.int64)
    raise InputError(f"ids must be whole numbers of 64 bits, got {ids!r}")


def checked_time(time_s: float, name: str = "time_s") -> float:
    """Seconds, as a number that JSON can say, whatever kind of number they are.

    Raises:
        InputError: they are not finite.
    """
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        if math.isfinite(time_s):
            return float(time_s)
    raise InputError(f"{name} must be a finite number, got {time_s!r}")


def check_picture(image: NDArray[np.uint8]) -> None:
    """Refuse what is no picture.

    Raises:
        InputError: it is not (H, W, 3) uint8, or empty.
    """
    got = np.asarray(image)
    if got.dtype != np.uint8 or got.ndim != 3 or got.shape[2] != 3 or not got.size:
        raise InputError(f"image must be (H, W, 3) uint8 and not empty, got {got.shape} {got.dtype}")


def _column(name: str, values: ArrayLike, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    try:
        column = np.asarray(values, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} must be numbers: {error}") from error
    if column.size == 0 and shape[0] == 0:
        column = column.reshape(shape)
    if column.shape != shape:
        raise InputError(f"{name} must have shape {shape}, as many rows as ids, got {column.shape}")
    return column
