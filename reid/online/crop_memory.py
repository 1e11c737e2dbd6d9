"""A few crops of everybody whom a tracker may have to know again, so that another model can look at them, too."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.checks import check_whole
from reid.data.pictures import Image, decode, encode
from reid.embedder import Embedder
from reid.errors import InputError

_THUMB_PX = (4, 8)  # width and height of what is compared to tell whether two crops show the same
_LEAST_NORM = 1e-6  # of a sum of unit vectors that still points somewhere
_OVERHEAD_BYTES = 1500
"""What a crop takes beside its picture: the objects of the language, its thumbnail, a vector of 192 dimensions."""


@dataclass(frozen=True, slots=True)
class CropMemoryConfig:
    """What is remembered for the day on which the embedder is exchanged. In memory alone, never on disk."""

    crops: int = 6
    """Crops of one identity at most: those that look least alike."""
    most_bytes: int = 64 << 20
    """Bytes of all of them at most. Beyond that, those seen longest ago keep one crop, and then none."""
    most_height_px: int = 256
    """Crops that are higher are reduced to this height; embedders take 256 px or fewer."""
    jpeg_quality: int = 92
    """Quality of the crops that are kept, 1..100."""

    def __post_init__(self) -> None:
        for name in ("crops", "most_bytes", "most_height_px"):
            check_whole(name, getattr(self, name), 1)
        check_whole("jpeg_quality", self.jpeg_quality, 1, 100)


class RememberedCrop:
    """One crop, as JPEG, and its vector by one model, once somebody made it."""

    __slots__ = ("data", "thumb", "time_s", "vector")

    def __init__(self, crop: Image, time_s: float, config: CropMemoryConfig) -> None:
        self.thumb: NDArray[np.float32] = cv2.resize(crop, _THUMB_PX, interpolation=cv2.INTER_AREA).astype(np.float32)
        self.thumb /= max(float(np.linalg.norm(self.thumb)), 1e-6)  # brightness aside
        height, width = crop.shape[:2]
        if height > config.most_height_px:
            width, height = max(2, round(width * config.most_height_px / height)), config.most_height_px
            crop = np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        self.data = encode(crop, config.jpeg_quality)
        self.time_s = time_s
        self.vector: tuple[str, NDArray[np.float32]] | None = None
        """SHA-256 of a model, and what it says (D,)."""

    def pixels(self) -> Image:
        """The picture (H, W, 3)."""
        image = decode(self.data)
        assert image is not None  # it was written here
        return image

    def seen_by(self, model_hash: str) -> NDArray[np.float32] | None:
        """Its vector (D,) by a model; None where that has not looked at it."""
        known = self.vector
        return known[1] if known is not None and known[0] == model_hash else None

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return len(self.data) + _OVERHEAD_BYTES


class CropMemory:
    """Crops by identity. Safe to call from several threads.

    Args:
        config: how much is remembered.
    """

    def __init__(self, config: CropMemoryConfig | None = None) -> None:
        self.config = config or CropMemoryConfig()
        self._crops: OrderedDict[int, list[RememberedCrop]] = OrderedDict()  # those seen longest ago first
        self._lock = threading.Lock()
        self.size_bytes = 0
        """What all of them take."""

    def __len__(self) -> int:
        """How many identities there are crops of."""
        return len(self._crops)

    def remember(self, ids: NDArray[np.int64], crops: Sequence[Image], time_s: float) -> None:
        """Take crops (H, W, 3) of identities (n,) in, seen at a time. They are copied.

        Raises:
            InputError: a crop is not a picture, or there are not as many as identities.
        """
        if len(ids) != len(crops):
            raise InputError(f"remember needs a crop for each of {len(ids)} identities, got {len(crops)}")
        for crop in crops:
            if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or not crop.size:
                raise InputError(f"a crop must be (H, W, 3) uint8 and not empty, got {crop.shape} {crop.dtype}")
        encoded = [RememberedCrop(crop, time_s, self.config) for crop in crops]
        with self._lock:
            for number, fresh in zip(ids.tolist(), encoded, strict=True):
                self._add(number, [fresh])
            self._shrink()

    def renamed(self, old: int, new: int, *, since_s: float) -> None:
        """What was seen as `old` since a time was `new` all the while."""
        with self._lock:
            before = self._crops.get(old, [])
            moved = [crop for crop in before if crop.time_s >= since_s]
            if not moved:
                return
            self._put(old, [crop for crop in before if crop.time_s < since_s])
            self._add(new, moved)

    def forget(self, ids: NDArray[np.int64]) -> None:
        """Drop what is known of these identities (n,)."""
        with self._lock:
            for number in ids.tolist():
                self._put(number, [])

    def keep_only(self, ids: NDArray[np.int64]) -> None:
        """Drop what is known of all but these identities (n,)."""
        with self._lock:
            for number in set(self._crops) - set(ids.tolist()):
                self._put(number, [])

    def of(self, number: int, until_s: float = np.inf) -> list[RememberedCrop]:
        """Crops of one identity up to a time, which is included."""
        with self._lock:
            return [crop for crop in self._crops.get(number, ()) if crop.time_s <= until_s]

    def not_seen_by(self, model_hash: str) -> list[RememberedCrop]:
        """Crops that a model has not looked at; those seen last come first."""
        with self._lock:
            crops = [crop for each in reversed(self._crops.values()) for crop in each]
        return [crop for crop in crops if crop.seen_by(model_hash) is None]

    def _add(self, number: int, crops: list[RememberedCrop]) -> None:
        kept = [*self._crops.get(number, ()), *crops]
        while len(kept) > self.config.crops:
            del kept[_superfluous(kept)]
        self._put(number, kept)
        self._crops.move_to_end(number)

    def _put(self, number: int, crops: list[RememberedCrop]) -> None:
        """Replace the crops of an identity."""
        before = self._crops.get(number, [])
        self.size_bytes += sum(crop.size_bytes for crop in crops) - sum(crop.size_bytes for crop in before)
        if crops:
            self._crops[number] = crops
        else:
            self._crops.pop(number, None)

    def _shrink(self) -> None:
        """Forget until all fits: of those seen longest ago all crops but the last, then these as well."""
        for least in (1, 0):
            for number in list(self._crops) if self.size_bytes > self.config.most_bytes else ():
                if self.size_bytes <= self.config.most_bytes:
                    return
                self._put(number, self._crops[number][-1:] if least else [])


def look_at(crops: Sequence[RememberedCrop], embedder: Embedder) -> None:
    """Give crops their vectors."""
    if crops:
        for crop, vector in zip(crops, embedder.crops([crop.pixels() for crop in crops]), strict=True):
            crop.vector = (embedder.info.model_hash, vector)


def mean_vectors(
    memory: CropMemory, embedder: Embedder, ids: NDArray[np.int64], until_s: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """What identities (n,) look like to a model, by the crops that are remembered of them.

    Args:
        memory: where the crops are.
        embedder: looks at those that it has not seen.
        ids: whose.
        until_s: (n,) or one, until when what was seen counts; included.

    Returns:
        Mean vectors (n, D) of unit length, and how many crops made them (n,); zeros where there was none.
    """
    n, model = len(ids), embedder.info.model_hash
    rows = [memory.of(each, end) for each, end in zip(ids.tolist(), np.broadcast_to(until_s, n).tolist(), strict=True)]
    look_at([crop for crops in rows for crop in crops if crop.seen_by(model) is None], embedder)
    means, counts = np.zeros((n, embedder.info.dimension), np.float32), np.zeros(n)
    for row, crops in enumerate(rows):
        vectors = [vector for crop in crops if (vector := crop.seen_by(model)) is not None]
        total = np.sum(vectors, axis=0) if vectors else means[row]
        norm = float(np.linalg.norm(total))
        if norm > _LEAST_NORM:
            means[row], counts[row] = total / norm, len(vectors)
    return means, counts


def _superfluous(crops: list[RememberedCrop]) -> int:
    """Which of the crops tells least: of the two that look most alike, the older one."""
    looks = np.stack([crop.thumb.ravel() for crop in crops])  # (n, 96)
    alike = looks @ looks.T
    np.fill_diagonal(alike, -1)
    one, other = divmod(int(alike.argmax()), len(crops))
    return one if crops[one].time_s <= crops[other].time_s else other
