"""The tracker: detections of one frame in, identities out. Pure: no input or output, no clock, no global state."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracker.association.appearance import AppearanceModel
from tracker.association.assignment import assign
from tracker.association.evidence import Candidates, candidates, cosine, covered_share
from tracker.association.identity import choose_identities
from tracker.boxes import cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from tracker.config import TrackerConfig
from tracker.errors import InputError
from tracker.memory import IdentityMemory
from tracker.motion import camera, kalman
from tracker.table import TrackTable
from tracker.types import (
    AppearanceInfo,
    BoolArray,
    Detections,
    DoubleArray,
    EmbedRows,
    FloatArray,
    IntArray,
    TrackEvent,
    TrackEventKind,
    Tracks,
)

_TIME_SLACK_S = 1e-6  # sums of frame times are not exact


class Tracker:
    """Keeps the identities of objects from frame to frame.

    One update, in order: predict all tracks to the frame's time; match confirmed tracks with confident detections by
    motion and appearance; match those left over with weak detections by motion; match tentative tracks with the
    confident detections left over; found tracks on the rest; and give each track that has proved itself its number:
    that of a lost track within reach or of an identity that left, where its appearance says so, else a new one.

    Args:
        config: all settings.
        appearance: what is known of the embedder (`Embedder.info`): dimension, model and calibration. Without it, or
            without a calibration in it, what a cosine is worth is learned from the stream.

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
        self._tracks = TrackTable.empty(self._appearance.dimension or 0)
        self._memory = IdentityMemory(self.config.memory_size, self.config.memory_s)
        self._next_id = 1
        self._time_s: float | None = None
        self._events: list[TrackEvent] = []

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
        confident = np.flatnonzero(detections.scores >= self.config.high_score)
        vectors, has = self._appearance.collect(detections, confident, embed)

        self._events = []
        self._time_s = now
        self._tracks.mean = self._appearance.fit(self._tracks.mean)
        self._move(dt, affine)
        self._retire(now)
        boxes = detections.boxes.astype(np.float64)
        clean = covered_share(boxes) <= self.config.appearance_max_overlap
        match = self._associate(detections, boxes, confident, vectors, has, clean, now)
        self._correct(match, detections, boxes, now)
        self._learn(match, detections, vectors, has & clean, now)
        self._found(match, detections, boxes, confident, vectors, has & clean, now)
        self._confirm(now)
        rows = np.flatnonzero(self._tracks.confirmed & ((self._tracks.detection >= 0) | include_coasted))
        return self._report(rows, self._tracks.xyxy[rows], now, tuple(self._events))

    def predict(self, time_s: float, *, include_coasted: bool = False) -> Tracks:
        """Where the objects seen in the last update are at a later time; changes nothing and counts no miss.

        Args:
            time_s: on the clock of `update`, not before its last time.
            include_coasted: also return confirmed tracks that the last update did not see.
        """
        if self._time_s is None:
            return self._report(np.zeros(0, np.int64), np.zeros((0, 4)), float(time_s), ())
        now, dt = self._clock(time_s)
        rows = np.flatnonzero(self._tracks.confirmed & ((self._tracks.detection >= 0) | include_coasted))
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

    def _retire(self, now: float) -> None:
        """End tracks that were not seen for too long, and remember those whose appearance is known."""
        tracks = self._tracks
        expired = now - tracks.seen_s > self.config.max_lost_s + _TIME_SLACK_S
        if expired.any():
            gone = expired & tracks.confirmed
            known = gone & tracks.has_mean
            self._memory.add(tracks.ids[known], tracks.mean[known], tracks.seen_s[known])
            self._note("ended", tracks.ids[gone], now)
            self._tracks = tracks.select(~expired)
        self._memory.forget_old(now)

    def _associate(
        self,
        detections: Detections,
        boxes: DoubleArray,
        confident: IntArray,
        vectors: FloatArray,
        has: BoolArray,
        clean: BoolArray,
        now: float,
    ) -> IntArray:
        """The row of the detection that continues each track, -1 where none does: (T,)."""
        c, tracks = self.config, self._tracks
        match = np.full(len(tracks), -1)
        free = np.ones(len(boxes), bool)
        weak = np.flatnonzero((detections.scores >= c.low_score) & (detections.scores < c.high_score))
        just_seen = now - tracks.seen_s <= c.max_lost_s / 2

        def stage(track_rows: IntArray, rows: IntArray, with_appearance: bool, centre: float) -> None:
            pairs = self._pairs(track_rows, rows, boxes)
            gain = c.motion_weight * (pairs.overlap - centre)
            gain -= c.class_penalty * (tracks.classes[pairs.tracks] != detections.classes[pairs.detections])
            if with_appearance:
                gain += self._appearance_evidence(pairs, vectors, has, clean, now)
            chosen = assign(pairs.tracks, pairs.detections, gain)
            match[pairs.tracks[chosen]] = pairs.detections[chosen]
            free[pairs.detections[chosen]] = False

        stage(np.flatnonzero(tracks.confirmed), confident, True, c.motion_centre)
        left = np.flatnonzero(tracks.confirmed & (match < 0) & just_seen)
        stage(left, weak, False, c.low_score_min_overlap)
        stage(np.flatnonzero(~tracks.confirmed), confident[free[confident]], True, c.motion_centre)
        return match

    def _pairs(self, track_rows: IntArray, rows: IntArray, boxes: DoubleArray) -> Candidates:
        """Candidates among some tracks and some detections, in rows of the whole table and input."""
        tracks = self._tracks
        std = np.sqrt(tracks.covariance[track_rows, 0, 0])  # in heights
        local = candidates(cxcywh_to_xyxy(tracks.box[track_rows]), std, boxes[rows])
        return Candidates(track_rows[local.tracks], rows[local.detections], local.overlap)

    def _appearance_evidence(
        self, pairs: Candidates, vectors: FloatArray, has: BoolArray, clean: BoolArray, now: float
    ) -> DoubleArray:
        """(P,) in nats; 0 where one of the two has no vector, halved where the crop shows others too."""
        tracks, limit = self._tracks, self.config.appearance_limit
        evidence = np.zeros(len(pairs.tracks))
        known = np.flatnonzero(has[pairs.detections] & tracks.has_mean[pairs.tracks])
        t, d = pairs.tracks[known], pairs.detections[known]
        similarity = cosine(tracks.mean[t], vectors[d])
        evidence[known] = self._appearance.evidence(similarity, now - tracks.seen_s[t]).clip(-limit, limit)
        evidence *= np.where(clean[pairs.detections], 1.0, 0.5)
        alone = (np.bincount(pairs.tracks, minlength=len(tracks))[t] == 1) & (
            np.bincount(pairs.detections, minlength=len(has))[d] == 1
        )
        sure = alone & clean[d] & (pairs.overlap[known] > 0.5)
        self._appearance.observe(similarity[sure], vectors[np.flatnonzero(has & clean)])
        return evidence

    def _correct(self, match: IntArray, detections: Detections, boxes: DoubleArray, now: float) -> None:
        """Take the matched boxes, scores and classes in; drop tentative tracks that were missed."""
        tracks = self._tracks
        t = np.flatnonzero(match >= 0)
        d = match[t]
        measured = xyxy_to_cxcywh(boxes[d])
        scores = detections.scores[d].astype(np.float64)
        tracks.set_motion(t, kalman.correct(tracks.motion_of(t), measured, self._noise, scores))
        tracks.detection[t], tracks.score[t] = d, scores
        tracks.seen_s[t], tracks.seen_box[t] = now, tracks.box[t]
        agree = tracks.classes[t] == detections.classes[d]
        votes = tracks.class_votes[t] + np.where(agree, scores, -scores)
        tracks.classes[t] = np.where(votes < 0, detections.classes[d], tracks.classes[t])
        tracks.class_votes[t] = np.abs(votes)

    def _learn(self, match: IntArray, detections: Detections, vectors: FloatArray, fit: BoolArray, now: float) -> None:
        """Move the mean appearance of matched tracks towards crops that show the object alone."""
        tracks = self._tracks
        t = np.flatnonzero(match >= 0)
        t = t[fit[match[t]] & (detections.scores[match[t]] >= self.config.high_score)]
        elapsed = now - tracks.mean_s[t]
        fading = 1 - np.exp(-elapsed / max(self.config.appearance_memory_s, 1e-9))
        share = np.maximum(1 / (tracks.vectors[t] + 1), fading)[:, None]  # the plain mean of the first ones
        mean = (1 - share) * tracks.mean[t] + share * vectors[match[t]]
        norm = np.linalg.norm(mean, axis=1, keepdims=True)
        tracks.mean[t] = np.divide(mean, norm, out=tracks.mean[t], where=norm > 1e-6)
        tracks.vectors[t] += 1
        tracks.mean_s[t] = now

    def _found(
        self,
        match: IntArray,
        detections: Detections,
        boxes: DoubleArray,
        confident: IntArray,
        vectors: FloatArray,
        fit: BoolArray,
        now: float,
    ) -> None:
        """Drop tentative tracks that were missed, and found new ones on confident detections that nobody took."""
        c = self.config
        self._tracks = self._tracks.select(self._tracks.confirmed | (match >= 0))
        free = np.ones(len(boxes), bool)
        free[match[match >= 0]] = False
        rows = confident[free[confident] & (detections.scores[confident] >= c.birth_score)]
        taken = self._tracks.xyxy[self._tracks.detection >= 0]
        if len(rows) and len(taken):
            rows = rows[iou(boxes[rows], taken).max(axis=1) <= c.birth_max_overlap]
        if len(rows):
            self._tracks = self._tracks.append(self._new_tracks(rows, detections, boxes, vectors, fit, now))

    def _new_tracks(
        self,
        rows: IntArray,
        detections: Detections,
        boxes: DoubleArray,
        vectors: FloatArray,
        fit: BoolArray,
        now: float,
    ) -> TrackTable:
        n = len(rows)
        state = kalman.start(xyxy_to_cxcywh(boxes[rows]), self._noise)
        scores = detections.scores[rows].astype(np.float64)
        times = np.full(n, now)
        mean = np.where(fit[rows, None], vectors[rows], 0.0)
        return TrackTable(
            ids=np.zeros(n, np.int64),
            box=state.box,
            velocity=state.velocity,
            covariance=state.covariance,
            born_s=times,
            seen_s=times.copy(),
            seen_box=state.box.copy(),
            detection=rows.copy(),
            score=scores,
            classes=detections.classes[rows].copy(),
            class_votes=scores.copy(),
            mean=mean,
            vectors=fit[rows].astype(np.float64),
            mean_s=times.copy(),
        )

    def _confirm(self, now: float) -> None:
        """Give tracks that have proved themselves their numbers: old ones where appearance says so, else new ones."""
        tracks = self._tracks
        ready = np.flatnonzero(~tracks.confirmed & (now - tracks.born_s >= self.config.confirm_s - _TIME_SLACK_S))
        if not len(ready):
            return
        lost = np.flatnonzero(tracks.confirmed & (tracks.detection < 0) & tracks.has_mean)
        choice = choose_identities(tracks, ready, lost, self._memory, self._appearance, self.config, now)
        new = choice.ids == 0
        tracks.ids[ready] = choice.ids
        tracks.ids[ready[new]] = np.arange(self._next_id, self._next_id + int(new.sum()))
        self._next_id += int(new.sum())
        self._memory.take(choice.ids[choice.recalled])
        self._note("born", tracks.ids[ready[new]], now)
        self._note("recovered", choice.ids[choice.recovered], now)
        self._note("recalled", choice.ids[choice.recalled], now)
        if choice.recovered.any():
            replaced = np.isin(tracks.ids, choice.ids[choice.recovered])
            replaced[ready] = False
            self._tracks = tracks.select(~replaced)

    def _note(self, kind: TrackEventKind, ids: IntArray, now: float) -> None:
        self._events.extend(TrackEvent(kind, i, now) for i in ids.tolist())

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
