"""Whose vector an update needs: where identity is in doubt, and where what is known of somebody's looks grows old.

A detection needs no vector where motion leaves no doubt whom it shows (the pair is clear of rivals, and the track was
seen in the last frame), and where the looks of that track are known, fresh and in no doubt. How long they are fresh
depends: a moment while something else is near (boxes that overlap already would be too late) or while the track's
number may still change; longer while it walks by itself.
"""

from __future__ import annotations

import numpy as np

from tracker.association.assignment import best_rival
from tracker.association.evidence import Candidates
from tracker.association.pairs import overlapping
from tracker.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from tracker.config import TrackerConfig
from tracker.table import TIME_SLACK_S, TrackTable
from tracker.types import BoolArray, Detections, DoubleArray, IntArray

CLEAR = 0.5
"""Overlap by which a pair must exceed all that share its track or detection, to be the one beyond doubt."""
NEAR = 1.5
"""Objects are near each other where boxes that are so many times as wide and high would touch."""
WATCH_S = 0.1
"""How old the last look at a track may be while something is near, or while its number is not final."""
REFRESH_S = 0.5
"""How old it may be otherwise, on the mean: half of that time more or less by track, so that they take turns."""
_TURN = 0.5 * (5**0.5 - 1)  # the golden section: multiples of it, modulo 1, spread evenly


def wanted(
    tracks: TrackTable, pairs: Candidates, detections: Detections, now: float, last_s: float, config: TrackerConfig
) -> IntArray:
    """Rows (n,) of the detections whose vectors are to be asked for.

    Args:
        tracks: T live ones, predicted to the time of the detections.
        pairs: which of them may belong together.
        detections: N of this frame.
        now: time of the frame.
        last_s: time of the frame before it.
        config: of the tracker.
    """
    confident = detections.scores >= config.high_score  # (N,)
    t, d, rivalled = _clear(pairs.select(confident[pairs.detections]))  # (n,) each
    if not len(t):
        return confident.nonzero()[0]
    age_s = now - tracks.mean_s[t] + TIME_SLACK_S
    settled = tracks.settled[t]
    due_s = np.where(settled, REFRESH_S * (0.5 + tracks.ids[t] * _TURN % 1), WATCH_S)
    needed = (age_s >= due_s) | (tracks.vectors[t] < config.identify_vectors) | (tracks.doubt[t] < 0)
    needed |= tracks.seen_s[t] < last_s
    watched = (~needed & settled & (age_s >= WATCH_S)).nonzero()[0]
    if len(watched):
        needed[watched] = rivalled[watched] | _near(t, d, watched, tracks, detections, config)
    confident[d[~needed]] = False
    return confident.nonzero()[0]


def _clear(pairs: Candidates) -> tuple[IntArray, IntArray, BoolArray]:
    """Pairs beyond doubt: their tracks (n,), detections (n,), each at most once, and whether they have a rival (n,)."""
    order = (-pairs.overlap).argsort(kind="stable")
    t, d, overlap = pairs.tracks[order], pairs.detections[order], pairs.overlap[order]
    if not len(t):
        return t, d, np.zeros(0, bool)
    rival = np.maximum(best_rival(t, overlap), best_rival(d, overlap))  # (P,)
    clear = overlap - rival >= CLEAR
    return t[clear], d[clear], rival[clear] > 0


def _near(
    t: IntArray, d: IntArray, which: IntArray, tracks: TrackTable, detections: Detections, config: TrackerConfig
) -> BoolArray:
    """Whether something is near the detections of some clear pairs, (w,).

    That is another detection, however weak, or a track that none clearly continues, such as a lost one.
    """
    left = np.ones(len(tracks), bool)
    left[t] = False
    seen = (detections.scores >= config.low_score).nonzero()[0]
    boxes = detections.boxes.astype(np.float64)
    others = np.concatenate((xyxy_to_cxcywh(boxes[seen]), tracks.box[left]))
    own = xyxy_to_cxcywh(boxes[d[which]])
    rows, _, _ = overlapping(_wider(own), _wider(others))
    return np.bincount(rows, minlength=len(which)) > 1  # each meets itself


def _wider(boxes: DoubleArray) -> DoubleArray:
    """(N, 4) cxcywh -> (N, 4) xyxy, NEAR times as wide and high."""
    return cxcywh_to_xyxy(boxes * np.array([1, 1, NEAR, NEAR]))
