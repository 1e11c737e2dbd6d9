"""What becomes of pieces of tracks, as a tracker's events tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tracker.sinks.harvest import HarvestSink
from tracker.sinks.piece_changes import piece_changes
from tracker.types import Detections, Frame, FrameResult, TrackEvent, Tracks


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


class Notes:
    """A harvester that takes down what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.closed = False

    def observe(self, _image: Any, **said: Any) -> int:
        self.told.append(said)
        return 0

    def close(self) -> None:
        self.closed = True


def result(index: int, ids: list[int], *events: TrackEvent, detected: bool = True) -> FrameResult:
    n = len(ids)
    boxes = np.tile(np.array([0, 0, 10, 20], np.float32), (n, 1))
    tracks = Tracks(
        np.array(ids, np.int64), boxes, np.full(n, 0.9, np.float32), np.zeros(n, np.int64), np.arange(n), index / 10,
        events,
    )  # fmt: skip
    frame = Frame(np.zeros((30, 30, 3), np.uint8), index, index / 10)
    return FrameResult(frame, Detections.empty(), tracks, detected=detected)


def test_the_harvester_is_told_of_frames_that_were_detected_on_and_of_what_changed() -> None:
    notes = Notes()
    sink = HarvestSink(notes)
    sink.write(result(1, [1, 2]))
    sink.write(result(2, [1, 2], detected=False))
    sink.write(result(3, [1, 7], TrackEvent("recalled", 7, 0.3, replaces=2)))
    sink.write(result(40, [1, 8], TrackEvent("corrected", 8, 4.0, replaces=7, since_s=2.0)))
    sink.close()
    assert [said["frame"] for said in notes.told] == [1, 3, 40]
    assert [said["renamed"] for said in notes.told] == [{}, {2: 7}, {}]
    assert notes.told[2]["doubted"] == {7: 2.0}
    assert set(notes.told[2]["broken"]) == {7, 8}
    assert notes.told[0]["seen"].tolist() == [True, True]
    assert notes.closed
