"""What every embedder promises, asked of the default one and of real models of other makers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from reid import Embedder
from reid.embedder import DEFAULT_MODEL

if TYPE_CHECKING:
    from tracker.types import EmbedderLike

MODELS = {
    "default": 192,
    "osnet_x0_25_msmt17.onnx": 512,
    "person-reidentification-retail-0248.onnx": 256,
    "person-reidentification-retail-0287.onnx": 256,
    "person-reidentification-retail-0288.onnx": 256,
}


@pytest.fixture(scope="module", params=MODELS)
def embedder(request: pytest.FixtureRequest) -> Embedder:
    if request.param == "default":
        return Embedder(device="cpu", threads=1)
    folder: Path = request.getfixturevalue("shared_data")
    return Embedder(folder / "models" / request.param, device="cpu", threads=1)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A picture of coloured noise and 19 boxes, some over its border."""
    rng = np.random.default_rng(11)
    coarse = rng.integers(0, 256, (12, 16, 3), np.uint8)
    image = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)
    corner = rng.uniform(-10, 220, (19, 2))
    return image, np.concatenate((corner, corner + rng.uniform(12, 110, (19, 2))), axis=1).astype(np.float32)


def test_shape_dtype_and_length(embedder: EmbedderLike, scene: tuple[np.ndarray, np.ndarray]) -> None:
    vectors = embedder(*scene)
    assert vectors.shape == (19, embedder.info.dimension)
    assert embedder.info.dimension in MODELS.values()
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_one_by_one_gives_what_all_at_once_gives(embedder: EmbedderLike, scene: tuple[np.ndarray, np.ndarray]) -> None:
    image, boxes = scene
    together = embedder(image, boxes)
    for row in range(len(boxes)):
        np.testing.assert_allclose(embedder(image, boxes[row : row + 1])[0], together[row], atol=1e-5)


def test_no_boxes(embedder: EmbedderLike, scene: tuple[np.ndarray, np.ndarray]) -> None:
    assert embedder(scene[0], np.zeros((0, 4), np.float32)).shape == (0, embedder.info.dimension)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_gives_usable_vectors(embedder: EmbedderLike, level: int) -> None:
    vectors = embedder(np.full((50, 40, 3), level, np.uint8), np.array([[0, 0, 40, 50], [5, 5, 5, 5]], np.float32))
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_larger_picture_of_the_same_gives_nearly_the_same(
    embedder: EmbedderLike, scene: tuple[np.ndarray, np.ndarray]
) -> None:
    image, boxes = scene
    twice = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    inside = (boxes[:, 0] >= 0) & (boxes[:, 1] >= 0) & (boxes[:, 2] < 320) & (boxes[:, 3] < 240)
    whole = np.round(boxes[inside])
    cosine = (embedder(image, whole) * embedder(twice, whole * 2)).sum(axis=1)
    assert cosine.min() > 0.9


def test_the_hash_is_that_of_the_file_and_the_calibration_is_monotone(embedder: EmbedderLike) -> None:
    assert len(bytes.fromhex(embedder.info.model_hash)) == 32
    if embedder.info.calibration is not None:
        evidence = embedder.info.calibration.log_likelihood_ratio(np.linspace(-1, 1, 21))
        assert (np.diff(evidence) >= 0).all()
        assert evidence[0] < 0 < evidence[-1]


def test_the_default_embedder_is_small_says_its_licence_and_knows_its_thresholds() -> None:
    default = Embedder(device="cpu")
    assert default.info.dimension == MODELS["default"]
    assert default.card.licence == "Apache-2.0"
    assert default.info.calibration is not None
    assert default.info.calibration.threshold_fpr_1e2 is not None
    assert DEFAULT_MODEL.stat().st_size <= 4_000_000
    assert b".py" not in DEFAULT_MODEL.read_bytes()  # no traces of the machine that exported it
