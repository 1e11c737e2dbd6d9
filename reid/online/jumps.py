"""Where a track's motion jumps: the box may be on somebody else from there on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.checks import check_number

_KEEP = 0.5
"""Of the motion known so far, when a new sighting comes: boxes tremble more than objects change their motion."""


@dataclass(frozen=True, slots=True)
class JumpConfig:
    """How far from where its motion leads a box may be seen and still be of the same object."""

    sizes: float = 0.5
    """Distance at once, in sizes of the box (the root of its area)."""
    sizes_per_s: float = 1.0
    """Distance for each second since it was last seen, on top."""
    scale: float = 1.3
    """Factor by which its height may change at once, or its width by the square of it: arms and legs swing."""
    scale_per_s: float = 1.5
    """Factor for each second since it was last seen, on top."""

    def __post_init__(self) -> None:
        for name, least in (("sizes", 0), ("sizes_per_s", 0), ("scale", 1), ("scale_per_s", 1)):
            check_number(name, getattr(self, name), least=least, finite=False)


class JumpDetector:
    """Told where tracks are seen, says which of them jumped since they were seen last.

    A track's motion is that of its box's middle and of the logarithms of its sides, `cx, cy, log w, log h`, and is
    taken to go on as it was. Tracks that were not seen for `forget_s` are forgotten.
    """

    def __init__(self, config: JumpConfig | None = None, *, forget_s: float = 1.0) -> None:
        self.config = config or JumpConfig()
        self._forget_s = forget_s
        self._ids = np.zeros(0, np.int64)  # (K,)
        self._at = np.zeros((0, 4))  # (K, 4) cx, cy, log w, log h
        self._speed = np.zeros((0, 4))  # (K, 4) per second
        self._seen_s = np.zeros(0)  # (K,)

    def update(
        self, ids: NDArray[np.int64], boxes: NDArray[np.floating], time_s: float, *, anew: Collection[int] = ()
    ) -> NDArray[np.bool_]:
        """Whether each box (M,) is where its track can have moved to; True for jumps.

        Args:
            ids: (M,) numbers of tracks, each once.
            boxes: (M, 4) `x1, y1, x2, y2`, of some area.
            time_s: when; never earlier than before.
            anew: numbers that stand for another track than before.
        """
        at = _middle_and_sides(np.asarray(boxes, np.float64).reshape(-1, 4))  # (M, 4)
        known = self._seen_s >= time_s - self._forget_s  # (K,)
        if anew:
            known &= ~np.isin(self._ids, list(anew))
        self._keep(known)
        _, new, old = np.intersect1d(ids, self._ids, assume_unique=True, return_indices=True)
        dt = np.maximum(time_s - self._seen_s[old], 1e-3)  # (n,)
        jumped = np.zeros(len(ids), np.bool_)
        jumped[new] = self._is_jump(at[new] - self._at[old] - self._speed[old] * dt[:, None], at[new], dt)
        speed = np.zeros_like(at)  # (M, 4)
        speed[new] = _KEEP * self._speed[old] + (1 - _KEEP) * (at[new] - self._at[old]) / dt[:, None]
        speed[jumped] = 0
        rest = np.ones(len(self._ids), np.bool_)
        rest[old] = False
        self._keep(rest)
        self._ids = np.concatenate((self._ids, ids))
        self._at = np.concatenate((self._at, at))
        self._speed = np.concatenate((self._speed, speed))
        self._seen_s = np.concatenate((self._seen_s, np.full(len(ids), time_s)))
        return jumped

    def _is_jump(
        self, off: NDArray[np.float64], at: NDArray[np.float64], dt_s: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """From what each box is off (n, 4) where its motion led."""
        c = self.config
        distance = np.hypot(off[:, 0], off[:, 1]) / np.exp(at[:, 2:].mean(axis=1))  # (n,) in sizes
        scale = np.log(c.scale) + dt_s * np.log(c.scale_per_s)  # (n,)
        changed = (np.abs(off[:, 3]) > scale) | (np.abs(off[:, 2]) > 2 * scale)
        return np.asarray((distance > c.sizes + c.sizes_per_s * dt_s) | changed)

    def _keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget all tracks but these (K,)."""
        if not rows.all():
            self._ids, self._at = self._ids[rows], self._at[rows]
            self._speed, self._seen_s = self._speed[rows], self._seen_s[rows]


def _middle_and_sides(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, 4) `x1, y1, x2, y2` -> (M, 4) `cx, cy, log w, log h`."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.concatenate((middle, np.log(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3))), axis=1)
