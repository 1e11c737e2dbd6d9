"""From a picture and boxes to unit vectors: crop, resize into one batch, run the model, normalise."""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.calibration import Calibration
from reid.card import Card
from reid.card_lookup import CardArgument, card_of
from reid.errors import InputError, ModelError
from reid.runtime import OnnxSession, open_session

DEFAULT_MODEL = Path(__file__).parent / "weights" / "default.onnx"
"""The embedder that is shipped with the package, `Embedder("default")`."""

_MIN_SIDE_PX = 2  # a crop of one column has no texture that a resize could show
_MIN_NORM = 1e-12
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EmbedderInfo:
    """What a tracker or a store must know of the vectors of one embedder."""

    name: str
    """The card's name of the model."""
    dimension: int
    """Length of the vectors."""
    model_hash: str
    """SHA-256 of the model file, in hexadecimal: vectors of two models are never compared."""
    calibration: Calibration | None
    """What its cosines mean; None where nobody measured it."""


class Embedder:
    """An ONNX model that turns crops into vectors of unit length.

    Calls from several threads are safe; they take turns, since all use one batch buffer.
    """

    def __init__(
        self,
        model: str | Path = "default",
        *,
        device: str = "auto",
        card: CardArgument = None,
        max_batch: int = 64,
        threads: int | None = None,
    ) -> None:
        """Load a model.

        `model` is `default` or an ONNX file. `device` and `threads` are those of `reid.runtime.open_session`. `card` is
        needed only where the file has none inside and its graph does not tell (see `reid.card_lookup`). More than
        `max_batch` crops are run in several batches.

        Raises:
            ModelError: the file or its card is missing, broken, or does not fit an embedder.
            DeviceError: the device cannot be used.
            MissingExtraError: onnxruntime is not installed.
            InputError: `max_batch` is no whole number of at least 1.
        """
        if isinstance(max_batch, bool) or not isinstance(max_batch, int) or max_batch < 1:
            raise InputError(f"max_batch must be a whole number of at least 1, got {max_batch!r}")
        path = DEFAULT_MODEL if str(model) == "default" else Path(model)
        self._session: OnnxSession = open_session(path, device=device, threads=threads)
        self.card: Card = card_of(self._session, card)
        fixed = self._session.inputs[0].shape[0]
        self._fixed_batch = fixed is not None
        self._batch_size = fixed or max_batch
        self._buffers = _Buffers(self.card)
        self._lock = threading.Lock()
        self._check_output()
        self.info = EmbedderInfo(self.card.name, self.card.dimension, _sha256(path), self.card.calibration)

    @property
    def device(self) -> str:
        """What it runs on: `cpu`, `cuda:N` or `tensorrt:N`."""
        return self._session.device

    def __call__(self, image: NDArray[np.uint8], boxes: ArrayLike) -> NDArray[np.float32]:
        """Embed what lies inside the boxes.

        `image` (H, W, 3) uint8 BGR, `boxes` (N, 4) `x1, y1, x2, y2` in pixels -> (N, D) float32 of unit length, never
        NaN; (0, D) for no boxes. Boxes are clipped to the picture; one wholly outside gives the 2 px at the border
        nearest to it. A crop for which the model gives nothing usable (zeros, or a number that is not finite) gives the
        unit vector along the first axis. Inputs are never changed.

        Raises:
            InputError: the image or the boxes are not as above; the message names the row.
            ModelError: the model failed while running.
        """
        _check_image(image)
        corners = crop_corners(boxes, image.shape[1], image.shape[0])
        vectors = np.empty((len(corners), self.card.dimension), np.float32)
        with self._lock:
            for start in range(0, len(corners), self._batch_size):
                part = corners[start : start + self._batch_size]
                vectors[start : start + len(part)] = self._run(image, part)
        return _unit_rows(vectors, self.card.name)

    def _run(self, image: NDArray[np.uint8], corners: NDArray[np.int64]) -> NDArray[Any]:
        """One call of the model: (n, 4) whole-pixel corners -> (n, D), not yet normalised."""
        rows = self._batch_size if self._fixed_batch else len(corners)
        pixels = self._buffers.pixels(rows)  # (rows, h, w, 3) uint8
        size = (self.card.width_px, self.card.height_px)
        for row, (x1, y1, x2, y2) in enumerate(corners.tolist()):
            cv2.resize(image[y1:y2, x1:x2], size, dst=pixels[row], interpolation=cv2.INTER_LINEAR)
        pixels[len(corners) :] = 0  # what fills up a fixed batch
        output = self._session.run({self._session.inputs[0].name: self._buffers.prepare(rows)})[0]
        return output.reshape(rows, -1)[: len(corners)]

    def _check_output(self) -> None:
        """Run the model once, so that an output which does not fit is found now and not at the first person."""
        rows = self._batch_size if self._fixed_batch else 1
        self._buffers.pixels(rows)[:] = 0
        output = self._session.run({self._session.inputs[0].name: self._buffers.prepare(rows)})[0]
        if output.dtype.kind != "f" or output.size != rows * self.card.dimension or len(output) != rows:
            raise ModelError(
                f"model {self._session.path} must give ({rows}, {self.card.dimension}) float vectors for {rows} crops, "
                f"got {output.shape} in {output.dtype}: it is no embedder, or its card states another dimension"
            )
        if len(self._session.outputs) > 1:
            _logger.warning("%s has several outputs: its vectors are %s", self.card.name, self._session.outputs[0].name)


