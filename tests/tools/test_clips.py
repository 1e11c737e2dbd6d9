"""Rendered clips as sequences: what they hold, and when they are made anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid import Embedder
from tracker.demo import DemoConfig
from tracker.evaluation import read_mot_truth

TINY = DemoConfig(seed=100, rate_hz=10, duration_s=5, width_px=320, height_px=180)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from clips import ensure

    path, fresh = ensure(TINY, tmp_path_factory.mktemp("clips"))
    assert fresh
    return path


def loaded(folder: Path, seed: int | None = None) -> Any:
    from accuracy.inputs import clip_inputs, load

    (what,) = clip_inputs([folder])
    return what, load(what, seed)


def test_a_clip_is_a_sequence_with_truth_detections_and_vectors(folder: Path) -> None:
    what, clip = loaded(folder)
    seen, embedder = clip.seen, Embedder(device="cpu", threads=1)
    assert (what.name, what.suite) == ("demo-100, default, 10 Hz", "clip rates")
    assert (seen.rate_hz, seen.frames, seen.size) == (10.0, 50, (320, 180))
    assert seen.detections.shape == (len(seen.frame), 6)
    assert seen.embeddings.shape == (len(seen.frame), embedder.info.dimension)
    np.testing.assert_allclose(np.linalg.norm(seen.embeddings, axis=1), 1, rtol=1e-4)
    assert len(seen.frame) > 20
    assert seen.frame.min() > 1, "the motion detector's first frame is background"
    assert clip.truth.frame.max() <= 50
    assert clip.embedder == embedder.info


def test_its_detections_are_those_of_the_product(folder: Path) -> None:
    from tracker.demo import DemoClip
    from tracker.detectors import MotionDetector

    _, clip = loaded(folder)
    detector = MotionDetector()
    for frame in DemoClip(TINY):
        found = detector(frame)
        here = clip.seen.frame == frame.index
        np.testing.assert_array_equal(clip.seen.detections[here][:, :4], found.boxes)


def test_it_is_made_again_only_where_something_changed(folder: Path) -> None:
    from clips import ensure, made_by

    out = folder.parent
    assert ensure(TINY, out) == (folder, False)
    assert made_by(replace(TINY, noise=0)) != made_by(TINY)
    truth = read_mot_truth(folder / "gt" / "gt.txt")
    assert made_by(TINY) == str(np.load(folder / "seen.npz")["made_by"])
    np.savez(folder / "seen.npz", **{**np.load(folder / "seen.npz"), "made_by": "an older detector"})
    assert ensure(TINY, out) == (folder, True)
    np.testing.assert_array_equal(read_mot_truth(folder / "gt" / "gt.txt").boxes, truth.boxes)


def test_seeds_by_rates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from clips import main

    assert main([str(tmp_path), "--seeds", "100", "101", "--rates", "5", "10", "--duration", "0.4"]) == 0
    said = capsys.readouterr()
    names = [Path(line).name for line in said.out.splitlines()]
    assert names == ["demo-100-5hz", "demo-100-10hz", "demo-101-5hz", "demo-101-10hz"]
    assert len(said.err.splitlines()) == 4
    for name in names:  # too short for the detector to find anybody: still sequences
        _, clip = loaded(tmp_path / name, seed=0)
        assert clip.seen.embeddings.shape[1] > 0
