"""Takes the history of a run down while it goes on: no pictures, and vectors only as means over a second or more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tracker.association.evidence import covered_share
from tracker.refinement.history import Appearance, History
from tracker.refinement.tracklets import CUT_S
from tracker.types import BoolArray, DoubleArray, FloatArray, Frame, FrameResult, IntArray, RunInfo, TrackEvent, Tracks

_Rows: TypeAlias = tuple[IntArray, IntArray, FloatArray, FloatArray, IntArray, BoolArray]
"""Columns of `History`: frame, ids, boxes, scores, classes, seen."""

_BLOCK_FRAMES = 1000  # frames whose arrays are joined into one
_PIECE_S = 1.0
_DENSE_PIECES = 32  # so many of one identity last a second, as many more two seconds, then four, ...
_CLAIM_S = 2.0  # so long after its birth somebody new may turn out to be an old one
_LEAST_NORM = 1e-6  # of a sum of unit vectors that still points somewhere
_MAX_COVERED = 0.35  # crops covered by others by a larger share say nothing


@dataclass(slots=True)
class _Piece:
    """What is being averaged of one identity."""

    seen_s: float
    """When the identity was last seen."""
    first_s: float = 0.0
    """Time of the first crop."""
    total: DoubleArray | None = None
    """Sum of the crops' vectors; None before the first."""
    finished: int = 0
    """Pieces of this identity that came before."""


@dataclass(frozen=True, slots=True)
class _Renaming:
    """From a frame on, and before another, a new number stood for somebody who has an old one."""

    old: int
    new: int
    first: int
    end: int
    first_s: float
    end_s: float


class HistoryRecorder:
    """A sink (`tracker.types.Sink`) that keeps everything that `refine` needs.

    Memory grows by about 45 bytes a box, and by a vector a second for a new identity, the rarer the longer it stays.
    Predicted positions are left out where the detector looked: the refinement has better ones. Who was given a new
    number and soon found to be an old one (`TrackEvent.replaces`) has the old number from the first frame on.
    """

    def __init__(self) -> None:
        self.run: RunInfo | None = None
        """What the run was told of its source."""
        self._rows: list[_Rows] = []
        self._frames: list[tuple[int, float, bool]] = []
        self._open: dict[int, _Piece] = {}
        self._pieces: list[tuple[int, float, FloatArray]] = []
        self._born: dict[int, tuple[int, float]] = {}
        self._renamed: list[_Renaming] = []

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
        for event in tracks.events:
            self._rename(event, frame)
        detections = result.detections
        if detections.embeddings is not None:
            clean = covered_share(detections.boxes.astype(np.float64)) <= _MAX_COVERED
            self._look(tracks, detections.embeddings, detections.has_embedding & clean, frame.time_s)

    def close(self) -> None:
        """Nothing to close: what was taken down stays."""

    def history(self) -> History:
        """What was taken down so far."""
        numbers = np.array([number for number, _, _ in self._frames], np.int64)
        times_s = np.array([time_s for _, time_s, _ in self._frames], np.float64)
        detected = np.array([looked for _, _, looked in self._frames], bool)
        source = None if self.run is None else self.run.source
        size = None if source is None else (source.width_px, source.height_px)
        rows = _joined([_no_rows(), *self._rows])
        appearance = self._appearance()
        for renaming in self._renamed:
            _apply(renaming, rows, appearance)
        return History(*rows, numbers, times_s, detected, size, appearance).sorted()

    def _rename(self, event: TrackEvent, frame: Frame) -> None:
        """Note that somebody new turned out to be an old one. Other replaced numbers were right until then, or not."""
        if event.kind == "born":
            self._born[event.track_id] = frame.index, frame.time_s
        elif event.kind in ("recovered", "recalled") and event.replaces in self._born:
            first, first_s = self._born.pop(event.replaces)
            if frame.time_s - first_s <= _CLAIM_S:
                self._renamed.append(
                    _Renaming(event.replaces, event.track_id, first, frame.index, first_s, frame.time_s)
                )

    def _look(self, tracks: Tracks, vectors: FloatArray, fit: BoolArray, time_s: float) -> None:
        """Add the crops of one frame to the pieces of their identities."""
        for row in np.flatnonzero(tracks.detections >= 0).tolist():
            track_id, detection = int(tracks.ids[row]), int(tracks.detections[row])
            piece = self._open.setdefault(track_id, _Piece(time_s))
            length_s = _PIECE_S * 2 ** (piece.finished // _DENSE_PIECES)
            # a piece lies within one tracklet
            if piece.total is not None and (time_s - piece.seen_s > CUT_S or time_s - piece.first_s >= length_s):
                self._pieces += _mean(track_id, piece)
                piece.total, piece.finished = None, piece.finished + 1
            piece.seen_s = time_s
            if fit[detection]:
                if piece.total is None:
                    piece.first_s, piece.total = time_s, np.zeros(vectors.shape[1])
                piece.total += vectors[detection]

    def _appearance(self) -> Appearance | None:
        pieces = list(self._pieces)
        for track_id, piece in self._open.items():
            pieces += _mean(track_id, piece)
        if not pieces:
            return None
        ids, times_s, vectors = zip(*pieces, strict=True)
        return Appearance(np.array(ids, np.int64), np.array(times_s, np.float64), np.array(vectors, np.float32))


def _mean(track_id: int, piece: _Piece) -> list[tuple[int, float, FloatArray]]:
    """Whose, since when, and the mean as a unit vector; nothing where there is none."""
    norm = 0.0 if piece.total is None else float(np.linalg.norm(piece.total))
    if piece.total is None or norm < _LEAST_NORM:
        return []
    return [(track_id, piece.first_s, (piece.total / norm).astype(np.float32))]


def _apply(renaming: _Renaming, rows: _Rows, appearance: Appearance | None) -> None:
    """Rename rows and pieces in place, unless somebody has the new number in one of these frames."""
    frame, ids = rows[0], rows[1]
    then = (frame >= renaming.first) & (frame < renaming.end)
    if (ids[then] == renaming.new).any():
        return
    ids[then & (ids == renaming.old)] = renaming.new
    if appearance is not None:
        piece = (appearance.times_s >= renaming.first_s) & (appearance.times_s < renaming.end_s)
        appearance.ids[piece & (appearance.ids == renaming.old)] = renaming.new


def _joined(blocks: Sequence[_Rows]) -> _Rows:
    """Blocks of rows as one."""
    frame, ids, boxes, scores, classes, seen = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return frame, ids, boxes, scores, classes, seen


def _no_rows() -> _Rows:
    none = np.zeros(0, np.int64)
    return none, none, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), none, np.zeros(0, bool)