class _Buffers:
    """Memory for one batch, kept from call to call: crops as pixels, and as the model wants them."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._pixels = np.empty((0, card.height_px, card.width_px, 3), np.uint8)
        self._input: NDArray[Any] = self._pixels
        # (pixel * scale - mean) / std = pixel * gain + bias, channels in the model's order
        std = np.asarray(card.std, np.float32)
        self._gain = np.float32(card.scale) / std  # (3,)
        self._bias = -np.asarray(card.mean, np.float32) / std  # (3,)
        self._channels = (2, 1, 0) if card.colour == "RGB" else (0, 1, 2)

    def pixels(self, rows: int) -> NDArray[np.uint8]:
        """(rows, h, w, 3) uint8 BGR to write crops into."""
        if rows > len(self._pixels):
            self._pixels = np.empty((rows, *self._pixels.shape[1:]), np.uint8)
            shape = self._pixels.shape if self._card.layout == "NHWC" else (rows, 3, *self._pixels.shape[1:3])
            as_it_is = self._card.dtype == "uint8" and self._card.layout == "NHWC" and self._card.colour == "BGR"
            self._input = self._pixels if as_it_is else np.empty(shape, self._card.dtype)
        return self._pixels[:rows]

    def prepare(self, rows: int) -> NDArray[Any]:
        """The first `rows` crops as the model takes them: colour order, normalisation, layout, dtype."""
        target = self._input[:rows]
        if self._input is self._pixels:
            return target
        planes = target if self._card.layout == "NCHW" else np.moveaxis(target, 3, 1)  # (rows, 3, h, w), a view
        for plane, channel in enumerate(self._channels):
            source = self._pixels[:rows, :, :, channel]  # (rows, h, w)
            if self._card.dtype == "uint8":
                planes[:, plane] = source
            else:
                np.multiply(source, self._gain[plane], out=planes[:, plane], casting="same_kind")
                planes[:, plane] += self._bias[plane]
        return target


def crop_corners(boxes: ArrayLike, width_px: int, height_px: int) -> NDArray[np.int64]:
    """(N, 4) `x1, y1, x2, y2` -> (N, 4) whole pixels inside the picture, each crop at least 2 px wide and high.

    Raises:
        InputError: wrong shape or dtype, or a row that is not finite or has x2 < x1 or y2 < y1.
    """
    try:
        array = np.asarray(boxes)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"boxes must be one array of shape (N, 4): {error}") from error
    if array.size == 0 and array.ndim <= 1:
        array = np.zeros((0, 4), np.float64)
    if array.dtype.kind not in "fiu":
        raise InputError(f"boxes must be numbers, got dtype {array.dtype}")
    if array.ndim != 2 or array.shape[1] != 4:
        raise InputError(f"boxes must have shape (N, 4), got {array.shape}")
    values = array.astype(np.float64)  # (N, 4)
    _refuse_row(values, ~np.isfinite(values).all(axis=1), "finite")
    _refuse_row(values, (values[:, 2:] < values[:, :2]).any(axis=1), "x1, y1, x2, y2 with x2 >= x1 and y2 >= y1")
    size = np.array([width_px, height_px], np.float64)
    low = np.clip(values[:, :2], 0, np.maximum(size - _MIN_SIDE_PX, 0)).astype(np.int64)  # (N, 2)
    high = np.maximum(np.clip(values[:, 2:], 0, size).astype(np.int64), low + _MIN_SIDE_PX)
    return np.concatenate((low, high), axis=1)


def _refuse_row(values: NDArray[np.float64], bad: Any, must: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        more = f" (and {int(bad.sum()) - 1} more rows)" if bad.sum() > 1 else ""
        raise InputError(f"boxes[{row}] must be {must}, got {values[row].tolist()}{more}")


def _check_image(image: Any) -> None:
    if not isinstance(image, np.ndarray):
        raise InputError(f"image must be a numpy array (H, W, 3) of uint8, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise InputError(f"image must be uint8 with values 0..255, got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) == 0:
        raise InputError(f"image must have shape (H, W, 3), BGR and not empty, got {image.shape}")


def _unit_rows(vectors: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Scale every row of (N, D) to unit length, in place; unusable rows become the first axis."""
    with np.errstate(over="ignore", invalid="ignore"):
        norm = np.linalg.norm(vectors.astype(np.float64), axis=1)  # (N,) float64: squares of float32 may overflow
    usable = np.isfinite(norm) & (norm > _MIN_NORM)
    if not usable.all():
        _logger.warning("%s gave no usable vector for %d of %d crops", name, int((~usable).sum()), len(vectors))
        vectors[~usable] = 0
        vectors[~usable, 0] = 1
    norm[~usable] = 1
    vectors /= norm[:, None]
    return vectors


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
