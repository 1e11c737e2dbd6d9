"""Corruptions, and how far they make retrieval fall."""

from __future__ import annotations

import numpy as np
import pytest

from reid.errors import InputError
from reid.evaluation import EvaluationConfig
from reid.evaluation.collection import Collection, embed
from reid.evaluation.corruptions import KINDS, corrupt
from reid.evaluation.robustness import robustness

SHAPES = [(128, 64), (256, 128), (40, 90), (3, 2), (1, 1)]


def pictures(height: int, width: int, count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_any_size_can_be_corrupted_and_nothing_is_changed_in_place(kind: str, shape: tuple[int, int]) -> None:
    before = pictures(*shape)
    given = before.copy()
    after = corrupt(given, kind, range(4))
    assert after.shape == before.shape
    assert after.dtype == np.uint8
    np.testing.assert_array_equal(given, before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_corruption_is_of_the_crop_and_the_seed_alone(kind: str) -> None:
    crops = pictures(64, 32)
    whole = corrupt(crops, kind, [4, 5, 6, 7])
    np.testing.assert_array_equal(corrupt(crops[2:], kind, [6, 7]), whole[2:])
    assert (corrupt(crops, kind, [4, 5, 6, 7], seed=1) != whole).any()
    same_crop = corrupt(np.stack((crops[0], crops[0])), kind, [1, 2])
    assert (same_crop[0] != same_crop[1]).any()


def test_each_does_what_it_is_called() -> None:
    grey = np.full((30, 128, 64, 3), 120, np.uint8)
    rng = np.random.default_rng(1)
    noisy = rng.integers(0, 256, (30, 128, 64, 3), np.uint8)
    numbers = range(30)
    shadow = corrupt(grey, "shadow", numbers).astype(int)
    assert (shadow.min(axis=(1, 2, 3)) < 70).all()
    assert (shadow.max(axis=(1, 2, 3)) == 120).all(), "a part stays in the light"
    blurred = corrupt(noisy, "motion_blur", numbers)
    assert (blurred.std(axis=(1, 2, 3)) < 0.7 * noisy.std(axis=(1, 2, 3))).all()
    np.testing.assert_array_equal(corrupt(grey, "motion_blur", numbers), grey)
    light = corrupt(grey, "light", numbers).mean(axis=(1, 2))
    assert light.min() < 80 < 160 < light.max()
    assert np.ptp(light, axis=1).max() > 10, "the colour changes too"
    occluded = (corrupt(noisy, "occlusion", numbers) != noisy).any(axis=3).mean(axis=(1, 2))
    assert ((occluded > 0.27) & (occluded < 0.47)).all()
    low = corrupt(noisy, "low_resolution", numbers).astype(float)
    assert (np.abs(np.diff(low, axis=1)).mean(axis=(1, 2, 3)) < 15).all(), "neighbours are alike now"


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="kind must be one of shadow"):
        corrupt(pictures(8, 8), "rain", range(4))
    with pytest.raises(InputError, match="with a number each"):
        corrupt(pictures(8, 8), "shadow", range(3))
    with pytest.raises(InputError, match=r"uint8 of shape \(n, h, w, 3\)"):
        corrupt(pictures(8, 8).astype(float), "shadow", range(4))  # type: ignore[arg-type]


def test_the_fall_is_that_of_the_same_queries(crops, embedder) -> None:
    collection = Collection.of(crops)
    vectors = embed(embedder, collection, range(30))
    steps: list[tuple[str, int, int]] = []
    config = EvaluationConfig(replicates=50)
    falls = robustness(embedder, collection, vectors, config=config, progress=lambda *step: steps.append(step))
    assert [fall.kind for fall in falls] == list(KINDS)
    assert [step[0] for step in steps] == list(KINDS)
    clean = 1.0
    for fall in falls:
        assert fall.fall_of_rank_1.value == pytest.approx(clean - fall.rank_1.value)
        assert fall.fall_of_map.low is not None
        assert fall.fall_of_map.low <= fall.fall_of_map.value <= fall.fall_of_map.high
    assert falls[0].to_dict()["kind"] == "shadow"
    again = robustness(embedder, collection, vectors, config=config)
    assert again == falls


def test_who_looks_only_where_the_occluder_is_does_not_find_anybody(crops, embedder) -> None:
    collection = Collection.of(crops)
    whole = embedder.crops
    embedder.crops = lambda pixels: whole(pixels[:, -2:])  # the lowest rows of pixels
    vectors = embed(embedder, collection, range(30))
    occluded, blurred = robustness(embedder, collection, vectors, kinds=("occlusion", "motion_blur"))
    assert occluded.fall_of_map.value > 0.2
    assert abs(blurred.fall_of_map.value) < 0.05


def test_fewer_queries_than_there_are_can_be_asked_for(crops, embedder) -> None:
    collection = Collection.of(crops)
    vectors = embed(embedder, collection, range(30))
    embedder.calls = 0
    falls = robustness(embedder, collection, vectors, kinds=("light",), most_queries=7)
    assert (len(falls), embedder.calls) == (1, 7)
    with pytest.raises(InputError, match="most_queries must be 1 or more"):
        robustness(embedder, collection, vectors, most_queries=0)
    with pytest.raises(InputError, match=r"kinds must be among shadow.* got 'rain'"):
        robustness(embedder, collection, vectors, kinds=("rain",))
