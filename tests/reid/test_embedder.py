"""Embedding: the right pixels in the right order, unit vectors out, and nothing accepted that is wrong."""

from __future__ import annotations

import hashlib
import logging
import threading
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from reid import Embedder, InputError, ModelError
from reid.embedder import crop_corners

PLAIN = {"colour": "BGR", "scale": 1.0, "mean": (0, 0, 0), "std": (1, 1, 1)}


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (60, 80, 3), np.uint8)


BOXES = np.array([[3, 4, 23, 44], [0, 0, 80, 60], [70.5, 50.2, 90, 75], [-30, -30, -10, -10]], np.float32)


def expected_means(picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """What the model of means must see: (N, 3) mean of each channel of the resized crop, BGR."""
    crops = [picture[y1:y2, x1:x2] for x1, y1, x2, y2 in crop_corners(boxes, 80, 60).tolist()]
    return np.array([cv2.resize(c, (4, 8)).reshape(-1, 3).mean(axis=0) for c in crops])


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("colour", ["BGR", "RGB"])
def test_pixels_arrive_in_the_layout_colour_and_dtype_of_the_card(
    make_model: Any, picture: np.ndarray, dtype: str, channels_last: bool, colour: str
) -> None:
    shape = (None, 8, 4, 3) if channels_last else (None, 3, 8, 4)
    embedder = Embedder(make_model(shape, dtype=dtype, channels_last=channels_last), card=PLAIN | {"colour": colour})
    means = expected_means(picture, BOXES)
    wanted = unit(means if colour == "BGR" else means[:, ::-1])
    np.testing.assert_allclose(embedder(picture, BOXES), wanted, atol=2e-3 if dtype == "float16" else 1e-5)


def test_normalisation_is_that_of_the_card(make_model: Any, picture: np.ndarray) -> None:
    mean, std = np.array([0.2, 0.4, 0.6]), np.array([0.5, 0.3, 0.2])
    card = {"colour": "RGB", "scale": 1 / 255, "mean": mean.tolist(), "std": std.tolist()}
    wanted = unit((expected_means(picture, BOXES)[:, ::-1] / 255 - mean) / std)
    np.testing.assert_allclose(Embedder(make_model(), card=card)(picture, BOXES), wanted, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3, None])
@pytest.mark.parametrize("max_batch", [1, 2, 64])
def test_chunks_and_fixed_batches_change_nothing(
    make_model: Any, picture: np.ndarray, batch: int | None, max_batch: int
) -> None:
    boxes = np.tile(BOXES, (2, 1))[:7]
    model = make_model((batch, 3, 8, 4), output_shape=(batch, 3))
    vectors = Embedder(model, card=PLAIN, max_batch=max_batch)(picture, boxes)
    np.testing.assert_allclose(vectors, unit(expected_means(picture, boxes)), atol=1e-5)


def test_no_boxes_give_no_vectors(make_model: Any, picture: np.ndarray) -> None:
    embedder = Embedder(make_model(), card=PLAIN)
    for nothing in (np.zeros((0, 4), np.float32), np.zeros(0), []):
        vectors = embedder(picture, nothing)
        assert vectors.shape == (0, 3)
        assert vectors.dtype == np.float32


def test_the_info_says_whose_vectors_these_are(make_model: Any) -> None:
    path = make_model(name="eyes.onnx")
    info = Embedder(path, card=PLAIN).info
    assert (info.name, info.dimension, info.calibration) == ("eyes", 3, None)
    assert info.model_hash == hashlib.sha256(path.read_bytes()).hexdigest()


def test_inputs_are_not_changed_and_results_not_shared(make_model: Any, picture: np.ndarray) -> None:
    embedder = Embedder(make_model(), card=PLAIN)
    boxes, before = BOXES.copy(), picture.copy()
    first = embedder(picture, boxes)
    kept = first.copy()
    embedder(255 - picture, boxes)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(boxes, BOXES)
    np.testing.assert_array_equal(picture, before)
    picture.setflags(write=False)
    boxes.setflags(write=False)
    np.testing.assert_array_equal(embedder(picture, boxes), kept)


def test_a_strided_view_of_a_picture_serves(make_model: Any, picture: np.ndarray) -> None:
    embedder = Embedder(make_model(), card=PLAIN)
    flipped = picture[:, ::-1]
    np.testing.assert_array_equal(embedder(flipped, BOXES), embedder(np.ascontiguousarray(flipped), BOXES))


