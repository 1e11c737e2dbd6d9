"""Who goes on where somebody was lost is told from who comes in."""

from __future__ import annotations

import numpy as np
import pytest

from tracker import Detections, Frame, FrameResult, Tracks
from tracker.fragments import FragmentMeter, Fragments
from tracker.types import TrackEvent

PICTURE = np.zeros((480, 640, 3), np.uint8)
NONE = Fragments(0, 0)


def result(time_s: float, people: dict[int, float], *events: tuple[str, int] | tuple[str, int, int]) -> FrameResult:
    """People of 40 x 100 px by where they are from the left."""
    boxes = np.array([[x, 200, x + 40, 300] for x in people.values()], np.float32).reshape(-1, 4)
    found, n = Detections(boxes), len(people)
    told = tuple(TrackEvent(kind, number, time_s, *replaced) for kind, number, *replaced in events)  # type: ignore[arg-type]
    ids = np.array(list(people), np.int64)
    tracks = Tracks(ids, found.boxes, found.scores, found.classes, np.arange(n), time_s, told)
    return FrameResult(Frame(PICTURE, 1, time_s), found, tracks)


@pytest.mark.parametrize(
    ("kind", "number", "expected"),
    [("born", 2, Fragments(1, 1)), ("recovered", 1, Fragments(0, 1)), ("recalled", 7, Fragments(0, 1))],
)
def test_who_was_lost_inside_goes_on_nearby(kind: str, number: int, expected: Fragments) -> None:
    meter = FragmentMeter()
    assert meter.update(result(0.0, {1: 300}, ("born", 1))) == NONE
    assert meter.update(result(0.5, {})) == NONE
    assert meter.update(result(1.0, {number: 380}, (kind, number))) == expected
    assert meter.update(result(1.1, {number: 380, 9: 360}, ("born", 9))) == NONE, "each is found once"


@pytest.mark.parametrize(
    ("left_at", "came_s", "came_at"), [(5, 1.0, 20), (300, 1.0, 560), (300, 6.0, 300), (598, 1.0, 590)]
)
def test_who_comes_in_is_nobody_who_was_lost(left_at: float, came_s: float, came_at: float) -> None:
    """Lost at the border, or far away, or long ago."""
    meter = FragmentMeter()
    meter.update(result(0.0, {1: left_at}))
    meter.update(result(0.1, {}))
    assert meter.update(result(came_s, {2: came_at}, ("born", 2))) == NONE


def test_who_was_hidden_for_a_moment_was_not_lost() -> None:
    meter = FragmentMeter()
    meter.update(result(0.0, {1: 300}))
    meter.update(result(0.1, {}))
    assert meter.update(result(0.2, {1: 300})) == NONE
    assert meter.update(result(0.3, {1: 300, 2: 330}, ("born", 2))) == NONE


def test_who_is_known_again_after_a_while_was_not_lost() -> None:
    meter = FragmentMeter()
    meter.update(result(0.0, {2: 300}, ("born", 2)))
    assert meter.update(result(0.1, {1: 302}, ("recalled", 1, 2))) == NONE


def test_corrections_are_counted_and_ends_are_not() -> None:
    meter = FragmentMeter()
    meter.update(result(0.0, {1: 300}))
    assert meter.update(result(0.1, {2: 300}, ("corrected", 2), ("ended", 1))) == Fragments(0, 1)
