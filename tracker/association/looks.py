"""What an update learns of how objects look: of each track, and of what a cosine is worth."""

from __future__ import annotations

from tracker.arrays import every, some
from tracker.association.appearance import AppearanceModel
from tracker.association.evidence import cosine
from tracker.association.matching import Seen
from tracker.association.pairs import near
from tracker.config import TrackerConfig
from tracker.table import TrackTable
from tracker.types import BoolArray, DoubleArray, FloatArray, IntArray

_ARRIVAL_S = 2.0
"""For how long after it came an object may look unlike before: whoever comes in is seen in part, and turns. The price:
who takes another's place within that time, and was never seen beside them, is taken for them."""
_COMPANY = 3.0
"""Another object is company where boxes that are so many times as wide and high would touch."""


def note_company(tracks: TrackTable, seen: Seen, matched: BoolArray) -> None:
    """Keep as `lone` those tracks (T,) that came a moment ago, are `matched`, and have no other object near."""
    lone = tracks.lone
    if not some(lone):
        return
    lone &= matched & (seen.now - tracks.born_s <= _ARRIVAL_S)
    rows = lone.nonzero()[0]
    if len(rows):
        mine = seen.corners[:, tracks.detection[rows]]
        lone[rows] = ~near(mine, seen.corners[:, seen.counted], tracks.box[:, ~matched], _COMPANY)


def learn(
    tracks: TrackTable,
    seen: Seen,
    matched: BoolArray,
    similarity: DoubleArray,
    appearance: AppearanceModel,
    config: TrackerConfig,
) -> IntArray:
    """Move the mean appearance of matched tracks (T,) towards crops that show the object alone.

    A crop that speaks against its track, by its `similarity` (T,) to the mean, does not: it is kept aside. Once the
    evidence of such crops, with none between them that speaks for the track, adds up to `change_evidence`, it has gone
    over to somebody else, as happens where one passes close to another: rows of these (n,). A `lone` track was close to
    nobody, and learns of every crop, unless its number is one that it claims: such a claim may have been wrong.
    """
    detection = tracks.detection
    fit = matched & seen.fit.take(detection)  # (T,)
    tracks.unlooked[fit] = 0
    if not every(seen.has):
        passed = seen.clean & seen.confident & ~seen.has  # (N,)
        tracks.unlooked += matched & passed.take(detection)
    t = fit.nonzero()[0]
    if not len(t):
        return t
    crops = seen.vectors.take(detection[t], axis=0)  # (n, D)
    _compare_with_others(tracks, t, crops, matched, appearance)
    similarity = similarity[t]
    foreign = similarity < appearance.foreign_below
    if some(foreign):
        foreign &= tracks.vectors[t] >= config.identify_vectors
        foreign &= ~(tracks.lone[t] & (tracks.ids[t] == tracks.own_ids[t]))
    if not some(foreign):
        tracks.learn(t, crops, seen.now, config.appearance_memory_s)
        return t[:0]
    evidence = appearance.doubt(similarity[foreign]).clip(-4, 0)
    tracks.learn(t[~foreign], crops[~foreign], seen.now, config.appearance_memory_s)
    tracks.set_aside(t[foreign], crops[foreign], seen.now, evidence)
    return ((tracks.doubt < 0) & (tracks.doubt <= -config.change_evidence)).nonzero()[0]


def _compare_with_others(
    tracks: TrackTable, t: IntArray, crops: FloatArray, matched: BoolArray, appearance: AppearanceModel
) -> None:
    """Learn how alike a crop is to the mean of another: each matched track's to that of the matched one after it.

    Whether that one was looked at in this frame does not matter: those who are at the same moment are near each other
    more often than people are, and were they alone compared, strangers would seem more alike than they are.

    Of the tracks `matched` (T,), `t` (n,) are those that were looked at; what was seen of these are `crops` (n, D).
    """
    there = matched.nonzero()[0]
    if not every(tracks.vectors):
        known = tracks.vectors > 0  # (T,)
        there, mine = there[known[there]], known[t]
        t, crops = t[mine], crops[mine]
    if len(there) > 1 and len(t):
        others = there.take(there.searchsorted(t, side="right"), mode="wrap")
        appearance.observe_different(cosine(tracks.mean.take(others, axis=0), crops))
