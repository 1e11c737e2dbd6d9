"""The same model in float16 or int8: converted, compared with the one that it came from, and kept only if it holds."""

from __future__ import annotations

import logging
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.card import METADATA_KEY, Card, Precision, Score
from reid.card_lookup import refuse_card_beside
from reid.embedder import Embedder
from reid.errors import InputError, MissingExtraError, ModelError
from reid.learning.half import halve
from reid.learning.quantization import quantize

LEAST_CALIBRATION_CROPS = 16
"""Below, they say too little about which values occur."""
LARGEST_FALL = 0.005
"""How much mean average precision int8 may cost: 0.5 points."""

_LEAST_COSINE_FLOAT16 = 0.999  # half precision has 11 bits: a rounding of 5e-4 a number
_RANDOM_CROPS = 32
_TIMED_CROPS = 16
_TIMED_RUNS = 9
_logger = logging.getLogger(__name__)

ScoreVectors = Callable[[NDArray[np.float32]], float]
"""From the vectors (N, D) of the validation crops to their mean average precision, 0..1."""


@dataclass(frozen=True, slots=True)
class PrecisionReport:
    """A model beside the one that it was made of, on the CPU of this machine."""

    precision: Precision
    """Of the new model."""
    bytes_before: int
    """Size of the old file."""
    bytes_after: int
    """Size of the new file."""
    least_cosine: float
    """Of the vectors of one crop by both models: the smallest."""
    ms_before: float
    """Milliseconds a crop of the old model, in batches of 16 on one thread: the median."""
    ms_after: float
    """The same of the new model, timed in turns with the old one."""
    score_before: float | None = None
    """Mean average precision of the old model; None where it was not asked for."""
    score_after: float | None = None
    """The same of the new model."""


def to_float16(
    source: str | Path, target: str | Path, *, crops: NDArray[np.uint8] | None = None, seed: int = 0
) -> PrecisionReport:
    """Write a model whose network computes in float16, for GPUs: half the size and memory traffic.

    Pixels go in and float32 vectors come out as before; on a CPU most layers are computed in float32 all the same.
    `crops` (n, h, w, 3) uint8 of any size, random ones by default, must give vectors within a cosine of 0.999. Scores
    of the old model are left out of the card, since nobody measured the new one.

    Raises:
        ModelError: the model cannot be converted, or the vectors differ more; nothing is written.
        MissingExtraError: onnx is not installed.
    """
    old = Embedder(source, device="cpu", threads=1)
    if crops is None:
        shape = (_RANDOM_CROPS, old.card.height_px, old.card.width_px, 3)
        crops = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)

    def accept(report: PrecisionReport, _vectors: NDArray[np.float32]) -> PrecisionReport:
        if not report.least_cosine >= _LEAST_COSINE_FLOAT16:
            raise ModelError(
                f"{source} in float16 must give vectors within cosine {_LEAST_COSINE_FLOAT16} of its own, got "
                f"{report.least_cosine:.6f}: its numbers are too large or too small for half precision"
            )
        return report

    return _convert(old, Path(source), Path(target), "float16", lambda model, _folder: halve(model), crops, accept)


def to_int8(
    source: str | Path,
    target: str | Path,
    *,
    calibration_crops: NDArray[np.uint8],
    validation_crops: NDArray[np.uint8],
    score: ScoreVectors,
    measured_on: str = "the validation crops of the conversion",
    largest_fall: float = LARGEST_FALL,
) -> PrecisionReport:
    """Write a model whose layers multiply 8-bit numbers (QDQ, weights by channel), if it recognises nearly as well.

    `calibration_crops` (n, h, w, 3) uint8 say which values occur, at least 16, best a few hundred of the kind that it
    will see. `score` judges the vectors of `validation_crops`, and may fall by `largest_fall`; it takes the place of
    the old model's scores on the card, as measured on `measured_on`. Whether it is faster depends on the processor
    (VNNI) and on the network: the report says what was measured here, and a warning if not.

    Raises:
        ModelError: the model cannot be converted, or the score falls further; nothing is written.
        InputError: crops or score are not as above.
        MissingExtraError: onnx is not installed.
    """
    if len(calibration_crops) < LEAST_CALIBRATION_CROPS:
        raise InputError(f"calibration_crops must be at least {LEAST_CALIBRATION_CROPS}, got {len(calibration_crops)}")
    old = Embedder(source, device="cpu", threads=1)
    before = _score(score, old.crops(validation_crops))

    def accept(report: PrecisionReport, vectors: NDArray[np.float32]) -> PrecisionReport:
        after = _score(score, vectors)
        if before - after > largest_fall:
            raise ModelError(
                f"{source} in int8 may lose {100 * largest_fall:.2g} points of mAP, got {100 * (before - after):.2f} "
                f"({100 * before:.2f} to {100 * after:.2f}): keep it in float32, or give more and truer crops"
            )
        if report.ms_after >= report.ms_before:
            _logger.warning(
                "%s in int8 is not faster on this processor: %.3f ms a crop, %.3f before",
                source, report.ms_after, report.ms_before,
            )  # fmt: skip
        return replace(report, score_before=before, score_after=after)

    def convert(model: Any, folder: Path) -> Any:
        return quantize(model, old.card, _resized(calibration_crops, old.card), folder)

    return _convert(old, Path(source), Path(target), "int8", convert, validation_crops, accept, measured_on)


