"""Which start of a tracker was the last of each camera: noted as they begin, so that no clock has a say in it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from reid.errors import DataError
from reid.online.files import read_json, write_json
from reid.online.folder import OnlineFolder


def note_start(folder: OnlineFolder, camera: str, session: str) -> None:
    """Note that a session is the last of a camera, before anything of it is written.

    Cameras of which nothing is left are dropped: a file is one by its name, and there may be a new one every night.

    Args:
        folder: the caller holds its `lock_tracker`.
        camera: folder of the camera.
        session: see `HarvestStore`.

    Raises:
        OSError: it cannot be written.
    """
    noted = _noted(folder)
    if noted.get(camera) != session:
        kept = {name: last for name, last in noted.items() if _has_something(folder, name)}
        write_json(folder.starts, kept | {camera: session})


def noted_session(folder: OnlineFolder, cameras: Collection[str]) -> str | None:
    """The last session of a camera, which may go by several names of folders; None where nobody noted it."""
    return next((session for camera, session in _noted(folder).items() if camera in cameras), None)


def _noted(folder: OnlineFolder) -> dict[str, str]:
    """By folder of the camera; empty where it cannot be read: whoever starts next notes it anew."""
    with contextlib.suppress(DataError):
        said = read_json(folder.starts) or {}
        return {camera: session for camera, session in said.items() if isinstance(session, str)}
    return {}


def _has_something(folder: OnlineFolder, camera: str) -> bool:
    return (folder.harvest / camera).is_dir() or any((folder.replay / camera).glob("*.npz"))
