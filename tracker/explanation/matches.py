"""The record of an update's matching, as decisions: which detection continues which track, and which found new ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from tracker.association.assignment import assign
from tracker.explanation.decisions import BirthDecision, MatchCandidate, MatchDecision, MatchRefusal
from tracker.explanation.record import Stage, StageRecord, UpdateRecord
from tracker.types import BoolArray, DoubleArray, IntArray


def decided_by_appearance(record: UpdateRecord) -> int:
    """How many matches motion alone would not have made: each stage is assigned once more without appearance."""
    return sum(
        len(np.setdiff1d(stage.chosen, _chosen_by_motion(record, stage), assume_unique=True))
        for stage in record.stages
        if stage.appearance is not None and stage.appearance.any()
    )


class Matches:
    """Reads the record of one update."""

    def __init__(self, record: UpdateRecord) -> None:
        self._record = record
        self._stage: dict[int, Stage] = {}  # of matched tracks
        self._detection: dict[int, int] = {}  # track -> detection
        self._track: dict[int, int] = {}  # detection -> track
        self._by_motion: dict[int, int] = {}  # track -> detection
        self._weighed: dict[tuple[int, int], _Evidence] = {}  # (track, detection)
        for stage in record.stages:
            self._read(stage)

    def decisions(self) -> Iterator[MatchDecision]:
        """One for each track that the update began with."""
        record = self._record
        candidates: dict[int, list[MatchCandidate]] = defaultdict(list)
        pairs = zip(record.pairs.tracks.tolist(), record.pairs.detections.tolist(), strict=True)
        for (track, detection), overlap in zip(pairs, record.pairs.overlap.tolist(), strict=True):
            candidates[track].append(self._candidate(track, detection, overlap))
        unseen_s = (record.time_s - record.seen_s).tolist()
        for track, number in enumerate(record.ids.tolist()):
            detection = self._detection.get(track)
            tentative = not record.proven[track]
            yield MatchDecision(
                record.time_s,
                (number if detection is None else record.number_of[detection]) or None,
                "matched" if detection is not None else "dropped" if tentative else "lost",
                self._stage.get(track),
                detection,
                self._by_motion.get(track),
                unseen_s[track],
                tuple(sorted(candidates[track], key=_rank)),
            )

    def births(self) -> Iterator[BirthDecision]:
        """One for each detection that continues no track and is not ignored, as those below `low_score` are."""
        record = self._record
        rows, overlap, others = record.births or (np.zeros(0, np.int64), np.zeros((0, 0)), np.zeros(0, np.int64))
        place = {row: k for k, row in enumerate(rows.tolist())}
        for row in (record.free & (record.scores >= record.config.low_score)).nonzero()[0].tolist():
            most, most_with = None, None
            if row in place:
                nearest = overlap[place[row]].argmax()
                most = float(overlap[place[row], nearest])
                most_with = record.number_of[int(others[nearest])] if most > 0 else None
            founded = row in record.number_of
            score = float(record.scores[row])
            yield BirthDecision(
                record.time_s,
                row,
                score,
                record.number_of.get(row) or None,
                most,
                most_with or None,
                None if founded else "score" if score < record.config.birth_score else "overlap",
            )

    def _read(self, stage: StageRecord) -> None:
        config, (t, d) = self._record.config, (stage.pairs.tracks, stage.pairs.detections)
        matched, by_motion = stage.chosen, _chosen_by_motion(self._record, stage)
        self._detection.update(zip(t[matched].tolist(), d[matched].tolist(), strict=True))
        self._track.update(zip(d[matched].tolist(), t[matched].tolist(), strict=True))
        self._stage.update(dict.fromkeys(t[matched].tolist(), stage.stage))
        self._by_motion.update(zip(t[by_motion].tolist(), d[by_motion].tolist(), strict=True))
        known = self._record.has_vector[d] & self._record.track_has_vector[t]  # (P,)
        if stage.appearance is None:
            known = np.zeros_like(known)
        kinds = (
            (config.motion_weight * (stage.pairs.overlap - stage.centre)).tolist(),
            np.where(stage.other_class, -config.class_penalty, 0.0).tolist(),
            _where(known, stage.cosine),
            _where(known, stage.gain if stage.appearance is None else stage.appearance),
            stage.gain.tolist(),
        )
        self._weighed.update(zip(zip(t.tolist(), d.tolist(), strict=True), zip(*kinds, strict=True), strict=True))

    def _candidate(self, track: int, detection: int, overlap: float) -> MatchCandidate:
        motion, class_, cosine, appearance, total = self._weighed.get((track, detection), (None,) * 5)
        refused = self._refusal(track, detection, total)
        taker = self._track.get(detection)
        taken_by = None if taker in (None, track) else self._record.number_of[detection] or None
        score = float(self._record.scores[detection])
        return MatchCandidate(detection, score, overlap, motion, class_, cosine, appearance, total, refused, taken_by)

    def _refusal(self, track: int, detection: int, total: float | None) -> MatchRefusal | None:
        """Why this pair is no match; the gates are those of `Matching.run`, in its order."""
        record = self._record
        if self._detection.get(track) == detection:
            return None
        if total is not None and total <= 0:
            return "evidence"
        if record.scores[detection] < record.config.low_score:
            return "score"
        if not record.confident[detection] and not record.proven[track]:
            return "tentative"
        if detection in self._track:
            return "taken"
        return "matched" if track in self._detection else "unseen"


_Evidence = tuple[float | None, ...]  # motion, class, cosine, appearance, total


def _chosen_by_motion(record: UpdateRecord, stage: StageRecord) -> IntArray:
    """Rows of the pairs that the stage would have chosen without appearance: (C',)."""
    if stage.appearance is None:
        return stage.chosen
    gain = record.config.motion_weight * (stage.pairs.overlap - stage.centre)
    gain -= record.config.class_penalty * stage.other_class
    return assign(stage.pairs.tracks, stage.pairs.detections, gain)


def _where(known: BoolArray, values: DoubleArray) -> list[float | None]:
    return [value if there else None for there, value in zip(known.tolist(), values.tolist(), strict=True)]


def _rank(candidate: MatchCandidate) -> tuple[bool, float, float]:
    """The chosen one first, then by evidence, then by overlap."""
    total = -np.inf if candidate.total_nats is None else candidate.total_nats
    return candidate.refused is not None, -total, -candidate.overlap
