"""What is harvested from one frame, on its way into the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a run that goes into one store: an hour of it, on one clock."""

    number: int
    """Tells stretches apart that are alike."""
    hour: str
    """Hour of UTC."""
    began_unix_s: float
    """When `time_s` was 0, seconds since 1970."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheaf:
    """What one frame gives: n crops, and what is certain of them."""

    stretch: Stretch
    """To which it belongs: numbers of pieces mean the same within one."""
    frame: int
    """Number of the frame."""
    time_s: float
    """When it was seen, seconds since the source began."""
    crops: tuple[NDArray[np.uint8], ...]
    """(H, W, 3) BGR each."""
    pieces: NDArray[np.int64]
    """(n,) pieces of tracks, each of one object, unique in the stretch."""
    identities: NDArray[np.int64]
    """(n,) numbers under which the tracker reported them."""
    boxes: NDArray[np.float64]
    """(n, 4) `x1, y1, x2, y2` in pixels of the frame."""
    scores: NDArray[np.float64]
    """(n,) of the tracker or detector, 0..1."""
    covered: NDArray[np.float64]
    """(n,) largest share of the box inside another one, 0..1."""
    classes: NDArray[np.int64]
    """(n,) class of the object."""
    together: NDArray[np.int64]
    """(m, 2) pairs of pieces that were seen at the same moment, as different objects."""
    doubts: Mapping[int, float] = field(default_factory=dict)
    """Pieces that turned out to show somebody else, from that time on."""

    @classmethod
    def of_doubts(cls, stretch: Stretch, frame: int, time_s: float, doubts: Mapping[int, float]) -> Sheaf:
        """Nothing but doubts."""
        none, real = np.zeros(0, np.int64), np.zeros(0)
        pairs = none.reshape(0, 2)
        return cls(stretch, frame, time_s, (), none, none, real.reshape(0, 4), real, real, none, pairs, doubts)
