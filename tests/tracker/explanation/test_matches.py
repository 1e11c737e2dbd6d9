"""With which detection a track goes on, and why not with the others."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest

from tracker import Detections, Tracker, TrackerConfig

DT_S = 0.04


def box(x, y=100.0, w=40.0, h=100.0):
    return [x, y, x + w, y + h]


def unit(seed):
    v = np.random.default_rng(seed).normal(size=64)
    return v / np.linalg.norm(v)


def explained(frames, config=None):
    """The explanation of the last frame, and its tracks."""
    tracker = Tracker(config, explain=True)
    for i, detections in enumerate(frames):
        result = tracker.update(detections, time_s=i * DT_S)
    return result.explanation, result


def test_one_object_alone_is_explained_by_its_place_and_its_looks():
    c = TrackerConfig()
    explanation, result = explained([Detections([box(0)], [0.9], embeddings=[unit(1)])] * 3)
    (decision,) = explanation.matches
    assert (decision.track_id, decision.outcome, decision.stage) == (1, "matched", "confident")
    assert (decision.detection, decision.detection_by_motion) == (0, 0)
    assert not decision.decided_by_appearance
    assert decision.time_s == result.time_s == pytest.approx(2 * DT_S)
    assert decision.unseen_s == pytest.approx(DT_S)
    (candidate,) = decision.candidates
    assert candidate.refused is None
    assert candidate.overlap == pytest.approx(1)
    assert candidate.motion_nats == pytest.approx(c.motion_weight * (1 - c.motion_centre))
    assert candidate.class_nats == 0
    assert candidate.cosine == pytest.approx(1)
    assert 0 < candidate.appearance_nats <= c.appearance_limit
    assert candidate.total_nats == pytest.approx(candidate.motion_nats + candidate.appearance_nats)
    assert (explanation.matched, explanation.decided_by_appearance, explanation.births) == (1, 0, ())
    words = "track 1: continues (confident) with detection 0: overlap 1.00 +6.3, cosine 1.00"
    assert str(decision).startswith(words)


def test_without_vectors_nothing_is_said_of_looks():
    explanation, _ = explained([Detections([box(0)])] * 3)
    (candidate,) = explanation.matches[0].candidates
    assert (candidate.cosine, candidate.appearance_nats) == (None, None)
    assert str(candidate) == "detection 0: overlap 1.00 +6.3"


def test_another_class_speaks_against_a_match():
    explanation, _ = explained([Detections([box(0)], classes=[k]) for k in (0, 0, 1)])
    (candidate,) = explanation.matches[0].candidates
    assert candidate.class_nats == -TrackerConfig().class_penalty
    assert candidate.total_nats == pytest.approx(candidate.motion_nats + candidate.class_nats)
    assert "another class -2.0, together +4.3" in str(candidate)


def test_appearance_that_turns_a_crossing_round_is_said_to_have_done_so():
    """Two meet, stop inside each other and part the way they came: motion alone says that they passed."""
    xs = np.r_[np.linspace(0, 150, 40), np.linspace(150, 0, 40)]
    frames = [Detections([box(x), box(300 - x)], embeddings=[unit(1), unit(2)]) for x in xs]
    tracker, turned = Tracker(explain=True), []
    for i, detections in enumerate(frames):
        explanation = tracker.update(detections, time_s=i * DT_S).explanation
        assert explanation.decided_by_appearance == sum(d.decided_by_appearance for d in explanation.matches)
        turned += [explanation] if explanation.decided_by_appearance else []
    assert turned
    first, second = turned[0].matches
    assert (first.track_id, second.track_id) == (1, 2)
    assert (first.detection, second.detection) == (0, 1)
    assert (first.detection_by_motion, second.detection_by_motion) == (1, 0)
    rival = first.candidates[1]
    assert (rival.detection, rival.refused, rival.taken_by) == (1, "taken", 2)
    assert rival.motion_nats > first.candidates[0].motion_nats
    assert rival.cosine == pytest.approx(unit(1) @ unit(2), abs=0.05)
    assert "motion alone: detection 1" in str(first)


def test_every_gate_is_named():
    pair = Detections([box(0), box(30)])

    def refusals(*last):
        explanation, _ = explained([*[pair] * 3, *last])
        return {(d.track_id, c.detection): (c.refused, c.taken_by) for d in explanation.matches for c in d.candidates}

    assert refusals(pair) == {
        (1, 0): (None, None),
        (2, 1): (None, None),
        (1, 1): ("evidence", 2),
        (2, 0): ("evidence", 1),
    }
    assert refusals(Detections([box(0), box(20)]))[1, 1] == ("taken", 2)
    assert refusals(Detections([box(0), box(20)], [0.9, 0.3]))[1, 1] == ("taken", 2)
    assert refusals(Detections([box(0), box(30), box(3)], [0.9, 0.9, 0.3]))[1, 2] == ("matched", None)
    assert refusals(Detections([box(0), box(30)], [0.9, 0.05]))[2, 1] == ("score", None)


def test_a_tentative_track_takes_no_weak_detection_and_ends():
    explanation, _ = explained([Detections.empty(), Detections([box(0)]), Detections([box(0)], [0.3])])
    (decision,) = explanation.matches
    assert (decision.track_id, decision.outcome, decision.detection) == (None, "dropped", None)
    assert decision.candidates[0].refused == "tentative"
    assert str(decision).splitlines() == [
        "a track without a number: not seen, and ended",
        "  not detection 0: overlap 1.00: score 0.30 too low for a tentative track",
    ]


def test_a_lost_track_says_that_nothing_was_there():
    explanation, _ = explained([Detections([box(0)])] * 3 + [Detections.empty()] * 2)
    (decision,) = explanation.matches
    assert (decision.track_id, decision.outcome, decision.candidates) == (1, "lost", ())
    assert decision.unseen_s == pytest.approx(2 * DT_S)
    assert str(decision) == "track 1: not seen (unseen for 0.08 s): no detection where it was expected"


def test_births_say_what_they_lack():
    def births(*boxes, scores):
        explanation, result = explained([Detections([box(0)])] * 3 + [Detections([box(0), *boxes], [0.9, *scores])])
        return explanation.births, result

    (found, weak, over), _ = births(box(300), box(500), box(4, 96), scores=[0.9, 0.55, 0.8])
    assert (found.detection, found.refused, found.track_id, found.overlap) == (1, None, None, 0.0)
    assert (weak.refused, weak.overlap) == ("score", None)
    assert (over.refused, over.overlap_with) == ("overlap", 1)
    assert over.overlap > TrackerConfig().birth_max_overlap
    assert str(over).startswith("detection 3 (score 0.80): founds no track: IoU 0.7")
    assert str(weak) == "detection 2 (score 0.55): founds no track: score too low"
    assert str(found) == "detection 1 (score 0.90): founds a track"
    assert births(box(300), scores=[0.05])[0] == ()  # below low_score: ignored
    first, _ = explained([Detections([box(0)])])
    assert [(b.track_id, b.refused) for b in first.births] == [(1, None)]
    assert str(first.births[0]) == "detection 0 (score 1.00): founds a track, 1"


class TestOnStreams:
    """Every decision of a real street and of a crowd."""

    @pytest.fixture
    def results(self, stream):
        tracker = Tracker(explain=True)
        return [tracker.update(detections, time_s=i * DT_S) for i, detections in enumerate(stream)]

    def test_decisions_agree_with_what_the_tracker_reports(self, stream, results):
        for detections, result in zip(stream, results, strict=True):
            matched = {d.detection: d.track_id for d in result.explanation.matches if d.detection is not None}
            matched |= {b.detection: b.track_id for b in result.explanation.births if b.refused is None}
            reported = dict(zip(result.detections.tolist(), result.ids.tolist(), strict=True))
            assert {d: number for d, number in matched.items() if number} == reported
            spoken_of = set(matched) | {b.detection for b in result.explanation.births}
            assert spoken_of | set(np.flatnonzero(detections.scores < 0.1).tolist()) == set(range(len(detections)))

    def test_evidence_adds_up_and_gates_hold(self, stream, results):
        c = TrackerConfig()
        kinds = Counter()
        for detections, result in zip(stream, results, strict=True):
            for decision in result.explanation.matches:
                assert [x.detection for x in decision.candidates if x.refused is None] == [
                    d for d in [decision.detection] if d is not None
                ]
                for x in decision.candidates:
                    kinds[x.refused] += 1
                    assert x.score == detections.scores[x.detection]
                    assert 0 < x.overlap <= 1
                    if x.total_nats is None:
                        assert x.refused in ("taken", "matched", "score", "tentative")
                        continue
                    assert x.total_nats == pytest.approx(x.motion_nats + x.class_nats + (x.appearance_nats or 0))
                    assert (x.total_nats <= 0) == (x.refused == "evidence")
                    assert (x.cosine is None) == (x.appearance_nats is None)
                    if x.cosine is not None:
                        assert detections.has_embedding[x.detection]
                        assert abs(x.appearance_nats) <= c.appearance_limit
        assert set(kinds) >= {None, "evidence", "taken", "matched", "tentative"}

    def test_what_motion_alone_would_do_is_what_a_twin_does_that_is_given_no_vectors(self, stream):
        tracker, changed = Tracker(explain=True), 0
        for i, detections in enumerate(stream):
            twin = copy.deepcopy(tracker)
            explanation = tracker.update(detections, time_s=i * DT_S).explanation
            changed += explanation.decided_by_appearance
            assert explanation.decided_by_appearance == sum(d.decided_by_appearance for d in explanation.matches)
            if i % 4 == 0 or explanation.decided_by_appearance:
                blind = Detections(detections.boxes, detections.scores, detections.classes, frame_size=(640, 500))
                seen = twin.update(blind, time_s=i * DT_S).explanation.matches
                assert [d.detection_by_motion for d in explanation.matches] == [d.detection for d in seen]
        assert changed > 0
