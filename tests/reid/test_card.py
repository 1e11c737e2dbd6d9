"""Cards: round trip, refusal, and what is read off a graph."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reid import Calibration, Card, ModelError
from reid.card import METADATA_KEY, Score, Source
from reid.card_lookup import IMAGENET_MEAN, card_of
from reid.runtime import open_session

CARD = Card(
    name="mine",
    height_px=8,
    width_px=4,
    dimension=3,
    layout="NCHW",
    colour="RGB",
    scale=1 / 255,
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 0.6),
    calibration=Calibration(9.5, -4.25, 5.0, 0.7, None, (0.6, 0.75), None, 148, "crops of a street", "by day"),
    licence="Apache-2.0",
    training="on übungsdata",
    architecture="osnet_x0_25, 3 numbers",
    precision="float16",
    resize="area",
    sources=(Source("rendered figures", "Apache-2.0"), Source("street", None)),
    scores=(Score("street", "mAP", 0.875, 0.8, 0.9), Score("street", "rank-1", 0.9)),
    date="2026-01-31",
    weights_hash="0123456789abcdef" * 4,
)


def test_json_round_trip() -> None:
    assert Card.from_json(CARD.to_json()) == CARD
    bare = Card("bare", 8, 4, 3, scale=1e-5)  # which json writes as 1e-05
    assert Card.from_json(bare.to_json()) == bare
    assert json.loads(CARD.to_json())["calibration"]["threshold_fpr_1e3"] is None


BAD_CARDS: list[tuple[dict[str, Any], str]] = [
    ({"color": "RGB"}, r"unknown key 'color': did you mean 'colour'\?"),
    ({"zzz": 1}, "unknown key 'zzz': known are name, height_px"),
    ({"calibration": {"slope": 1, "ofset": 0}}, "calibration has an unknown key 'ofset': did you mean 'offset'"),
    ({"calibration": {"slope": 1}}, "offset"),
    ({"calibration": {"slope": -1, "offset": 0}}, "slope must be a finite number above 0"),
    ({"calibration": 3}, "calibration must be a Calibration or null"),
    ({"height_px": 0}, r"height_px must be a whole number within 1\.\.4096, got 0"),
    ({"width_px": 64.5}, "width_px must be a whole number"),
    ({"dimension": True}, "dimension must be a whole number"),
    ({"layout": "HWC"}, "layout must be one of NCHW, NHWC, got 'HWC'"),
    ({"colour": "rgb"}, "colour must be one of RGB, BGR"),
    ({"dtype": "int8"}, "dtype must be one of"),
    ({"dtype": "uint8"}, "a uint8 model takes pixels as they are"),
    ({"scale": 0}, "scale must be a finite number above 0"),
    ({"mean": [1, 2]}, "mean must be three finite numbers"),
    ({"mean": 0.5}, "mean must be three finite numbers"),
    ({"std": [1, 0, 1]}, "std must be three numbers above 0"),
    ({"name": ""}, "name must be a text that is not empty"),
    ({"licence": 3}, "licence must be a text or null"),
    ({"architecture": 3}, "architecture must be a text or null"),
    ({"precision": "int4"}, "precision must be one of float32, float16, int8, got 'int4'"),
    ({"resize": "crop"}, "resize must be one of linear, area"),
    ({"sources": "mine"}, "sources must be a list, each a Source, got 'mine'"),
    ({"sources": [{"name": ""}]}, r"sources\[0\]: source.name must be a text that is not empty"),
    ({"sources": [{"name": "x", "license": "MIT"}]}, r"sources\[0\] has an unknown key 'license': did you mean 'lic"),
    ({"sources": [{"name": "x"}, "y"]}, "sources must be a list, each a Source"),
    ({"scores": [{"data": "x", "measure": "mAP"}]}, r"scores\[0\]: .*value"),
    ({"scores": [{"data": "x", "measure": "mAP", "value": "high"}]}, "score.value must be a finite number"),
    ({"scores": [{"data": "x", "measure": "mAP", "value": 1, "low": "0"}]}, "score.low must be a finite number or"),
    ({"date": "31.1.2026"}, "date must be a day as YYYY-MM-DD or null, got '31.1.2026'"),
    ({"date": 20260131}, "date must be a text or null"),
    ({"weights_hash": "abc"}, "weights_hash must be 64 hexadecimal digits or null"),
    ({"calibration": {"slope": 1, "offset": 0, "interval_fpr_1e2": [1]}}, "interval_fpr_1e2 must be None or two"),
    ({"calibration": {"slope": 1, "offset": 0, "data": ""}}, "calibration.data must be None or a text that is not emp"),
    ({"calibration": {"slope": 1, "offset": 0, "caution": 3}}, "calibration.caution must be None or a text"),
    ({"tokens": 3}, "unknown key 'tokens'.* If a newer reidtrack wrote it, update this one"),
]


@pytest.mark.parametrize(("change", "message"), BAD_CARDS)
def test_bad_cards_are_refused(change: dict[str, Any], message: str) -> None:
    text = json.dumps(json.loads(CARD.to_json()) | change)
    with pytest.raises(ModelError, match=message):
        Card.from_json(text)


@pytest.mark.parametrize(("text", "message"), [("[1]", "must be a mapping"), ("{a: [", "must be JSON or YAML")])
def test_text_that_is_no_card_is_refused(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Card.from_json(text)


def test_a_card_of_the_first_version_is_read() -> None:
    old = (
        '{"name": "x", "height_px": 128, "width_px": 64, "dimension": 192, "layout": "NHWC", "colour": "BGR", '
        '"dtype": "uint8", "scale": 1.0, "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0], "calibration": {'
        '"slope": 21.3, "offset": -15.6, "limit": 5.7, "threshold_fpr_1e2": 0.86, "threshold_fpr_1e3": null}, '
        '"licence": "Apache-2.0", "training": "once"}'
    )
    card = Card.from_json(old)
    assert (card.precision, card.resize, card.sources, card.date) == ("float32", "linear", (), None)
    assert card.calibration is not None
    assert card.calibration.interval_fpr_1e2 is None
    assert (card.calibration.data, card.calibration.caution) == (None, None)


def test_a_day_in_yaml_needs_no_quotes() -> None:
    assert Card.from_json("name: x\nheight_px: 8\nwidth_px: 4\ndimension: 3\ndate: 2026-01-31\n").date == "2026-01-31"


def test_missing_keys_are_named() -> None:
    with pytest.raises(ModelError, match=r"must state height_px, width_px, dimension: .* state its card: .*reidtrack"):
        Card.from_json('{"name": "x"}')


def test_the_metadata_is_believed_without_a_warning(make_model: Any, caplog: pytest.LogCaptureFixture) -> None:
    session = open_session(make_model(metadata={METADATA_KEY: CARD.to_json()}), device="cpu")
    caplog.clear()
    assert card_of(session, None) == CARD
    assert not caplog.records


def test_a_given_card_wins_over_the_metadata(make_model: Any) -> None:
    session = open_session(make_model(metadata={METADATA_KEY: CARD.to_json()}), device="cpu")
    assert card_of(session, replace(CARD, colour="BGR")).colour == "BGR"
    assert card_of(session, {"colour": "BGR", "scale": 1.0, "mean": (0, 0, 0), "std": (1, 1, 1)}).name == "model"


def test_a_file_beside_the_model_states_its_card(make_model: Any, tmp_path: Path) -> None:
    inside = open_session(make_model(metadata={METADATA_KEY: CARD.to_json()}, name="eyes.onnx"), device="cpu")
    (tmp_path / "eyes.card.yaml").write_text("colour: BGR\nlicence: MIT\n")
    card = card_of(inside, None)
    assert (card.name, card.colour, card.licence) == ("eyes", "BGR", "MIT")
    assert card_of(inside, CARD) == CARD  # what is given wins
    (tmp_path / "eyes.card.json").write_text(CARD.to_json())
    with pytest.raises(ModelError, match=r"must have one card beside it, got eyes\.card\.json and eyes\.card\.yaml"):
        card_of(inside, None)
    (tmp_path / "eyes.card.yaml").unlink()
    assert card_of(inside, None) == CARD
    (tmp_path / "eyes.card.json").write_text("{")
    with pytest.raises(ModelError, match=r"eyes\.card\.json must be JSON or YAML"):
        card_of(inside, None)


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_card_file_may_leave_out_what_the_graph_tells(make_model: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"card.{suffix}"
    lines = {"json": '{"colour": "BGR", "scale": 2, "mean": [0, 0, 0], "std": [1, 1, 1]}', "yaml": "colour: BGR\n"}
    path.write_text(lines[suffix])
    card = card_of(open_session(make_model(), device="cpu"), path)
    assert (card.height_px, card.width_px, card.dimension, card.colour) == (8, 4, 3, "BGR")


def test_nchw_is_taken_for_rgb_with_imagenet_normalisation_and_says_so(
    make_model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    session = open_session(make_model(), device="cpu")
    with caplog.at_level(logging.WARNING):
        card = card_of(session, None)
    assert (card.layout, card.colour, card.mean) == ("NCHW", "RGB", IMAGENET_MEAN)
    assert card.scale == pytest.approx(1 / 255)
    assert "states no colour, scale, mean, std: assuming RGB" in caplog.text


def test_nhwc_float_is_taken_for_plain_bgr(make_model: Any, caplog: pytest.LogCaptureFixture) -> None:
    session = open_session(make_model((1, 8, 4, 3), output_shape=(1, 3), channels_last=True), device="cpu")
    with caplog.at_level(logging.WARNING):
        card = card_of(session, None)
    assert (card.layout, card.colour, card.scale, card.mean) == ("NHWC", "BGR", 1.0, (0.0, 0.0, 0.0))
    assert "assuming BGR" in caplog.text


def test_uint8_nhwc_is_taken_as_it_is_without_a_warning(make_model: Any, caplog: pytest.LogCaptureFixture) -> None:
    session = open_session(make_model((None, 8, 4, 3), dtype="uint8", channels_last=True), device="cpu")
    caplog.clear()
    card = card_of(session, None)
    assert (card.layout, card.dtype, card.colour) == ("NHWC", "uint8", "BGR")
    assert not caplog.records


@pytest.mark.parametrize(
    ("shape", "dtype", "card", "message"),
    [
        ((None, 3, None, None), "float32", None, "must state height_px, width_px"),
        ((None, 4, 8, 4), "float32", None, r"takes \(N, 3, 8, 4\), it takes \(None, 4, 8, 4\)"),
        ((None, 3, 8, 4), "int64", None, "float32, float16 or uint8 to be an embedder"),
        ((None, 3, 8, 4), "float32", {"height_px": 9}, r"takes \(N, 3, 9, 4\)"),
        ((None, 3, 8, 4), "float32", {"dtype": "float16"}, "card says that .* takes float16, it takes float32"),
        ((None, 3, 8, 4), "float32", {"hight_px": 9}, "did you mean 'height_px'"),
        ((None, 3, 8, 4), "float32", "no/such/card.yaml", "cannot be read"),
        ((None, 3, 8, 4), "float32", 7, "must be a Card, a mapping, a path or None, got int"),
    ],
)
def test_cards_that_do_not_fit_the_graph_are_refused(
    make_model: Any, shape: Any, dtype: str, card: Any, message: str
) -> None:
    session = open_session(make_model(shape, dtype=dtype), device="cpu")
    with pytest.raises(ModelError, match=message):
        card_of(session, card)
