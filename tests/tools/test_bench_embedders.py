"""The comparison of embedders: a model that sees beats a histogram that cannot, and the table says by how much."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

TOOL = Path(__file__).resolve().parents[2] / "tools" / "bench_embedders.py"


def write_pictures(folder: Path) -> None:
    """Twelve identities of one colour each and no shape: what a histogram tells apart."""
    rng = np.random.default_rng(0)
    for who in range(12):
        (folder / f"{who:02d}").mkdir(parents=True)
        colour = rng.integers(20, 236, 3)
        for take in range(3):
            picture = np.clip(colour + rng.normal(0, 6, (128, 64, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{who:02d}" / f"{take}.png"), picture)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TOOL), *words], capture_output=True, text=True, check=False)


def test_every_model_stands_beside_the_histogram_with_its_paired_difference(tmp_path: Path) -> None:
    write_pictures(tmp_path / "data")
    done = run(str(tmp_path / "data"), "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    assert "data: 36 crops of 12 identities" in done.stdout
    histogram, default = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (histogram["model"], default["model"]) == ("histogram", "default")
    assert histogram["rank-1"][0] > 0.9
    assert histogram["mAP gain"] == [0, 0, 0]
    value, low, high = default["mAP gain"]
    assert low <= value <= high
    assert abs(value - (default["mAP"][0] - histogram["mAP"][0])) < 1e-9
    assert default["ms_a_crop"] > 0


def test_a_missing_folder_is_an_error_in_one_line(tmp_path: Path) -> None:
    done = run(str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
