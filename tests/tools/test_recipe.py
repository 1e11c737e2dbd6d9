"""The parts of the default embedder's recipe: batches of families, training on two sources, whitening, sources."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytestmark = pytest.mark.torch

TOOLS = str(Path(__file__).resolve().parents[2] / "tools")


@pytest.fixture(scope="module", autouse=True)
def tools_on_the_path() -> Iterator[None]:
    """As for a script in tools/."""
    sys.path.insert(0, TOOLS)
    yield
    sys.path.remove(TOOLS)


def crops_of(families: int, each: int) -> object:
    from recipe.sources import Crops

    identity = np.repeat(np.arange(2 * families), each)
    return Crops(np.random.default_rng(0).integers(0, 256, (len(identity), 128, 64, 3), np.uint8), identity)


def test_every_family_comes_once_before_any_comes_twice_with_both_members() -> None:
    from recipe.training import families

    crops = crops_of(families=6, each=5)
    drawn = families(crops, 3, np.random.default_rng(0))
    first, second = next(drawn), next(drawn)
    assert len(first) == 3 * 2 * 4
    seen = [set((crops.identity[rows] // 2).tolist()) for rows in (first, second)]
    assert seen[0] | seen[1] == set(range(6))
    for rows in (first, second):
        names, counts = np.unique(crops.identity[rows], return_counts=True)
        assert (names[::2] + 1 == names[1::2]).all()
        assert (counts == 4).all()


def test_who_was_seen_only_once_is_left_out_and_too_few_families_are_refused() -> None:
    from recipe.training import families

    crops = crops_of(families=4, each=3)
    once = crops.take(np.r_[0, 3:24])  # identity 0 has one crop, so its family has no triplet
    rows = next(families(once, 3, np.random.default_rng(0)))
    assert set((once.identity[rows] // 2).tolist()) == {1, 2, 3}
    with pytest.raises(SystemExit, match=r"at least 4 families .* got 3"):
        next(families(once, 4, np.random.default_rng(0)))


def test_training_on_two_sources_moves_only_the_network() -> None:
    from recipe.training import TrainingConfig, train

    from reid.learning.backbones import SmallBackbone
    from reid.learning.embedding import EmbeddingModel

    torch.manual_seed(0)
    model = EmbeddingModel(SmallBackbone(8, widths=(4, 4, 6, 8)), 128, 64, colour_dimension=4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train(model, [crops_of(2, 4), crops_of(3, 4)], TrainingConfig(2, 4, 1e-3, 0.1, 0.4, seed=1))
    after = model.state_dict()
    assert not torch.equal(before["backbone.head.weight"], after["backbone.head.weight"])
    assert torch.equal(before["projection"], after["projection"])
    assert not model.training


def test_whitening_rounds_the_scatter_within_identities() -> None:
    from recipe.whitening import within_class_whitening

    rng = np.random.default_rng(0)
    identity = np.repeat(np.arange(200), 6)
    spread = np.array([3.0, 1, 1, 0.2])
    vectors = rng.normal(0, 1, (200, 4))[identity] + rng.normal(0, 1, (1200, 4)) * spread

    def within(rows: np.ndarray) -> np.ndarray:
        mean = np.stack([rows[identity == who].mean(axis=0) for who in range(200)])
        return np.linalg.eigvalsh(np.cov((rows - mean[identity]).T))

    matrix = within_class_whitening(vectors, identity, ridge=1e-6, kept=4)
    assert within(vectors).max() / within(vectors).min() > 50
    assert within(vectors @ matrix).max() / within(vectors @ matrix).min() == pytest.approx(1, abs=1e-3)
    assert within_class_whitening(vectors, identity, ridge=1.0, kept=2).shape == (4, 2)
    # a large ridge leaves the directions as they were, up to a turn
    mild = within_class_whitening(vectors, identity, ridge=1e6, kept=4)
    np.testing.assert_allclose(mild @ mild.T * 1e6 * np.mean(within(vectors)), np.eye(4), atol=0.3)


def test_people_of_another_size_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    from recipe.sources import load_people

    with pytest.raises(SystemExit, match="render people first"):
        load_people(tmp_path)
    np.savez(tmp_path / "part-00000.npz", pixels=np.zeros((2, 256, 128, 3), np.uint8), identity=np.arange(2))
    with pytest.raises(SystemExit, match="128 x 64, got 256 x 128"):
        load_people(tmp_path)
