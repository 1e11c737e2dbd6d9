"""Memory for one batch of crops: as pixels, and as a model wants them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.card import Card, Resize


def resize_into(target: NDArray[np.uint8], crop: NDArray[np.uint8], how: Resize) -> None:
    """Write a crop (h, w, 3) of any size into `target` (H, W, 3), both axes stretched by themselves."""
    if crop.shape == target.shape:
        target[:] = crop
        return
    # cv2.INTER_AREA enlarges by nearest neighbours along one axis and is meant for shrinking alone
    smaller = crop.shape[0] >= target.shape[0] and crop.shape[1] >= target.shape[1]
    interpolation = cv2.INTER_AREA if how == "area" and smaller else cv2.INTER_LINEAR
    cv2.resize(crop, (target.shape[1], target.shape[0]), dst=target, interpolation=interpolation)


class CropBuffers:
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

    def write(self, row: int, crop: NDArray[np.uint8]) -> None:
        """Put a crop (h, w, 3) of any size into a row of `pixels`, resized as the card says."""
        resize_into(self._pixels[row], crop, self._card.resize)

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
