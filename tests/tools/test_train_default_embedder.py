"""The training script as a whole, on a handful of figures: what it writes can be loaded and says how it was made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reid import Embedder

pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("onnxscript", reason="needs the extra [train]")

pytestmark = pytest.mark.torch

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "train_default_embedder.py"


def test_a_short_run_writes_an_embedder_with_its_card(tmp_path: Path) -> None:
    flags = ["--steps", "2", "--families", "9", "--per-identity", "4", "--held-out", "8", "--seed", "3"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--out", str(tmp_path), *flags], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    embedder = Embedder(tmp_path / "default.onnx", device="cpu")
    assert embedder.info.dimension == 192
    assert embedder.info.calibration is not None
    assert embedder(np.zeros((50, 50, 3), np.uint8), [[0, 0, 20, 40]]).shape == (1, 192)
    text = (tmp_path / "CARD.md").read_text(encoding="utf-8")
    assert "--steps 2 --families 9 --held-out 8" in text
    assert "| both, as shipped |" in text
    assert max(map(len, text.splitlines())) <= 240  # the row of the command and that of the table are long
