"""The benchmark of embedding on demand: what it counts, how it judges, and a short run."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("trackeval", reason="needs the extra [eval]")

FRAMES = 60


@pytest.fixture
def demand() -> ModuleType:
    import bench_demand as module

    return module


def walkers(scores: tuple[float, ...]) -> Any:
    """People far from each other, one for each score, who are seen in every frame with vectors of their own."""
    from accuracy.inputs import Loaded
    from simulation import Simulated

    from tracker.evaluation import MotTruth

    n = len(scores)
    frame = np.repeat(np.arange(1, FRAMES + 1), n)
    who = np.tile(np.arange(n), FRAMES)
    left = 20.0 + 200 * who + frame
    boxes = np.c_[left, np.full(len(frame), 50), left + 40, np.full(len(frame), 150)]
    detections = np.c_[boxes, np.array(scores)[who], np.zeros(len(frame))].astype(np.float32)
    seen = Simulated("x", 25.0, FRAMES, frame, detections, np.eye(8, dtype=np.float32)[who], (1280, 720))
    ones = np.ones(len(frame), np.int64)
    return Loaded(MotTruth(frame, who + 1, boxes, ones.astype(bool), ones, "MOT15"), seen)


def test_shares_are_of_the_detections_of_high_score(demand: ModuleType) -> None:
    loaded = walkers((0.9, 0.9, 0.9, 0.3))
    whole, auto = demand.follow(loaded, "all"), demand.follow(loaded, "auto")
    assert whole.share == 1.0
    assert 0.1 < auto.share < 0.5, "people who walk by themselves need a look now and then"
    assert whole.idf1 == auto.idf1 > 80


def verdict(demand: ModuleType, share: float, lost: list[float]) -> Any:
    return demand.Verdict(
        "x", [demand.Sample("a", demand.Outcome(90.0, 1.0), demand.Outcome(90.0 + d, share)) for d in lost], 0.4
    )


@pytest.mark.parametrize(
    ("share", "lost", "met"),
    [(0.4, [-0.5], True), (0.41, [0.0], False), (0.3, [-0.6], False), (0.3, [-2.0, 1.5, 0.0], True)],
)
def test_a_bar_is_judged_by_the_means(demand: ModuleType, share: float, lost: list[float], met: bool) -> None:
    judged = verdict(demand, share, lost)
    assert judged.met is met
    assert ("MISSED" in str(judged)) is not met


def test_the_table_shows_the_paired_interval(demand: ModuleType) -> None:
    row = str(verdict(demand, 0.35, [-1.0, 0.0, 0.4]))
    half = 4.302653 * np.std([-1.0, 0.0, 0.4], ddof=1) / np.sqrt(3)  # Student's t, two degrees of freedom
    assert f"| 3 | 35.0% | 90.00 | 89.80 | -0.20 [{-0.2 - half:+.2f}, {-0.2 + half:+.2f}] |" in row


def test_a_short_run(demand: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(tmp_path), "--seeds", "0", "--clip-seeds", "100", "--clip-drops", "2", "--clip-duration", "6"]
    code = demand.main([*words, "--clips", str(tmp_path / "clips")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| rendered clips | 1 |")
    assert code == ("MISSED" in lines[2])
    assert lines[-1].startswith("| demo-100 |")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--clip-drops", "0"], "--clip-drops at least 1"),
        (["--seeds", "0", "--clip-seeds"], "one kind asked for"),
        ([], "DATA must hold seq/TUD-Stadtmitte"),
    ],
)
def test_wrong_calls_are_refused(
    demand: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert demand.main([str(tmp_path), *words]) == 2
    assert said in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
