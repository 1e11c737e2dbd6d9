"""The record of an update's matching, as decisions: which detection continues which track, and which found new ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from tracker.association.appearance import AppearanceModel
from tracker.association.matching import Matching
from tracker.explanation.decisions import BirthDecision, BirthRefusal, MatchCandidate, MatchDecision, MatchRefusal
from tracker.explanation.record import Stage, StageRecord, UpdateRecord
from tracker.types import BoolArray, DoubleArray, IntArray


def matched_by_motion(record: UpdateRecord) -> IntArray:
    """The detections (T,) that would continue the tracks if nobody knew what these look like, -1 for none."""
    if not any(stage.appearance is not None and stage.appearance.any() for stage in record.stages):
        return record.detection
    # the tracks of the record have no vectors, so that the same matching weighs and learns no appearance
    matching = Matching(record.tracks, record.seen, record.config, AppearanceModel(None))
    matching.run(record.pairs)
    return matching.detection


class Matches:
    """Reads the record of one update, with `matched_by_motion` (T,) of it."""

    def __init__(self, record: UpdateRecord, by_motion: IntArray) -> None:
        self._record = record
        self._by_motion: list[int] = by_motion.tolist()
        self._detection: list[int] = record.detection.tolist()
        self._track = {detection: track for track, detection in enumerate(self._detection) if detection >= 0}
        self._stage: dict[int, Stage] = {}  # of matched tracks
        self._weighed: dict[tuple[int, int], _Evidence] = {}  # (track, detection)
        for stage in record.stages:
            self._read(stage)

    def decisions(self) -> Iterator[MatchDecision]:
        """One for each track that the update began with."""
        record, tracks = self._record, self._record.tracks
        candidates: dict[int, list[MatchCandidate]] = defaultdict(list)
        pairs = zip(record.pairs.tracks.tolist(), record.pairs.detections.tolist(), strict=True)
        for (track, detection), overlap in zip(pairs, record.pairs.overlap.tolist(), strict=True):
            candidates[track].append(self._candidate(track, detection, overlap))
        unseen_s = (record.seen.now - tracks.seen_s).tolist()
        for track, number in enumerate(tracks.ids.tolist()):
            detection, by_motion = self._detection[track], self._by_motion[track]
            matched = detection >= 0
            yield MatchDecision(
                record.seen.now,
                (record.number_of[detection] if matched else number) or None,
                "matched" if matched else "lost" if tracks.proven[track] else "dropped",
                self._stage.get(track),
                detection if matched else None,
                by_motion if by_motion >= 0 else None,
                unseen_s[track],
                tuple(sorted(candidates[track], key=_rank)),
            )

    def births(self) -> Iterator[BirthDecision]:
        """One for each detection that continues no track and is not ignored, as those below `low_score` are."""
        record, scores = self._record, self._record.seen.scores
        rows, overlap, others = record.births or (np.zeros(0, np.int64), np.zeros((0, 0)), np.zeros(0, np.int64))
        place = {row: k for k, row in enumerate(rows.tolist())}
        for row in (record.free & (scores >= record.config.low_score)).nonzero()[0].tolist():
            most, most_with = None, None
            if row in place:
                nearest = overlap[place[row]].argmax()
                most = float(overlap[place[row], nearest])
                most_with = record.number_of[int(others[nearest])] if most > 0 else None
            founded, score = row in record.number_of, float(scores[row])
            refusal: BirthRefusal = "double" if (most or 0) <= record.config.birth_max_overlap else "overlap"
            if record.seen.box[2:, row].min() <= 0:
                refusal = "area"
            yield BirthDecision(
                record.seen.now,
                row,
                score,
                record.number_of.get(row) or None,
                most,
                most_with or None,
                None if founded else "score" if score < record.config.birth_score else refusal,
            )

    def _read(self, stage: StageRecord) -> None:
        config, (t, d) = self._record.config, (stage.pairs.tracks, stage.pairs.detections)
        self._stage.update(dict.fromkeys(t[stage.chosen].tolist(), stage.stage))
        known = self._record.seen.has[d] & self._record.known[t] & (stage.appearance is not None)  # (P,)
        kinds = (
            stage.motion.tolist(),
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
        score = float(self._record.seen.scores[detection])
        return MatchCandidate(detection, score, overlap, motion, class_, cosine, appearance, total, refused, taken_by)

    def _refusal(self, track: int, detection: int, total: float | None) -> MatchRefusal | None:
        """Why this pair is no match; the gates are those of `Matching.run`."""
        record = self._record
        if self._detection[track] == detection:
            return None
        if total is not None and total <= 0:
            return "evidence"
        if record.seen.scores[detection] < record.config.low_score:
            return "score"
        if not record.seen.confident[detection] and not record.tracks.proven[track]:
            return "tentative"
        return "taken" if detection in self._track else "matched"


_Evidence = tuple[float | None, ...]  # motion, class, cosine, appearance, total


def _where(known: BoolArray, values: DoubleArray) -> list[float | None]:
    return [value if there else None for there, value in zip(known.tolist(), values.tolist(), strict=True)]


def _rank(candidate: MatchCandidate) -> tuple[bool, float, float]:
    """The chosen one first, then by evidence, then by overlap."""
    total = -np.inf if candidate.total_nats is None else candidate.total_nats
    return candidate.refused is not None, -total, -candidate.overlap
