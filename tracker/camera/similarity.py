"""One shift, turn and zoom that most of the points agree on: a small RANSAC, the same for the same points.

Points are complex numbers x + iy: a similarity is then z' = a z + b, with the zoom |a| and the turn arg(a), and two
pairs of points give it by one division. Hypotheses are scored by MSAC (Torr and Zisserman 2000, eq. 15: the squared
residual, at most the squared tolerance) and the best is refined by least squares over its inliers (the local
optimisation of Chum, Matas and Kittler 2003).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracker.types import BoolArray, DoubleArray

ComplexArray: TypeAlias = NDArray[np.complex128]

_HYPOTHESES = 200  # with .3 of the points right, all of them are wrong once in 10^8 times: (1 - .3^2)^200
_REFINEMENTS = 3


class Similarity(NamedTuple):
    """z' = zoom_turn z + shift over complex points."""

    zoom_turn: complex
    """a: its length is the zoom, its angle the turn."""
    shift: complex
    """b, in pixels."""

    def residual(self, start: ComplexArray, end: ComplexArray) -> DoubleArray:
        """(n,) distance in pixels between where points should have gone and where they went."""
        return np.abs(self.zoom_turn * start + self.shift - end)

    def affine(self) -> DoubleArray:
        """The (2, 3) matrix of the same mapping."""
        a, b = self.zoom_turn, self.shift
        return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def fit_similarity(start: ComplexArray, end: ComplexArray, tolerance_px: float) -> tuple[Similarity, BoolArray]:
    """The similarity that most points follow, and which do.

    Args:
        start: (n,) points, n >= 2.
        end: (n,) where they went.
        tolerance_px: how near a point must come to where the similarity takes it.

    Returns:
        The similarity and (n,) bool, its inliers. Nothing is hidden: the draws are seeded, so equal points give equal
        answers.
    """
    draws = np.random.default_rng(0).random((2, _HYPOTHESES))
    first = (draws[0] * len(start)).astype(np.int64)  # (h,)
    second = (first + 1 + (draws[1] * (len(start) - 1)).astype(np.int64)) % len(start)  # (h,), another one
    base = start[second] - start[first]
    apart = np.abs(base) > 0
    first, second, base = first[apart], second[apart], base[apart]
    a = np.concatenate(([1.0], (end[second] - end[first]) / base))  # (h + 1,), the first hypothesis: nothing moved
    b = np.concatenate(([0.0], end[first] - a[1:] * start[first]))
    off = a[:, None] * start + b[:, None] - end  # (h + 1, n)
    cost = np.minimum(off.real**2 + off.imag**2, tolerance_px**2).sum(axis=1)
    best = int(cost.argmin())
    found = Similarity(complex(a[best]), complex(b[best]))
    inliers = found.residual(start, end) < tolerance_px
    for _ in range(_REFINEMENTS):
        refined = _least_squares(start[inliers], end[inliers])
        if refined is None:
            break
        near = refined.residual(start, end) < tolerance_px
        if near.sum() < inliers.sum():
            break
        found, inliers = refined, near
    return found, inliers


def _least_squares(start: ComplexArray, end: ComplexArray) -> Similarity | None:
    """Minimise sum |a z + b - w|^2: a = sum z* w / sum |z|^2 of the centred points (Umeyama 1991, in the plane)."""
    if not len(start):
        return None
    z, w = start - start.mean(), end - end.mean()
    spread = float((np.abs(z) ** 2).sum())
    if spread == 0:
        return None
    a = complex((z.conj() * w).sum() / spread)
    return Similarity(a, complex(end.mean() - a * start.mean()))
