"""Who a track is, and why it is none of the others who are missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker import Detections, Tracker, TrackerConfig
from tracker.association.appearance import AppearanceModel
from tracker.explanation.record import UpdateRecord
from tracker.identities import Identities
from tracker.table import TrackTable

WALK = 45  # frames
AWAY = 60  # frames after which somebody is no longer looked for by motion
STUBBORN = TrackerConfig(appearance_limit=4.0)
"""Follows the place rather than the looks, so that a track can go over to somebody else."""


def between(a, b, share):
    """A unit vector whose cosine with `a` is `share`, in the plane of `a` and `b`."""
    side = b - (a @ b) * a
    return share * a + np.sqrt(1 - share**2) * side / np.linalg.norm(side)


def about(results, number):
    """The decisions of several updates about who a number is."""
    return [d for r in results for d in r.explanation.identities if d.track_id == number]


def after_one_left(stage, *people, config=None, frames=WALK):
    """Somebody walks about and leaves; later others come in."""
    play = stage(config)
    play.play(WALK, lambda i: [(2.0 * i, stage.unit(1))])
    play.play(AWAY)
    return play, play.play(frames, lambda i: [(x + 2.0 * i, v) for x, v in people])


def test_somebody_who_comes_back_is_recalled_by_evidence_above_what_is_needed(stage):
    c = TrackerConfig()
    _, results = after_one_left(stage, (0.0, stage.unit(1)))
    found = next(d for d in about(results, 3) if d.outcome == "recalled")
    assert (found.replaces, found.crops, found.parted_nats) == (None, c.identify_vectors, None)
    (candidate,) = found.candidates
    assert found.compared == 1
    assert (candidate.identity, candidate.kind, candidate.refused) == (3, "remembered", None)
    assert candidate.cosine == pytest.approx(1)
    assert candidate.cosine >= candidate.needed_cosine
    assert candidate.needed_nats == pytest.approx(c.recall_evidence)  # + log of one who is missing
    assert candidate.evidence_nats > candidate.needed_nats
    assert candidate.unseen_s == pytest.approx((AWAY + c.identify_vectors) * 0.04)
    assert found.short == f"recalled 1.00 (+{candidate.evidence_nats - c.recall_evidence:.1f} nats)"
    words = str(found).splitlines()
    assert words[0] == "track 3: recalled, by 3 crops, of 1 missing"
    assert words[1].startswith("  is 3 (remembered, unseen for 2.5 s): cosine 1.00, needed ")
    later = about(results, 3)[-1]
    assert later.outcome == "kept"
    assert later.short == ""


def test_the_more_are_missing_the_more_evidence_is_needed(stage):
    play = stage()
    play.play(WALK, lambda i: [(2.0 * i, stage.unit(1)), (400 + 2.0 * i, stage.unit(2))])
    play.play(AWAY)
    found = next(d for d in about(play.play(WALK, lambda i: [(2.0 * i, stage.unit(1))]), 3) if d.outcome == "recalled")
    assert found.candidates[0].needed_nats == pytest.approx(TrackerConfig().recall_evidence + np.log(2))


def test_a_lost_one_is_recovered_within_reach_and_not_out_of_it(stage):
    play = stage()
    play.play(WALK, lambda i: [(100.0, stage.unit(1))])
    play.play(15)
    near = play.play(10, lambda i: [(230.0, stage.unit(1))])
    found = next(d for d in about(near, 3) if d.outcome == "recovered")
    assert (found.candidates[0].kind, found.candidates[0].refused) == ("lost", None)
    assert found.short.startswith("recovered 1.00 (+")

    play = stage()
    play.play(WALK, lambda i: [(100.0, stage.unit(1))])
    play.play(5)
    far = play.play(8, lambda i: [(700.0, stage.unit(1))])
    (new,) = {d.track_id for r in far for d in r.explanation.identities if d.outcome == "born"}
    (candidate,) = about(far, new)[0].candidates
    assert (candidate.identity, candidate.kind, candidate.refused) == (3, "lost", "reach")
    assert candidate.evidence_nats is None
    assert str(candidate).endswith(": out of reach")


def test_who_was_there_beside_the_one_who_left_is_not_the_same(stage):
    play = stage(TrackerConfig(max_lost_s=0.2))
    play.play(WALK, lambda i: [(100.0, stage.unit(1))])
    play.play(8, lambda i: [(100.0, stage.unit(1)), (700.0, stage.unit(1))])
    results = play.play(12, lambda i: [(700.0, stage.unit(1))])
    candidate = about(results, 4)[-1].candidates[0]
    assert (candidate.identity, candidate.kind, candidate.refused) == (3, "remembered", "beside")
    assert str(candidate).endswith(": was seen beside it")


def test_a_stranger_is_refused_by_likeness_and_without_crops_by_them(stage):
    _, results = after_one_left(stage, (0.0, stage.unit(9)))
    born = next(d for d in about(results, 4) if d.outcome == "born")
    (candidate,) = born.candidates
    assert candidate.refused == "likeness"
    assert candidate.cosine < candidate.needed_cosine
    assert (candidate.evidence_nats, candidate.needed_nats) == (None, None)
    assert born.short == ""
    # who is hidden behind others has no crop that shows one person alone
    _, results = after_one_left(stage, (0.0, stage.unit(9)), (12.0, stage.unit(8)), frames=8)
    hurried = next(d for r in results for d in r.explanation.identities if d.outcome == "born" and d.track_id > 3)
    assert hurried.crops == 0
    assert {(c.refused, c.cosine, c.needed_cosine) for c in hurried.candidates} == {("crops", None, None)}
    assert "too few crops to tell" in str(hurried)


def test_too_little_evidence_a_rival_as_good_and_one_who_is_taken_are_told_apart(stage):
    strict = replace(TrackerConfig(), recall_evidence=1e6)
    _, results = after_one_left(stage, (0.0, stage.unit(1)), config=strict)
    (candidate,) = about(results, 4)[0].candidates
    assert (candidate.refused, candidate.needed_nats) == ("evidence", 1e6)
    assert str(candidate).endswith("needed 1000000.0: too little evidence")

    # two look-alikes left: whoever comes may be either
    play, twin = stage(), between(stage.unit(1), stage.unit(2), 0.999)
    play.play(WALK, lambda i: [(2.0 * i, stage.unit(1)), (500 - 2.0 * i, twin)])
    play.play(AWAY)
    results = play.play(8, lambda i: [(2.0 * i, between(stage.unit(1), stage.unit(2), 0.9997))])
    born = next(d for d in about(results, 5) if d.outcome == "born")
    assert [c.refused for c in born.candidates] == ["margin", "margin"]

    # two who look like the one who left: only one of them can be
    _, results = after_one_left(stage, (0.0, stage.unit(1)), (400.0, between(stage.unit(1), stage.unit(2), 0.99)))
    first = [d for r in results for d in r.explanation.identities if d.outcome in ("recalled", "born")][-2:]
    assert {(d.outcome, d.candidates[0].refused) for d in first} == {("recalled", None), ("born", "taken")}


def test_a_track_that_goes_over_to_a_stranger_says_so(stage):
    play = stage(STUBBORN)
    play.play(WALK, lambda i: [(200.0, stage.unit(1))])
    results = play.play(WALK, lambda i: [(200.0, stage.unit(3))])
    (decision,) = [d for r in results for d in r.explanation.identities if d.outcome == "corrected"]
    assert decision.replaces == 3
    assert decision.parted_nats >= STUBBORN.change_evidence
    assert decision.short == f"corrected: no longer 3 ({decision.parted_nats:.1f} nats)"
    assert "  went over to another object: " in str(decision)


def test_a_claim_that_is_given_up_says_what_it_claimed(stage):
    """Somebody looks like the one who left at first sight, and less so with every further crop."""
    rng = np.random.default_rng(0)

    def crop(person):
        v = person + rng.normal(size=64) / 8 * 0.5
        return v / np.linalg.norm(v)

    one, play = stage.unit(1), stage()
    play.play(WALK, lambda i: [(2.0 * i, crop(one))])
    play.play(AWAY)
    results = play.play(2 * WALK, lambda i: [(2.0 * i, crop(between(one, stage.unit(2), max(0.0, 0.7 - 0.02 * i))))])
    turns = [d for r in results for d in r.explanation.identities if d.outcome != "kept"]
    assert [d.outcome for d in turns] == ["recalled", "corrected"]
    given_up = turns[1]
    assert (given_up.replaces, given_up.parted_nats) == (3, None)
    assert given_up.candidates[0].refused == "likeness"
    assert given_up.short == f"corrected: not 3 ({given_up.candidates[0].cosine:.2f})".replace("0.", ".")
    assert given_up.candidates[0].identity == 3


def test_a_decision_lists_the_most_alike_only():
    tracker, rng = Tracker(TrackerConfig(birth_max_overlap=1), explain=True), np.random.default_rng(0)
    people = rng.normal(size=(40, 32))
    people /= np.linalg.norm(people, axis=1, keepdims=True)
    boxes = [[60 * i, 100, 60 * i + 40, 200] for i in range(40)]
    for i in range(10):
        tracker.update(Detections(boxes, embeddings=people), time_s=i / 25)
    for i in range(4):  # in the last one it is asked again
        result = tracker.update(Detections(boxes[:1], embeddings=people[7:8]), time_s=10 + i / 25)
    (decision,) = result.explanation.identities
    assert decision.compared > 30
    assert len(decision.candidates) == 5
    assert decision.candidates[0].identity == decision.track_id == 8
    cosines = [c.cosine for c in decision.candidates[1:]]
    assert cosines == sorted(cosines, reverse=True)


def test_decisions_agree_with_events(stream):
    tracker, kinds = Tracker(explain=True), set()
    for i, detections in enumerate(stream):
        result = tracker.update(detections, time_s=i / 25)
        told = {(e.kind, e.track_id, e.replaces) for e in result.events if e.kind != "ended"}
        first = {("born", b.track_id, None) for b in result.explanation.births if b.track_id}
        decided = {(d.outcome, d.track_id, d.replaces) for d in result.explanation.identities if d.outcome != "kept"}
        assert decided | first == told | first
        for d in result.explanation.identities:
            is_old = d.outcome in ("recovered", "recalled")
            chosen = [c.identity for c in d.candidates if c.refused is None]
            assert chosen in ([d.track_id], [] if not is_old else [d.track_id])
            kinds |= {d.outcome, *(c.refused for c in d.candidates)}
    assert kinds >= {"born", "kept", "likeness"}


def test_what_had_no_number_yet_went_over_from_nobody():
    config = TrackerConfig()
    tracks = TrackTable.zeros(2, 4)
    tracks.ids[:], tracks.vectors[:], tracks.doubt[:] = [0, 3], 5, [-13.0, -14.0]
    identities = Identities(config, AppearanceModel(None))
    identities.record = UpdateRecord(config)
    identities.part(tracks, np.array([0, 1]))
    assert identities.record.parted == {3: 14.0}
