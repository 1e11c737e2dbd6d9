"""What happened to an online folder, one line an event: the file that an operator reads after months."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from reid.atomic import write_whole

_TAIL_BYTES = 4096
"""By so much of its end one knows a file again to which lines were added: each has its time."""


class History:
    """Events in a file of JSON Lines; several processes may add to it and read it at the same time.

    Args:
        path: the file, made with the first event.
        guard: keeps other writers out while it is open.
        most_bytes: when the file is longer, its older half goes, but for the last change of the registry (`change`):
            without `current.json` it alone says which model is live.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        guard: Callable[[], AbstractContextManager[object]],
        *,
        most_bytes: int = 8 << 20,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._guard = guard
        self._most_bytes = most_bytes
        self._clock = clock

    def append(self, event: str, **fields: Any) -> None:
        """Add an event; it is on the disk when this returns. `fields` are what JSON can hold.

        Raises:
            OSError: it cannot be written; no half line stays.
            DataError: another process holds the guard for too long.
        """
        record = {"event": event, "unix_s": round(self._clock(), 3), **fields}
        line = (json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n").encode()
        with self._guard():
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                size = _cut_to_whole_lines(file)
                try:
                    if os.write(file, line) < len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                    os.fsync(file)
                except OSError:
                    with contextlib.suppress(OSError):
                        os.ftruncate(file, size)
                    raise
            finally:
                os.close(file)
            if size + len(line) > self._most_bytes:
                self._drop_older_half()

    def read(self) -> list[dict[str, Any]]:
        """Every event, the oldest first; damaged lines, and half a last one, are passed over.

        Raises:
            OSError: the file is there and cannot be read.
        """
        return [event for _, event in _lines(self._bytes())]

    def follow(self) -> Callable[[], list[dict[str, Any]]]:
        """A function that gives what was added since it was last called, cheap where that is nothing.

        Raises:
            OSError: the file is there and cannot be read; so does the function.
        """
        stamp, data = self._stamp(), self._bytes()
        known, end, tail = {line for line, _ in _lines(data)}, len(data), data[-_TAIL_BYTES:]

        def added() -> list[dict[str, Any]]:
            nonlocal stamp, known, end, tail
            now = self._stamp()
            if now == stamp:
                return []
            begin = end - len(tail)
            data, old = self._bytes(begin), 0
            if tail and data.startswith(tail):  # lines were added, and nothing else was done to it
                lines = _lines(data[len(tail) :])
                known.update(line for line, _ in lines)
            else:
                begin, data = 0, self._bytes()
                lines = _lines(data)
                # from behind: the older half may have gone meanwhile, and any line may have been damaged
                old = next((row for row in range(len(lines), 0, -1) if lines[row - 1][0] in known), 0)
                known = {line for line, _ in lines} or known
            stamp, end, tail = now, begin + len(data), data[-_TAIL_BYTES:]
            return [event for _, event in lines[old:]]

        return added

    def _bytes(self, begin: int = 0) -> bytes:
        """The whole lines from a byte on."""
        try:
            with self.path.open("rb") as file:
                file.seek(begin)
                data = file.read()
        except FileNotFoundError:
            return b""
        return data[: data.rfind(b"\n") + 1]

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_size, found.st_mtime_ns

    def _drop_older_half(self) -> None:
        data = self.path.read_bytes()
        cut = data.find(b"\n", len(data) // 2) + 1
        carried = b""
        if not any("change" in event for _, event in _lines(data[cut:])):
            changes = [line for line, event in _lines(data[:cut]) if "change" in event]
            carried = b"".join(line + b"\n" for line in changes[-1:])
        write_whole(self.path, carried + data[cut:])


def _lines(data: bytes) -> list[tuple[bytes, dict[str, Any]]]:
    """Every whole line that is sound, and the event that it is of."""
    events = []
    for line in data.split(b"\n")[:-1]:
        with contextlib.suppress(ValueError, RecursionError):  # a line may be anything
            record = json.loads(line)
            if isinstance(record, dict) and isinstance(record.get("event"), str):
                events.append((line, record))
    return events


def _cut_to_whole_lines(file: int) -> int:
    """Drop the half line that a writer left which was killed while it wrote; the length that remains."""
    size = kept = os.fstat(file).st_size
    while kept:
        start = max(0, kept - (1 << 16))
        at = os.pread(file, kept - start, start).rfind(b"\n")
        kept = start + at + 1
        if at >= 0:
            break
    if kept < size:
        os.ftruncate(file, kept)
    return kept
