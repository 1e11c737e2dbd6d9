"""The parts of the default embedder's recipe: batches, distillation, the trunk, whitening, the teacher's cache."""

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


def crops_of(families: int, cameras: int, each: int) -> object:
    from recipe.sources import Crops

    identity = np.repeat(np.arange(2 * families), cameras * each)
    camera = np.tile(np.repeat(np.arange(cameras), each), 2 * families)
    return Crops(np.zeros((len(identity), 128, 64, 3), np.uint8), identity, camera)


def test_every_family_comes_once_before_any_comes_twice_with_both_members() -> None:
    from recipe.training import families

    crops = crops_of(families=6, cameras=2, each=5)
    drawn = families(crops, 3, 0.0, np.random.default_rng(0))
    first, second = next(drawn), next(drawn)
    assert len(first) == 3 * 2 * 4
    seen = [set((crops.identity[rows] // 2).tolist()) for rows in (first, second)]
    assert seen[0] | seen[1] == set(range(6))
    for rows in (first, second):
        names, counts = np.unique(crops.identity[rows], return_counts=True)
        assert (names[::2] + 1 == names[1::2]).all()
        assert (counts == 4).all()


def test_families_of_one_camera() -> None:
    from recipe.training import families

    crops = crops_of(families=4, cameras=3, each=5)
    rows = next(families(crops, 4, 1.0, np.random.default_rng(1)))
    for family in range(4):
        assert len(np.unique(crops.camera[rows][crops.identity[rows] // 2 == family])) == 1


def test_a_student_that_agrees_with_its_teacher_loses_nothing() -> None:
    from recipe.training import distillation_loss

    teacher = torch.nn.functional.normalize(torch.randn(5, 7, generator=torch.Generator().manual_seed(0)), dim=1)
    turned = teacher @ torch.linalg.qr(torch.randn(7, 7, generator=torch.Generator().manual_seed(1)))[0]
    assert float(distillation_loss(turned, teacher)) == pytest.approx(0, abs=1e-10)
    wider = torch.nn.functional.pad(teacher, (0, 9))
    assert float(distillation_loss(wider, teacher)) == pytest.approx(0, abs=1e-10)
    apart = torch.eye(5)
    cosine = (teacher @ teacher.T)[~torch.eye(5, dtype=torch.bool)]
    assert float(distillation_loss(apart, teacher)) == pytest.approx(float(cosine.square().mean()))


def test_the_trunk_keeps_imagenets_statistics_and_first_blocks(tmp_path: Path) -> None:
    from recipe.trunk import Trunk

    torch.manual_seed(0)
    source, trunk = Trunk(16), Trunk(16)
    for module in source.features.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
    path = tmp_path / "whole.pt"
    torch.save({f"features.{k}": v for k, v in source.features.state_dict().items()} | {"more": torch.ones(1)}, path)
    trunk.load_imagenet(path)
    trunk.freeze_first_blocks()
    before = {name: value.clone() for name, value in trunk.features.state_dict().items()}
    trunk.train()
    out = trunk(torch.randn(4, 3, 128, 64))
    out.square().mean().backward()
    assert out.shape == (4, 16)
    for name, value in trunk.features.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert trunk.features[0][0].weight.grad is None
    assert trunk.features[-1].conv[0].weight.grad is not None


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
    some = {"identity": np.arange(2), "camera": np.arange(2)}
    np.savez(tmp_path / "part-00000.npz", pixels=np.zeros((2, 256, 128, 3), np.uint8), **some)
    with pytest.raises(SystemExit, match="128 x 64, got 256 x 128"):
        load_people(tmp_path)
