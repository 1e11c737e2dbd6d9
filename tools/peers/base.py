"""What every tracker in a benchmark looks like."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracker.types import AppearanceInfo

Result: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]
"""(K,) identities and (K, 4) boxes `x1, y1, x2, y2` that a tracker reports for one frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a detector and an embedder make of one frame."""

    frame: int
    """Its number, from 1."""
    detections: NDArray[np.float32]
    """(N, 6) `x1, y1, x2, y2, score, class`."""
    embeddings: NDArray[np.float32]
    """(N, D) unit vectors; D = 0: no appearance."""


Step: TypeAlias = Callable[[Seen], Result]
"""Takes one frame in."""


@dataclass(frozen=True)
class Scene:
    """What a tracker may know of the sequence before its first frame."""

    rate_hz: float
    size: tuple[int, int]
    """(width, height) in pixels."""
    embedder: AppearanceInfo | None = None
    """What the card of the embedder says; None where the vectors come without one."""


class Appearance(Enum):
    """What a tracker does with embeddings."""

    USED = "used"
    """It needs them."""
    IGNORED = "ignored"
    """It goes by motion alone, and is run with and without them."""
    OFF = "off"
    """It is one of those above with its use of them switched off: run only where there are none."""
    OPTIONAL = "optional"
    """It takes them where they are."""


@dataclass(frozen=True)
class Peer:
    """One tracker with its settings."""

    name: str
    distribution: str
    """What pip installs."""
    appearance: Appearance
    settings: str
    """What differs from its defaults, for the reader."""
    make: Callable[[Scene], Step]
    """A fresh tracker."""

    @property
    def version(self) -> str | None:
        """Version that is installed, None where it is not."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None

    def runs_on(self, with_embeddings: bool) -> bool:
        """Whether it is compared on such input."""
        unfit = Appearance.OFF if with_embeddings else Appearance.USED
        return self.appearance is not unfit


def nothing() -> Result:
    """No track."""
    return np.zeros(0, np.int64), np.zeros((0, 4))


def split(rows: object) -> Result:
    """Identities and boxes of rows `x1, y1, x2, y2, identity, ...`."""
    table = np.asarray(rows, float)
    return (table[:, 4].astype(np.int64), table[:, :4]) if table.size else nothing()
