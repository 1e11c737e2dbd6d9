"""The benchmark of moving cameras runs, and its table says what it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trackeval", reason="needs the extra [eval]")

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench_camera.py"


def test_it_prints_a_row_for_each_camera() -> None:
    words = ["--seeds", "100", "--rates", "5", "--duration", "12", "--width", "480"]
    done = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["static", "5"], ["pan", "5"], ["shake", "5"]]
    for kind, _, off, estimated, true, of_static, ms, share in rows:
        scores = [float(value) for value in (off, estimated, true)]
        assert all(0 < score <= 100 for score in scores)
        assert float(ms) > 0
        assert 0 < float(share.rstrip("%")) < 100
        if kind == "static":
            assert off == estimated == true  # the estimate says that it stands, in every frame
            assert of_static == "100.0%"
        else:
            assert float(estimated) > 0.9 * float(true)
