"""From a picture and boxes to unit vectors: crop, resize into one batch, run the model, normalise."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.batching import CropBuffers
from reid.calibration import Calibration
from reid.card import Card
from reid.card_lookup import CardArgument, card_of
from reid.checks import check_whole
from reid.errors import InputError, ModelError
from reid.runtime import OnnxSession, open_session

DEFAULT_MODEL = Path(__file__).parent / "weights" / "default.onnx"
"""The embedder that is shipped with the package, `Embedder("default")`."""

_MIN_SIDE_PX = 2  # a crop of one column has no texture that a resize could show
_MIN_NORM = 1e-12
_FIXED_INSIDE = "its input takes any batch, but the graph is made for one crop: export it with a dynamic batch"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EmbedderInfo:
    """What a tracker or a store must know of the vectors of one embedder."""

    name: str
    """The card's name of the model."""
    dimension: int
    """Length of the vectors."""
    model_hash: str
    """SHA-256 of the model file (and of the files that hold weights of it), in hexadecimal: vectors of two models are
    never compared."""
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
        external_data: bool = False,
    ) -> None:
        """Load a model.

        `model` is `default` or an ONNX file. `device`, `threads` and `external_data` are those of
        `reid.runtime.open_session`. `card` is needed only where the file has none inside or beside it and its graph
        does not tell (see `reid.card_lookup`). More than `max_batch` crops are run in several batches.

        Raises:
            ModelError: the file or its card is missing, broken, or does not fit an embedder.
            DeviceError: the device cannot be used.
            MissingExtraError: onnxruntime is not installed.
            InputError: `max_batch` is no whole number of at least 1.
        """
        check_whole("max_batch", max_batch, 1)
        path = DEFAULT_MODEL if str(model) == "default" else Path(model)
        self._session: OnnxSession = open_session(path, device=device, threads=threads, external_data=external_data)
        self.card: Card = card_of(self._session, card)
        fixed = self._session.inputs[0].shape[0]
        self._fixed_batch = fixed is not None
        self._batch_size = fixed or max_batch
        self._buffers = CropBuffers(self.card)
        self._lock = threading.Lock()
        self._check_output()
        files = (path, *self._session.external)
        self.info = EmbedderInfo(self.card.name, self.card.dimension, _sha256(files), self.card.calibration)

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
        _check_image(image, "image")
        corners = crop_corners(boxes, image.shape[1], image.shape[0])
        return self._embed([image[y1:y2, x1:x2] for x1, y1, x2, y2 in corners.tolist()])

    def crops(self, pixels: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed pictures that are crops already.

        `pixels` (N, h, w, 3) uint8 BGR, or a list of pictures (h, w, 3) of any sizes -> (N, D) as for boxes. Those that
        are not of the model's size are resized as its card says. Inputs are never changed.

        Raises:
            InputError: a picture is not as above; the message names the row.
            ModelError: the model failed while running.
        """
        if isinstance(pixels, np.ndarray) and pixels.ndim != 4 and pixels.dtype != object:
            raise InputError(f"pixels must have shape (N, h, w, 3), or be a list of pictures, got {pixels.shape}")
        for row, crop in enumerate(pixels):
            _check_image(crop, f"pixels[{row}]")
        return self._embed(pixels)

    def _embed(self, crops: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.float32]:
        vectors = np.empty((len(crops), self.card.dimension), np.float32)
        with self._lock:
            for start in range(0, len(crops), self._batch_size):
                part = crops[start : start + self._batch_size]
                vectors[start : start + len(part)] = self._run(part)
        return _unit_rows(vectors, self.card.name)

    def _run(self, crops: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[Any]:
        """One call of the model: n crops -> (n, D), not yet normalised."""
        rows = self._batch_size if self._fixed_batch else len(crops)
        pixels = self._buffers.pixels(rows)  # (rows, h, w, 3) uint8
        for row, crop in enumerate(crops):
            self._buffers.write(row, crop)
        pixels[len(crops) :] = 0  # what fills up a fixed batch
        output = self._session.run({self._session.inputs[0].name: self._buffers.prepare(rows)})[0]
        return output.reshape(rows, -1)[: len(crops)]

    def _check_output(self) -> None:
        """Run the model, so that an output which does not fit is found now and not at the first people.

        A graph may say that it takes any batch and still hold the number 1 somewhere inside: two crops tell.
        """
        for rows in (self._batch_size,) if self._fixed_batch else (1, min(2, self._batch_size)):
            self._buffers.pixels(rows)[:] = 0
            try:
                output = self._session.run({self._session.inputs[0].name: self._buffers.prepare(rows)})[0]
            except ModelError as error:
                if rows == 1 or self._fixed_batch:
                    raise
                raise ModelError(f"{error}. {_FIXED_INSIDE}") from error
            wanted = output.dtype.kind == "f" and output.ndim > 0 and len(output) == rows
            if wanted and output.size == rows * self.card.dimension:
                continue
            hint = "it is no embedder, or its card states another dimension" if rows == 1 else _FIXED_INSIDE
            raise ModelError(
                f"model {self._session.path} must give ({rows}, {self.card.dimension}) float vectors for {rows} crops, "
                f"got {output.shape} in {output.dtype}: {hint}"
            )
        if len(self._session.outputs) > 1:
            _logger.warning("%s has several outputs: its vectors are %s", self.card.name, self._session.outputs[0].name)


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


def _check_image(image: Any, name: str) -> None:
    if not isinstance(image, np.ndarray):
        raise InputError(f"{name} must be a numpy array (H, W, 3) of uint8, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise InputError(f"{name} must be uint8 with values 0..255, got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) == 0:
        raise InputError(f"{name} must have shape (H, W, 3), BGR and not empty, got {image.shape}")


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


def _sha256(files: Sequence[Path]) -> str:
    """Of all the files, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
