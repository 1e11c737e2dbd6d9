"""The arrays that the whole of `tracker` speaks.

Boxes are always `x1, y1, x2, y2` in pixels of the full frame, float32, with x2 >= x1 and y2 >= y1.
Images are always BGR uint8 of shape (H, W, 3).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]
DoubleArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
Image: TypeAlias = NDArray[np.uint8]  # (H, W, 3), BGR
