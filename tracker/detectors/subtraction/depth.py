"""Two people one behind the other in one blob, told apart by their outline: who is farther away stands higher up.

On a ground plane the height of an upright object follows from the row of its foot (`sizes.SizePrior`). A blob of one
object has one foot and the height that goes with it. Cut at the right column, a blob of two at different distances
falls into two parts, each with a foot of its own and the height that goes with that; an outstretched leg or a bag has
not. Nothing need be known of the two, so it tells people apart who came in together.
"""

from __future__ import annotations

import numpy as np

from tracker.detectors.subtraction.sizes import SizePrior
from tracker.types import BoolArray, FloatArray

_HEIGHT_MISFIT = 0.18  # |log| by which a part's height may differ from what its foot says
_LEAST_WIDTH, _LEAST_WIDTH_NEARER = 0.4, 0.9  # of the usual width; whoever is nearer hides, and is not hidden
_MOST_WIDTH = 1.7
_AS_GOOD = 0.03  # |log| by which the misfits of two cuts may differ
_STEP = 0.1  # between the two feet, as a share of the larger height


def cut_by_depth(inside: BoolArray, left_top: FloatArray, sizes: SizePrior) -> list[FloatArray]:
    """Boxes, (4,) each, from left to right, of the two that make up a blob; empty where it is one, or cannot be told.

    Args:
        inside: (h, w) the blob within its box; the outermost rows and columns have pixels of it.
        left_top: (2,) of that box in the picture.
        sizes: what is known of sizes in this scene.
    """
    if inside.shape[1] < 4:
        return []
    rows = inside.shape[0]
    filled = inside.any(axis=0)  # (w,)
    top = np.where(filled, inside.argmax(axis=0), rows)  # (w,)
    low = np.where(filled, rows - inside[::-1].argmax(axis=0), 0)  # (w,)
    # a cut after column c: the left part has columns ..c, the right part c + 1..
    tops = np.stack((np.minimum.accumulate(top)[:-1], np.minimum.accumulate(top[::-1])[::-1][1:]))  # (2, w - 1)
    lows = np.stack((np.maximum.accumulate(low)[:-1], np.maximum.accumulate(low[::-1])[::-1][1:]))
    expected = sizes.heights(lows + left_top[1])
    if expected is None:
        return []
    cut = np.arange(1, inside.shape[1])
    widths = np.stack((cut, inside.shape[1] - cut))
    heights = (lows - tops).astype(np.float64)
    misfit = np.abs(np.log(np.maximum(heights, 1) / np.maximum(expected, 1)))  # (2, w - 1)
    usual = sizes.aspect * expected
    least = np.where(lows == lows.max(axis=0), _LEAST_WIDTH_NEARER, _LEAST_WIDTH)
    fits = (misfit <= _HEIGHT_MISFIT) & (widths >= least * usual) & (widths <= _MOST_WIDTH * usual)
    apart = np.abs(lows[0] - lows[1]) >= _STEP * heights.max(axis=0)
    good = fits.all(axis=0) & apart
    if not good.any():
        return []
    total = np.where(good, misfit.sum(axis=0), np.inf)  # (w - 1,)
    # of cuts that are as good, the one that leaves most to whoever stands behind, whose sides the nearer one hides
    behind = np.where(lows[0] < lows[1], widths[0], widths[1])
    best = int(np.argmax(np.where(total <= total.min() + _AS_GOOD, behind, 0)))
    sides = ((0, cut[best]), (cut[best], inside.shape[1]))
    return [
        np.array([a, tops[k, best], b, lows[k, best]], np.float32) + np.tile(left_top, 2).astype(np.float32)
        for k, (a, b) in enumerate(sides)
    ]
