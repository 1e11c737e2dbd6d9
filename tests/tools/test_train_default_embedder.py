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


def write_people(folder: Path) -> None:
    """Noise in the place of rendered people: 21 families, the last of which is held out."""
    folder.mkdir()
    identity = np.repeat(np.arange(42), 4)
    pixels = np.random.default_rng(0).integers(0, 256, (len(identity), 128, 64, 3), np.uint8)
    np.savez(folder / "part-00000.npz", pixels=pixels, identity=identity)


def run(out: Path, people: Path, *more: str) -> str:
    few = {
        "figure-epochs": 1,
        "mixed-epochs": 1,
        "epoch-steps": 2,
        "families": 9,
        "held-out": 8,
        "calibrate-on": 10,
        "crops": 3,
        "site-crops": 2,
        "seed": 3,
    }
    given = {"people": people, "work": people.parent / "work", "out": out, **few}
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    done = subprocess.run([sys.executable, str(SCRIPT), *words, *more], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_short_run_writes_an_embedder_with_its_card_and_another_goes_on_from_it(tmp_path: Path) -> None:
    from recipe.card import graph_hash

    people = tmp_path / "people"
    write_people(people)
    said = run(tmp_path / "out", people)
    assert said.count("step 2/2: loss") == 2
    embedder = Embedder(tmp_path / "out" / "default.onnx", device="cpu")
    assert embedder.info.dimension == 192
    fit = embedder.info.calibration
    assert fit is not None
    assert (fit.identities, fit.data) == (20, "crops of 20 rendered figures, half of the strangers look-alikes")
    assert "no photographs" in (fit.caution or "")
    scored = {(score.data, score.measure): (score.low, score.value, score.high) for score in embedder.card.scores}
    assert scored.keys() == {
        (f"{who} held out, everybody with a look-alike", measure)
        for who in ("16 rendered figures", "2 rendered people")
        for measure in ("AUC", "mAP", "rank-1")
    }
    assert all(low <= value <= high for low, value, high in scored.values())
    crop = np.random.default_rng(1).integers(0, 256, (128, 64, 3), np.uint8)[None]
    vector = embedder.crops(crop)
    assert vector.shape == (1, 192)
    text = (tmp_path / "out" / "CARD.md").read_text(encoding="utf-8")
    assert "--figure-epochs 1 --mixed-epochs 1 --epoch-steps 2 --families 9 --held-out 8 --calibrate-on 10" in text
    assert "| as shipped |" in text
    assert f"without the metadata, {graph_hash(tmp_path / 'out' / 'default.onnx')}." in text
    assert "16 rendered figures that it was not trained on" in text
    assert "2 rendered people that it was not trained on" in text
    # what is trained already is not trained again
    (tmp_path / "remarks.md").write_text("Only a trial.\n", encoding="utf-8")
    said = run(tmp_path / "again", people, "--remarks", str(tmp_path / "remarks.md"))
    assert "loss" not in said
    again = Embedder(tmp_path / "again" / "default.onnx", device="cpu")
    np.testing.assert_allclose(again.crops(crop), vector, atol=1e-5)
    assert (tmp_path / "again" / "CARD.md").read_text(encoding="utf-8").endswith("Only a trial.\n")
