"""What a tracker says of one frame, whosever it is, in the words of a harvest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.errors import InputError
from reid.tracklets.changes import EventLike, piece_changes

_DOUBT_S = 1.0
"""How much of a piece is taken back when its track turns out to have been somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackedBoxes:
    """What any tracker says of one frame: M objects. Numbers and boxes are enough."""

    ids: ArrayLike
    """(M,) numbers of the tracks, each once."""
    boxes: ArrayLike
    """(M, 4) `x1, y1, x2, y2` in pixels."""
    scores: ArrayLike | None = None
    """(M,) of the detector or tracker, 0..1; None for 1."""
    classes: ArrayLike | None = None
    """(M,) of the objects; None for 0."""
    seen: ArrayLike | None = None
    """(M,) bool, False where the position is predicted; None for all seen: then crops are taken of predictions, too."""
    covered: ArrayLike | None = None
    """(M,) share of each box that something hides, beside the other boxes; None where unknown."""
    renamed: Mapping[int, int] = field(default_factory=dict)
    """Tracks that go on, unbroken, under another number from this frame: new number by old."""
    broken: Iterable[int] = ()
    """Numbers under which from this frame on another piece of track is reported than before."""
    doubted: Mapping[int, float] = field(default_factory=dict)
    """Numbers whose piece so far turned out to show somebody else, and since when, in seconds of the frames' times."""


@runtime_checkable
class TracksLike(Protocol):
    """What this package's tracker says of one frame: `tracker.Tracks`. What is broken and doubted, its events tell."""

    @property
    def ids(self) -> NDArray[np.int64]: ...
    @property
    def boxes(self) -> NDArray[np.float32]: ...
    @property
    def scores(self) -> NDArray[np.float32]: ...
    @property
    def classes(self) -> NDArray[np.int64]: ...
    @property
    def coasted(self) -> NDArray[np.bool_]: ...
    @property
    def events(self) -> Sequence[EventLike]: ...


class TracksReader:
    """Reads frame after frame what a tracker says; keeps in mind since when each piece of track is seen."""

    def __init__(self) -> None:
        self._begun_s: dict[int, float] = {}  # by number, of the tracks that are followed

    def read(self, tracks: TrackedBoxes | TracksLike, time_s: float) -> TrackedBoxes:
        """One frame.

        Raises:
            InputError: it is neither.
        """
        if isinstance(tracks, TrackedBoxes):
            return tracks
        if not isinstance(tracks, TracksLike):
            raise InputError(
                f"tracks must be reid.online.TrackedBoxes(ids=..., boxes=...), or tracker.Tracks, got {type(tracks)}"
            )
        changes = piece_changes(tracks.events, time_s, doubt_s=_DOUBT_S, begun_s=self._begun_s.get)
        for old, new in changes.renamed.items():
            self._begun_s[new] = self._begun_s.pop(old, time_s)
        for number in (*changes.broken, *changes.ended):
            self._begun_s.pop(number, None)
        for number in tracks.ids.tolist():
            self._begun_s.setdefault(number, time_s)
        return TrackedBoxes(
            ids=tracks.ids,
            boxes=tracks.boxes,
            scores=tracks.scores,
            classes=tracks.classes,
            seen=~tracks.coasted,
            renamed=changes.renamed,
            broken=changes.broken,
            doubted=changes.doubted,
        )
