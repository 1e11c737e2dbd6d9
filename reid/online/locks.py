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

    def sign(self) -> None:
        """Write into the file who holds it, for those who are refused."""
        holder = {"process": os.getpid(), "machine": socket.gethostname(), "since_unix_s": round(time.time())}
        with contextlib.suppress(OSError):  # the lock counts, not what is written in it
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(holder).encode() + b"\n", 0)

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


def holder_of(path: Path) -> str:
    """Who signed a lock, in words: `process 12 on machine x, since 2026-01-31 10:00 UTC`."""
    try:
        holder: Any = json.loads(path.read_bytes())
        since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(holder["since_unix_s"]))
        return f"process {int(holder['process'])} on machine {holder['machine']}, since {since} UTC"
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return "another process"
