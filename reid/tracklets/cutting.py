"""Cuts tracks into tracklets: pieces that very probably show one object each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.checks import check_number
from reid.errors import InputError


@dataclass(frozen=True, slots=True)
class CutConfig:
    """Where a track is cut, and which boxes prove that two objects are two."""

    longest_gap_s: float = 0.5
    """A track that was not seen for longer goes on as another tracklet: who came back may be somebody else. Where
    frames lie further apart, every sighting is a tracklet of its own, and nothing is harvested."""
    crossing_iou: float = 0.5
    """Two boxes with more intersection over union end both tracklets: behind it the two may have changed places."""
    parted_iou: float = 0.3
    """New tracklets begin once the two boxes have less intersection over union than this."""
    duplicate_share: float = 0.5
    """Two boxes prove two objects only where less than this share of the smaller one lies in the other: detectors
    draw a box around a person and one around the upper half."""

    def __post_init__(self) -> None:
        check_number("longest_gap_s", self.longest_gap_s, least=0, finite=False)
        if not 0 < self.parted_iou <= self.crossing_iou <= 1:
            raise InputError(
                f"parted_iou and crossing_iou must be 0 < parted_iou <= crossing_iou <= 1, "
                f"got {self.parted_iou} and {self.crossing_iou}"
            )
        check_number("duplicate_share", self.duplicate_share, least=0, most=1)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """What one frame's boxes belong to."""

    tracklet: NDArray[np.int64]
    """(M,) number of the tracklet, -1 while the track crosses another one."""
    covered: NDArray[np.float64]
    """(M,) the largest share of the box that lies inside another box, 0..1."""
    together: NDArray[np.int64]
    """(n, 2) pairs of tracklets that were seen apart in this frame for the first time, the lower number first."""
    ended: tuple[int, ...]
    """Tracklets that no later frame will continue."""


@dataclass(slots=True)
class _Piece:
    number: int  # -1 while crossing
    seen_s: float


class PieceCutter:
    """Fed with the boxes that were seen in each frame, tells which tracklet each belongs to.

    Its memory is bounded by the tracks that were seen within `longest_gap_s`.

    Args:
        config: see `CutConfig`.
        first: number of the first tracklet.
    """

    def __init__(self, config: CutConfig | None = None, *, first: int = 1) -> None:
        self.config = config or CutConfig()
        self._next = first
        self._pieces: dict[int, _Piece] = {}  # by the track's number
        self._partners: dict[int, set[int]] = {}  # tracklets with which each was seen already
        self._told: set[tuple[int, int]] = set()  # the same as pairs, the lower number first

    def update(
        self,
        ids: NDArray[np.int64],
        boxes: NDArray[np.floating],
        time_s: float,
        *,
        renamed: Mapping[int, int] | None = None,
        broken: Iterable[int] = (),
    ) -> Pieces:
        """Take the boxes of one frame; frames come in order of time.

        Args:
            ids: (M,) numbers of the tracks, each once.
            boxes: (M, 4) `x1, y1, x2, y2`; only what was seen, no predicted positions.
            time_s: when.
            renamed: tracks that go on under another number from this frame: new number by old.
            broken: numbers under which from this frame on another piece of track is reported than before.
        """
        ended = [self._end(track) for track in broken]
        # all leave their old numbers before any takes its new one: two tracks may exchange theirs
        going_on = {new: self._pieces.pop(old) for old, new in (renamed or {}).items() if old in self._pieces}
        ended += [self._end(new) for new in (renamed or {}).values()]
        self._pieces |= going_on
        limit = time_s - self.config.longest_gap_s - 1e-3  # time stamps are rounded to milliseconds in some files
        ended += [self._end(track) for track, piece in list(self._pieces.items()) if piece.seen_s < limit]
        iou, inside = _overlaps(np.asarray(boxes, np.float64).reshape(-1, 4))  # (M, M) each
        closest = iou.max(axis=1, initial=0.0)  # (M,)
        numbers = np.full(len(ids), -1, np.int64)
        for row, track in enumerate(ids.tolist()):
            crossed, number = self._step(track, float(closest[row]), time_s)
            ended += crossed
            numbers[row] = number
        together = self._first_together(numbers, inside)
        return Pieces(numbers, inside.max(axis=1, initial=0.0), together, tuple(n for n in ended if n >= 0))

    def _step(self, track: int, closest_iou: float, time_s: float) -> tuple[list[int], int]:
        """The tracklet of one box, and what ended by it."""
        c = self.config
        piece = self._pieces.get(track)
        crossing = piece is not None and piece.number < 0
        if closest_iou > (c.parted_iou if crossing else c.crossing_iou):
            ended = [self._end(track)]
            self._pieces[track] = _Piece(-1, time_s)
            return ended, -1
        if piece is None or crossing:
            piece = self._pieces[track] = _Piece(self._next, time_s)
            self._next += 1
        piece.seen_s = time_s
        return [], piece.number

    def _end(self, track: int) -> int:
        """Forget a track; the number of its tracklet, -1 where it has none."""
        piece = self._pieces.pop(track, None)
        if piece is None or piece.number < 0:
            return -1
        for partner in self._partners.pop(piece.number, ()):
            self._partners[partner].discard(piece.number)
            self._told.discard((min(partner, piece.number), max(partner, piece.number)))
        return piece.number

    def _first_together(self, numbers: NDArray[np.int64], inside: NDArray[np.float64]) -> NDArray[np.int64]:
        # of a and b the smaller one has the larger share inside the other
        apart = np.maximum(inside, inside.T) < self.config.duplicate_share  # (M, M)
        known = (numbers >= 0)[:, None] & (numbers >= 0)
        first, second = np.nonzero(np.triu(apart & known, 1))
        low, high = np.minimum(numbers[first], numbers[second]), np.maximum(numbers[first], numbers[second])  # (n,)
        new = sorted(set(zip(low.tolist(), high.tolist(), strict=True)) - self._told)
        self._told.update(new)
        for pair in new:
            for a, b in (pair, pair[::-1]):
                self._partners.setdefault(a, set()).add(b)
        return np.array(new, np.int64).reshape(-1, 2)


def _overlaps(boxes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(M, 4) -> (M, M) intersection over union, and (M, M) share of row a's box inside row b's; diagonals 0."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])  # (M, M, 2)
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = (high - low).clip(0).prod(axis=2)  # (M, M)
    np.fill_diagonal(common, 0)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)  # (M,)
    union = area[:, None] + area[None, :] - common
    return common / np.maximum(union, 1e-9), common / np.maximum(area[:, None], 1e-9)
