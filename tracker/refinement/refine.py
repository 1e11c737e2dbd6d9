"""The whole refinement: cut, link, number anew, fill gaps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tracker.refinement.config import RefinementConfig
from tracker.refinement.history import History
from tracker.refinement.interpolation import interpolate
from tracker.refinement.linking import Links, link
from tracker.refinement.tracklets import CUT_S, Tracklets, cut
from tracker.types import AppearanceInfo, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Refinement:
    """Refined tracks, and what was done."""

    history: History
    """The refined tracks; filled boxes are not `seen`."""
    linked: int
    """Tracklets that were given to another identity than the tracker had."""
    parted: int
    """Returns that the tracker had held for one object and that were undone."""
    interpolated: int
    """Boxes that were filled in."""
    identities: int
    """Different numbers in the refined tracks."""


def refine(
    history: History, config: RefinementConfig | None = None, *, appearance: AppearanceInfo | None = None
) -> Refinement:
    """Make the tracks of a whole video better: link tracklets globally and fill short gaps.

    Args:
        history: of a tracker. Not changed. Without `History.appearance`, motion alone decides.
        config: see `RefinementConfig`.
        appearance: what is known of the embedder (`Embedder.info`); its calibration is where learning begins.

    An object keeps the number of its first tracklet, unless that is the number of another; then it gets a new one,
    above all others.
    """
    config = config if config is not None else RefinementConfig()
    history = history.sorted()
    if not len(history):
        return Refinement(history, 0, 0, 0, 0)
    tracklets = cut(history)
    links = link(tracklets, len(tracklets.ids) / _extent(history), config, appearance)
    # the numbers that the history's vectors belong to are not those of the result
    joined = replace(history, ids=_number(tracklets, links)[tracklets.of_row], appearance=None).sorted()
    filled = interpolate(joined, config)
    count = len(np.unique(filled.ids))
    return Refinement(filled, links.made, links.undone, len(filled) - len(joined), count)


def _extent(history: History) -> float:
    """Area of the picture times length of the video, in px^2 s."""
    width, height = history.frame_size or np.ptp(history.boxes.reshape(-1, 2), axis=0)
    return float(max(width * height, 1) * max(history.times_s[-1] - history.times_s[0], CUT_S))


def _number(tracklets: Tracklets, links: Links) -> IntArray:
    """(T,) the number of each tracklet's object."""
    ids = tracklets.ids.copy()
    order = np.lexsort((tracklets.ids, tracklets.begin.time_s))
    taken: set[int] = set()
    fresh = int(ids.max()) + 1
    for t in order.tolist():
        leader = int(links.follows[t])
        if leader >= 0:
            ids[t] = ids[leader]
            continue
        if int(ids[t]) in taken:
            ids[t], fresh = fresh, fresh + 1
        taken.add(int(ids[t]))
    return ids
