"""Whether crops are sound, apart from others, and the same as before: a hash of pictures and of what is known."""

from __future__ import annotations

import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from reid.data.crops import Crops
from reid.data.files import first_few
from reid.data.pictures import FilePictures, JoinedPictures, PictureSource
from reid.data.threads import reading_threads
from reid.errors import DataError, InputError

_HASH_BYTES = 16
_SHOWN = 5
# Doubles are in many data sets, a few of them; with more, the held-out data may be a part of what is trained on.
_MOST_SHARED = 0.1
_logger = logging.getLogger(__name__)


def fingerprint(crops: Crops) -> str:
    """`600 crops 9f3a6c0b1d24`: the same for the same pictures, by content and file name, of the same objects.

    Files count by their bytes: a training decodes them all before it begins, beside which a hash of them is quick.
    Pictures in memory count by their pixels. Folders and modification times do not count: a data set may be moved or
    copied.

    Raises:
        DataError: a picture cannot be read.
    """
    digest = hashlib.blake2b(digest_size=_HASH_BYTES)
    for column in (crops.identity, crops.camera, crops.time_s, crops.group, crops.together, crops.kin):
        digest.update(column.tobytes())
    digest.update(np.stack((crops.labelled, crops.distractor)).tobytes())
    with _threads() as pool:
        for part in pool.map(lambda row: _of_row(crops, row), range(len(crops))):
            digest.update(part)
    return f"{len(crops)} crops {digest.hexdigest()[:12]}"


def without_shared(crops: Crops, held_out: Crops) -> Crops:
    """The held-out crops that are not trained on too, whatever their files are called and wherever they lie.

    Pictures are compared as by `fingerprint`. Those that are left out are told of in a warning.

    Raises:
        InputError: more than a tenth of them are trained on; the message names the first.
        DataError: a picture cannot be read.
    """
    with _threads() as pool:
        trained = set(pool.map(lambda row: _content_hash(crops, row), range(len(crops))))
        theirs = pool.map(lambda row: _content_hash(held_out, row), range(len(held_out)))
        apart = np.array([content not in trained for content in theirs], np.bool_)  # (N,)
    shared = np.flatnonzero(~apart).tolist()
    if not shared:
        return held_out
    named = f"{len(shared)} such of {len(held_out)}: {first_few(shared, _SHOWN, held_out.picture_name)}"
    if len(shared) > _MOST_SHARED * len(held_out):
        raise InputError(
            f"held-out data must hold no picture that is trained on, or its score and calibration say nothing of "
            f"others; got {named}. "
            "Give pictures of other identities, or none (--validate-on), and a share of the identities is held out"
        )
    _logger.warning("left out held-out pictures that are trained on: %s", named)
    return held_out.subset(np.flatnonzero(apart))


def check_pictures(*parts: Crops) -> None:
    """Decode every picture file once, as small as possible, so that none is found damaged hours later.

    Raises:
        DataError: some cannot be read; the message names the first of them.
    """
    with _threads() as pool:
        pictures = (crops.picture(row) for crops in parts for row in range(len(crops)))
        wrong = [said for said in pool.map(lambda picture: _problem(*picture), pictures) if said]
    if wrong:
        raise DataError(first_few(wrong, _SHOWN))


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(reading_threads(), thread_name_prefix="reidtrack-pictures")


def _problem(source: PictureSource, index: int) -> str:
    if isinstance(source, JoinedPictures):
        return _problem(*source.find(index))
    if isinstance(source, FilePictures):  # crops in memory were decoded already
        try:
            source.read(index, 1, 1)
        except DataError as error:
            return str(error)
    return ""


def _of_row(crops: Crops, row: int) -> bytes:
    source, index = crops.picture(row)
    name = Path(crops.picture_name(row)).name.encode(errors="surrogateescape")
    return hashlib.blake2b(name + b"\0" + _content(source, index), digest_size=_HASH_BYTES).digest()


def _content_hash(crops: Crops, row: int) -> bytes:
    return hashlib.blake2b(_content(*crops.picture(row)), digest_size=_HASH_BYTES).digest()


def _content(source: PictureSource, index: int) -> bytes:
    """What tells a picture from others."""
    if isinstance(source, JoinedPictures):
        return _content(*source.find(index))
    if isinstance(source, FilePictures):
        return _file_content(Path(source.name(index)))
    pixels = source.read(index, 1, 1)  # (H, W, 3)
    return repr(pixels.shape).encode() + pixels.tobytes()


def _file_content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"picture {path} cannot be read: {error.strerror}") from error
