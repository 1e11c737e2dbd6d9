"""From a path to crops: looks what kind of data lies there."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from reid.data.config import DataConfig
from reid.data.crops import Crops
from reid.data.files import VIDEO_SUFFIXES, describe, entries, pictures_in, stated_licence
from reid.data.folders import read_folders
from reid.data.market import NAME, PARTS, read_market
from reid.data.mot import read_mot_crops
from reid.data.mot_sequences import has_sequences
from reid.data.pictures import Image
from reid.data.stores import find_stores, read_store_crops
from reid.errors import DataError, InputError
from reid.tracklets.records import RECORDS

DataKind: TypeAlias = Literal["folders", "market", "mot", "tracklets"]
KINDS: tuple[DataKind, ...] = get_args(DataKind)
_logger = logging.getLogger(__name__)


def open_crops(
    path: str | Path,
    *,
    kind: Literal["auto", "folders", "market", "mot", "tracklets"] = "auto",
    frames: Callable[[Path], Iterable[tuple[int, Image]]] | None = None,
    config: DataConfig | None = None,
) -> Crops:
    """Open data to learn from or to measure on. Pictures are read when their pixels are wanted.

    | kind | what lies at `path` |
    |---|---|
    | folders | a folder an identity, pictures in each |
    | market | pictures with Market-1501-style names, `0002_c1s1_000451_03.jpg`, or a whole such data set |
    | mot | MOT sequences: a video or pictures, and `gt/gt.txt`, or a tracker's output (`config.tracks`) |
    | tracklets | what `reidtrack track --save tracklets` wrote, or a folder that holds several such |

    Args:
        path: a folder, or for `mot` also a video.
        kind: `auto` looks what is there.
        frames: reads a video: given its path, gives (number from 1, BGR uint8 (H, W, 3)); None for OpenCV's reader.
        config: which crops to take.

    Raises:
        DataError: nothing is there, it is of another kind, or a file is wrong; the message says what was found.
        InputError: `kind` is none of these.
    """
    if kind != "auto" and kind not in KINDS:
        raise InputError(f"kind must be auto, {', '.join(KINDS)}, got {kind!r}")
    path, config = Path(path).expanduser(), config or DataConfig()
    if not path.exists():
        raise DataError(f"{path} was not found: it must be a folder of pictures, of MOT sequences or of tracklets")
    if path.is_file() and path.name == RECORDS:
        path = path.parent
    chosen: DataKind = detect_kind(path, config) if kind == "auto" else kind
    if path.is_file() and chosen != "mot":
        raise DataError(f"{path} must be a folder for data of the kind {chosen}, got a file")
    if config.licence is None and path.is_dir():
        config = dataclasses.replace(config, licence=stated_licence(path))
    if chosen == "mot":
        crops = read_mot_crops(path, config, frames)
    else:
        crops = {"folders": read_folders, "market": read_market, "tracklets": read_store_crops}[chosen](path, config)
    _logger.info("%s: %s, read as %s", path, crops, chosen)
    return crops


def detect_kind(path: Path, config: DataConfig | None = None) -> DataKind:
    """What kind of data lies at a path.

    Raises:
        DataError: none that is known; the message says what was found and what each kind looks like.
    """
    config = config or DataConfig()
    if path.is_file():
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return "mot"
        raise DataError(f"{path} must be a folder, or a video with ground truth or tracks, got a {path.suffix} file")
    if find_stores(path):
        return "tracklets"
    if has_sequences(path, config):
        return "mot"
    pictures = pictures_in(path)
    if any((path / name).is_dir() for name in PARTS.values()) or _mostly_market(pictures):
        return "market"
    if not pictures and _has_pictures_below(path, levels=3):
        return "folders"
    raise DataError(
        f"{path} holds no data of a known kind: found {describe(path)}. Expected one of: a folder an identity with "
        "pictures in each; pictures named like 0002_c1s1_000451_03.jpg (identity, camera); MOT sequences (gt/gt.txt "
        "beside img1 or a video); what `reidtrack track --save tracklets` wrote"
    )


def _mostly_market(pictures: list[Path]) -> bool:
    """Whether names are Market-1501's; a few strange ones are then an error that the reader explains."""
    return bool(pictures) and sum(bool(NAME.fullmatch(path.stem)) for path in pictures) * 2 > len(pictures)


def _has_pictures_below(folder: Path, levels: int) -> bool:
    return any(
        pictures_in(child) or (levels > 1 and _has_pictures_below(child, levels - 1)) for child in entries(folder)[0]
    )
