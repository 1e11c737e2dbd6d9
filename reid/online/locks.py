"""Locks that end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from reid.locking import open_locked


class FileLock:
    """An exclusive lock on a file. Take it with `attempt`; `release` it, or use it as a context manager."""

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file

    @classmethod
    def attempt(cls, path: Path, *, wait_s: float = 0.0) -> FileLock | None:
        """The lock on a file, which is made where it is missing; None where somebody else holds it for `wait_s`.

        Raises:
            DataError: the file system has no such locks.
            OSError: the file cannot be opened.
        """
        file = open_locked(path, wait_s=wait_s)
        return None if file is None else cls(path, file)

    def sign(self, **more: str) -> None:
        """Write into the file who holds it, for those who are refused, and `more` of it; it stays there afterwards.

        It is on the disk when this returns, where it could be written: a power cut brings nobody back who was before.
        """
        holder = {"process": os.getpid(), "machine": socket.gethostname(), "since_unix_s": round(time.time()), **more}
        self._write(json.dumps(holder).encode() + b"\n")
        with contextlib.suppress(OSError):
            os.fsync(self._file)

    def unsign(self) -> None:
        """Take out who signed before, who does not hold it any more; in place, see `_write`."""
        with contextlib.suppress(OSError):
            self._write(b" " * os.fstat(self._file).st_size)

    def _write(self, line: bytes) -> None:
        written = 0
        with contextlib.suppress(OSError):  # the lock counts, not what is written in it
            written = os.pwrite(self._file, line, 0)  # before it is cut: a full disk takes what replaces something
        with contextlib.suppress(OSError):  # no signature is better than that of who was here before
            os.ftruncate(self._file, len(line) if written == len(line) else 0)

    def release(self) -> None:
        """Let others in; harmless more than once."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def signature_of(path: Path) -> dict[str, Any]:
    """What whoever held a lock last wrote into it; empty where nobody did, or it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        signature = json.loads(path.read_bytes())
        if isinstance(signature, dict):
            return signature
    return {}


def holder_of(path: Path) -> str:
    """Who signed a lock, in words: `process 12 on machine x, since 2026-01-31 10:00 UTC`."""
    holder = signature_of(path)
    try:
        since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(holder["since_unix_s"]))
        return f"process {int(holder['process'])} on machine {holder['machine']}, since {since} UTC"
    except (OSError, ValueError, KeyError, TypeError, OverflowError):  # of numbers that are no times
        return "another process"
