"""Which tracklets are one object: evidence of motion and appearance, and one assignment over the whole video.

Each tracklet may be followed by one that begins after it ended, so that tracklets which were seen at one moment are
never joined. An object that vanished and one that appeared are weighed against one that was away for `gap` seconds, as
in Zhang 2008 ("Global data association for multi-object tracking using network flows", eq. 6 to 11): without detections
to be explained the minimum-cost flow is an assignment of ends to beginnings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.association.assignment import assign
from tracker.association.calibration import StreamCalibration
from tracker.association.evidence import cosine
from tracker.refinement.config import RefinementConfig
from tracker.refinement.tracklets import Tracklets
from tracker.types import AppearanceInfo, BoolArray, DoubleArray, IntArray

# From where people were after gaps of .3 to 10 s in tracks of public sequences (MOT15 ADL-Rundle-6, ETH-Bahnhof,
# Venice-2; MOT17 02).
_STD, _STD_PER_S = 0.12, 0.14  # of the position after a gap, in heights
_SPEED_LASTS_S = 1.5  # how long somebody keeps a velocity
_AWAY_S = 2.0  # mean length of an absence
_SIZE_STD, _SIZE_STD_PER_S, _SIZE_STD_APART = 0.12, 0.03, 0.45  # of the log ratio of heights; of two objects
_SIZE_LIMIT = 4.0  # nats
_LONGEST_SPREAD_S = 10.0  # from where on the spread of sizes grows no further
_LEAST_MOTION = -3.9  # nats: whoever left may come back later, and from another side; alone it parts nobody
_APPEARANCE_LIMIT = 8.0  # nats
_CLASS_PENALTY = 2.0  # nats
_NEIGHBOURS = 8  # tracklets that follow each other by their begin, among which pairs seen together are looked for


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """What was decided on T tracklets."""

    follows: IntArray
    """(T,) the tracklet that each goes on from, -1 where it begins an object."""
    made: int
    """Links between tracklets that the tracker held for two objects."""
    undone: int
    """Tracklets that the tracker held for one object and that are parted."""


def link(
    tracklets: Tracklets,
    arrivals: float,
    config: RefinementConfig,
    info: AppearanceInfo | None = None,
) -> Links:
    """Join tracklets.

    Args:
        tracklets: of one history.
        arrivals: how many tracklets begin a second and square pixel.
        config: see `RefinementConfig`.
        info: of the embedder, whose calibration is believed until the video has shown what a cosine is worth in it.
    """
    before, after, joined = _pairs(tracklets, config.max_link_s)
    threshold = np.where(joined, config.keep_evidence, config.link_evidence)
    gain = _motion(tracklets, before, after, arrivals) - threshold
    gain -= _CLASS_PENALTY * (tracklets.classes[before] != tracklets.classes[after])
    possible = gain + _APPEARANCE_LIMIT > 0  # what appearance cannot save need not be compared
    before, after, joined, gain = before[possible], after[possible], joined[possible], gain[possible]
    gain += _appearance(tracklets, before, after, info)
    chosen = assign(before, after, gain)
    follows = np.full(len(tracklets.ids), -1)
    follows[after[chosen]] = before[chosen]
    made = int(np.count_nonzero(~joined[chosen]))
    kept = int(np.count_nonzero(joined[chosen]))
    return Links(follows, made, int(np.count_nonzero(np.diff(tracklets.ids) == 0)) - kept)


def _pairs(tracklets: Tracklets, most_s: float) -> tuple[IntArray, IntArray, BoolArray]:
    """P pairs of an end and a later begin within `most_s`, and which of them the tracker held for one object."""
    n = len(tracklets.ids)
    begin_s, end_s = tracklets.begin.time_s, tracklets.end.time_s
    order = np.argsort(begin_s, kind="stable")
    first = np.searchsorted(begin_s[order], end_s, side="right")
    last = np.searchsorted(begin_s[order], end_s + most_s, side="right")
    length = last - first
    before = np.repeat(np.arange(n), length)
    after = order[np.arange(len(before)) - np.repeat(np.cumsum(length) - length, length) + np.repeat(first, length)]
    same = np.flatnonzero(np.diff(tracklets.ids) == 0)
    other = ~((after == before + 1) & (tracklets.ids[before] == tracklets.ids[after]))
    joined = np.r_[np.zeros(np.count_nonzero(other), bool), np.ones(len(same), bool)]
    return np.r_[before[other], same], np.r_[after[other], same + 1], joined


def _motion(tracklets: Tracklets, before: IntArray, after: IntArray, arrivals: float) -> DoubleArray:
    """(P,) nats for one object that was away, against one that went and another that came at that place and time.

    log p(gap) p(place | gap) / rate of those who come, a second and square height; and the same of the sizes.
    """
    end, begin = tracklets.end, tracklets.begin
    gap_s = begin.time_s[after] - end.time_s[before]  # (P,)
    height = (end.height[before] + begin.height[after]) / 2
    velocity = (end.velocity[before] + begin.velocity[after]) / 2
    way = velocity * (_SPEED_LASTS_S * (1 - np.exp(-gap_s / _SPEED_LASTS_S)))[:, None]
    missed = np.linalg.norm(begin.centre[after] - end.centre[before] - way, axis=1) / height  # (P,) heights
    std = _STD + _STD_PER_S * gap_s
    log_place = -0.5 * (missed / std) ** 2 - np.log(2 * np.pi * std**2)
    log_new = np.log(arrivals * height**2)
    ratio = np.log(begin.height[after] / end.height[before])
    size_std = _SIZE_STD + _SIZE_STD_PER_S * np.minimum(gap_s, _LONGEST_SPREAD_S)
    log_size = 0.5 * (ratio / _SIZE_STD_APART) ** 2 - 0.5 * (ratio / size_std) ** 2 + np.log(_SIZE_STD_APART / size_std)
    log_gap = -gap_s / _AWAY_S - np.log(_AWAY_S)
    evidence = log_gap + log_place - log_new + log_size.clip(-_SIZE_LIMIT, _SIZE_LIMIT)
    return np.asarray(np.maximum(evidence, _LEAST_MOTION))


def _appearance(tracklets: Tracklets, before: IntArray, after: IntArray, info: AppearanceInfo | None) -> DoubleArray:
    """(P,) nats; 0 where one of the two has no vector.

    What a cosine is worth is learned from the video: of one object are the two halves of a tracklet, of two objects
    are tracklets that were seen together.
    """
    evidence = np.zeros(len(before))
    known = np.flatnonzero((tracklets.pieces[before] > 0) & (tracklets.pieces[after] > 0))
    if not len(known):
        return evidence
    calibration = StreamCalibration(None if info is None else info.calibration)
    calibration.observe_same(tracklets.self_similarity)
    calibration.observe_different(_apart(tracklets))
    b, a = before[known], after[known]
    gap_s = tracklets.begin.time_s[a] - tracklets.end.time_s[b]
    ratio = calibration.log_likelihood_ratio(cosine(tracklets.looks[b], tracklets.looks[a]), gap_s)
    evidence[known] = ratio.clip(-_APPEARANCE_LIMIT, _APPEARANCE_LIMIT)
    return evidence


def _apart(tracklets: Tracklets) -> DoubleArray:
    """Cosines of pairs of tracklets that were seen together, of those that have vectors: (Q,)."""
    order = np.argsort(tracklets.begin.time_s, kind="stable")
    order = order[tracklets.pieces[order] > 0]
    cosines = [np.zeros(0)]
    for step in range(1, _NEIGHBOURS + 1):
        first, second = order[:-step], order[step:]
        together = (tracklets.begin.time_s[second] <= tracklets.end.time_s[first]) & (
            tracklets.ids[first] != tracklets.ids[second]
        )
        cosines.append(cosine(tracklets.looks[first[together]], tracklets.looks[second[together]]))
    return np.concatenate(cosines)
