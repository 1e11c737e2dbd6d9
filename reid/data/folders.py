"""A folder an identity."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid.data.cache import PixelCache
from reid.data.config import DataConfig
from reid.data.crops import Crops
from reid.data.files import describe, entries, first_few, pictures_in
from reid.data.pictures import FilePictures
from reid.errors import DataError

_CAMERA = re.compile(r"(?:^(?!c\d+\.)|_)c(\d{1,4})(?=[s_.])", re.IGNORECASE)  # not c001.jpg, a mere number
_TRAINING = frozenset(("train", "training"))
_SHOWN = 3
_logger = logging.getLogger(__name__)


def read_folders(folder: Path, config: DataConfig) -> Crops:
    """Every sub-folder with pictures is an identity, called like the folder.

    Where all pictures have a camera in their names as Market-1501's do (`0002_c1s1_000451_03.jpg`), that is the
    camera, unless `config.cameras_in_names` is off. A folder whose only sub-folder holds the identities is passed
    through.

    Raises:
        DataError: there is no folder with pictures, or the identities lie a level deeper and it is not clear where.
    """
    folder, found = identity_folders(folder)
    paths = [path for _, pictures in found for path in pictures]
    identity = np.repeat(np.arange(len(found)), [len(pictures) for _, pictures in found])
    pictures = FilePictures(paths)
    return Crops(
        pictures,
        identity,
        [name for name, _ in found],
        camera=_cameras(paths) if config.cameras_in_names else None,
        licence=config.licence,
        cache=PixelCache(pictures, config.cache_mb << 20),
    )


def identity_folders(folder: Path) -> tuple[Path, list[tuple[str, list[Path]]]]:
    """The folder that holds the identities, and their names and pictures.

    Raises:
        DataError: as `read_folders`.
    """
    folders, _ = entries(folder)
    inside = {path: pictures_in(path) for path in folders}
    found = [(path.name, pictures) for path, pictures in inside.items() if pictures]
    if found:
        _tell_of_others([path for path, pictures in inside.items() if not pictures])
        return folder, found
    if len(folders) == 1:
        return identity_folders(folders[0])
    deeper = [path for path in folders if any(pictures_in(inner) for inner in entries(path)[0])]
    deeper.sort(key=lambda path: path.name.lower() not in _TRAINING)  # stable
    hint = f": did you mean {deeper[0]}?" if deeper else ""
    raise DataError(
        f"{folder} must hold a folder an identity with pictures in it, found {describe(folder)}; "
        f"none of these folders holds a picture itself{hint}"
    )


def _tell_of_others(folders: Sequence[Path]) -> None:
    """Say which folders are no identities, since somebody may have thought that they are."""
    if folders:
        held = first_few(folders, _SHOWN, lambda path: f"{path} holds {describe(path)}")
        _logger.warning("left out folders without a picture: %s", held)


def _cameras(paths: Sequence[Path]) -> NDArray[np.int64] | None:
    """(N,) cameras by file name, None unless every name has one."""
    found = [_CAMERA.search(path.name) for path in paths]
    if not all(found):
        return None
    cameras = np.array([int(match[1]) for match in found if match], np.int64)
    count = len(np.unique(cameras))
    if count > 1:
        _logger.info(
            "%d cameras read from names of pictures, such as %d from %s: data.cameras_in_names off if they are none",
            count, cameras[0], paths[0].name,
        )  # fmt: skip
    return cameras
