"""float16 and int8 of a small trained network, for real: sizes, vectors, cards, and what is refused."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
onnx = pytest.importorskip("onnx", reason="needs the extra [train]")

from reid import Embedder, InputError, ModelError  # noqa: E402 after the skips
from reid.card import METADATA_KEY, Score  # noqa: E402
from reid.embedder import DEFAULT_MODEL  # noqa: E402
from reid.learning.precision import PrecisionReport, to_float16, to_int8  # noqa: E402
from reid.learning.regions import find_regions  # noqa: E402

pytestmark = pytest.mark.torch

PLAIN = {"colour": "BGR", "scale": 1.0, "mean": [0, 0, 0], "std": [1, 1, 1]}


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """48 smooth pictures of 8 colour patterns, 6 of each in different light."""
    rng = np.random.default_rng(4)
    out = []
    for pattern in rng.integers(0, 256, (8, 6, 3, 3)):
        for _ in range(6):
            seen = np.clip(pattern * rng.uniform(0.7, 1.2) + rng.normal(0, 12, pattern.shape), 0, 255).astype(np.uint8)
            out.append(cv2.resize(seen, (64, 128), interpolation=cv2.INTER_CUBIC))
    return np.stack(out)


def rank_one(vectors: np.ndarray) -> float:
    """Share of the 48 crops whose nearest is of their own pattern."""
    cosine = vectors @ vectors.T
    np.fill_diagonal(cosine, -2)
    return float((cosine.argmax(axis=1) // 6 == np.arange(48) // 6).mean())


def stored(path: Path) -> Counter[str]:
    """How many numbers the file holds in each type."""
    out: Counter[str] = Counter()
    for tensor in onnx.load(path).graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        out[str(values.dtype)] += values.size
    return out


@pytest.fixture(scope="module")
def halved(tmp_path_factory: Any) -> tuple[Path, PrecisionReport]:
    path = tmp_path_factory.mktemp("half") / "half.onnx"
    return path, to_float16(DEFAULT_MODEL, path)


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: Any, crops: np.ndarray) -> tuple[Path, PrecisionReport]:
    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    report = to_int8(DEFAULT_MODEL, path, calibration_crops=crops, validation_crops=crops, score=rank_one)
    return path, report


def scored(folder: Path) -> Path:
    """The shipped model, with a score on its card that another precision cannot have."""
    model = onnx.load(DEFAULT_MODEL)
    card = replace(Embedder(device="cpu").card, scores=(Score("nothing", "mAP", 0.123, 0.1, 0.2),))
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, folder / "scored.onnx")
    return folder / "scored.onnx"


def test_float16_has_no_score_of_the_other_model(tmp_path: Path) -> None:
    report = to_float16(scored(tmp_path), tmp_path / "half.onnx")
    card = Embedder(tmp_path / "half.onnx", device="cpu").card
    assert card.scores == ()
    assert card.training is not None
    assert "Then written in float16. The calibration is that of " in card.training
    assert f"in float32, to whose vectors the least cosine of these was {report.least_cosine:.4f}." in card.training


def test_int8_has_the_score_that_was_measured_of_it(tmp_path: Path, crops: np.ndarray) -> None:
    report = to_int8(
        scored(tmp_path),
        tmp_path / "int8.onnx",
        calibration_crops=crops,
        validation_crops=crops,
        score=rank_one,
        measured_on="painted patterns",
    )
    card = Embedder(tmp_path / "int8.onnx", device="cpu").card
    assert card.scores == (Score("painted patterns", "mAP", report.score_after),)
    assert "The calibration is that of " in (card.training or "")


def test_the_network_is_what_lies_between_the_layers_with_weights() -> None:
    graph = onnx.load(DEFAULT_MODEL).graph
    regions = find_regions(graph)
    assert Counter(graph.node[k].op_type for k in regions.weighted) == {"Conv": 10, "Gemm": 1, "MatMul": 1}
    assert regions.weighted < regions.network
    outside = {graph.node[k].op_type for k in set(range(len(graph.node))) - regions.network}
    assert {"Cast", "AveragePool", "MatMul", "Sqrt", "ReduceL2"} <= outside  # pixels, the histogram, unit length


def test_float16_keeps_vectors_input_output_and_card(halved: Any, crops: np.ndarray) -> None:
    path, report = halved
    old, new = Embedder(device="cpu"), Embedder(path, device="cpu")
    assert (old.crops(crops) * new.crops(crops)).sum(axis=1).min() > 0.9999
    assert report.least_cosine > 0.9999
    assert old.card.scores
    assert replace(new.card, precision="float32", training=old.card.training, scores=old.card.scores) == old.card
    assert not new.card.scores, "nobody measured them of this one"
    graph = onnx.load(path).graph
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    numbers = stored(path)
    assert numbers["float16"] > 100_000  # the network
    assert 70_000 < numbers["float32"] < 90_000  # the colour projection, 816 x 96
    assert report.bytes_after < 0.7 * report.bytes_before
    assert report.bytes_after == path.stat().st_size
    assert list(path.parent.iterdir()) == [path]


def test_int8_keeps_what_it_recognises(quantized: Any, crops: np.ndarray) -> None:
    path, report = quantized
    new = Embedder(path, device="cpu")
    assert report.score_before == rank_one(Embedder(device="cpu").crops(crops))
    assert report.score_after == rank_one(new.crops(crops))
    assert report.score_before - report.score_after <= 0.005
    assert report.least_cosine > 0.99
    assert (report.ms_before > 0) & (report.ms_after > 0)
    old = Embedder(device="cpu").card
    assert replace(new.card, precision="float32", training=old.training, scores=old.scores) == old
    assert stored(path)["int8"] > 100_000
    assert report.bytes_after < 0.6 * report.bytes_before
    assert list(path.parent.iterdir()) == [path]


def test_weights_are_quantized_by_channel_and_layers_stand_between_pairs(quantized: Any) -> None:
    graph = onnx.load(quantized[0]).graph
    sizes = {t.name: tuple(t.dims) for t in graph.initializer}
    writer = {name: node for node in graph.node for name in node.output}
    layers = [node for node in graph.node if node.op_type == "Conv"]
    assert len(layers) == 10
    for node in layers:
        assert [writer[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
        weights, scales = writer[node.input[1]].input[:2]
        assert sizes[scales] == sizes[weights][:1]  # one scale for each output channel


def test_nothing_is_logged_by_the_root_logger(quantized: Any, capsys: Any) -> None:
    assert not [handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler]
    assert logging.getLogger().handlers  # pytest's own are back


def test_a_model_that_recognises_less_in_int8_is_not_written(tmp_path: Path, crops: np.ndarray) -> None:
    scores = iter([0.9, 0.894])
    with pytest.raises(ModelError, match=r"may lose 0\.5 points of mAP, got 0\.60 \(90\.00 to 89\.40\)"):
        to_int8(
            DEFAULT_MODEL, tmp_path / "x.onnx", calibration_crops=crops, validation_crops=crops,
            score=lambda vectors: next(scores),
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def big_numbers(path: Path) -> Path:
    """The default embedder with a convolution whose weights half precision cannot hold."""
    model = onnx.load(DEFAULT_MODEL)
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    tensor = next(t for t in model.graph.initializer if t.name == first.input[1])
    tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) * np.float32(1e7), tensor.name))
    onnx.save(model, path)
    return path


def test_a_model_beyond_half_precision_is_not_written(tmp_path: Path) -> None:
    source = big_numbers(tmp_path / "big.onnx")
    with pytest.raises(ModelError, match=r"float16 must give vectors within cosine 0\.999"):
        to_float16(source, tmp_path / "half.onnx")
    assert list(tmp_path.iterdir()) == [source]


def test_converted_models_are_not_converted_again(halved: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must be in float32 to be converted, its card says float16"):
        to_float16(halved[0], tmp_path / "again.onnx")


def test_the_source_is_never_written_over(tmp_path: Path) -> None:
    copy = tmp_path / "model.onnx"
    copy.write_bytes(DEFAULT_MODEL.read_bytes())
    with pytest.raises(InputError, match="must be another file than the source"):
        to_float16(copy, tmp_path / "x" / ".." / "model.onnx")


@pytest.mark.parametrize(
    ("count", "value", "message"),
    [(3, 0.5, "calibration_crops must be at least 16, got 3"), (48, 50.0, r"within 0\.\.1, got 50\.0")],
)
def test_bad_arguments_are_refused(tmp_path: Path, crops: np.ndarray, count: int, value: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_int8(
            DEFAULT_MODEL, tmp_path / "x.onnx", calibration_crops=crops[:count], validation_crops=crops,
            score=lambda vectors: value,
        )  # fmt: skip


def test_models_of_other_makers_get_a_card_with_their_precision(
    shared_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = shared_data / "models" / "osnet_x0_25_msmt17.onnx"  # NCHW float32, a batch of 1, no card
    report = to_float16(source, tmp_path / "half.onnx")
    assert report.least_cosine > 0.999
    card = Embedder(tmp_path / "half.onnx", device="cpu").card
    assert (card.precision, card.layout, card.colour, card.dimension) == ("float16", "NCHW", "RGB", 512)
    crops = np.random.default_rng(0).integers(0, 256, (16, 256, 128, 3), np.uint8)
    with caplog.at_level(logging.WARNING):
        report = to_int8(
            source, tmp_path / "int8.onnx", calibration_crops=crops, validation_crops=crops, score=lambda vectors: 0.5
        )  # of an opset that knows no scales for each channel
    assert report.least_cosine > 0.9
    assert ("is not faster on this processor" in caplog.text) == (report.ms_after >= report.ms_before)
    assert METADATA_KEY in {p.key for p in onnx.load(tmp_path / "half.onnx").metadata_props}