def _convert(
    old: Embedder,
    source: Path,
    target: Path,
    precision: Precision,
    convert: Callable[[Any, Path], Any],
    crops: NDArray[np.uint8],
    accept: Callable[[PrecisionReport, NDArray[np.float32]], PrecisionReport],
    measured_on: str = "",
) -> PrecisionReport:
    """Convert into a draft, compare, and move the draft to its place once it is accepted."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("onnx", "train", f"a model in {precision}") from error
    if old.card.precision != "float32":
        raise ModelError(f"model {source} must be in float32 to be converted, its card says {old.card.precision}")
    if target.resolve() == source.resolve():
        raise InputError(f"target must be another file than the source, got {target} for both")
    refuse_card_beside(target)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".precision-") as name:
        folder = Path(name)
        try:
            model = convert(onnx.load(source), folder)
            onnx.helper.set_model_props(model, {METADATA_KEY: replace(old.card, precision=precision).to_json()})
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, KeyError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"model {source} cannot be converted to {precision}: {reason}") from error
        draft = folder / "model.onnx"
        onnx.save(model, draft)
        new = Embedder(draft, device="cpu", threads=1)
        vectors, wanted = new.crops(crops), old.crops(crops)  # (n, D) of unit length
        ms_before, ms_after = _milliseconds((old, new), crops)
        least = float((vectors.astype(np.float64) * wanted).sum(axis=1).min())
        sizes = source.stat().st_size, draft.stat().st_size
        report = accept(PrecisionReport(precision, *sizes, least, ms_before, ms_after), vectors)
        onnx.helper.set_model_props(model, {METADATA_KEY: _card(old.card, report, measured_on).to_json()})
        onnx.save(model, draft)
        report = replace(report, bytes_after=draft.stat().st_size)
        draft.replace(target)
    _logger.info("wrote %s: %s", target, report)
    return report


def _card(before: Card, report: PrecisionReport, measured_on: str) -> Card:
    """What is known of the new model: its own score alone, and where its calibration is from."""
    told = [] if before.training is None else [before.training]
    told.append(f"Then written in {report.precision}.")
    if before.calibration is not None:
        told.append(
            f"The calibration is that of {before.name} in float32, to whose vectors the least cosine of these was "
            f"{report.least_cosine:.4f}."
        )
    scores = () if report.score_after is None else (Score(measured_on, "mAP", report.score_after),)
    return replace(before, precision=report.precision, training=" ".join(told), scores=scores)


def _milliseconds(embedders: tuple[Embedder, ...], crops: NDArray[np.uint8]) -> list[float]:
    """A crop of each, in turns, so that what else the machine does meets all alike. CPU time of this process."""
    card = embedders[0].card
    batch = _resized(crops[np.arange(_TIMED_CROPS) % len(crops)], card)
    seconds: list[list[float]] = [[] for _ in embedders]
    for _ in range(_TIMED_RUNS):
        for embedder, times in zip(embedders, seconds, strict=True):
            began = time.process_time()
            embedder.crops(batch)
            times.append(time.process_time() - began)
    return [1000 * float(np.median(times[1:])) / len(batch) for times in seconds]


def _resized(crops: NDArray[np.uint8], card: Card) -> NDArray[np.uint8]:
    """(n, h, w, 3) of any size -> of the card's size, as the embedder does it."""
    from reid.batching import CropBuffers

    buffers = CropBuffers(card)
    pixels = buffers.pixels(len(crops))
    for row, crop in enumerate(crops):
        buffers.write(row, crop)
    return pixels


def _score(score: ScoreVectors, vectors: NDArray[np.float32]) -> float:
    value = float(score(vectors))
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise InputError(f"score must give a mean average precision within 0..1, got {value!r}")
    return value
