"""Locks on files: they end with the process that holds them, however it ends."""

from __future__ import annotations

import os
import time
from pathlib import Path

from reid.errors import DataError

_PAUSE_S = 0.02


def open_locked(path: Path, *, wait_s: float = 0.0, flags: int = os.O_CREAT) -> int | None:
    """Open a file to read and write, for this process alone; None where another one has it for `wait_s`.

    Closing the file ends the lock. On systems without such locks (those without `fcntl`) nobody is held off.

    Args:
        path: made where it is missing.
        wait_s: how long to wait for another process.
        flags: of `os.open`, beside O_RDWR; without O_CREAT a missing file is an error.

    Raises:
        DataError: the file system has no such locks.
        OSError: the file cannot be opened.
    """
    until_s = time.monotonic() + wait_s
    while True:
        file = os.open(path, os.O_RDWR | flags, 0o666)
        try:
            locked = _lock(file, path)
            if locked and _is_still(file, path):
                kept, file = file, -1
                return kept
        finally:
            if file >= 0:
                os.close(file)
        if not locked:
            if time.monotonic() >= until_s:
                return None
            time.sleep(_PAUSE_S)


def is_locked(path: Path) -> bool:
    """Whether somebody has a file locked; others may ask at the same moment.

    Raises:
        DataError: the file system has no such locks.
        OSError: the file cannot be opened.
    """
    try:
        file = os.open(path, os.O_RDONLY)  # who locked it may be root
    except FileNotFoundError:
        return False
    try:
        return not _lock(file, path, shared=True)
    finally:
        os.close(file)


def _lock(file: int, path: Path, *, shared: bool = False) -> bool:
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise DataError(f"{path} cannot be locked: {error.strerror}; choose a folder on a local disk") from error
    return True


def _is_still(file: int, path: Path) -> bool:
    """Whether the name still stands for the file that was locked: it may have been replaced in between."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
