"""What becomes of pieces of tracks, as a tracker's events tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid.errors import InputError
from reid.online.tracks import TrackedBoxes, TracksReader
from reid.tracklets.changes import piece_changes
from tracker.types import TrackEvent, Tracks


def changes(*events: TrackEvent, begun: dict[int, float] | None = None) -> Any:
    return piece_changes(events, 10.0, doubt_s=1.0, begun_s=(begun or {}).get)


def test_somebody_known_by_appearance_goes_on_under_the_old_number() -> None:
    found = changes(TrackEvent("recalled", 3, 10.0, replaces=9))
    assert (found.renamed, found.broken, found.doubted) == ({9: 3}, [], {})


def test_a_new_piece_begins_where_somebody_is_found_again_after_a_break() -> None:
    assert changes(TrackEvent("recovered", 3, 10.0)).broken == [3]


def test_a_correction_takes_back_what_was_said_of_the_piece() -> None:
    found = changes(TrackEvent("corrected", 5, 10.0, replaces=2, since_s=7.5))
    assert (found.broken, found.doubted) == ([5, 2], {2: 7.5})
    # at least the last second is doubted, whatever the tracker says
    assert changes(TrackEvent("corrected", 5, 10.0, replaces=2, since_s=9.9)).doubted == {2: 9.0}


@pytest.mark.parametrize(("begun_s", "went_over"), [(4.0, True), (8.0, False)])
def test_a_track_that_followed_somebody_else_before_went_over(begun_s: float, went_over: bool) -> None:
    found = changes(TrackEvent("recalled", 3, 10.0, replaces=9, since_s=8.0), begun={9: begun_s})
    assert found.doubted == ({9: 8.0} if went_over else {})
    assert found.renamed == ({} if went_over else {9: 3})


def test_the_end_of_a_track_ends_its_piece() -> None:
    found = changes(TrackEvent("ended", 4, 10.0))
    assert (found.broken, found.ended) == ([4], [4])


def tracks(time_s: float, ids: list[int], *events: TrackEvent) -> Tracks:
    n = len(ids)
    boxes = np.tile(np.array([0, 0, 10, 20], np.float32), (n, 1))
    rows = np.arange(n)
    rows[1:] = -1  # the others are predicted
    return Tracks(np.array(ids), boxes, np.full(n, 0.9, np.float32), np.zeros(n, np.int64), rows, time_s, events)


def test_a_reader_keeps_in_mind_since_when_pieces_are_seen() -> None:
    reader = TracksReader()
    told = [
        reader.read(tracks(0.1, [1, 2]), 0.1),
        reader.read(tracks(3.0, [1, 7], TrackEvent("recalled", 7, 3.0, replaces=2)), 3.0),
        reader.read(tracks(4.0, [1, 8], TrackEvent("recalled", 8, 4.0, replaces=7, since_s=2.0)), 4.0),
    ]
    assert [said.renamed for said in told] == [{}, {2: 7}, {}]
    assert told[2].doubted == {7: 2.0}, "it was 2 before, since 0.1 s and not 3, and so went over to 8"
    assert set(told[2].broken) == {7, 8}
    assert told[0].seen.tolist() == [True, False]


def test_what_any_tracker_says_is_taken_as_it_is() -> None:
    said = TrackedBoxes(ids=[3], boxes=[[0, 0, 9, 9]])
    assert TracksReader().read(said, 0.0) is said
    with pytest.raises(InputError, match=r"tracks must be reid\.online\.TrackedBoxes\(ids=\.\.\., boxes=\.\.\.\)"):
        TracksReader().read([[0, 0, 9, 9, 3]], 0.0)  # type: ignore[arg-type]
