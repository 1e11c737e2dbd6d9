"""What every decoder of a detector network shares: what is known of a model, and what a decoder gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from tracker.detectors.preprocessing import Preprocessing
from tracker.types import FloatArray, IntArray

NameList: TypeAlias = Literal["coco80", "coco91", "unknown"]
Space: TypeAlias = Literal["input", "unit", "frame"]
"""Boxes in pixels of the model's input, in 0..1 of that input, or already in pixels of the frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes as the network gave them, before suppression: N rows whose score reaches the floor."""

    boxes: FloatArray
    """(N, 4) float32 xyxy, in the family's space."""
    scores: FloatArray
    """(N,) float32."""
    classes: IntArray
    """(N,) int64."""


Decode: TypeAlias = Callable[[Sequence[FloatArray], float], Candidates]
"""(outputs of one run as float32, score floor) -> candidates with score >= floor."""


@dataclass(frozen=True, slots=True)
class Family:
    """How to feed a recognised model and how to read it."""

    name: str
    preprocessing: Preprocessing
    decode: Decode
    space: Space = "input"
    suppress: bool = True
    """Whether the boxes still need non-maximum suppression."""
    class_count: int | None = None
    """How many classes the output has, None where it does not tell."""
    names: NameList = "unknown"
    """Names to assume where the model holds none and `class_count` fits."""


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """What a model shows of itself: names and metadata, and one run on a plain grey picture."""

    width_px: int
    """Width of the model's input."""
    height_px: int
    """Height of the model's input."""
    channels_last: bool
    output_names: tuple[str, ...]
    outputs: tuple[FloatArray, ...]
    """The outputs of the run, as float32."""
    metadata: Mapping[str, str]
    class_names: Mapping[int, str]
    """From the metadata; empty where it names none."""
    takes_frame_size: bool
    """Whether a second input wants the size of the original frame."""
    input_dtype: str
    stated: bool = False
    """Whether the user named the family: what is only likely need not be checked then."""

    def describe(self) -> str:
        """Outputs with their shapes, for messages."""
        listed = ", ".join(f"{n} {o.shape}" for n, o in zip(self.output_names, self.outputs, strict=True))
        return f"outputs {listed} for an input of {self.width_px}x{self.height_px}"

    def single(self) -> FloatArray | None:
        """The rows of the main output, (N, C), where it is a (1, N, C) tensor and nothing else looks like boxes."""
        first = self.outputs[0]
        if first.ndim != 3 or first.shape[0] != 1:
            return None
        rows: FloatArray = first[0]
        return rows


def grid_sizes(signature: Signature, strides: Sequence[int]) -> list[tuple[int, int]]:
    """(rows, columns) of each level's cell grid; networks round up where a stride does not divide the input."""
    return [(-(-signature.height_px // s), -(-signature.width_px // s)) for s in strides]


def cell_count(signature: Signature, strides: Sequence[int]) -> int:
    """Cells of all levels together."""
    return sum(rows * columns for rows, columns in grid_sizes(signature, strides))


def cell_grid(signature: Signature, strides: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """((N, 2) x and y index of each cell, (N, 1) its stride), level by level, row by row."""
    cells, steps = [], []
    for (rows, columns), stride in zip(grid_sizes(signature, strides), strides, strict=True):
        y, x = np.mgrid[:rows, :columns]
        cells.append(np.stack((x, y), axis=-1).reshape(-1, 2))  # (rows * columns, 2)
        steps.append(np.full((rows * columns, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(steps).astype(np.float32)


def best_class(scores: FloatArray, floor: float) -> tuple[IntArray, FloatArray, IntArray]:
    """(N, C) -> rows whose best class reaches `floor`, (K,) rows, (K,) scores, (K,) classes."""
    best = scores.max(axis=1)  # (N,)
    rows = np.flatnonzero(best >= floor)  # (K,); NaN compares False and so drops out here
    return rows, best[rows], scores[rows].argmax(axis=1)


def sigmoid(x: FloatArray) -> FloatArray:
    """Elementwise 1 / (1 + exp(-x)), written with tanh: it cannot overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), np.float32)


def softmax(x: FloatArray) -> FloatArray:
    """Along the last axis, shifted by the maximum: it cannot overflow."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True), np.float32)
