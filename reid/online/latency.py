"""How long two embedders take for the same crops, so that none goes live which would slow the tracking down.

A candidate has the graph of the embedder that it was taught from, and still may be slower: a CPU takes many times as
long for numbers next to zero (denormal ones), and a training may leave weights that give them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reid.embedder import Embedder

BATCH: Final = 16
"""Crops at once, as many as in a crowded picture."""
_RUNS = 15
_MOST_TIMES = 5
Seconds = Callable[[], float]
"""A clock."""


def latencies(
    base: Callable[[], Embedder],
    candidate: Callable[[], Embedder],
    pixels: NDArray[np.uint8],
    most_slower: float,
    *,
    clock: Seconds = time.thread_time,
) -> tuple[float, float]:
    """Milliseconds that each of the two takes for a crop.

    Both run in turn, now the one first and now the other, and the medians of their runs are taken: what else the
    machine does meets both alike. Where the candidate is too slow it is measured again, up to five times in all, and
    the best of these is what counts: a machine that was busy with something else must not speak against it. Each time
    both are opened anew, since where a model happens to lie in memory may make it some per cent slower than its twin.

    Args:
        base: opens the embedder that the site began with.
        candidate: opens the one that is taught, on the same device, and on a CPU in one thread as well: more would
            count as work while they wait for each other, and models that are alike would differ by a fifth.
        pixels: (N, h, w, 3) uint8 BGR, real crops.
        most_slower: from which share more on it is measured again.
        clock: in seconds. By default those that a CPU worked for this thread, in which ONNX Runtime runs a model that
            has one: others do not lengthen them as they do the time on the wall, in which they had their turns as well.
            For another device than a CPU, which only waits for it, hand one in that tells the time on the wall.
    """
    found: list[tuple[float, float]] = []
    while len(found) < _MOST_TIMES and not any(_share(of) <= most_slower for of in found):
        taken: tuple[list[float], list[float]] = [], []
        turns = list(zip((base(), candidate()), taken, strict=True))
        for number in range(_RUNS + 1):
            for embedder, its in turns:
                began_s = clock()
                embedder.crops(pixels)
                if number:  # the first run fills the caches
                    its.append(clock() - began_s)
            turns.reverse()
        found.append((_ms(taken[0], len(pixels)), _ms(taken[1], len(pixels))))
    return min(found, key=_share)


def _share(taken: tuple[float, float]) -> float:
    """By what share the candidate is slower; below 0 where it is faster."""
    base, candidate = taken
    return candidate / max(base, 1e-9) - 1


def _ms(runs_s: list[float], crops: int) -> float:
    return 1000 * median(runs_s) / crops
