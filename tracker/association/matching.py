"""Which detection continues which track: three stages of one assignment each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracker.arrays import every, some
from tracker.association.appearance import AppearanceModel
from tracker.association.assignment import assign
from tracker.association.evidence import Candidates, cosine
from tracker.config import TrackerConfig
from tracker.table import TrackTable
from tracker.types import BoolArray, DoubleArray, FloatArray, IntArray

if TYPE_CHECKING:
    from tracker.explanation.record import Stage, UpdateRecord


class Seen(NamedTuple):
    """The N detections of one update, as its steps need them."""

    now: float
    last_s: float
    """When the frame before was taken; `now` where there was none."""
    corners: DoubleArray
    """(4, N) x1, y1, x2, y2."""
    box: DoubleArray
    """(4, N) cx, cy, w, h."""
    scores: FloatArray
    """(N,) 0..1."""
    classes: IntArray
    """(N,)."""
    counted: BoolArray
    """(N,) which are not ignored."""
    confident: BoolArray
    """(N,) of high score."""
    vectors: FloatArray
    """(N, D)."""
    has: BoolArray
    """(N,) which have a vector and a high score: a weak box shows a part, or what another box shows as well."""
    clean: BoolArray
    """(N,) which crops show one object alone."""
    fit: BoolArray
    """(N,) which vectors say what one object looks like: those of clean crops."""


class Matching:
    """The matching of one update, filled stage by stage, and taken down in `record` where there is one."""

    def __init__(
        self,
        tracks: TrackTable,
        seen: Seen,
        config: TrackerConfig,
        appearance: AppearanceModel,
        record: UpdateRecord | None = None,
    ) -> None:
        self._tracks, self._seen, self._config, self._appearance = tracks, seen, config, appearance
        self._record = record
        self.detection: IntArray = np.empty(len(tracks), np.int64)
        """(T,) the row of the detection that continues each track, -1 where none does."""
        self.detection.fill(-1)
        self.similarity: DoubleArray = np.zeros(len(tracks))
        """(T,) cosine of the track's mean with the vector of that detection; 0 where one of the two has none."""
        self.taken: BoolArray = np.zeros(len(seen.scores), bool)
        """(N,) which detections continue a track."""
        self._against = np.log1p(np.maximum(seen.last_s - tracks.seen_s, 0) / config.missed_s)
        """(T,) nats against any match of a track, for the time in which frames missed it."""

    @property
    def matched(self) -> BoolArray:
        """(T,) which tracks some detection continues."""
        return self.detection >= 0

    def run(self, pairs: Candidates) -> None:
        """Confirmed tracks with confident detections, those left over with weak ones, tentative tracks with the rest.

        Motion and appearance are log-likelihood ratios of "the same object" against "another object or a false
        detection": they add up, and 0 is where a match is as likely as none. That weak detections continue those left
        over, and found nobody, is the idea of ByteTrack (Zhang et al. 2022).
        """
        c, tracks, seen = self._config, self._tracks, self._seen
        every_proven, every_confident = every(tracks.proven), every(seen.confident)
        first = pairs
        if not (every_proven and every_confident):
            first = pairs.select(tracks.proven[pairs.tracks] & seen.confident[pairs.detections])
        self._stage("confident", first, c.motion_centre, with_appearance=True)
        if not every_confident:
            weak = seen.counted & ~seen.confident
            waiting = tracks.proven & (self.detection < 0)
            left = pairs.select(weak[pairs.detections] & waiting[pairs.tracks])
            self._stage("weak", left, c.low_score_min_overlap, with_appearance=False)
        if not every_proven:
            free = seen.confident & ~self.taken
            left = pairs.select(free[pairs.detections] & ~tracks.proven[pairs.tracks])
            self._stage("tentative", left, c.motion_centre, with_appearance=True)
        if self._record is not None:
            self._record.matched(tracks, seen, pairs, self.detection, ~self.taken)

    def _stage(self, stage: Stage, pairs: Candidates, centre: float, *, with_appearance: bool) -> None:
        """Match the pairs of greatest evidence; `centre` is the overlap that speaks neither for nor against."""
        c, t, d = self._config, pairs.tracks, pairs.detections
        if not len(t):
            return
        gain = motion = c.motion_weight * (pairs.overlap - centre) - self._against[t]
        other_class = self._tracks.classes[t] != self._seen.classes[d]
        if some(other_class):
            gain = gain - c.class_penalty * other_class
        appearance = similarity = np.zeros(len(t))
        if with_appearance:
            appearance, similarity = self._weigh_appearance(pairs)
            gain = gain + appearance
        chosen = assign(t, d, gain, pairs.alone)
        if self._record is not None:
            weighed = appearance if with_appearance else None
            self._record.add_stage(stage, pairs, motion, other_class, weighed, similarity, gain, chosen)
        t, d = t[chosen], d[chosen]
        self.detection[t], self.similarity[t], self.taken[d] = d, similarity[chosen], True

    def _weigh_appearance(self, pairs: Candidates) -> tuple[DoubleArray, DoubleArray]:
        """The evidence of appearance (P,) and the cosines (P,), 0 where track or detection has no vector."""
        if every(self._seen.has) and every(self._tracks.vectors):
            return self._weigh_known(*pairs)
        known = self._seen.has[pairs.detections] & (self._tracks.vectors[pairs.tracks] > 0)
        nats, similarity = np.zeros(len(known)), np.zeros(len(known))
        rows = known.nonzero()[0]
        if len(rows):
            t, d, overlap, alone = pairs.tracks[rows], pairs.detections[rows], pairs.overlap[rows], pairs.alone[rows]
            nats[rows], similarity[rows] = self._weigh_known(t, d, overlap, alone)
        return nats, similarity

    def _weigh_known(
        self, t: IntArray, d: IntArray, overlap: DoubleArray, alone: BoolArray
    ) -> tuple[DoubleArray, DoubleArray]:
        """The same of pairs that both have a vector: halved where a crop shows others too. Learns from sure ones."""
        tracks, seen, limit = self._tracks, self._seen, self._config.appearance_limit
        similarity = cosine(tracks.mean.take(t, axis=0), seen.vectors.take(d, axis=0))
        nats = self._appearance.evidence(similarity, seen.now - tracks.seen_s[t])
        nats = np.minimum(np.maximum(nats, -limit), limit)
        clean = seen.clean[d]
        mixed = (~clean).nonzero()[0]
        if len(mixed):
            nats[mixed] /= 2
        sure = (alone & clean & (overlap > 0.5)).nonzero()[0]
        self._appearance.observe_same(similarity[sure], tracks.unlooked[t[sure]])
        return nats, similarity
