"""Takes the history of a run down while it goes on: no pictures, and vectors only as means over a second or more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from tracker.association.evidence import shows_object
from tracker.refinement.history import Appearance, History
from tracker.refinement.tracklets import CUT_S
from tracker.table import TIME_SLACK_S
from tracker.types import BoolArray, DoubleArray, FloatArray, Frame, FrameResult, IntArray, RunInfo, TrackEvent, Tracks

_Rows: TypeAlias = tuple[IntArray, IntArray, FloatArray, FloatArray, IntArray, BoolArray]
"""Columns of `History`: frame, ids, boxes, scores, classes, seen."""

_BLOCK_FRAMES = 1000  # frames whose arrays are joined into one
_PIECE_S = 1.0
_DENSE_PIECES = 32  # so many of one identity last a second, as many more two seconds, then four, ...
_YOUNG_S = 2.0  # a track that is no older is one object: its first crops are bad, as it comes in, and look like another
_LEAST_NORM = 1e-6  # of a sum of unit vectors that still points somewhere


class _Name(NamedTuple):
    number: int
    frame: int
    """The first in which the track was reported under it."""
    since_s: float
    """Since when it was the object of that number, as far as was known then."""


@dataclass(slots=True)
class _Piece:
    """Crops that are being averaged, or were."""

    number: int
    """Under which the track was reported at the first crop."""
    frame: int
    """Of the first crop."""
    first_s: float
    """The same as a time."""
    total: DoubleArray
    """Sum of the crops' vectors."""


@dataclass(slots=True)
class _Life:
    """One track: what it was reported as, and what it looks like at present."""

    names: list[_Name]
    """In the order in which they were reported."""
    seen_s: float = -math.inf
    """When it was last seen."""
    piece: _Piece | None = None


