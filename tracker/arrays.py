"""Questions to small arrays, asked many times an update: numpy's own answers cost several times as much for few."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.types import BoolArray, IntArray


def every(values: NDArray[Any]) -> bool:
    """Whether all of them are true, or differ from 0."""
    return bool(np.count_nonzero(values) == values.size)


def some(values: NDArray[Any]) -> bool:
    """Whether any of them is true, or differs from 0."""
    return bool(np.count_nonzero(values))


def find(values: IntArray, others: IntArray) -> tuple[IntArray, BoolArray]:
    """Where the values (n,) stand among the others (m,), and which of them do (n,); of one that does not, any place."""
    if not len(others):
        return np.zeros(len(values), np.int64), np.zeros(len(values), bool)
    order = others.argsort()
    place = order.take(others.searchsorted(values, sorter=order), mode="clip")
    return place, np.asarray(others.take(place) == values)


def among(values: IntArray, others: IntArray) -> BoolArray:
    """Which values (n,) are among the others (m,)."""
    return find(values, others)[1]
