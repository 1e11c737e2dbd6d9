"""`reidtrack reid export` and `reidtrack reid card` from end to end, with the shipped embedder."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid import Card, Embedder
from tracker.cli import reid_card, reid_export
from tracker.cli.context import Context
from tracker.cli.errors import UsageError

QUIET = Context(quiet=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with 10 identities of 4 pictures each in `people`."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(6)
    for identity in range(10):
        place = tmp_path / "people" / str(identity)
        place.mkdir(parents=True)
        pattern = rng.integers(0, 256, (6, 3, 3))
        for number in range(4):
            seen = np.clip(pattern + rng.normal(0, 15, pattern.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(place / f"{number}.png"), cv2.resize(seen, (48, 96), interpolation=cv2.INTER_CUBIC))
    (tmp_path / "text.onnx").write_text("no model")
    for identity in "ab":
        (tmp_path / "few" / identity).mkdir(parents=True)
        for number in range(2):
            cv2.imwrite(str(tmp_path / "few" / identity / f"{number}.png"), np.zeros((8, 4, 3), np.uint8))
    return tmp_path


@pytest.mark.parametrize("data", [[], ["--data", "people", "--calibration-crops", "16"]])
def test_fp16_is_written_beside_the_model(folder: Path, data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason="needs the extra [train]")
    assert reid_export.run(["default", "--precision", "fp16", *data], Context()) == 0
    assert Embedder("default-fp16.onnx", device="cpu").card.precision == "float16"
    shown = capsys.readouterr().out
    assert shown.startswith("wrote default-fp16.onnx\n")
    assert "least cosine   1.00000" in shown or "least cosine   0.9999" in shown


def test_int8_says_size_time_and_map(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason="needs the extra [train]")
    argv = ["default", "--precision", "int8", "--data", "people", "--out", "small.onnx", "--calibration-crops", "20"]
    assert reid_export.run(argv, Context()) == 0
    card = Embedder("small.onnx", device="cpu").card
    assert card.precision == "int8"
    assert [(score.data, score.measure) for score in card.scores] == [("20 crops of 5 identities of people", "mAP")]
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["wrote", "size", "CPU", "least", "mAP"]
    assert float(rows[4][1].rstrip(",")) >= float(rows[4][2]) - 0.005


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["default"], "precision"),
        (["default", "--precision", "int4"], "must be one of fp16, int8"),
        (["default", "--precision", "int8"], "int8 needs --data"),
        (["default", "--precision", "int8", "--data", "nobody"], "--data: there is no file or folder nobody"),
        (["default", "--precision", "fp16", "--calibration-crops", "3"], "calibration_crops must be 16 or more, got 3"),
        (["none.onnx", "--precision", "fp16"], "there is no file none.onnx"),
        (["text.onnx", "--precision", "fp16", "--out", "text.onnx"], "--out must be another file than MODEL"),
        (["default", "--precision", "fp16", "--out", "nowhere/x.onnx"], "--out: there is no folder nowhere"),
        (["default", "--precision", "fp16", "--out", "x.txt"], "--out must be an .onnx file, got x.txt"),
        (["default", "--precision", "fp16", "--out", "text.onnx"], "text.onnx is there already: .* or --overwrite"),
        (["default", "--precision", "int8", "--data", "few"], "must have 16 crops or more in half of .*, got 2"),
    ],
)
def test_wrong_calls_write_nothing(folder: Path, argv: list[str], message: str) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(UsageError, match=message):
        reid_export.run(argv, QUIET)
    assert sorted(folder.iterdir()) == before


def test_the_card_is_shown_as_json_that_reads_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reid_card.run(["default"], QUIET) == 0
    assert Card.from_json(capsys.readouterr().out) == Embedder(device="cpu").card


def test_a_card_that_was_written_and_corrected_is_gone_by(folder: Path) -> None:
    model = folder / "own.onnx"
    model.write_bytes(Path(reid_card.__file__).parents[2].joinpath("reid/weights/default.onnx").read_bytes())
    assert reid_card.run([str(model), "--out", "own.card.json"], QUIET) == 0
    values = json.loads(Path("own.card.json").read_text()) | {"name": "corrected", "licence": "MIT"}
    Path("own.card.json").write_text(json.dumps(values))
    assert Embedder(model, device="cpu").card.licence == "MIT"
    assert Embedder(model, device="cpu").info.name == "corrected"
    with pytest.raises(UsageError, match=r"own\.card\.json is there already"):
        reid_card.run([str(model), "--out", "own.card.json"], QUIET)
    with pytest.raises(UsageError, match=r"there is no file none\.onnx"):
        reid_card.run(["none.onnx"], QUIET)
