"""How large objects are in this scene, learnt from those that were seen alone and whole.

On a ground plane the height of an upright object grows linearly with the row of its foot (Hoiem et al. 2008, Putting
objects in perspective): a line is fitted. Where objects of many kinds make that line useless, it says nothing.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from tracker.types import DoubleArray, FloatArray

_SAMPLES = 300
_FEWEST = 40  # samples before anything is said
_EVERY_S = 0.2  # between two samples of one object
_REFIT = 10  # new samples between two fits
_LOOSEST = 0.22  # median deviation from the line, as a share of the height


class SizePrior:
    """Call `add` with whole objects; `expected` answers with a typical size, or None."""

    def __init__(self) -> None:
        self._rows: deque[tuple[float, float, float]] = deque(maxlen=_SAMPLES)  # foot, height, width
        self._new = 0
        self._line: DoubleArray | None = None
        self._aspect = 0.5

    def add(self, box: FloatArray) -> None:
        """Learn from (4,) xyxy."""
        self._rows.append((float(box[3]), float(box[3] - box[1]), float(box[2] - box[0])))
        self._new += 1
        if self._new >= _REFIT and len(self._rows) >= _FEWEST:
            self._new = 0
            self._fit()

    def expected(self, foot_px: float) -> tuple[float, float] | None:
        """(width, height) of a typical object whose lower edge is at this row; None where that is not known."""
        height = self.heights(np.array(foot_px))
        return None if height is None or height <= 4 else (self._aspect * float(height), float(height))

    def heights(self, foot_px: DoubleArray) -> DoubleArray | None:
        """Typical heights of objects whose lower edges are at these rows, any shape; None where that is not known."""
        return None if self._line is None else np.asarray(np.polyval(self._line, foot_px), np.float64)

    @property
    def aspect(self) -> float:
        """Typical width over height."""
        return self._aspect

    def _fit(self) -> None:
        foot, height, width = np.array(self._rows).T
        spread = foot.std() > 0.05 * height.mean()
        line = np.polyfit(foot, height, 1) if spread else np.array([0.0, np.median(height)])
        off = np.median(np.abs(np.polyval(line, foot) - height)) / np.median(height)
        aspects = width / height
        aspect_off = np.median(np.abs(aspects - np.median(aspects))) / np.median(aspects)
        self._aspect = float(np.median(aspects))
        self._line = line if off < _LOOSEST and aspect_off < 2 * _LOOSEST and line[0] >= 0 else None


def sample_due(age_s: float, dt_s: float) -> bool:
    """Whether an object of this age gives a sample in a frame that lasts `dt_s`."""
    return int(age_s / _EVERY_S) != int((age_s - dt_s) / _EVERY_S)
