"""What a user of `Tracker(explain=True)` is told."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tracker import Detections, Tracker
from tracker.errors import InputError
from tracker.explanation import IdentityDecision, MatchDecision
from tracker.explanation.explanation import explanation_of
from tracker.types import Frame, FrameResult


def told(tracks):
    return [a.tobytes() for a in (tracks.ids, tracks.boxes, tracks.scores, tracks.classes, tracks.detections)]


def test_explaining_changes_nothing(stream):
    silent, talking = Tracker(), Tracker(explain=True)
    for i, detections in enumerate(stream):
        tracks = silent.update(detections, time_s=i / 25, include_coasted=True)
        same = talking.update(detections, time_s=i / 25, include_coasted=True)
        assert tracks.explanation is None
        _ = same.explanation.decisions, same.explanation.decided_by_appearance
        assert told(tracks) == told(same)
        assert tracks.events == same.events


def test_explaining_changes_nothing_where_two_are_alike_and_much_is_ignored():
    """More than a thousand pairs of boxes are found in another order."""
    ignored = [[1000 + 50 * n, 0, 1040 + 50 * n, 100] for n in range(40)]
    there = np.array([[105, 0, 145, 100], [95, 0, 135, 100], *ignored], np.float64)
    both = Detections(there, [0.9, 0.9] + [0.05] * 40)
    found = []
    for explain in (False, True):
        tracker = Tracker(explain=explain)
        for frame in range(3):
            tracker.update(Detections([[100, 0, 140, 100]]), time_s=frame * 0.04)
        found.append(tracker.update(both, time_s=0.12))
    assert found[0].detections.tolist() == found[1].detections.tolist()
    assert found[0].boxes.tobytes() == found[1].boxes.tobytes()


def test_an_explanation_stays_what_it_was_while_the_tracker_goes_on(stream):
    first, second = Tracker(explain=True), Tracker(explain=True)
    at_once = []
    kept = []
    for i, detections in enumerate(stream[:80]):
        kept.append(first.update(detections, time_s=i / 25).explanation)
        explanation = second.update(detections, time_s=i / 25).explanation
        at_once.append((explanation.decided_by_appearance, [str(d) for d in explanation.decisions]))
    assert [(e.decided_by_appearance, [str(d) for d in e.decisions]) for e in kept] == at_once


def test_an_explanation_keeps_nothing_of_the_caller_and_no_vectors():
    boxes, vectors = np.array([[0.0, 0, 40, 100], [200, 0, 240, 100]], np.float32), np.eye(2, 512, dtype=np.float32)
    detections = Detections(boxes, np.full(2, 0.9, np.float32), np.zeros(2, np.int64), vectors)
    tracks = Tracker(explain=True).update(detections)
    seen = tracks.explanation._record.seen
    for kept in (seen.corners, seen.box, seen.scores, seen.classes, seen.vectors):
        for given in (detections.boxes, detections.scores, detections.classes, detections.embeddings):
            assert not np.shares_memory(kept, given)
    assert seen.vectors.base is None or seen.vectors.base.size == 0


def test_every_reported_number_has_its_reasons(stream):
    tracker = Tracker(explain=True)
    for i, detections in enumerate(stream):
        tracks = tracker.update(detections, time_s=i / 25)
        for row, number in enumerate(tracks.ids.tolist()):
            decisions = tracker.explain(number)
            assert tracks.detections[row] in {getattr(d, "detection", None) for d in decisions}
        order = [(MatchDecision, IdentityDecision).index(type(d)) for d in decisions if hasattr(d, "candidates")]
        assert order == sorted(order)


def test_somebody_missing_has_the_reasons_of_those_who_might_have_been_it(stage):
    play = stage()
    play.play(45, lambda i: [(2.0 * i, stage.unit(1))])
    play.play(60)
    play.play(3, lambda i: [(2.0 * i, stage.unit(9))])
    (decision,) = play.tracker.explain(3)
    assert isinstance(decision, IdentityDecision)
    assert (decision.track_id, decision.outcome) == (4, "born")
    assert decision.candidates[0].refused == "likeness"


def test_what_cannot_be_explained_is_refused(stage):
    with pytest.raises(InputError, match=r"make it with Tracker\(explain=True\)"):
        Tracker().explain(1)
    tracker = Tracker(explain=True)
    with pytest.raises(InputError, match="nothing was decided about track 1 in the last update: no number was given"):
        tracker.explain(1)
    tracker.update(Detections([[0, 0, 40, 100]]), time_s=0)
    assert tracker.explain(1)
    for unknown in (2, 0, -1):
        with pytest.raises(InputError, match=f"about track {unknown} in .*: the numbers given so far are 1 to 1"):
            tracker.explain(unknown)
    for no_number in ("1", None, [1], 1.0, True):
        with pytest.raises(InputError, match="track_id must be a whole number, got "):
            tracker.explain(no_number)
    assert tracker.explain(np.int64(1))
    tracker.update(Detections.empty(), time_s=10)
    with pytest.raises(InputError, match="about track 1 in the last update: it has left, or goes on under another"):
        tracker.explain(1)
    tracker.reset()
    with pytest.raises(InputError, match="no number was given so far"):
        tracker.explain(1)


def test_a_prediction_decides_nothing_and_leaves_the_last_reasons(stage):
    play = stage()
    play.play(5)
    before = [str(d) for d in play.tracker.explain(1)]
    assert play.tracker.predict(1.0).explanation is None
    assert [str(d) for d in play.tracker.explain(1)] == before


def test_what_shows_reasons_asks_for_a_tracker_that_keeps_them():
    frame = Frame(np.zeros((120, 160, 3), np.uint8), 1, 0.0)
    tracker = Tracker()
    seen = FrameResult(frame, Detections.empty(), tracker.update(Detections.empty(), time_s=0))
    with pytest.raises(
        InputError, match=r"reasons need a tracker that keeps them: make it with Tracker\(explain=True\)"
    ):
        explanation_of(seen)
    assert explanation_of(FrameResult(frame, Detections.empty(), tracker.predict(1.0), detected=False)) is None


def test_a_failed_update_leaves_the_reasons_of_the_last_one(stage):
    play = stage()
    play.play(5)
    before = play.tracker.explain(1)

    def broken(rows):
        raise RuntimeError("no embedder")

    with pytest.raises(RuntimeError):
        play.tracker.update(Detections([[900, 100, 940, 200]]), time_s=9.0, embed=broken)
    assert play.tracker.explain(1) == before


def test_numbers_of_decisions_are_plain(stream):
    """So that they go into JSON as they are."""
    tracker = Tracker(explain=True)
    plain = (int, float, str, bool, type(None), tuple)
    for i, detections in enumerate(stream[:60]):
        for decision in tracker.update(detections, time_s=i / 25).explanation.decisions:
            parts = [decision, *getattr(decision, "candidates", ())]
            values = itertools.chain.from_iterable(
                [getattr(part, name) for name in type(part).__dataclass_fields__] for part in parts
            )
            assert all(type(value) in plain for value in values)
