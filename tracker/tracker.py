"""The tracker: detections of one frame in, identities out. Pure: no input or output, no clock, no global state."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tracker import lives
from tracker.arrays import every, some
from tracker.association import demand, looks
from tracker.association.appearance import AppearanceModel
from tracker.association.evidence import Boxes, Candidates, candidates, hides
from tracker.association.matching import Matching, Seen
from tracker.boxes import cxcywh_to_xyxy, iou
from tracker.config import TrackerConfig
from tracker.errors import InputError
from tracker.exchange import seen_anew
from tracker.explanation.decisions import Decision
from tracker.explanation.explanation import Explanation, decisions_about
from tracker.explanation.record import UpdateRecord
from tracker.identities import Identities
from tracker.motion import camera, kalman
from tracker.motion.drift import LEARNED, common_shift
from tracker.motion.kalman import MotionState
from tracker.table import TrackTable
from tracker.types import (
    AppearanceInfo,
    BoolArray,
    Detections,
    DoubleArray,
    EmbedRows,
    IntArray,
    RemakeVectors,
    TrackEvent,
    Tracks,
)

_logger = logging.getLogger(__name__)

_STANDS_STILL = 20
"""Updates with detections at one time after which the clock stands still: fewer than a second has frames, for clocks
of whole seconds."""


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
        explain: keep the reasons of each update, for `explain` and `Tracks.explanation`. Costs nothing where it is off.

    Numbers start at 1. Trackers share nothing. Not safe to call from several threads at once.
    """

    def __init__(
        self, config: TrackerConfig | None = None, *, appearance: AppearanceInfo | None = None, explain: bool = False
    ) -> None:
        if config is not None and not isinstance(config, TrackerConfig):
            raise InputError(f"Tracker needs a tracker.TrackerConfig, got {type(config).__name__}")
        self.config = config if config is not None else TrackerConfig()
        self.appearance = appearance
        self._explains = explain
        c = self.config
        self._noise = kalman.MotionNoise(c.acceleration, c.size_acceleration, c.measurement_std, c.initial_speed_std)
        self.reset()

    def reset(self) -> None:
        """Forget everything; numbers start at 1 again."""
        self._appearance = AppearanceModel(self.appearance)
        self._tracks = TrackTable.zeros(0, self._appearance.dimension or 0)
        self._identities = Identities(self.config, self._appearance)
        self._time_s: float | None = None
        self._all_seen = True  # in the last update
        self._stood = 0  # updates with detections since the clock went on
        self._told: set[str] = set()  # warnings
        self._record: UpdateRecord | None = None
        self._explanation: Explanation | None = None

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
        tracks, motion = self._tracks, self._moved(dt, affine)
        gone = self._gone(motion, dt, now, detections.frame_size)
        if len(gone):
            stays = np.ones(len(tracks), bool)
            stays[gone] = False
            tracks, motion = tracks.select(stays), motion.of(stays.nonzero()[0])
        # whatever is raised up to here, by `embed` too, leaves the tracker as it was
        seen, pairs, shift = self._look(detections, tracks, motion, now, embed)

        first = self._time_s is None
        self._watch(dt, detections)
        self._go_on(gone, tracks, motion, affine, shift, now)
        matching = Matching(tracks, seen, self.config, self._appearance, self._record)
        matching.run(pairs)
        if self._record is not None and not every(seen.counted):
            boxes = self._boxes(seen.corners, seen.box, detections)
            self._record.add_ignored(self._pair(motion, boxes, ~seen.counted)[0])
        tracks.detection, matched = matching.detection, matching.matched
        self._all_seen = every(matched)
        looks.note_company(tracks, seen, matched)
        if some(matched):
            if some(shift):
                tracks.box[:2] -= LEARNED * shift[:, None] * matched  # or velocities would never know of it
            self._correct(seen, matched)
            changed = looks.learn(tracks, seen, matched, matching.similarity, self._appearance, self.config)
            if len(changed):
                self._identities.part(tracks, changed)
        self._found(seen, matched, matching.taken, proven=first)
        self._tracks = self._identities.update(self._tracks, now)
        rows, events = self._reported(include_coasted), tuple(self._identities.events)
        if self._record is not None:
            self._explanation = Explanation(self._record, self._tracks, events)
        return self._report(rows, self._tracks.box.take(rows, axis=1), now, events, seen)

    def predict(self, time_s: float, *, include_coasted: bool = False) -> Tracks:
        """Where the objects seen in the last update are at a later time; changes nothing and counts no miss.

        Args:
            time_s: on the clock of `update`, not before its last time.
            include_coasted: also return confirmed tracks that the last update did not see.
        """
        now, dt = self._clock(time_s)
        rows = self._reported(include_coasted)
        hidden = self._tracks.detection[rows] < 0
        moved = kalman.predict(self._tracks.motion.of(rows), dt, self._noise, hidden)
        tracks = self._report(rows, moved.box, now, ())
        return replace(tracks, detections=np.full(len(rows), -1), explanation=None)

    def explain(self, track_id: int) -> tuple[Decision, ...]:
        """What the last update decided about one number, and why; `str` of a decision says it in words.

        First with which detection the track goes on, then, where that was asked, who it is. A number that is missing
        has the decisions about those who might have been it.

        Raises:
            InputError: the tracker was made without `explain=True`, or nothing was decided about such a number.
        """
        if not self._explains:
            raise InputError("explain needs a tracker that keeps its reasons: make it with Tracker(explain=True)")
        return decisions_about(track_id, self._explanation, highest=self._identities.highest)

    def forget(self, ids: ArrayLike) -> None:
        """Forget what identities (n,) looked like, between two updates; numbers that are not known are passed over.

        Who left cannot come back: they get a new number. Who is followed now is followed on under their number, by
        motion, until the next crop says anew what they look like.

        Raises:
            InputError: they are no whole numbers.
        """
        numbers = np.asarray(ids).reshape(-1)
        if numbers.size and numbers.dtype.kind not in "iu":
            raise InputError(f"ids must be whole numbers, got {ids!r}")
        numbers = numbers.astype(np.int64)
        numbers = numbers[numbers > 0]  # 0 stands for none
        self._identities.forget(numbers)
        tracks = self._tracks
        rows = (np.isin(tracks.ids, numbers) | np.isin(tracks.own_ids, numbers)).nonzero()[0]
        rows = rows[tracks.ids[rows] > 0]
        if len(rows):
            self._tracks = tracks.looks_forgotten(rows)
        self._record = self._explanation = None  # cosines of theirs

    # ---- another embedder ----------------------------------------------------------------------------------------

    @property
    def known_ids(self) -> IntArray:
        """(n,) numbers that may be reported again: of live tracks, and of identities that left and are remembered."""
        ids = np.concatenate((self._tracks.ids, self._tracks.own_ids, self._identities.memory.ids))
        return np.unique(ids[ids > 0])

    def change_embedder(self, info: AppearanceInfo, again: RemakeVectors | None = None) -> None:
        """Go on with the vectors of another embedder, between two updates; its dimension may be another one.

        Numbers, positions and all else that is not appearance stay. The mean vectors of live tracks and of remembered
        identities are exchanged for those that `again` gives. A track for which it has none goes on by motion alone
        until it is seen; an identity that left and for which it has none cannot come back. Who was found again a moment
        ago, which may still have turned out to be wrong, is held for that one from now on. What the cosines of the new
        embedder are worth is learned anew, beginning with its calibration.

        Args:
            info: what is known of the new embedder.
            again: called once, for vectors by the new embedder of crops of those identities; None: there are none.

        Raises:
            InputError: what `again` gives is not as it must be. Whatever is raised, by it too, nothing has changed.
        """
        appearance = AppearanceModel(info)
        tracks, memory = seen_anew(self._tracks, self._identities.memory, info.dimension, again)
        self.appearance, self._appearance, self._tracks = info, appearance, tracks
        self._identities.change_embedder(appearance, memory)
        self._record = self._explanation = None  # cosines of the old one

    # ---- one update, step by step --------------------------------------------------------------------------------

    def _clock(self, time_s: float | None) -> tuple[float, float]:
        """The time of this call and the seconds since the last update."""
        last = self._time_s
        if time_s is None:
            return (0.0, 0.0) if last is None else (last + 1 / self.config.rate_hz, 1 / self.config.rate_hz)
        try:
            now = float(time_s)
        except (TypeError, ValueError):
            now = math.nan
        if not math.isfinite(now):
            raise InputError(f"time_s must be a finite number, got {time_s!r}")
        if last is not None and now < last:
            raise InputError(
                f"time_s must not run backwards, got {now:.6f} after {last:.6f}; reset() starts a new clock"
            )
        return now, 0.0 if last is None else now - last

    def _watch(self, dt: float, detections: Detections) -> None:
        """Warn where the clock stands still."""
        self._stood = 0 if dt else self._stood + (len(detections) > 0)
        if self._stood >= _STANDS_STILL:
            self._warn(
                "%d updates were given one time, and newcomers are reported only once they were seen for %.3g s (see "
                "tracker.confirm_s; each frame needs the time at which it was taken)",
                self._stood,
                self.config.confirm_s,
            )

    def _warn(self, message: str, *values: float) -> None:
        """Say it, once a stream."""
        if message not in self._told:
            self._told.add(message)
            _logger.warning(message, *values)

    def _moved(self, dt: float, affine: DoubleArray | None) -> MotionState:
        """All tracks, predicted to the time of the frame and along with the camera."""
        motion = self._tracks.motion if affine is None else camera.move(self._tracks.motion, affine)
        return kalman.predict(motion, dt, self._noise, None if self._all_seen else self._tracks.detection < 0)

    def _gone(self, motion: MotionState, dt: float, now: float, frame_size: tuple[int, int] | None) -> IntArray:
        """Which tracks, predicted to the time of the frame, left the picture or are lost for good."""
        longest_s = lives.longest_step_s(self.config)
        if self._all_seen and dt <= longest_s:
            return np.zeros(0, np.int64)
        if dt > longest_s:
            self._warn(
                "%.3g s lie between two frames, and nobody is followed over more than %.3g s (see tracker.max_lost_s; "
                "times must be seconds)",
                dt,
                longest_s,
            )
        return lives.gone(self._tracks.seen_s, self._tracks.detection < 0, motion.box, now, frame_size, self.config)

    def _look(
        self, detections: Detections, tracks: TrackTable, motion: MotionState, now: float, embed: EmbedRows | None
    ) -> tuple[Seen, Candidates, DoubleArray]:
        """What the further steps need to know of the detections, which of the tracks these may continue, and a shift.

        By the shift (2,), px in x and y, all predictions were moved.
        """
        c, scores = self.config, detections.scores
        corners, confident = np.array(detections.boxes.T, np.float64, order="C"), scores >= c.high_score
        box = np.empty_like(corners)  # (4, N)
        sides = np.subtract(corners[2:], corners[:2], out=box[2:])
        np.add(corners[:2], sides / 2, out=box[:2])
        boxes, counted = self._boxes(corners, box, detections), scores >= c.low_score
        pairs, covered = self._pair(motion, boxes, counted)
        shift = common_shift(motion.box, box, pairs)
        if some(shift):
            motion.box[:2] += shift[:, None]
            pairs, covered = self._pair(motion, boxes, counted)
        wanted = confident.nonzero()[0]
        if embed is not None and c.embed == "auto" and self._time_s is not None:
            wanted = demand.wanted(tracks, pairs, motion.box, corners, counted, confident, now, self._time_s, c)
        vectors, has = self._appearance.collect(detections, wanted, embed)
        clean, known = covered <= c.appearance_max_overlap, has & confident
        last_s, classes = now if self._time_s is None else self._time_s, detections.classes
        fit = known & clean
        seen = Seen(now, last_s, corners, box, scores, classes, counted, confident, vectors, known, clean, fit)
        return seen, pairs, shift

    def _boxes(self, corners: DoubleArray, box: DoubleArray, detections: Detections) -> Boxes:
        """The detections as `candidates` wants them; corners (4, N), box (4, N) cxcywh."""
        return Boxes(corners, box[2:], detections.classes, hides(detections.scores, self.config))

    def _pair(self, motion: MotionState, boxes: Boxes, among: BoolArray) -> tuple[Candidates, DoubleArray]:
        """Which tracks and which of these detections (N,) may belong together, and the covered share of those (N,).

        Detectors that tell everything add hundreds of boxes that do not count: only explanations speak of these.
        """
        std, double_iou = np.sqrt(motion.covariance[0, 0]), self.config.birth_max_overlap
        if every(among):
            return candidates(motion.box, std, boxes, double_iou)
        rows, covered = among.nonzero()[0], np.zeros(len(among))
        pairs, covered[rows] = candidates(motion.box, std, boxes.select(rows), double_iou)
        return pairs._replace(detections=rows[pairs.detections]), covered

    def _go_on(
        self,
        gone: IntArray,
        tracks: TrackTable,
        motion: MotionState,
        affine: DoubleArray | None,
        shift: DoubleArray,
        now: float,
    ) -> None:
        """Begin to change things: those who are gone end, and the others are the tracks, moved."""
        self._time_s = now
        self._identities.events.clear()
        if self._explains:
            self._record = self._identities.record = UpdateRecord(self.config)
        if len(gone):
            self._identities.retire(self._tracks, gone, now)
        if self._appearance.dimension is not None:
            tracks.fit_dimension(self._appearance.dimension)
        tracks.motion = motion
        if affine is not None:
            tracks.seen_box = camera.move(MotionState(tracks.seen_box[None], tracks.covariance), affine).box
        if some(shift):
            tracks.seen_box[:2] += shift[:, None]
        self._tracks = tracks

    def _correct(self, seen: Seen, matched: BoolArray) -> None:
        """Take the boxes, scores and classes of the matched tracks (T,) in."""
        tracks, detection = self._tracks, self._tracks.detection
        # where there is no match these are of any detection, and change nothing
        scores, classes = seen.scores.take(detection).astype(np.float64), seen.classes.take(detection)
        tracks.motion = kalman.correct(tracks.motion, seen.box.take(detection, axis=1), self._noise, scores, matched)
        tracks.seen_s[matched] = seen.now
        np.copyto(tracks.seen_box, tracks.box, where=matched)
        np.copyto(tracks.score, scores, where=matched)
        against = (matched & (tracks.classes != classes)).nonzero()[0]
        if len(against):
            scores[against] *= -1
        np.add(tracks.class_votes, scores, out=tracks.class_votes, where=matched)
        if len(against):
            outvoted = against[tracks.class_votes[against] < 0]
            tracks.classes[outvoted] = classes[outvoted]
            tracks.class_votes[outvoted] *= -1

    def _found(self, seen: Seen, matched: BoolArray, taken: BoolArray, *, proven: bool) -> None:
        """Drop tentative tracks that were missed, and found new ones on confident detections that nobody took.

        Those of a stream's first frame were there before it: they need not prove that they stay.
        """
        c, tracks = self.config, self._tracks
        if not every(tracks.proven):
            self._tracks = tracks = tracks.select(tracks.proven | matched)
        if every(taken):
            return
        rows = (~taken & (seen.scores >= c.birth_score) & (seen.box[2:].min(axis=0) > 0)).nonzero()[0]
        if not len(rows):
            return
        tracked = (tracks.detection >= 0).nonzero()[0]
        if len(tracked):
            boxes = cxcywh_to_xyxy(tracks.box.take(tracked, axis=1).T)
            overlap = iou(seen.corners.take(rows, axis=1).T, boxes)  # (n, S)
            if self._record is not None:
                self._record.births = (rows, overlap, tracks.detection[tracked])
            rows = rows[overlap.max(axis=1) <= c.birth_max_overlap]
        rows = lives.without_doubles(rows, seen, c.birth_max_overlap)
        if len(rows):
            new = lives.new_tracks(rows, seen, self._noise)
            new.proven[:], new.lone[:] = proven, not proven
            self._tracks = tracks.append(new)

    # ---- what is told --------------------------------------------------------------------------------------------

    def _reported(self, include_coasted: bool) -> IntArray:
        """Rows that have a number and were seen, or all that have one."""
        numbered = self._tracks.ids > 0
        return (numbered if include_coasted else numbered & (self._tracks.detection >= 0)).nonzero()[0]

    def _report(
        self, rows: IntArray, boxes: DoubleArray, now: float, events: tuple[TrackEvent, ...], seen: Seen | None = None
    ) -> Tracks:
        """These rows with their boxes, (4, n) cxcywh."""
        tracks, centre, half = self._tracks, boxes[:2], boxes[2:] / 2
        return Tracks(
            tracks.ids[rows],
            np.concatenate((centre - half, centre + half)).T.astype(np.float32, order="C"),
            tracks.score[rows].astype(np.float32),
            tracks.classes[rows],
            tracks.detection[rows],
            now,
            events,
            self._explanation,
            0 if seen is None else int(np.count_nonzero(seen.confident)),
            0 if seen is None else int(np.count_nonzero(seen.has)),
        )
