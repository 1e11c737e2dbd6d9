"""The tracker: detections of one frame in, identities out. Pure: no input or output, no clock, no global state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.association.appearance import FOREIGN, AppearanceModel
from tracker.association.assignment import assign
from tracker.association.evidence import Candidates, candidates, cosine, covered_share
from tracker.boxes import cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from tracker.config import TrackerConfig
from tracker.errors import InputError
from tracker.identities import Identities
from tracker.motion import camera, kalman
from tracker.table import TIME_SLACK_S, TrackTable
from tracker.types import (
    AppearanceInfo,
    BoolArray,
    Detections,
    DoubleArray,
    EmbedRows,
    FloatArray,
    IntArray,
    TrackEvent,
    Tracks,
)


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """The N detections of one update, as its steps need them."""

    now: float
    detections: Detections
    boxes: DoubleArray
    """(N, 4) xyxy."""
    confident: IntArray
    """Rows of high score."""
    vectors: FloatArray
    """(N, D)."""
    has: BoolArray
    """(N,) which rows have a vector."""
    clean: BoolArray
    """(N,) which crops show one object alone."""

    @property
    def fit(self) -> BoolArray:
        """(N,) which vectors say what one object looks like."""
        return self.has & self.clean


class Tracker:
    """Keeps the identities of objects from frame to frame.

    One update, in order: predict all tracks to the frame's time; match confirmed tracks with confident detections by
    motion and appearance; match those left over with weak detections by motion; match tentative tracks with the
    confident detections left over; found tracks on the rest; and give each track that has proved itself its number:
    that of a lost track within reach or of an identity that left, where its appearance says so, else a new one.

    Args:
        config: all settings.
        appearance: what is known of the embedder (`Embedder.info`): dimension, model and calibration. Without it, or
            without a calibration in it, what a cosine is worth is learned from the stream alone.

    Numbers start at 1. Trackers share nothing. Not safe to call from several threads at once.
    """

    def __init__(self, config: TrackerConfig | None = None, *, appearance: AppearanceInfo | None = None) -> None:
        self.config = config if config is not None else TrackerConfig()
        self.appearance = appearance
        c = self.config
        self._noise = kalman.MotionNoise(c.acceleration, c.size_acceleration, c.measurement_std, c.initial_speed_std)
        self.reset()

    def reset(self) -> None:
        """Forget everything; numbers start at 1 again."""
        self._appearance = AppearanceModel(self.appearance)
        self._tracks = TrackTable.zeros(0, self._appearance.dimension or 0)
        self._identities = Identities(self.config, self._appearance)
        self._time_s: float | None = None

    def update(
        self,
        detections: Detections,
        *,
        time_s: float | None = None,
        embed: EmbedRows | None = None,
        camera_motion: Any = None,
        include_coasted: bool = False,
    ) -> Tracks:
        """Take in the detections of one frame.

        Args:
            detections: of this frame. Not changed.
            time_s: when the frame was taken, on any clock that does not run backwards; None: one period of
                `config.rate_hz` after the last.
            embed: called with rows of `detections`, (n,) int64, for the embeddings that the tracker wants and that
                `detections` does not hold; returns (n, D) float32 unit vectors.
            camera_motion: (2, 3) affine from pixels of the last frame to pixels of this one; None: the camera stood.
            include_coasted: also return confirmed tracks that were not seen, at their predicted places.

        Returns:
            Confirmed objects that were matched in this frame (and coasted ones, where asked for), with filtered boxes.

        Raises:
            InputError: time runs backwards, or embeddings or camera motion are not what they must be.
        """
        if not isinstance(detections, Detections):
            raise InputError(f"update needs tracker.Detections, got {type(detections).__name__}")
        now, dt = self._clock(time_s)
        affine = None if camera_motion is None else camera.check_affine(camera_motion)
        frame = self._look(detections, embed, now)

        self._identities.events.clear()
        self._time_s = now
        self._move(dt, affine)
        self._retire(now, detections.frame_size)
        match = self._associate(frame)
        self._correct(match, frame)
        self._learn(match, frame)
        self._found(match, frame)
        self._tracks = self._identities.update(self._tracks, now)
        rows = np.flatnonzero((self._tracks.ids > 0) & ((self._tracks.detection >= 0) | include_coasted))
        return self._report(rows, self._tracks.xyxy[rows], now, tuple(self._identities.events))

    def predict(self, time_s: float, *, include_coasted: bool = False) -> Tracks:
        """Where the objects seen in the last update are at a later time; changes nothing and counts no miss.

        Args:
            time_s: on the clock of `update`, not before its last time.
            include_coasted: also return confirmed tracks that the last update did not see.
        """
        if self._time_s is None:
            return self._report(np.zeros(0, np.int64), np.zeros((0, 4)), float(time_s), ())
        now, dt = self._clock(time_s)
        rows = np.flatnonzero((self._tracks.ids > 0) & ((self._tracks.detection >= 0) | include_coasted))
        moved = kalman.predict(self._tracks.motion_of(rows), dt, self._noise)
        tracks = self._report(rows, cxcywh_to_xyxy(moved.box), now, ())
        return Tracks(tracks.ids, tracks.boxes, tracks.scores, tracks.classes, np.full(len(rows), -1), now)

    # ---- one update, step by step --------------------------------------------------------------------------------

    def _clock(self, time_s: float | None) -> tuple[float, float]:
        """The time of this call and the seconds since the last update."""
        last = self._time_s
        if time_s is None:
            return (0.0, 0.0) if last is None else (last + 1 / self.config.rate_hz, 1 / self.config.rate_hz)
        now = float(time_s)
        if not np.isfinite(now):
            raise InputError(f"time_s must be finite, got {time_s!r}")
        if last is not None and now < last:
            raise InputError(
                f"time_s must not run backwards, got {now:.6f} after {last:.6f}; reset() starts a new clock"
            )
        return now, 0.0 if last is None else now - last

    def _look(self, detections: Detections, embed: EmbedRows | None, now: float) -> _Frame:
        """What the steps of an update need to know of the detections."""
        boxes = detections.boxes.astype(np.float64)
        confident = np.flatnonzero(detections.scores >= self.config.high_score)
        vectors, has = self._appearance.collect(detections, confident, embed)
        self._tracks.mean = self._appearance.fit(self._tracks.mean)
        self._tracks.doubted = self._appearance.fit(self._tracks.doubted)
        clean = covered_share(boxes) <= self.config.appearance_max_overlap
        return _Frame(now, detections, boxes, confident, vectors, has, clean)

    def _move(self, dt: float, affine: DoubleArray | None) -> None:
        """Predict all tracks to the time of the frame, and along with the camera."""
        tracks = self._tracks
        # the velocity of a size means nothing while the object is hidden
        tracks.velocity[tracks.detection < 0, 2:] = 0
        state = tracks.motion if affine is None else camera.move(tracks.motion, affine)
        tracks.set_motion(slice(None), kalman.predict(state, dt, self._noise))
        if affine is not None:
            seen = kalman.MotionState(tracks.seen_box, np.zeros_like(tracks.seen_box), tracks.covariance)
            tracks.seen_box = camera.move(seen, affine).box
        tracks.detection[:] = -1

    def _retire(self, now: float, frame_size: tuple[int, int] | None) -> None:
        """End tracks that left the picture or were not seen for too long; remember those whose appearance is known.

        A track that was not seen and is predicted outside has left: it must not wait there for the next to enter.
        """
        tracks = self._tracks
        patience = np.full(len(tracks), self.config.max_lost_s)
        if frame_size is not None:
            centre = tracks.box[:, :2]
            patience[((centre < 0) | (centre > frame_size)).any(axis=1)] = self.config.max_outside_s
        expired = now - tracks.seen_s > patience + TIME_SLACK_S
        self._identities.retire(tracks, expired, now)
        if expired.any():
            self._tracks = tracks.select(~expired)

    def _associate(self, frame: _Frame) -> IntArray:
        """The row of the detection that continues each track, -1 where none does: (T,)."""
        c, tracks = self.config, self._tracks
        scores, classes = frame.detections.scores, frame.detections.classes
        match = np.full(len(tracks), -1)
        free = np.ones(len(scores), bool)

        def stage(track_rows: IntArray, rows: IntArray, with_appearance: bool, centre: float) -> None:
            pairs = self._pairs(track_rows, rows, frame.boxes)
            gain = c.motion_weight * (pairs.overlap - centre)
            gain -= c.class_penalty * (tracks.classes[pairs.tracks] != classes[pairs.detections])
            if with_appearance:
                gain += self._appearance_evidence(pairs, frame)
            chosen = assign(pairs.tracks, pairs.detections, gain)
            match[pairs.tracks[chosen]] = pairs.detections[chosen]
            free[pairs.detections[chosen]] = False

        stage(np.flatnonzero(tracks.proven), frame.confident, True, c.motion_centre)
        just_seen = frame.now - tracks.seen_s <= c.max_lost_s / 2
        weak = np.flatnonzero((scores >= c.low_score) & (scores < c.high_score))
        stage(np.flatnonzero(tracks.proven & (match < 0) & just_seen), weak, False, c.low_score_min_overlap)
        left = frame.confident[free[frame.confident]]
        stage(np.flatnonzero(~tracks.proven), left, True, c.motion_centre)
        self._appearance.observe_apart(frame.vectors[frame.fit])
        return match

    def _pairs(self, track_rows: IntArray, rows: IntArray, boxes: DoubleArray) -> Candidates:
        """Candidates among some tracks and some detections, in rows of the whole table and input."""
        tracks = self._tracks
        std = np.sqrt(tracks.covariance[track_rows, 0, 0])  # in heights
        local = candidates(cxcywh_to_xyxy(tracks.box[track_rows]), std, boxes[rows])
        return Candidates(track_rows[local.tracks], rows[local.detections], local.overlap)

    def _appearance_evidence(self, pairs: Candidates, frame: _Frame) -> DoubleArray:
        """(P,) in nats; 0 where one of the two has no vector, halved where the crop shows others too."""
        tracks, limit = self._tracks, self.config.appearance_limit
        evidence = np.zeros(len(pairs.tracks))
        known = np.flatnonzero(frame.has[pairs.detections] & (tracks.vectors[pairs.tracks] > 0))
        t, d = pairs.tracks[known], pairs.detections[known]
        similarity = cosine(tracks.mean[t], frame.vectors[d])
        evidence[known] = self._appearance.evidence(similarity, frame.now - tracks.seen_s[t]).clip(-limit, limit)
        evidence *= np.where(frame.clean[pairs.detections], 1.0, 0.5)
        alone = (np.bincount(pairs.tracks, minlength=len(tracks))[t] == 1) & (
            np.bincount(pairs.detections, minlength=len(frame.has))[d] == 1
        )
        sure = alone & frame.clean[d] & (pairs.overlap[known] > 0.5)
        self._appearance.observe_same(similarity[sure])
        return evidence

    def _correct(self, match: IntArray, frame: _Frame) -> None:
        """Take the matched boxes, scores and classes in."""
        tracks = self._tracks
        t = np.flatnonzero(match >= 0)
        d = match[t]
        scores, classes = frame.detections.scores[d].astype(np.float64), frame.detections.classes[d]
        measured = xyxy_to_cxcywh(frame.boxes[d])
        tracks.set_motion(t, kalman.correct(tracks.motion_of(t), measured, self._noise, scores))
        tracks.detection[t], tracks.score[t] = d, scores
        tracks.seen_s[t], tracks.seen_box[t] = frame.now, tracks.box[t]
        votes = tracks.class_votes[t] + np.where(tracks.classes[t] == classes, scores, -scores)
        tracks.classes[t] = np.where(votes < 0, classes, tracks.classes[t])
        tracks.class_votes[t] = np.abs(votes)

    def _learn(self, match: IntArray, frame: _Frame) -> None:
        """Move the mean appearance of matched tracks towards crops that show the object alone.

        A crop that speaks against its track does not: it is kept aside. Once such crops agree for long enough, the
        track has gone over to somebody else, as happens where one passes close to another.
        """
        c, tracks = self.config, self._tracks
        t = np.flatnonzero(match >= 0)
        t = t[frame.fit[match[t]] & (frame.detections.scores[match[t]] >= c.high_score)]
        crops = frame.vectors[match[t]].astype(np.float64)  # (n, D)
        evidence = self._appearance.doubt(cosine(tracks.mean[t], crops))
        foreign = (evidence < FOREIGN) & (tracks.vectors[t] >= c.identify_vectors)
        tracks.learn(t[~foreign], crops[~foreign], frame.now, c.appearance_memory_s)
        tracks.set_aside(t[foreign], crops[foreign], frame.now, evidence[foreign].clip(-4, 0))
        changed = np.flatnonzero(tracks.doubt <= -c.change_evidence)
        if len(changed):
            self._identities.part(tracks, changed)

    def _found(self, match: IntArray, frame: _Frame) -> None:
        """Drop tentative tracks that were missed, and found new ones on confident detections that nobody took."""
        c = self.config
        self._tracks = self._tracks.select(self._tracks.proven | (match >= 0))
        free = np.ones(len(frame.boxes), bool)
        free[match[match >= 0]] = False
        rows = frame.confident[free[frame.confident] & (frame.detections.scores[frame.confident] >= c.birth_score)]
        taken = self._tracks.xyxy[self._tracks.detection >= 0]
        if len(rows) and len(taken):
            rows = rows[iou(frame.boxes[rows], taken).max(axis=1) <= c.birth_max_overlap]
        if len(rows):
            self._tracks = self._tracks.append(self._new_tracks(rows, frame))

    def _new_tracks(self, rows: IntArray, frame: _Frame) -> TrackTable:
        new = TrackTable.zeros(len(rows), frame.vectors.shape[1])
        new.set_motion(slice(None), kalman.start(xyxy_to_cxcywh(frame.boxes[rows]), self._noise))
        new.born_s[:] = new.seen_s[:] = new.first_vector_s[:] = new.mean_s[:] = frame.now
        new.seen_box[:], new.detection[:] = new.box, rows
        new.score[:] = new.class_votes[:] = frame.detections.scores[rows]
        new.classes[:] = frame.detections.classes[rows]
        fit = frame.fit[rows]
        new.vectors[:] = fit
        new.mean[fit] = frame.vectors[rows[fit]]
        return new

    def _report(self, rows: IntArray, xyxy: DoubleArray, now: float, events: tuple[TrackEvent, ...]) -> Tracks:
        tracks = self._tracks
        return Tracks(
            tracks.ids[rows],
            xyxy.astype(np.float32),
            tracks.score[rows].astype(np.float32),
            tracks.classes[rows],
            tracks.detection[rows],
            now,
            events,
        )
