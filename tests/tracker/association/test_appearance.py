"""What crops say of the tracks they were matched with."""

from __future__ import annotations

import numpy as np
import pytest

from tracker import Detections, Tracker
from tracker.association.appearance import FOREIGN, HELD_SLACK, REFUSED_NEARER, AppearanceModel


def model_that_has_seen(same: tuple[float, float], different: tuple[float, float]) -> AppearanceModel:
    """After 4000 cosines of each kind, given by mean and standard deviation."""
    rng = np.random.default_rng(0)
    model = AppearanceModel(None)
    model._stream.observe_same(rng.normal(*same, 4000))
    model._stream.observe_different(rng.normal(*different, 4000))
    return model


def test_a_crop_half_way_to_a_stranger_is_no_longer_the_tracks_own() -> None:
    model = model_that_has_seen(same=(0.96, 0.03), different=(0.5, 0.2))
    half_way, usual = np.array([0.78]), np.array([0.93])
    assert model.evidence(half_way, 0.0)[0] > FOREIGN, "strangers of all kinds: by itself no evidence for one of them"
    assert model.doubt(half_way)[0] < FOREIGN
    assert model.doubt(usual)[0] == model.evidence(usual, 0.0)[0] > 0


def test_doubt_grows_with_the_distance_and_never_exceeds_the_evidence() -> None:
    model = model_that_has_seen(same=(0.9, 0.05), different=(0.4, 0.15))
    cosine = np.linspace(1, -1, 201)
    doubt = model.doubt(cosine)
    assert (np.diff(doubt) <= 1e-12).all()
    assert (doubt <= model.evidence(cosine, 0.0)).all()


@pytest.mark.parametrize(
    ("same", "different"), [((0.96, 0.03), (0.5, 0.2)), ((0.7, 0.2), (0.6, 0.2)), ((0.5, 0.1), (0.6, 0.1))]
)
def test_a_crop_speaks_against_its_track_below_one_cosine(
    same: tuple[float, float], different: tuple[float, float]
) -> None:
    model = model_that_has_seen(same, different)
    cosine = np.linspace(-1, 1, 4001)
    np.testing.assert_array_equal(model.doubt(cosine) < FOREIGN, cosine < model.foreign_below)


def test_an_embedder_whose_own_crops_vary_much_parts_no_tracks() -> None:
    model = model_that_has_seen(same=(0.7, 0.2), different=(0.6, 0.2))
    usual = 0.7 - np.array([0.5, 1.0, 2.0]) * model._stream.same_std
    assert (model.doubt(usual) > FOREIGN).all()


def test_a_usual_look_stands_for_the_crops_nobody_looked_at_an_odd_one_for_itself_alone() -> None:
    looks = np.array([0.9, 0.9, 0.9, 0.3])
    learned = {}
    for unlooked in (0.0, 10.0, 1e6):
        model = model_that_has_seen(same=(0.9, 0.03), different=(0.4, 0.1))
        model._stream._same.count = 50.0
        model.observe_same(looks, np.full(4, unlooked))
        learned[unlooked] = model._stream.same_std
    assert learned[0.0] > 1.15 * learned[10.0], "odd looks would pass for the usual variation"
    assert learned[1e6] > 0.7 * learned[10.0], "however long nobody looked"


def test_a_crop_is_compared_with_the_means_of_others_that_nobody_looked_at() -> None:
    tracker, looks = Tracker(), np.eye(3, 8, dtype=np.float32)
    boxes = [[300.0 * i, 0, 300.0 * i + 40, 100] for i in range(3)]
    for _ in range(5):
        tracker.update(Detections(boxes, embeddings=looks))
    before = tracker._appearance._stream._different.count
    tracker.update(Detections(boxes, embeddings=looks, has_embedding=[True, False, False]))
    assert tracker._appearance._stream._different.count == before + 1


def test_a_look_stands_for_the_crops_since_the_last_one_alone() -> None:
    tracker, looks = Tracker(), np.eye(1, 8, dtype=np.float32)

    def learned_from(*, looked: bool) -> float:
        before = tracker._appearance._stream._same.count
        tracker.update(Detections([[0, 0, 40, 100]], embeddings=looks, has_embedding=[looked]))
        return tracker._appearance._stream._same.count - before

    for _ in range(3):
        learned_from(looked=True)
    assert [learned_from(looked=False) for _ in range(6)] == [0] * 6
    assert [learned_from(looked=True) for _ in range(3)] == [7, 1, 1]


@pytest.mark.parametrize(("beside_px", "sure"), [(4.0, True), (18.0, False)])
def test_what_one_object_looks_like_is_learned_where_boxes_leave_no_doubt_that_it_is_one(
    beside_px: float, sure: bool
) -> None:
    """One who comes up beside the place of another may be somebody else, though nobody else is there."""
    tracker, look, other = Tracker(), *np.eye(2, 8, dtype=np.float32)
    for _ in range(20):
        tracker.update(Detections([[0, 0, 40, 100]], embeddings=[look]))
    before = tracker._appearance.evidence(np.array([0.5]), 0.0)
    tracker.update(Detections([[beside_px, 0, beside_px + 40, 100]], embeddings=[other]))
    assert (tracker._appearance.evidence(np.array([0.5]), 0.0) != before).all() == sure


def test_what_is_far_nearer_than_strangers_are_is_not_refused_however_alike_the_crops_of_one_visit() -> None:
    """The crops of a visit may all show one side, and the next visit the other."""
    many, long_s = np.array([200.0]), np.array([20.0])
    varied = model_that_has_seen(same=(0.85, 0.05), different=(0.5, 0.1)).least_likeness(many, long_s, None)
    alike = model_that_has_seen(same=(0.99, 0.01), different=(0.5, 0.1)).least_likeness(many, long_s, None)
    assert varied[0, 0] < 0.75, "what crops vary by is known from the stream"
    assert alike[0, 0] == pytest.approx(0.5 + REFUSED_NEARER * 0.5, abs=0.02)
    held = np.array([[False, True]])
    for model in (model_that_has_seen((0.85, 0.05), (0.5, 0.1)), model_that_has_seen((0.99, 0.01), (0.5, 0.1))):
        other, claimed = model.least_likeness(many, long_s, held)[0]
        assert 1 - claimed == pytest.approx(HELD_SLACK * (1 - other)), "or claims would flicker"