@pytest.mark.parametrize("gain", [0.0, float("nan"), float("inf")])
def test_unusable_vectors_become_the_first_axis_with_a_warning(
    make_model: Any, picture: np.ndarray, gain: float, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        vectors = Embedder(make_model(gain=gain), card=PLAIN)(picture, BOXES)
    np.testing.assert_array_equal(vectors, np.tile(np.float32([1, 0, 0]), (4, 1)))
    assert "no usable vector for 4 of 4 crops" in caplog.text


def test_huge_outputs_do_not_overflow(make_model: Any, picture: np.ndarray) -> None:
    vectors = Embedder(make_model(gain=1e35), card=PLAIN)(picture, BOXES)
    np.testing.assert_allclose(vectors, unit(expected_means(picture, BOXES)), atol=1e-5)


def test_threads_take_turns(make_model: Any, picture: np.ndarray) -> None:
    embedder = Embedder(make_model(), card=PLAIN)
    pictures = [np.roll(picture, k, axis=1) for k in range(4)]
    wanted = [embedder(p, BOXES) for p in pictures]
    got: dict[int, list[np.ndarray]] = {}
    threads = [
        threading.Thread(target=lambda k=k: got.update({k: [embedder(pictures[k], BOXES) for _ in range(20)]}))
        for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((v == wanted[k]).all() for k in range(4) for v in got[k])


@given(
    boxes=hnp.arrays(np.float64, st.tuples(st.integers(0, 5), st.just(2)), elements=st.floats(-1e300, 1e300)),
    sizes=st.floats(0, 1e6),
    width_px=st.integers(1, 50),
    height_px=st.integers(1, 50),
)
@settings(max_examples=200)
def test_every_crop_lies_in_the_picture(boxes: Any, sizes: float, width_px: int, height_px: int) -> None:
    corners = crop_corners(np.concatenate((boxes, boxes + sizes), axis=1), width_px, height_px)
    x1, y1, x2, y2 = corners.T
    assert ((x1 >= 0) & (y1 >= 0)).all()
    assert (np.minimum(x2, width_px) - x1 >= min(2, width_px)).all()
    assert (np.minimum(y2, height_px) - y1 >= min(2, height_px)).all()


IMAGE = np.zeros((60, 80, 3), np.uint8)
BOX = [[1, 2, 30, 40]]
NAN = [[1, 2, 30, 40], [1, np.nan, 30, 40], [np.inf, 0, 1, 1]]
BAD_CALLS: list[tuple[Any, Any, str]] = [
    (None, BOX, "image must be a numpy array .* got NoneType"),
    (IMAGE.astype(np.float32), BOX, "image must be uint8 .* got float32"),
    (IMAGE[..., 0], BOX, r"image must have shape \(H, W, 3\).*got \(60, 80\)"),
    (np.zeros((60, 80, 4), np.uint8), BOX, r"got \(60, 80, 4\)"),
    (np.zeros((0, 80, 3), np.uint8), BOX, r"not empty, got \(0, 80, 3\)"),
    (IMAGE, [1, 2, 30, 40], r"boxes must have shape \(N, 4\), got \(4,\)"),
    (IMAGE, [[1, 2, 30]], r"boxes must have shape \(N, 4\), got \(1, 3\)"),
    (IMAGE, [[1, 2, 30, 40], [1, 2]], "boxes must be one array"),
    (IMAGE, [["a", "b", "c", "d"]], "boxes must be numbers, got dtype"),
    (IMAGE, np.zeros((1, 4), complex), "boxes must be numbers, got dtype complex128"),
    (IMAGE, NAN, r"boxes\[1\] must be finite, got .* \(and 1 more rows\)"),
    (IMAGE, [[1, 2, 30, 40], [30, 2, 1, 40]], r"boxes\[1\] must be x1, y1, x2, y2 with x2 >= x1 and y2 >= y1"),
    (IMAGE, [[1, 40, 30, 2]], r"boxes\[0\] must be x1, y1, x2, y2"),
]


@pytest.mark.parametrize(("image", "boxes", "message"), BAD_CALLS)
def test_bad_calls_are_refused(make_model: Any, image: Any, boxes: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Embedder(make_model(), card=PLAIN)(image, boxes)


@pytest.mark.parametrize("max_batch", [0, -3, 2.0, True, None])
def test_bad_batch_sizes_are_refused(make_model: Any, max_batch: Any) -> None:
    with pytest.raises(InputError, match="max_batch must be a whole number of at least 1"):
        Embedder(make_model(), max_batch=max_batch)


@pytest.mark.parametrize(
    ("arguments", "card", "message"),
    [
        ({}, {"dimension": 4}, r"must give \(1, 4\) float vectors for 1 crops, got \(1, 3\)"),
        ({"shape": (None, 3, 8, 4, 1), "output_shape": (None, 3, 1)}, None, "must take pictures of 4 axes"),
    ],
)
def test_models_that_are_no_embedders_are_refused(make_model: Any, arguments: Any, card: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Embedder(make_model(**arguments), card=card)


def test_a_model_that_does_not_exist_is_named() -> None:
    with pytest.raises(ModelError, match=r"model osnet\.onnx does not exist"):
        Embedder("osnet.onnx")


def test_crops_of_the_models_size_are_taken_as_they_are(make_model: Any) -> None:
    crops = np.random.default_rng(3).integers(0, 256, (5, 8, 4, 3), np.uint8)
    crops.setflags(write=False)
    wanted = unit(crops.reshape(5, -1, 3).mean(axis=1))
    embedder = Embedder(make_model(), card=PLAIN, max_batch=2)
    np.testing.assert_allclose(embedder.crops(crops), wanted, atol=1e-5)
    np.testing.assert_allclose(embedder.crops(list(crops)), wanted, atol=1e-5)


def test_crops_of_any_size_are_what_boxes_would_cut_out(make_model: Any, picture: np.ndarray) -> None:
    embedder = Embedder(make_model(), card=PLAIN)
    cut = [picture[y1:y2, x1:x2] for x1, y1, x2, y2 in crop_corners(BOXES, 80, 60).tolist()]
    np.testing.assert_array_equal(embedder.crops(cut), embedder(picture, BOXES))
    same_size = np.stack([picture, picture[::-1]])
    assert embedder.crops(same_size).shape == (2, 3)


def test_no_crops_give_no_vectors(make_model: Any) -> None:
    embedder = Embedder(make_model(), card=PLAIN)
    assert embedder.crops([]).shape == (0, 3)
    assert embedder.crops(np.zeros((0, 8, 4, 3), np.uint8)).shape == (0, 3)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((8, 4, 3), np.uint8), r"pixels must have shape \(N, h, w, 3\), or be a list.*got \(8, 4, 3\)"),
        (np.zeros((2, 8, 4, 3)), r"pixels\[0\] must be uint8"),
        ([np.zeros((8, 4, 3), np.uint8), np.zeros((8, 4), np.uint8)], r"pixels\[1\] must have shape"),
        ([np.zeros((8, 4, 3), np.uint8), None], r"pixels\[1\] must be a numpy array .* got NoneType"),
        ([np.zeros((0, 4, 3), np.uint8)], r"pixels\[0\] must have shape .* not empty"),
    ],
)
def test_bad_crops_are_refused(make_model: Any, pixels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Embedder(make_model(), card=PLAIN).crops(pixels)


def test_the_card_says_how_crops_are_resized(make_model: Any) -> None:
    stripes = np.zeros((64, 32, 3), np.uint8)
    stripes[::8] = [200, 100, 50]  # 1 row in 8: linear interpolation of every 8th pair of rows misses them all
    stripes[:, :, 0] += 10
    plain, smooth = (Embedder(make_model(), card=PLAIN | {"resize": how}) for how in ("linear", "area"))
    np.testing.assert_allclose(plain.crops([stripes])[0], [1, 0, 0], atol=1e-5)
    np.testing.assert_allclose(smooth.crops([stripes])[0], unit(np.array([[35, 12.5, 6.25]]))[0], atol=0.02)
    small = np.random.default_rng(0).integers(0, 256, (4, 3, 3), np.uint8)  # area is for shrinking alone
    np.testing.assert_array_equal(plain.crops([small]), smooth.crops([small]))


def test_a_graph_that_is_fixed_to_one_crop_inside_is_found_at_once(make_model: Any) -> None:
    onnx = pytest.importorskip("onnx")
    path = make_model()
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "loose"
    model.graph.node.append(onnx.helper.make_node("Reshape", ["loose", "one"], ["vectors"]))
    model.graph.initializer.append(onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [2], [1, -1]))
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"must give \(2, 3\).*the graph is made for one crop"):
        Embedder(path, card=PLAIN)
    model.graph.initializer[-1].CopyFrom(onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [2], [1, 3]))
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"failed while running.*the graph is made for one crop"):
        Embedder(path, card=PLAIN)
    assert Embedder(path, card=PLAIN, max_batch=1).crops(np.ones((3, 8, 4, 3), np.uint8)).shape == (3, 3)


def test_the_hash_covers_weights_in_other_files(make_model: Any) -> None:
    onnx = pytest.importorskip("onnx")
    path = make_model(name="eyes.onnx")
    model = onnx.load(path)
    gain = next(tensor for tensor in model.graph.initializer if tensor.name == "gain")
    gain.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(gain), "gain"))  # only raw data is moved out
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    both = path.read_bytes() + (path.parent / "weights.bin").read_bytes()
    embedder = Embedder(path, card=PLAIN, external_data=True)
    assert embedder.info.model_hash == hashlib.sha256(both).hexdigest()
