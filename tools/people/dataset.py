"""A data set of crops: families of look-alikes, each seen by a few of many cameras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .bodies import load_anatomy
from .cameras import Camera, sample_camera
from .crops import Person, sample_crop, sample_family

CAMERAS, PASSERS_BY = 0x63616D65, 0x70617373  # words that begin the seeds: "came", "pass"


@dataclass(frozen=True, slots=True)
class DatasetConfig:
    """What is rendered. The same configuration gives the same pictures."""

    cameras: int = 160
    """Cameras in all."""
    cameras_each: int = 3
    """Cameras that see a family."""
    crops_each: int = 4
    """Crops of an identity by each of these cameras."""
    passers_by: int = 60
    """People who come by as neighbours, two or more."""
    height_px: int = 128
    """Height of the crops."""
    width_px: int = 64
    """Width of the crops."""
    word: int = 0x70656F70
    """First number of the families' seeds: sets with different words share nobody."""
    seed: int = 0
    """Seed."""


@dataclass(frozen=True, slots=True)
class People:
    """Rendered crops."""

    pixels: NDArray[np.uint8]
    """(N, h, w, 3) BGR."""
    identity: NDArray[np.int64]
    """(N,) identities 2 f and 2 f + 1 look alike."""
    camera: NDArray[np.int64]
    """(N,)"""
    facing: NDArray[np.float32]
    """(N,) radians: 0 looks at the camera, then turning to his left."""

    def save(self, path: Path) -> None:
        """As .npz, uncompressed."""
        np.savez(path, pixels=self.pixels, identity=self.identity, camera=self.camera, facing=self.facing)

    @staticmethod
    def load(path: Path) -> People:
        """What `save` wrote."""
        with np.load(path) as stored:
            return People(stored["pixels"], stored["identity"], stored["camera"], stored["facing"])

    @staticmethod
    def concatenate(parts: list[People]) -> People:
        """All of them in one."""
        columns = ([getattr(part, name) for part in parts] for name in ("pixels", "identity", "camera", "facing"))
        return People(*(np.concatenate(column) for column in columns))


class Studio:
    """Cameras and passers-by, made once for all families."""

    def __init__(self, config: DatasetConfig, cache: Path | None = None) -> None:
        cv2.setNumThreads(1)
        self.config = config
        self.anatomy = load_anatomy(cache)
        self.cameras: list[Camera] = [
            sample_camera(np.random.default_rng([CAMERAS, config.word, config.seed, number]))
            for number in range(config.cameras)
        ]
        rng = np.random.default_rng([PASSERS_BY, config.word, config.seed])
        self.passers_by: list[Person] = [sample_family(self.anatomy, rng)[0] for _ in range(config.passers_by)]

    def family(self, number: int) -> People:
        """All crops of one family."""
        config = self.config
        rng = np.random.default_rng([config.word, config.seed, number])
        people = sample_family(self.anatomy, rng)
        size = (config.height_px, config.width_px)
        seen_by = rng.choice(config.cameras, config.cameras_each, replace=False)
        pixels, identity, cameras, facing = [], [], [], []
        for member, person in enumerate(people):
            for camera in seen_by:
                for _ in range(config.crops_each):
                    near = [self.passers_by[k] for k in rng.choice(config.passers_by, 2, replace=False)]
                    crop, direction = sample_crop(self.anatomy, person, self.cameras[camera], near, rng, size)
                    pixels.append(crop)
                    identity.append(2 * number + member)
                    cameras.append(int(camera))
                    facing.append(direction)
        return People(np.stack(pixels), np.array(identity), np.array(cameras), np.array(facing, np.float32))
