"""One picture against a folder of them: the nearest first."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid.data.files import entries
from reid.data.pictures import PICTURE_SUFFIXES, FilePictures
from reid.errors import DataError, InputError
from reid.evaluation.collection import CropEmbedder
from reid.evaluation.scoring import Progress
from reid.evaluation.verification import probabilities

_AT_ONCE = 64  # pictures that are read and embedded together
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Match:
    """A picture of the gallery."""

    path: Path
    """As it was given."""
    cosine: float
    """To the query, -1..1."""
    probability: float | None
    """That it is the query's identity, where both are equally likely before looking; None without a calibration."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found."""

    matches: tuple[Match, ...]
    """The nearest pictures, nearest first."""
    searched: int
    """Pictures that were compared: those that could be read."""
    caution: str | None = None
    """What to keep in mind with the probabilities, as the calibration says it; None where it says nothing."""


def gallery_pictures(folder: Path, *, without: Path | None = None) -> list[Path]:
    """Picture files in a folder and all folders below it, in natural order; hidden ones and `without` are left out.

    Raises:
        DataError: a folder cannot be read, or there is no picture.
    """
    left_out = None if without is None else without.resolve()
    found = [path for path in _pictures_below(folder) if left_out is None or path.resolve() != left_out]
    if not found:
        raise DataError(f"{folder} must hold pictures ({', '.join(sorted(PICTURE_SUFFIXES))}), found none")
    return found


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 BGR, turned as its EXIF data says.

    Raises:
        DataError: it cannot be read, or is no picture.
    """
    return FilePictures([path]).read(0, 0, 0)


def search(
    embedder: CropEmbedder,
    query: NDArray[np.uint8],
    gallery: Sequence[Path],
    *,
    top: int = 10,
    progress: Progress | None = None,
) -> SearchResult:
    """The `top` pictures nearest to the query (h, w, 3) uint8 BGR, nearest first.

    Every picture is one crop, filled by its object. Those that cannot be read are left out with a warning. Memory holds
    one vector a picture, and 64 pictures at a time.

    Raises:
        InputError: `top` is below 1.
        DataError: not one picture can be read.
        ModelError: the model failed.
    """
    if top < 1:
        raise InputError(f"top must be 1 or more, got {top}")
    mine = embedder.crops([query])[0]  # (D,)
    paths: list[Path] = []
    cosines: list[NDArray[np.float32]] = []
    for start in range(0, len(gallery), _AT_ONCE):
        readable = list(_readable(gallery[start : start + _AT_ONCE]))
        if readable:
            paths += [path for path, _ in readable]
            cosines.append(embedder.crops([picture for _, picture in readable]) @ mine)
        if progress is not None:
            progress(min(start + _AT_ONCE, len(gallery)), len(gallery))
    if not paths:
        raise DataError(f"none of {len(gallery)} pictures can be read")
    cosine = np.clip(np.concatenate(cosines).astype(np.float64), -1, 1)  # (G,)
    calibration = embedder.card.calibration
    chance = probabilities(calibration, cosine)
    nearest = np.argsort(-cosine, kind="stable")[:top]
    matches = (Match(paths[i], float(cosine[i]), None if chance is None else float(chance[i])) for i in nearest)
    return SearchResult(tuple(matches), len(paths), None if calibration is None else calibration.caution)


def _pictures_below(folder: Path) -> Iterator[Path]:
    folders, files = entries(folder)
    yield from (path for path in files if path.suffix.lower() in PICTURE_SUFFIXES)
    for child in (child for child in folders if not child.is_symlink()):  # a link may lead back up
        yield from _pictures_below(child)


def _readable(paths: Sequence[Path]) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    for path in paths:
        try:
            yield path, read_picture(path)
        except DataError as error:
            _logger.warning("left out: %s", error)
