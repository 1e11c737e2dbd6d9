"""Pictures resized to one size, read by several threads and kept in memory up to a budget."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from reid.batching import resize_into
from reid.card import Resize
from reid.data.pictures import PictureSource
from reid.data.threads import reading_threads

_FEW = 4  # pictures that are decoded sooner than threads are started


class _Shelf:
    """Pictures resized to one size in one way; a place each, given in the order in which they are first wanted."""

    def __init__(self, pictures: int, height_px: int, width_px: int, resize: Resize, budget_bytes: int) -> None:
        places = min(pictures, budget_bytes // (height_px * width_px * 3))
        self.form = (height_px, width_px, resize)
        self.pixels = np.empty((places, height_px, width_px, 3), np.uint8)  # takes memory as it is filled
        self.place = np.full(pictures, -1, np.int64)  # (pictures,) -1: not here
        self.used = 0


class PixelCache:
    """Gives resized pictures, and remembers them while there is room.

    What came first stays: with batches drawn at random the share of hits is the share that fits, and nothing is ever
    decoded only to throw out what will be wanted as soon. Asking for another size or way empties it. Safe to call from
    several threads.

    Args:
        pictures: where they come from.
        budget_bytes: most memory for resized pictures.
    """

    def __init__(self, pictures: PictureSource, budget_bytes: int) -> None:
        self.pictures = pictures
        self.budget_bytes = budget_bytes
        self._shelf = _Shelf(0, 1, 1, "linear", 0)
        self._lock = threading.Lock()

    def pixels(
        self, index: NDArray[np.int64], height_px: int, width_px: int, resize: Resize = "linear"
    ) -> NDArray[np.uint8]:
        """Pictures of these numbers (n,), in that order, as (n, height_px, width_px, 3) uint8 BGR; a copy."""
        out = np.empty((len(index), height_px, width_px, 3), np.uint8)
        with self._lock:
            shelf = self._shelf
            if shelf.form != (height_px, width_px, resize):
                shelf = self._shelf = _Shelf(len(self.pictures), height_px, width_px, resize, self.budget_bytes)
            place = shelf.place[index]  # (n,)
        here = np.flatnonzero(place >= 0)
        if len(here) == len(index):
            return np.take(shelf.pixels, place, axis=0, out=out) if len(index) else out
        out[here] = shelf.pixels[place[here]]
        away = np.flatnonzero(place < 0)
        wanted, first, again = np.unique(index[away], return_index=True, return_inverse=True)
        self._read(wanted, away[first], out, resize)
        out[away] = out[away[first]][again]  # a picture that is wanted twice is read once
        self._keep(shelf, wanted, out, away[first])
        return out

    def _read(self, wanted: NDArray[np.int64], rows: NDArray[np.int64], out: NDArray[np.uint8], resize: Resize) -> None:
        """Decode the pictures `wanted` (m,) into the rows (m,) of `out`."""
        height_px, width_px = out.shape[1:3]

        def read(picture: int, row: int) -> None:
            resize_into(out[row], self.pictures.read(picture, height_px, width_px), resize)

        threads = reading_threads()
        if len(wanted) <= _FEW or threads == 1:
            for picture, row in zip(wanted.tolist(), rows.tolist(), strict=True):
                read(picture, row)
            return
        with ThreadPoolExecutor(threads, thread_name_prefix="reidtrack-decode") as pool:
            # OpenCV decodes without holding the interpreter; list() raises what a thread raised
            list(pool.map(read, wanted.tolist(), rows.tolist()))

    def _keep(self, shelf: _Shelf, wanted: NDArray[np.int64], out: NDArray[np.uint8], rows: NDArray[np.int64]) -> None:
        with self._lock:
            new = np.flatnonzero(shelf.place[wanted] < 0)  # another thread may have read the same
            new = new[: len(shelf.pixels) - shelf.used]
            places = np.arange(shelf.used, shelf.used + len(new))
            shelf.pixels[places] = out[rows[new]]
            shelf.place[wanted[new]] = places
            shelf.used += len(new)
