"""Why one update came out as it did."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import InputError
from tracker.explanation.decisions import BirthDecision, Decision, IdentityDecision, MatchDecision
from tracker.explanation.identities import identity_decisions
from tracker.explanation.matches import Matches, matched_by_motion

if TYPE_CHECKING:
    from tracker.explanation.record import UpdateRecord
    from tracker.table import TrackTable
    from tracker.types import FrameResult, IntArray, TrackEvent


class Explanation:
    """The decisions of one update, each kind made readable when it is first asked for.

    It holds arrays of its own, so that it may be read in any thread while the tracker goes on.
    """

    def __init__(self, record: UpdateRecord, tracks: TrackTable, events: tuple[TrackEvent, ...]) -> None:
        record.end(tracks, events)
        self._record = record

    @property
    def time_s(self) -> float:
        """Of the update."""
        return self._record.seen.now

    @property
    def matched(self) -> int:
        """How many tracks go on with a detection."""
        return int((self._record.detection >= 0).sum())

    @property
    def decided_by_appearance(self) -> int:
        """How many of these would have gone on with another detection, or with none, by motion alone."""
        detection = self._record.detection
        return int(((detection >= 0) & (detection != self._by_motion)).sum())

    @property
    def matches(self) -> tuple[MatchDecision, ...]:
        """One for each track that was there before, those without a number included."""
        return self._matching[0]

    @property
    def births(self) -> tuple[BirthDecision, ...]:
        """One for each detection that continues no track, but those below `low_score`, which are ignored."""
        return self._matching[1]

    @cached_property
    def identities(self) -> tuple[IdentityDecision, ...]:
        """One for each track that asked who it is; until that is settled, each better crop asks again."""
        return tuple(identity_decisions(self._record))

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All of them, in the order in which they were made."""
        return (*self.matches, *self.births, *self.identities)

    def of(self, track_id: int) -> tuple[Decision, ...]:
        """Those about one number: that a track has now or had before, or that of a missing one that it may be."""
        return tuple(decision for decision in self.decisions if _is_about(decision, track_id))

    @cached_property
    def _by_motion(self) -> IntArray:
        return matched_by_motion(self._record)

    @cached_property
    def _matching(self) -> tuple[tuple[MatchDecision, ...], tuple[BirthDecision, ...]]:
        matches = Matches(self._record, self._by_motion)
        return tuple(matches.decisions()), tuple(matches.births())


def decisions_about(track_id: int, explanation: Explanation | None, *, highest: int) -> tuple[Decision, ...]:
    """What the last update decided about one number.

    Args:
        track_id: the number.
        explanation: of that update; None where there was none.
        highest: of the numbers given so far, 0 where none was.

    Raises:
        InputError: it is no whole number, or nothing was decided about it.
    """
    if isinstance(track_id, bool) or not isinstance(track_id, (int, np.integer)):
        raise InputError(f"track_id must be a whole number, got {track_id!r}")
    decisions = () if explanation is None else explanation.of(track_id)
    if not decisions:
        why = "it has left, or goes on under another number"
        if not 0 < track_id <= highest:
            why = f"the numbers given so far are 1 to {highest}" if highest else "no number was given so far"
        raise InputError(f"nothing was decided about track {track_id!r} in the last update: {why}")
    return decisions


def explanation_of(result: FrameResult) -> Explanation | None:
    """Of one frame; None where it was only predicted, so that nothing was decided.

    Raises:
        InputError: the tracker was not made to explain itself.
    """
    if result.detected and result.tracks.explanation is None:
        raise InputError("reasons need a tracker that keeps them: make it with Tracker(explain=True)")
    return result.tracks.explanation


def _is_about(decision: Decision, track_id: int) -> bool:
    if isinstance(decision, IdentityDecision):
        return track_id in (decision.track_id, decision.replaces, *(c.identity for c in decision.candidates))
    return decision.track_id == track_id
