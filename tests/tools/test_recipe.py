"""The parts of the default embedder's recipe: sources, batches of families, whitening."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytestmark = pytest.mark.torch


def crops_of(families: int, each: int) -> Any:
    from recipe.sources import Crops

    identity = np.repeat(np.arange(2 * families), each)
    return Crops(np.random.default_rng(families).integers(0, 256, (len(identity), 128, 64, 3), np.uint8), identity)


def test_sources_become_one_data_set_with_identities_of_their_own() -> None:
    from recipe.sources import labelled

    first, second = crops_of(2, 3), crops_of(3, 4)
    both = labelled([first, second.take(slice(4, None))])  # of the second's first family one member is missing
    np.testing.assert_array_equal(both.identity, np.r_[first.identity, second.identity[4:] + 4])
    np.testing.assert_array_equal(both.group, both.identity // 2)
    assert both.names[5] == "2-1"
    rows = [0, 11, 12, 31]
    expected = [first.pixels[0], first.pixels[11], second.pixels[4], second.pixels[23]]
    np.testing.assert_array_equal(both.pixels(rows, 128, 64), expected)


def test_batches_hold_look_alikes_of_both_sources() -> None:
    from recipe.sources import labelled
    from recipe.training import LESSONS, configure, network_config

    from reid.learning.sampling import PkSampler

    config = configure(network_config(8, 4, 0.5), LESSONS[0], 1, 1, seed=0, threads=1)
    crops = labelled([crops_of(8, 5), crops_of(9, 5)])
    sampler, seen = PkSampler(crops, config.sampler, seed=0), set()
    for _ in range(4):
        names, counts = np.unique(crops.identity[next(sampler)], return_counts=True)
        assert (names[::2] + 1 == names[1::2]).all()
        assert (counts == 4).all()
        seen |= set(names.tolist())
    assert seen == set(range(34))


def test_whitening_rounds_the_scatter_within_identities() -> None:
    from recipe.whitening import within_class_whitening

    rng = np.random.default_rng(0)
    identity = np.repeat(np.arange(200), 6)
    spread = np.array([3.0, 1, 1, 0.2])
    vectors = rng.normal(0, 1, (200, 4))[identity] + rng.normal(0, 1, (1200, 4)) * spread

    def within(rows: np.ndarray) -> np.ndarray:
        mean = np.stack([rows[identity == who].mean(axis=0) for who in range(200)])
        return np.linalg.eigvalsh(np.cov((rows - mean[identity]).T))

    matrix = within_class_whitening(vectors, identity, 1e-6, 4)
    assert within(vectors).max() / within(vectors).min() > 50
    assert within(vectors @ matrix).max() / within(vectors @ matrix).min() == pytest.approx(1, abs=1e-3)
    assert within_class_whitening(vectors, identity, 1.0, 2).shape == (4, 2)
    # a large ridge leaves the directions as they were, up to a turn
    mild = within_class_whitening(vectors, identity, 1e6, 4)
    np.testing.assert_allclose(mild @ mild.T * 1e6 * np.mean(within(vectors)), np.eye(4), atol=0.3)


def test_the_calibration_is_against_look_alikes_and_has_intervals() -> None:
    from recipe.scoring import calibrate

    from reid.calibration import fit_calibration

    rng = np.random.default_rng(0)
    identity = np.repeat(np.arange(400), 6)
    family, own = rng.normal(0, 1, (200, 32))[identity // 2], rng.normal(0, 0.6, (400, 32))[identity]
    vectors = family + own + rng.normal(0, 0.5, (2400, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    fit = calibrate(vectors, identity, seed=0)
    first, second = np.triu_indices(len(vectors), 1)
    others = rng.random(len(first)) < 1 / 399  # about as many strangers as there are look-alikes
    some = (identity[first] // 2 == identity[second] // 2) | others
    first, second = first[some], second[some]
    plain = fit_calibration(np.einsum("nd,nd->n", vectors[first], vectors[second]), identity[first] == identity[second])
    assert fit.slope == pytest.approx(plain.slope, rel=0.05)
    assert (fit.identities, fit.limit) == (400, pytest.approx(np.log(400)))
    assert fit.threshold_fpr_1e2 == pytest.approx(plain.threshold_fpr_1e2, abs=0.01)
    assert fit.interval_fpr_1e2 is not None
    assert fit.interval_fpr_1e2[0] < fit.threshold_fpr_1e2 < fit.interval_fpr_1e2[1]
    assert fit.data == "crops of 400 rendered figures, half of the strangers look-alikes"
    assert fit.caution is not None


def test_people_of_another_size_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    from recipe.sources import load_people

    with pytest.raises(SystemExit, match="render people first"):
        load_people(tmp_path)
    np.savez(tmp_path / "part-00000.npz", pixels=np.zeros((2, 256, 128, 3), np.uint8), identity=np.arange(2))
    with pytest.raises(SystemExit, match="128 x 64, got 256 x 128"):
        load_people(tmp_path)
