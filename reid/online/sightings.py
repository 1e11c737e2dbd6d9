"""The boxes of one frame that show an object, checked."""

from __future__ import annotations

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
            InputError: lengths do not fit each other, or a number comes twice.
        """
        numbers = np.asarray(ids, np.int64).reshape(-1)
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
        """A copy of what a box shows of the frame."""
        x1, y1, x2, y2 = np.rint(self.inside[row]).astype(np.int64).tolist()
        return image[y1:y2, x1:x2].copy()


def _column(name: str, values: ArrayLike, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    column = np.asarray(values, dtype)
    if column.size == 0 and shape[0] == 0:
        column = column.reshape(shape)
    if column.shape != shape:
        raise InputError(f"{name} must have shape {shape}, as many rows as ids, got {column.shape}")
    return column
