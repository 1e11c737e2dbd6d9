"""The shipped embedder: as good on photographs as its card says, better than a histogram, and its own weights.

TUD-Stadtmitte may be measured on, never selected by: nothing here is a reason to prefer one training to another.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from reid import Embedder
from reid.data import DataConfig
from reid.data.mot_sequences import find_sequences
from reid.data.mot_text import read_mot
from reid.embedder import DEFAULT_MODEL
from reid.evaluation import Report, evaluate

EVERY, APART = 6, 20  # frames
LEAST_HEIGHT_PX, LEAST_WIDTH_PX, MOST_OVERLAP = 60, 16, 0.3


def overlaps(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) -> (n,) the largest IoU of each box with another."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])  # (n, n, 2)
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    iou = shared / (area[:, None] + area[None] - shared)
    np.fill_diagonal(iou, 0)
    return np.asarray(iou.max(axis=1), np.float64)


def ground_truth_crops(folder: Path) -> tuple[list[NDArray[np.uint8]], NDArray[np.int64], NDArray[np.int64]]:
    """Crops of every sixth frame that are large enough and that nobody covers, whose, and of which frame."""
    (sequence,) = find_sequences(folder, DataConfig())
    rows = read_mot(sequence.text, truth=True)
    crops, who, when = [], [], []
    for number, image in sequence.frames(frozenset(range(1, int(rows.frame.max()) + 1, EVERY)), None):
        here = np.flatnonzero((rows.frame == number) & rows.considered)
        size = (image.shape[1], image.shape[0])
        for row, overlap in zip(here, overlaps(rows.boxes[here]), strict=True):
            x1, y1, x2, y2 = np.rint(rows.boxes[row]).clip(0, (*size, *size)).astype(int).tolist()
            if y2 - y1 >= LEAST_HEIGHT_PX and x2 - x1 >= LEAST_WIDTH_PX and overlap <= MOST_OVERLAP:
                crops.append(image[y1:y2, x1:x2])
                who.append(int(rows.id[row]))
                when.append(number)
    return crops, np.array(who), np.array(when)


def test_on_photographs_it_is_as_good_as_it_should_be(shared_data: Path) -> None:
    from bench_embedders import FIGURES, HEIGHT_PX, WIDTH_PX, histogram

    crops, who, when = ground_truth_crops(shared_data / "seq" / "TUD-Stadtmitte")

    def near(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.abs(when[rows, None] - when[None, columns]) < APART

    def report(vectors: NDArray[np.float32]) -> Report:
        return evaluate(vectors, who, unknown=near, config=FIGURES)

    base = report(histogram(np.stack([cv2.resize(crop, (WIDTH_PX, HEIGHT_PX)) for crop in crops])))
    got = report(Embedder("default", device="cpu").crops(crops))
    # what is known of the histogram on these crops: they are cut and compared as they should be
    assert (got.crops, got.identities) == (146, 10)
    assert base.auc.value == pytest.approx(0.923, abs=1e-3)
    assert base.mean_average_precision.value == pytest.approx(0.834, abs=1e-3)
    assert got.auc.value >= 0.93
    assert got.mean_average_precision.value >= 0.84


def test_it_is_surely_above_the_histogram_on_seven_scenes(shared_data: Path) -> None:
    from bench_embedders import HEIGHT_PX, WIDTH_PX, compare, histogram

    embedder = Embedder("default", device="cpu")
    functions = {
        "histogram": (histogram, HEIGHT_PX, WIDTH_PX),
        "default": (embedder.crops, embedder.card.height_px, embedder.card.width_px),
    }
    _, default = compare(shared_data / "seq" / "MOT17-mini", functions)
    gain, low, high = default["mAP gain"]
    assert 0 < low < gain < high, "paired, over identities"
    assert default["AUC gain"][0] > 0


def test_its_card_says_what_it_is_worth_and_for_what() -> None:
    card = Embedder("default", device="cpu").card
    fit = card.calibration
    assert fit is not None
    assert fit.identities == 300
    for threshold, interval in (
        (fit.threshold_fpr_1e2, fit.interval_fpr_1e2),
        (fit.threshold_fpr_1e3, fit.interval_fpr_1e3),
    ):
        assert threshold is not None
        assert interval is not None
        assert interval[0] < threshold < interval[1]
    assert "rendered" in (fit.data or "")
    assert "no photographs" in (fit.caution or "")
    for kind in ("figures", "people"):
        assert {s.measure for s in card.scores if f"rendered {kind} held out" in s.data} == {"AUC", "mAP", "rank-1"}


@pytest.mark.torch
def test_graph_and_weights_are_those_of_its_card() -> None:
    pytest.importorskip("torch", reason="needs the extra [train]")
    pytest.importorskip("onnx", reason="needs the extra [train]")
    from recipe.card import graph_hash

    text = (DEFAULT_MODEL.parent / "CARD.md").read_text(encoding="utf-8")
    assert f"without the metadata, {graph_hash(DEFAULT_MODEL)}." in text
    assert f"`default.onnx`, {DEFAULT_MODEL.stat().st_size} bytes" in text
