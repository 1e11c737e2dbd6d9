"""What a tracker's events mean for pieces of tracks that are to show one object each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

_TIME_SLACK_S = 1e-6
"""Sums of frame times are not exact."""


class EventLike(Protocol):
    """A turn in the life of an identity; `tracker.types.TrackEvent` is one, and says what each kind means."""

    @property
    def kind(self) -> str:
        """`born`, `recovered`, `recalled`, `corrected` or `ended`."""

    @property
    def track_id(self) -> int: ...
    @property
    def replaces(self) -> int | None: ...
    @property
    def since_s(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class PieceChanges:
    """Of one frame."""

    renamed: dict[int, int] = field(default_factory=dict)
    """Tracks that go on, unbroken, under another number: new number by old."""
    broken: list[int] = field(default_factory=list)
    """Numbers under which from now on another piece of track is reported than before."""
    doubted: dict[int, float] = field(default_factory=dict)
    """Numbers whose piece so far turned out to show somebody else, and since when, in seconds."""
    ended: list[int] = field(default_factory=list)
    """Numbers of tracks that are no longer followed."""


def piece_changes(
    events: Sequence[EventLike], time_s: float, *, doubt_s: float, begun_s: Callable[[int], float | None]
) -> PieceChanges:
    """Read the events of a frame.

    Args:
        events: of the frame.
        time_s: its time.
        doubt_s: how much of a piece is doubted at least when its track turns out to have been somebody else.
        begun_s: since when the piece that is reported under a number has been seen; None where unknown.
    """
    changes = PieceChanges()
    for event in events:
        if event.kind == "corrected" or _went_over(event, begun_s):
            # it went over to somebody else a while ago, or was taken for somebody else from the start
            changes.broken.append(event.track_id)
            if event.replaces is not None:
                changes.broken.append(event.replaces)
                since_s = time_s if event.since_s is None else event.since_s
                changes.doubted[event.replaces] = min(since_s, time_s - doubt_s)
        elif event.kind in ("recovered", "recalled") and event.replaces is not None:
            changes.renamed[event.replaces] = event.track_id  # known by appearance, but without a break in the track
        else:
            changes.broken.append(event.track_id)
        if event.kind == "ended":
            changes.ended.append(event.track_id)
    return changes


def _went_over(event: EventLike, begun_s: Callable[[int], float | None]) -> bool:
    """Whether a track that turns out to be somebody known followed somebody else before."""
    if event.replaces is None or event.since_s is None:
        return False
    begun = begun_s(event.replaces)
    return begun is not None and begun < event.since_s - _TIME_SLACK_S
