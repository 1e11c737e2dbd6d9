"""The simulated detector and embedder do what their parameters say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FRAMES, PEOPLE = 60, 4


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "tools" / "simulation.py"
    spec = importlib.util.spec_from_file_location("simulation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulation"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people side by side for sixty frames, all visible; the second is flagged to be ignored."""
    folder = tmp_path_factory.mktemp("MOT17-99")
    (folder / "gt").mkdir()
    (folder / "seqinfo.ini").write_text(f"[Sequence]\nframeRate=30\nseqLength={FRAMES}\nimWidth=1000\nimHeight=500\n")
    rows = [
        f"{f},{p},{100 * p},100,40,100,{int(p != 2)},1,1\n" for f in range(1, FRAMES + 1) for p in range(1, PEOPLE + 1)
    ]
    (folder / "gt" / "gt.txt").write_text("".join(rows))
    return folder


def test_the_same_seed_gives_the_same_input(simulation: ModuleType, sequence: Path) -> None:
    one, again, other = (simulation.simulate(sequence, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.detections, again.detections)
    np.testing.assert_array_equal(one.embeddings, again.embeddings)
    assert one.detections.shape != other.detections.shape or (one.detections != other.detections).any()


def test_a_perfect_detector_gives_the_truth(simulation: ModuleType, sequence: Path) -> None:
    perfect = simulation.DetectorModel(0.0, 0.0, 0.0, 0.0, 0.0)
    seen = simulation.simulate(sequence, 0, perfect)
    assert len(seen.frame) == FRAMES * (PEOPLE - 1)
    np.testing.assert_allclose(
        seen.detections[:3, :4], [[100, 100, 140, 200], [300, 100, 340, 200], [400, 100, 440, 200]]
    )


def test_cosines_are_distributed_as_asked(simulation: ModuleType, sequence: Path) -> None:
    perfect = simulation.DetectorModel(0.0, 0.0, 0.0, 0.0, 0.0)
    model = simulation.EmbedderModel(same=0.8, different=0.5, drift=0.0, dimension=256)
    vectors = simulation.simulate(sequence, 0, perfect, model).embeddings.reshape(FRAMES, PEOPLE - 1, -1)
    same = np.einsum("fpd,fpd->fp", vectors[1:], vectors[:-1])
    different = np.einsum("fd,fd->f", vectors[:, 0], vectors[:, 1])
    assert same.mean() == pytest.approx(0.8, abs=0.04)
    assert different.mean() == pytest.approx(0.5, abs=0.08)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=2), 1, rtol=1e-5)
