"""Box arithmetic on arrays. Boxes are (N, 4) `x1, y1, x2, y2`; `cxcywh` is centre and size. Any float dtype is kept."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", np.float32, np.float64)


def xyxy_to_cxcywh(boxes: NDArray[F]) -> NDArray[F]:
    """(N, 4) corners -> (N, 4) centre x, centre y, width, height."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate((boxes[:, :2] + size / 2, size), axis=1)


def cxcywh_to_xyxy(boxes: NDArray[F]) -> NDArray[F]:
    """(N, 4) centre and size -> (N, 4) corners."""
    half = boxes[:, 2:] / 2
    return np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), axis=1)


def area(boxes: NDArray[F]) -> NDArray[F]:
    """(N, 4) -> (N,) in square pixels; 0 where a side is negative."""
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    product: NDArray[F] = size[:, 0] * size[:, 1]
    return product


def intersection(a: NDArray[F], b: NDArray[F]) -> NDArray[F]:
    """(N, 4), (M, 4) -> (N, M) common area in square pixels."""
    w = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])  # (N, M)
    h = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    common: NDArray[F] = np.maximum(w, 0) * np.maximum(h, 0)
    return common


def iou(a: NDArray[F], b: NDArray[F]) -> NDArray[F]:
    """(N, 4), (M, 4) -> (N, M) intersection over union, 0..1; two boxes without area give 0."""
    common = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - common
    ratio: NDArray[F] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return ratio


def coverage(a: NDArray[F], b: NDArray[F]) -> NDArray[F]:
    """(N, 4), (M, 4) -> (N, M) share of each `a` that lies inside each `b`, 0..1."""
    common = intersection(a, b)
    own = np.broadcast_to(area(a)[:, None], common.shape)
    share: NDArray[F] = np.divide(common, own, out=np.zeros_like(common), where=own > 0)
    return share


def clip(boxes: NDArray[F], width_px: float, height_px: float) -> NDArray[F]:
    """(N, 4) -> (N, 4) moved inside a picture; a box wholly outside collapses onto the border."""
    limit = np.array([width_px, height_px, width_px, height_px], boxes.dtype)
    return np.clip(boxes, 0, limit)
