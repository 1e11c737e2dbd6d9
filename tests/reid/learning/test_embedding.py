"""The network, its colour histogram, and the export of both."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("onnxscript", reason="needs the extra [train]")

from reid import Card, Embedder, ModelError  # noqa: E402 after the skips
from reid.learning.backbones import SmallBackbone  # noqa: E402
from reid.learning.embedding import EmbeddingModel  # noqa: E402
from reid.learning.export import export_onnx, weights_hash  # noqa: E402
from reid.learning.histogram import StripedHistogram, _hue_saturation_value  # noqa: E402

pytestmark = pytest.mark.torch

HEIGHT_PX, WIDTH_PX = 64, 32
CARD = Card("tiny", HEIGHT_PX, WIDTH_PX, 14, layout="NHWC", colour="BGR", dtype="uint8", licence="Apache-2.0")


@pytest.fixture
def model() -> EmbeddingModel:
    torch.manual_seed(0)
    network = EmbeddingModel(
        SmallBackbone(8, widths=(4, 4, 6, 8)), HEIGHT_PX, WIDTH_PX, colour_dimension=6, learned_share=0.25
    )
    histogram = network.histogram
    assert histogram is not None
    network.fit_colour_projection(histogram(torch.rand(40, HEIGHT_PX, WIDTH_PX, 3)))
    return network.eval()


def crops(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, HEIGHT_PX, WIDTH_PX, 3), np.uint8)


def test_hue_saturation_and_value_are_those_of_opencv() -> None:
    pixels = np.random.default_rng(1).random((5, 7, 3)).astype(np.float32)
    wanted = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)  # hue in degrees
    got = _hue_saturation_value(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    np.testing.assert_allclose(got[0][0], wanted[..., 0] / 360, atol=1e-4)
    np.testing.assert_allclose(got[1][0], wanted[..., 1], atol=2e-2)  # ours is damped near black
    np.testing.assert_allclose(got[2][0], wanted[..., 2], atol=1e-6)


def test_every_stripe_holds_two_histograms_that_sum_to_one() -> None:
    layer = StripedHistogram(HEIGHT_PX, WIDTH_PX, hues=6, saturations=3, values=4, stripes=5)
    squares = layer(torch.rand(3, HEIGHT_PX, WIDTH_PX, 3)).reshape(3, 5, 22) ** 2
    torch.testing.assert_close(squares[..., :18].sum(dim=2), torch.ones(3, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(squares[..., 18:].sum(dim=2), torch.ones(3, 5), atol=1e-5, rtol=0)


def test_a_colour_fills_its_own_bin_in_its_own_stripe() -> None:
    picture = torch.zeros(1, HEIGHT_PX, WIDTH_PX, 3)
    picture[:, : HEIGHT_PX // 2, :, 1] = 1  # green above, black below
    layer = StripedHistogram(HEIGHT_PX, WIDTH_PX, hues=6, saturations=2, values=2, stripes=4)
    stripes = layer(picture).reshape(4, 14) ** 2
    top, bottom = stripes[0], stripes[3]
    assert float(top[2 * 2 + 1]) == pytest.approx(1, abs=2e-3)  # hue 120 degrees, full saturation
    assert float(top[13]) == pytest.approx(1, abs=1e-5)
    assert float(bottom[0]) == pytest.approx(1, abs=1e-5)  # black has hue 0 and no saturation
    assert float(bottom[12]) == pytest.approx(1, abs=1e-5)


def test_the_cosine_is_the_weighted_mean_of_both_parts(model: EmbeddingModel) -> None:
    pixels = torch.from_numpy(crops(4))
    with torch.no_grad():
        both, learned, colour = model(pixels), model.learned(pixels), model.colour(pixels)
    torch.testing.assert_close(both @ both.T, 0.25 * learned @ learned.T + 0.75 * colour @ colour.T)


def test_the_projection_keeps_cosines_where_it_keeps_the_second_moment() -> None:
    network = EmbeddingModel(SmallBackbone(8, widths=(4, 4, 6, 8)), HEIGHT_PX, WIDTH_PX, colour_dimension=30)
    histogram = network.histogram
    assert histogram is not None
    pixels = torch.from_numpy(crops(30))
    values = histogram(pixels.float() / 255)
    assert network.fit_colour_projection(values) == pytest.approx(1, abs=1e-6)  # 30 rows span at most 30 axes
    unit = torch.nn.functional.normalize(values)
    torch.testing.assert_close(network.colour(pixels) @ network.colour(pixels).T, unit @ unit.T, atol=1e-4, rtol=0)


def test_an_exported_model_is_the_network_and_brings_its_card(model: EmbeddingModel, tmp_path: Path) -> None:
    path = export_onnx(model, CARD, tmp_path / "tiny.onnx")
    assert list(tmp_path.iterdir()) == [path]  # no draft, no external data
    embedder = Embedder(path, device="cpu")
    assert embedder.card == replace(CARD, weights_hash=weights_hash(model))
    (pixels,) = crops(1, seed=2)
    vector = embedder(pixels, [[0, 0, WIDTH_PX, HEIGHT_PX]])  # of the model's size: nothing is resized
    with torch.no_grad():
        np.testing.assert_allclose(vector, model(torch.from_numpy(pixels)[None]), atol=1e-5)
    assert b".py" not in path.read_bytes()  # no traces of this machine


def test_a_card_of_another_dimension_writes_nothing(model: EmbeddingModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the card says \(1, 15\) for one crop, and the model gives \(1, 14\)"):
        export_onnx(model, replace(CARD, dimension=15), tmp_path / "tiny.onnx")
    assert not list(tmp_path.iterdir())


def test_a_card_that_needs_preparation_outside_is_refused(model: EmbeddingModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must say uint8, NHWC and BGR for an exported model, got float32"):
        export_onnx(model, replace(CARD, dtype="float32"), tmp_path / "tiny.onnx")


def test_the_hash_of_the_weights_hangs_on_each_of_them_alone(model: EmbeddingModel) -> None:
    before = weights_hash(model)
    assert weights_hash(copy.deepcopy(model)) == before
    with torch.no_grad():
        model.backbone.neck.running_var[3] += 1e-3
    assert weights_hash(model) != before


def test_a_projection_that_nobody_fitted_is_not_exported(model: EmbeddingModel, tmp_path: Path) -> None:
    model.projection.zero_()
    with pytest.raises(ModelError, match="colour projection must be fitted"):
        export_onnx(model, CARD, tmp_path / "tiny.onnx")
