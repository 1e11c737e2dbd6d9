"""Ghosts: foreground where the background still holds an object that has left.

A real object has its outline in the picture, a ghost has it in the background (Cucchiara et al. 2003 tell them by
motion; the outline decides at once).
"""

from __future__ import annotations

import cv2
import numpy as np

from tracker.detectors.subtraction.blobs import Blobs
from tracker.types import BoolArray, FloatArray, Image

_RATIO = 1.6  # times the strength of the outline in the background over that in the picture
_WEAK = 6.0  # grey levels a pixel: below, neither has an outline to speak of


def find_ghosts(blobs: Blobs, picture: Image, background: Image) -> BoolArray:
    """(B,) whether each blob is a ghost."""
    ghosts = np.zeros(len(blobs), np.bool_)
    height, width = blobs.labels.shape
    for b, box in enumerate(blobs.boxes):
        x1, y1 = np.maximum(box[:2].astype(int) - 3, 0)
        x2, y2 = np.minimum(box[2:].astype(int) + 3, (width, height))
        rows, columns = slice(y1, y2), slice(x1, x2)
        inside = (blobs.labels[rows, columns] == b + 1).astype(np.uint8)
        outline = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        now = _edges(picture[rows, columns])[outline].mean()
        before = _edges(background[rows, columns])[outline].mean()
        ghosts[b] = before > _WEAK and before > _RATIO * now
    return ghosts


def _edges(picture: Image) -> FloatArray:
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2GRAY)
    dx = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.25)
    dy = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.25)
    return np.asarray(cv2.magnitude(dx, dy), np.float32)