class HistoryRecorder:
    """A sink (`tracker.types.Sink`) that keeps everything that `refine` needs.

    Memory grows by about 45 bytes a box, and by a vector a second for a new identity, the rarer the longer it stays.
    Predicted positions are left out where the detector looked: the refinement has better ones. The history says what
    the tracker believes now, not what it said then: a number that was corrected (`TrackEvent.replaces`) is replaced
    from the time on since which it was wrong (`TrackEvent.since_s`), and so is a correction that was taken back. Of a
    track in its first seconds all is replaced.
    """

    def __init__(self) -> None:
        self.run: RunInfo | None = None
        """What the run was told of its source."""
        self._rows: list[_Rows] = []
        self._frames: list[tuple[int, float, bool]] = []
        self._lives: dict[int, _Life] = {}  # by the number under which each is reported now
        self._renamed: list[_Life] = []  # those that had more than one
        self._pieces: list[_Piece] = []  # that are finished
        self._count: Counter[int] = Counter()  # of those, by number
        self._model: str | None = None  # whose vectors they are made of

    def open(self, run: RunInfo) -> None:
        """Remember the source."""
        self.run = run

    def write(self, result: FrameResult) -> None:
        """Take one frame down."""
        tracks, frame = result.tracks, result.frame
        self._frames.append((frame.index, frame.time_s, result.detected))
        rows = np.flatnonzero(~tracks.coasted) if result.detected else np.arange(len(tracks))
        index = np.full(len(rows), frame.index)
        seen = ~tracks.coasted[rows]
        self._rows.append(
            (index, tracks.ids[rows], tracks.boxes[rows], tracks.scores[rows], tracks.classes[rows], seen)
        )
        if len(self._frames) % _BLOCK_FRAMES == 0:
            self._rows[-_BLOCK_FRAMES:] = [_joined(self._rows[-_BLOCK_FRAMES:])]
        self._rename(tracks.events, frame)
        detections = result.detections
        if detections.embeddings is not None:
            self._one_model(result.model_hash)
            fit = detections.has_embedding & shows_object(detections)
            self._look(tracks, detections.embeddings, fit, frame)

    def close(self) -> None:
        """Nothing to close: what was taken down stays."""

    def history(self) -> History:
        """What was taken down so far."""
        numbers = np.array([number for number, _, _ in self._frames], np.int64)
        times_s = np.array([time_s for _, time_s, _ in self._frames], np.float64)
        detected = np.array([looked for _, _, looked in self._frames], bool)
        source = None if self.run is None else self.run.source
        size = None if source is None else (source.width_px, source.height_px)
        frame, reported, boxes, scores, classes, seen = _joined([_no_rows(), *self._rows])
        ids = _believed(self._renamed, frame, reported, times_s[np.searchsorted(numbers, frame)])
        open_pieces = [life.piece for life in self._lives.values() if life.piece is not None]
        appearance = _appearance([*self._pieces, *open_pieces], frame, reported, ids)
        return History(frame, ids, boxes, scores, classes, seen, numbers, times_s, detected, size, appearance).sorted()

    def _rename(self, events: Sequence[TrackEvent], frame: Frame) -> None:
        """Note who is reported under which number from this frame on."""
        # all leave their numbers before anybody takes one: two may exchange theirs
        moved = [(event, self._life(event.replaces)) for event in events if event.replaces is not None]
        for _, life in moved:
            del self._lives[life.names[-1].number]
        for event in events:
            if (before := self._lives.pop(event.track_id, None)) is not None:
                self._finish(before)
            if event.kind != "ended" and not event.corrects:
                self._lives[event.track_id] = _Life([_Name(event.track_id, frame.index, frame.time_s)])
        for event, life in moved:
            if len(life.names) == 1:
                self._renamed.append(life)
            since_s = frame.time_s if event.since_s is None else event.since_s
            if frame.time_s - life.names[0].since_s <= _YOUNG_S:
                since_s = min(since_s, life.names[0].since_s)
            life.names.append(_Name(event.track_id, frame.index, since_s))
            self._lives[event.track_id] = life
            if life.piece is not None and life.piece.first_s < since_s - TIME_SLACK_S:
                life.piece = None  # it is of two objects

    def _one_model(self, model: str | None) -> None:
        """Vectors of two models are never compared: once the embedder was exchanged, those of the new one count."""
        if model != self._model:
            self._model = model
            self._pieces.clear()
            self._count.clear()
            for life in (*self._lives.values(), *self._renamed):
                life.piece = None

    def _life(self, number: int) -> _Life:
        """The track that is reported under a number; of trackers without events, since ever."""
        return self._lives.setdefault(number, _Life([_Name(number, 0, -math.inf)]))

    def _look(self, tracks: Tracks, vectors: FloatArray, fit: BoolArray, frame: Frame) -> None:
        """Add the crops of one frame to the pieces of their tracks."""
        time_s = frame.time_s
        for row in np.flatnonzero(tracks.detections >= 0).tolist():
            number, detection = int(tracks.ids[row]), int(tracks.detections[row])
            life = self._life(number)
            length_s = _PIECE_S * 2 ** (self._count[number] // _DENSE_PIECES)
            # a piece lies within one tracklet
            if life.piece is not None and (time_s - life.seen_s > CUT_S or time_s - life.piece.first_s >= length_s):
                self._finish(life)
            life.seen_s = time_s
            if fit[detection]:
                if life.piece is None:
                    life.piece = _Piece(number, frame.index, time_s, np.zeros(vectors.shape[1]))
                life.piece.total += vectors[detection]

    def _finish(self, life: _Life) -> None:
        if life.piece is not None:
            self._pieces.append(life.piece)
            self._count[life.piece.number] += 1
            life.piece = None


def _believed(lives: Sequence[_Life], frame: IntArray, reported: IntArray, time_s: DoubleArray) -> IntArray:
    """(N,) the numbers of rows, (N,) each and in order of time, as far as is known by now of tracks that changed them.

    Of the numbers that a track had, the one that was said last of a moment holds.
    """
    ids = reported.copy()
    for life in lives:
        for k, (name, following) in enumerate(pairwise(life.names)):
            begin, end = np.searchsorted(frame, (name.frame, following.frame)).tolist()
            for later in life.names[k + 1 :]:
                first = max(begin, int(np.searchsorted(time_s, later.since_s - TIME_SLACK_S)))
                ids[first:end][reported[first:end] == name.number] = later.number
    # beliefs may contradict each other: where two would have one number, what was reported stays
    while (clash := _twice(frame, ids) & (ids != reported)).any():
        ids[clash] = reported[clash]
    return ids


def _twice(frame: IntArray, ids: IntArray) -> BoolArray:
    """(N,) which rows share their frame and their number with another one."""
    order = np.lexsort((ids, frame))
    same = (np.diff(frame[order]) == 0) & (np.diff(ids[order]) == 0)  # (N - 1,)
    found = np.zeros(len(ids), bool)
    found[order[1:][same]] = found[order[:-1][same]] = True
    return found


def _appearance(pieces: Sequence[_Piece], frame: IntArray, reported: IntArray, ids: IntArray) -> Appearance | None:
    """What objects looked like, under the numbers, (N,), that the rows of the pieces' first crops have by now."""
    norms = [float(np.linalg.norm(piece.total)) for piece in pieces]
    clear = [(piece, norm) for piece, norm in zip(pieces, norms, strict=True) if norm >= _LEAST_NORM]
    if not clear:
        return None
    span = int(reported.max()) + 1
    keys = frame * span + reported  # (N,)
    order = np.argsort(keys)
    wanted = np.array([piece.frame * span + piece.number for piece, _ in clear], np.int64)  # (M,)
    row = order[np.searchsorted(keys, wanted, sorter=order)]
    vectors = np.stack([piece.total / norm for piece, norm in clear]).astype(np.float32)  # (M, D)
    return Appearance(ids[row], np.array([piece.first_s for piece, _ in clear], np.float64), vectors)


def _joined(blocks: Sequence[_Rows]) -> _Rows:
    """Blocks of rows as one."""
    frame, ids, boxes, scores, classes, seen = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return frame, ids, boxes, scores, classes, seen


def _no_rows() -> _Rows:
    none = np.zeros(0, np.int64)
    return none, none, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), none, np.zeros(0, bool)
