"""Market-1501-style names: identity and camera are part of a picture's name."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from reid.data.cache import PixelCache
from reid.data.config import DataConfig
from reid.data.crops import Crops
from reid.data.files import describe, pictures_in
from reid.data.pictures import FilePictures
from reid.errors import DataError

PARTS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
"""Folders of a whole data set, as Market-1501 calls them."""
NAME = re.compile(r"(-1|\d{1,7})_c(\d{1,4})(?:s\d+)?_.*", re.IGNORECASE)
"""`0002_c1s1_000451_03` (Market-1501), `0001_c2_f0046182` (DukeMTMC-reID), `0001_c001_00016450_0` (VeRi)."""
_JUNK, _DISTRACTOR = -1, 0
_logger = logging.getLogger(__name__)


def read_market(folder: Path, config: DataConfig) -> Crops:
    """Pictures in one folder (or in one part of a whole data set) whose names begin with identity and camera.

    Identity -1 is junk and always left out: a bad box of somebody, that a fair score must ignore. Identity 0000 is a
    distractor, which is nobody in particular: left out unless `config.distractors`, and then each is an identity of its
    own, marked as a distractor, so that it never is a true match. Times are unknown, since the frame counters of the
    cameras do not agree.

    Raises:
        DataError: there is no such folder, a name is of another form, or nothing remains.
    """
    folder = _part(folder, config)
    paths = pictures_in(folder)
    names = [NAME.fullmatch(path.stem) for path in paths]
    strange = [path.name for path, match in zip(paths, names, strict=True) if match is None]
    if strange:
        raise DataError(
            f"{folder}: every picture must be named like 0002_c1s1_000451_03.jpg (identity, camera), "
            f"got {strange[0]!r} (and {len(strange) - 1} more of {len(paths)})"
        )
    person = np.array([int(match[1]) for match in names if match], np.int64)  # (N,)
    camera = np.array([int(match[2]) for match in names if match], np.int64)
    keep = person != _JUNK
    if not config.distractors:
        keep &= person != _DISTRACTOR
    rows = np.flatnonzero(keep)
    if not len(rows):
        raise DataError(
            f"{folder} must hold pictures of known identities, found {len(paths)} pictures, "
            "all of them junk (-1) or distractors (0000)"
        )
    _tell_of_distractors(folder, int((person == _DISTRACTOR).sum()), len(paths), taken=config.distractors)
    # a distractor takes a number of its own above all others
    code = np.where(person == _DISTRACTOR, person.max() + 1 + np.arange(len(person)), person)[rows]
    codes, identity = np.unique(code, return_inverse=True)
    called = {int(c): paths[row].stem.split("_")[0] for c, row in zip(code, rows.tolist(), strict=True)}
    pictures = FilePictures([paths[row] for row in rows.tolist()])
    return Crops(
        pictures,
        identity,
        [called[c] for c in codes.tolist()],
        camera=camera[rows],
        distractor=codes > person.max(),
        licence=config.licence,
        cache=PixelCache(pictures, config.cache_mb << 20),
    )


def _tell_of_distractors(folder: Path, count: int, total: int, *, taken: bool) -> None:
    """Say what became of number 0000, since people who number from 0 mean somebody by it."""
    if not count or folder.name == PARTS["gallery"]:  # where Market-1501 itself has them
        return
    _logger.warning(
        "%s: %s %d of %d pictures, since number 0000 is a distractor in Market-1501, nobody in particular: "
        "if it is somebody, number identities from 1",
        folder, "took for nobody" if taken else "left out", count, total,
    )  # fmt: skip


def _part(folder: Path, config: DataConfig) -> Path:
    """The folder of the wanted part of a whole data set, or the folder itself."""
    if not any((folder / name).is_dir() for name in PARTS.values()):
        if not pictures_in(folder):
            raise DataError(
                f"{folder} must hold pictures named like 0002_c1s1_000451_03.jpg, or {PARTS['train']} and so on "
                f"with such pictures; found {describe(folder)}"
            )
        return folder
    part = folder / PARTS[config.part]
    if not part.is_dir():
        raise DataError(
            f"{folder} must hold {PARTS[config.part]} for the part {config.part!r}, found {describe(folder)}"
        )
    return part
