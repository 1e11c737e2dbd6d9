"""What is known of N crops: who, which camera, when, in which video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.errors import InputError

NOBODY = -1
"""The identity of a distractor: in the gallery, never a query and never a match."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """N crops; all arrays are (N,). Made by `of`, which fills in what is unknown."""

    identity: NDArray[np.int64]
    """Who it is; below 0 for a distractor, who is none of the others."""
    camera: NDArray[np.int64]
    """Which camera saw it; -1 unknown."""
    time_s: NDArray[np.float64]
    """When, on the clock of its group; NaN unknown."""
    group: NDArray[np.int64]
    """Crops of one group, such as one video, share a clock; -1 for none."""

    @classmethod
    def of(
        cls,
        identity: ArrayLike,
        camera: ArrayLike | None = None,
        time_s: ArrayLike | None = None,
        group: ArrayLike | None = None,
    ) -> Sightings:
        """From what is known; without `group` all crops share one clock.

        Raises:
            InputError: an array is not (N,), or has another kind of value.
        """
        who = _whole("identity", identity)
        count = len(who)
        when = np.full(count, np.nan) if time_s is None else np.array(time_s, np.float64)
        where = np.full(count, -1) if camera is None else _whole("camera", camera)
        video = np.zeros(count, np.int64) if group is None else _whole("group", group)
        for name, array in (("camera", where), ("time_s", when), ("group", video)):
            if array.shape != who.shape:
                raise InputError(f"{name} must have shape {who.shape}, as identity has, got {array.shape}")
        if np.isinf(when).any():
            raise InputError(f"time_s[{int(np.flatnonzero(np.isinf(when))[0])}] must be finite, or NaN where unknown")
        return cls(np.maximum(who, NOBODY), where, when, video)

    def __len__(self) -> int:
        return len(self.identity)

    def near(self, rows: NDArray[np.int64], others: NDArray[np.int64], gap_s: float) -> NDArray[np.bool_]:
        """(T,), (G,) rows -> (T, G) seen on one clock and less than the gap apart; where a time is unknown, not."""
        one_clock = (self.group[rows][:, None] == self.group[others]) & (self.group[rows] >= 0)[:, None]
        near: NDArray[np.bool_] = np.abs(self.time_s[rows][:, None] - self.time_s[others]) < gap_s
        near &= one_clock
        return near

    def seen_by_two_cameras(self) -> NDArray[np.int64]:
        """The identities that are known to be seen by two cameras or more, sorted."""
        known = (self.identity >= 0) & (self.camera >= 0)
        pairs = np.unique(np.stack((self.identity[known], self.camera[known]), axis=1), axis=0)  # (pairs, 2)
        names, cameras = np.unique(pairs[:, 0], return_counts=True)
        return np.asarray(names[cameras >= 2], np.int64)


def _whole(name: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise InputError(f"{name} must be whole numbers of shape (N,), got {array.dtype} of shape {array.shape}")
    return array.astype(np.int64)
