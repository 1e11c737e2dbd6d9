"""Pictures to learn from: figures of the demo and rendered people."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.data import Crops as LabelledCrops
from reid.data import join_crops
from tracker.demo.crops import CropConfig, sample_crop
from tracker.demo.figures import look_alike, sample_figure

HEIGHT_PX, WIDTH_PX = 128, 64
TRAINING, HELD_OUT = 0x7261696E, 0x68656C64  # first words of the figures' seeds: "rain" and "held"
ONE_SITE = CropConfig(
    min_height_px=80, sideways=0.8, occluded=0.05, neighbour=0.15, cut_off=0.03, box_jitter=0.03, light=0.2,
    blurred=0.15, noise=4, compressed=0.15,
)  # fmt: skip
"""What a tracker compares: crops of one camera, most of them whole. Training crops (the defaults) are far harder."""
_PROCESSES = 2
_FEW = 32  # families that are rendered before processes of their own have started


@dataclass(frozen=True, slots=True)
class Crops:
    """Rendered crops. A family is an identity and its look-alike, identities 2 f and 2 f + 1."""

    pixels: NDArray[np.uint8]
    """(N, 128, 64, 3) BGR."""
    identity: NDArray[np.int64]
    """(N,)"""

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Crops:
        """Some of them."""
        return Crops(self.pixels[rows], self.identity[rows])


@dataclass(frozen=True, slots=True)
class ArrayPictures:
    """Pictures that are in memory already, for `reid.data`."""

    pixels: NDArray[np.uint8]
    """(N, 128, 64, 3) BGR."""
    first: int
    """The first one's number in messages."""

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, index: int, height_px: int, width_px: int) -> NDArray[np.uint8]:  # noqa: ARG002 - crops are small
        """(h, w, 3) uint8 BGR."""
        return self.pixels[index]

    def name(self, index: int) -> str:
        """What to call it in a message."""
        return f"rendered crop {self.first + index}"


def labelled(parts: Sequence[Crops]) -> LabelledCrops:
    """Sets of crops of differing identities as one data set, in which a family counts as filmed together.

    So batches can be made of families: the hardest negative that there is, everybody's look-alike, is present.
    """
    sets: list[LabelledCrops] = []
    for part in parts:
        before = sum(len(each.names) for each in sets)
        pictures = ArrayPictures(part.pixels, sum(len(each) for each in sets))
        known = int(part.identity.max()) // 2 * 2 + 2  # even: families stay whole
        names = [f"{number // 2}-{number % 2}" for number in range(before, before + known)]
        sets.append(LabelledCrops(pictures, part.identity, names, group=part.identity // 2))
    return join_crops(sets, cache_mb=0)  # nothing is decoded here, so nothing is worth remembering


def join(parts: Sequence[Crops]) -> Crops:
    """Sets of crops of the same identities as one."""
    return Crops(np.concatenate([p.pixels for p in parts]), np.concatenate([p.identity for p in parts]))


def render_family(task: tuple[int, int, int, int, CropConfig]) -> NDArray[np.uint8]:
    """Crops of one figure of the demo, then of its look-alike, (2 * per_identity, 128, 64, 3)."""
    word, seed, family, per_identity, config = task
    cv2.setNumThreads(1)
    rng = np.random.default_rng([word, seed, family])
    figure = sample_figure(rng)
    pair = (figure, look_alike(figure, rng))
    return np.stack(
        [sample_crop(who, rng, config, size=(WIDTH_PX, HEIGHT_PX)) for who in pair for _ in range(per_identity)]
    )


def render(word: int, seed: int, families: int, per_identity: int, config: CropConfig) -> Crops:
    """All crops of so many families of figures, in processes of their own where there are many."""
    tasks = [(word, seed, family, per_identity, config) for family in range(families)]
    if families <= _FEW:
        parts = [render_family(task) for task in tasks]
    else:
        with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(render_family, tasks, chunksize=8))
    return Crops(np.concatenate(parts), np.repeat(np.arange(2 * families), per_identity))


def load_people(folder: Path) -> Crops:
    """The crops that `python -m tools.people --out FOLDER` rendered."""
    paths = sorted(folder.glob("part-*.npz"))
    if not paths:
        raise SystemExit(f"{folder} has no part-*.npz: render people first, python -m tools.people --out {folder}")
    stored = [np.load(path) for path in paths]
    pixels, identity = (np.concatenate([part[name] for part in stored]) for name in ("pixels", "identity"))
    if pixels.shape[1:] != (HEIGHT_PX, WIDTH_PX, 3):
        raise SystemExit(
            f"people must be rendered as {HEIGHT_PX} x {WIDTH_PX}, got {pixels.shape[1]} x {pixels.shape[2]}"
        )
    return Crops(pixels, identity)
