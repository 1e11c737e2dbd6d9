"""Files that hold the old bytes or the new, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file: its name stands for the old bytes or the new ones, and these are on the disk by then.

    The new file belongs to whom the old one belonged, as far as the system allows.

    Raises:
        OSError: it cannot be written; the old file is still there.
    """
    draft = _draft_of(path)
    try:
        with draft.open("wb") as file:
            _keep_owner(path, file.fileno())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder last, where the system can: a power cut may otherwise bring an old one back."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def discard_draft(path: Path) -> None:
    """Delete what a killed writer of this file may have left."""
    _draft_of(path).unlink(missing_ok=True)


def _keep_owner(path: Path, draft: int) -> None:
    """Or what root changes could not be changed by its owner any more."""
    with contextlib.suppress(OSError, AttributeError):  # there is no file yet, or nobody owns files on this system
        old = path.stat()
        os.fchown(draft, old.st_uid, old.st_gid)


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}-draft")  # always the same: what a kill leaves is overwritten next time
