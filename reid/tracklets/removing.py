"""Takes pictures, and whole stores, away."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from reid.errors import DataError
from reid.locking import open_locked
from reid.tracklets.records import PICTURES, RECORDS, picture_path

_TRACKLET = re.compile(r"\d{6,}")
_PICTURE = re.compile(r"\d{8,}\.(jpg|part)")


def open_store(path: Path, flags: int = 0, *, wait_s: float = 0.0) -> int:
    """Open the records of a store for this process alone; others may read.

    Raises:
        DataError: another process writes it, for `wait_s` at least.
        OSError: it cannot be opened.
    """
    file = open_locked(path, flags=flags, wait_s=wait_s)
    if file is None:
        raise DataError(f"{path} is being written by another process: wait for it, or choose another folder")
    return file


def remove_tracklets(folder: str | Path) -> None:
    """Delete a store's own files, its records first; anything else in the folder stays.

    Raises:
        DataError: another process writes it.
        OSError: a file cannot be deleted.
    """
    folder = Path(folder)
    path = folder / RECORDS
    if path.is_file():
        try:
            file = open_store(path)
        except PermissionError:  # whether it may be deleted, its folder says
            path.unlink()
        else:
            try:
                path.unlink()
            finally:
                os.close(file)
    for tracklet in tracklet_folders(folder):
        for picture in tracklet.iterdir():
            if is_picture(picture):
                picture.unlink(missing_ok=True)
        _remove_empty(tracklet)
    _remove_empty(folder / PICTURES)


def delete_strangers(folder: Path, known: Mapping[int, Collection[int]]) -> None:
    """Delete all pictures of a store, whole or half written, but the known ones, frames by tracklet."""
    for tracklet in tracklet_folders(folder):
        names = {picture_path(folder, int(tracklet.name), frame) for frame in known.get(int(tracklet.name), ())}
        for picture in list(tracklet.iterdir()):
            if picture not in names and is_picture(picture):
                picture.unlink(missing_ok=True)
        _remove_empty(tracklet)


def tracklet_folders(folder: Path) -> list[Path]:
    """Folders of tracklets that hold pictures."""
    pictures = folder / PICTURES
    if not pictures.is_dir():
        return []
    return [entry for entry in pictures.iterdir() if entry.is_dir() and _TRACKLET.fullmatch(entry.name)]


def is_picture(file: Path) -> bool:
    """Whether a file of a tracklet's folder is a picture of the store, whole or half written."""
    return _PICTURE.fullmatch(file.name) is not None


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not there, or other files of somebody are in it
        folder.rmdir()
