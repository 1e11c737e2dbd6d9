"""Whose vector an update needs: where identity is in doubt, and where what is known of somebody's looks grows old.

A detection needs no vector where motion leaves no doubt whom it shows (the pair is clear of rivals, and the track was
seen in the last frame), and where the looks of that track are known, fresh and in no doubt. How long they are fresh
depends: a moment while something else is near (boxes that overlap already would be too late) or while the track is new
and its number may still change; longer while it walks by itself.
"""

from __future__ import annotations

import numpy as np

from tracker.association.evidence import Candidates, greatest
from tracker.association.pairs import near
from tracker.config import TrackerConfig
from tracker.table import TIME_SLACK_S, TrackTable
from tracker.types import BoolArray, DoubleArray, IntArray

CLEAR = 0.5
"""Overlap by which a pair must exceed all that share its track or detection, to be the one beyond doubt."""
NEAR = 1.5
"""Objects are near each other where boxes that are so many times as wide and high would touch."""
KNOWN_VECTORS = 8
"""Clean crops after which the looks of a new track are known: as many as tell more than fewer while it is new. With the
3 by which it is first compared with those who are missing, more returns are missed."""
YOUNG_S = 1.0
"""For how long a track is new: much is learned of who it is in that time."""
WATCH_S = 0.1
"""How old the last look at a track may be while something is near, or while it is new and its number not final."""
REFRESH_S = 0.5
"""How old it may be otherwise, on the mean: half of that time more or less by track, so that they take turns."""
_TURN = 0.5 * (5**0.5 - 1)  # the golden section: multiples of it, modulo 1, spread evenly


def wanted(
    tracks: TrackTable,
    pairs: Candidates,
    track_boxes: DoubleArray,
    corners: DoubleArray,
    counted: BoolArray,
    confident: BoolArray,
    now: float,
    last_s: float,
    config: TrackerConfig,
) -> IntArray:
    """Rows (n,) of the detections whose vectors are to be asked for.

    Args:
        tracks: T live ones, as they were in the last frame.
        pairs: which of them and of the detections may belong together.
        track_boxes: (4, T) cxcywh of the tracks, predicted to the time of the detections.
        corners: (4, N) of the detections, x1, y1, x2, y2.
        counted: (N,) which detections are not ignored.
        confident: (N,) which are of high score; the others are not asked for.
        now: time of the frame.
        last_s: time of the frame before it.
        config: of the tracker.
    """
    asked = confident.copy()  # (N,)
    t, d, rivalled = _clear(pairs.select(asked[pairs.detections]), len(tracks), len(asked))  # (n,) each
    age_s, calm = now - tracks.mean_s[t] + TIME_SLACK_S, tracks.settled[t] | (now - tracks.born_s[t] > YOUNG_S)
    fresh_s = np.where(calm, REFRESH_S * (0.5 + tracks.ids[t] * _TURN % 1), WATCH_S)
    known = max(KNOWN_VECTORS, config.identify_vectors)
    needed = (age_s >= fresh_s) | (tracks.vectors[t] < known) | (tracks.doubt[t] < 0) | (tracks.seen_s[t] < last_s)
    watched = (~needed & calm & (age_s >= WATCH_S)).nonzero()[0]
    if len(watched):
        left = np.ones(len(tracks), bool)
        left[t] = False
        beside = near(corners[:, d[watched]], corners[:, counted], track_boxes[:, left], NEAR)
        needed[watched] = rivalled[watched] | beside
    asked[d[~needed]] = False
    return asked.nonzero()[0]


def _clear(pairs: Candidates, tracks: int, detections: int) -> tuple[IntArray, IntArray, BoolArray]:
    """Pairs beyond doubt: their tracks (n,), their detections (n,), and whether they have a rival nevertheless (n,)."""
    t, d, overlap = pairs.tracks, pairs.detections, pairs.overlap
    best = pairs.best(tracks, detections)  # (P,)
    others = ~best
    second_of_track = greatest(t[others], overlap[others], tracks)
    second_of_detection = greatest(d[others], overlap[others], detections)
    t, d, overlap = t[best], d[best], overlap[best]
    rival = np.maximum(second_of_track[t], second_of_detection[d])
    alone = (np.bincount(t, minlength=tracks)[t] == 1) & (np.bincount(d, minlength=detections)[d] == 1)  # no ties
    clear = alone & (overlap - rival >= CLEAR)
    return t[clear], d[clear], rival[clear] > 0
