"""Reduced grey pictures, and sparse optical flow between them."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.camera.similarity import ComplexArray
from tracker.types import BoolArray, DoubleArray, FloatArray, Image, IntArray

Grey: TypeAlias = NDArray[np.uint8]  # (h, w)

CELL_PX = 16
"""Side of a cell, of which one place is looked at: so they lie all over, not on one thing that is rich in texture."""
_CORNERNESS = 1e-4  # OpenCV's smaller eigenvalue of a corner with slopes of 1.3 grey levels a pixel: above sensor noise
_WINDOW_PX, _LEVELS = 13, 2  # of the flow: follows up to about 13 / 2 * 2^2 = 26 pixels beside the guess


def reduction(image: Image, work_size_px: int) -> int:
    """By which whole number a picture is reduced, so that its longer side becomes at most `work_size_px`."""
    times: int = -(-max(image.shape[:2]) // work_size_px)
    return times if times <= 3 else times + times % 2


def reduce(image: Image, times: int) -> Grey:
    """Grey and `times` smaller, (H, W, 3) -> (H // times, W // times).

    Of a large picture two rows and columns are read for each of the result: enough against noise, and much cheaper.
    """
    rows, columns = image.shape[0] // times, image.shape[1] // times
    image = image[: rows * times, : columns * times]
    if times > 3:
        image = np.asarray(cv2.resize(image, (2 * columns, 2 * rows), interpolation=cv2.INTER_NEAREST), np.uint8)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def outside(boxes: DoubleArray, size: tuple[int, int]) -> BoolArray:
    """(h, w) True where none of the boxes, (N, 4) xyxy in pixels of that picture, lies."""
    free = np.ones(size, bool)
    edges = np.concatenate((np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])), axis=1)
    for x1, y1, x2, y2 in edges.clip(0, max(size)).astype(np.int64).tolist():
        free[y1:y2, x1:x2] = False
    return free


def covered(points: ComplexArray, free: BoolArray) -> BoolArray:
    """(n,) which points, (n,) x + iy, lie where the picture is not free."""
    column = np.clip(points.real.astype(np.int64), 0, free.shape[1] - 1)
    row = np.clip(points.imag.astype(np.int64), 0, free.shape[0] - 1)
    hidden: BoolArray = ~free[row, column]
    return hidden


def cells(quality: NDArray[Any]) -> tuple[IntArray, IntArray, NDArray[Any]]:
    """Column, row and quality of the best pixel of each cell of the picture, (c,) each."""
    rows, columns = quality.shape[0] // CELL_PX, quality.shape[1] // CELL_PX
    whole = quality[: rows * CELL_PX, : columns * CELL_PX].reshape(rows, CELL_PX, columns, CELL_PX)
    pixels = whole.transpose(0, 2, 1, 3).reshape(rows * columns, CELL_PX**2)  # (c, pixels of each)
    best = pixels.argmax(axis=1)
    cell = np.arange(rows * columns)
    x = cell % max(columns, 1) * CELL_PX + best % CELL_PX
    y = cell // max(columns, 1) * CELL_PX + best // CELL_PX
    return x, y, pixels[cell, best]


def corners(grey: Grey, free: BoolArray) -> FloatArray:
    """(n, 2) float32 x, y of the best corner (Shi and Tomasi 1994) of each cell of the free part of the picture."""
    x, y, strength = cells(np.where(free, cv2.cornerMinEigenVal(grey, 3), 0.0))
    return np.stack((x, y), axis=1)[strength > _CORNERNESS].astype(np.float32)


def coarse_shift(before: Grey, after: Grey) -> complex:
    """The shift dx + i dy of the whole picture, to a few pixels, by phase correlation (Kuglin and Hines 1975).

    It finds shifts of up to half of the picture, and what repeats, such as bricks, does not lead it astray.
    """
    size = before.shape[1] // 2, before.shape[0] // 2
    one, other = (cv2.resize(g, size, interpolation=cv2.INTER_AREA).astype(np.float32) for g in (before, after))
    (x, y), _ = cv2.phaseCorrelate(one, other, cv2.createHanningWindow(size, cv2.CV_32F))
    return 2 * complex(x, y)


def follow(before: Grey, after: Grey, points: FloatArray, guess: complex) -> tuple[ComplexArray, ComplexArray]:
    """Where points, (n, 2), went, by pyramidal Lucas-Kanade (Bouguet 2001) from a guessed common shift.

    Returns:
        Starts and ends of those found again, both (m,) complex x + iy, as boxes count: the centre of the first pixel
        is .5 + .5i.
    """
    guessed = points + np.array([guess.real, guess.imag], np.float32)
    ends, found, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        points.reshape(-1, 1, 2),
        guessed.reshape(-1, 1, 2),
        winSize=(_WINDOW_PX, _WINDOW_PX),
        maxLevel=_LEVELS,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    kept = found.reshape(-1) == 1
    start, end = points[kept].astype(np.float64) + 0.5, ends.reshape(-1, 2)[kept].astype(np.float64) + 0.5
    return start[:, 0] + 1j * start[:, 1], end[:, 0] + 1j * end[:, 1]
