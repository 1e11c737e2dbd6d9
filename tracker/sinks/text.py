"""Lines into a file that is whole at every moment, also when the program is killed or the disk is full."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Mapping
from pathlib import Path

from tracker.errors import InputError, OutputError
from tracker.types import RunInfo

_FLUSH_S = 1.0


class LineFile:
    """Appends whole lines; they reach the file at the latest with the first `write` a second later, and on `close`.

    Only whole lines are handed to the system, and where it takes but a part of them (a full disk) the file is cut
    back to the last whole one, so that a reader never meets half a line. A file that is replaced keeps what is in it
    until there is something to write.

    Args:
        path: its folder is made where missing.
        overwrite: replace an existing file; otherwise that is an error.
        head: lines that stand before all others, and are no content by themselves.

    Raises:
        OutputError: it exists, or cannot be made or written; the message names file and cause.
    """

    def __init__(self, path: Path, *, overwrite: bool, head: str = "") -> None:
        self.path = path
        self._made = not path.exists()
        if not self._made and not overwrite:
            raise already_there(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = "x" if self._made else "a" if path.is_file() else "w"  # a device or pipe has nothing to keep
            self._file: io.FileIO | None = io.FileIO(path, mode)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}") from error
        self._replaces = mode == "a"
        self._waiting: list[str] = [head]
        self._has_content = False
        self._whole_bytes = 0
        self._flushed_s = 0.0

    def write(self, lines: str) -> None:
        """Append lines, each ended by a newline."""
        if self._file is None:
            raise InputError(f"{self.path} is closed")
        self._waiting.append(lines)
        self._has_content |= bool(lines)
        if self._has_content and time.monotonic() - self._flushed_s >= _FLUSH_S:
            self._flush()

    def close(self) -> None:
        """Write what waits and let the file go; harmless more than once."""
        if self._file is None:
            return
        try:
            self._flush()
        finally:
            if self._file is not None:
                self._file.close()
                self._file = None

    def abort(self) -> None:
        """Close after a failure: without content there is then no file, or the one that would have been replaced."""
        if self._has_content:
            self.close()
        elif self._file is not None:
            self._file.close()
            self._file = None
            if self._made:
                with contextlib.suppress(OSError):  # the failure itself is what is reported
                    self.path.unlink(missing_ok=True)

    def _flush(self) -> None:
        assert self._file is not None
        data = "".join(self._waiting).encode()
        self._waiting.clear()
        view = memoryview(data)
        try:
            if self._replaces:
                self._file.truncate(0)
                self._replaces = False
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            lost = data[: len(data) - len(view)]
            whole = self._whole_bytes + lost.rfind(b"\n") + 1
            with contextlib.suppress(OSError):  # a device has no length; the cause is reported in any case
                self._file.truncate(whole)
            self._file.close()
            self._file = None
            raise OutputError(
                f"{self.path} cannot be written: {error.strerror}; its lines until then are kept"
            ) from error
        self._whole_bytes += len(data)
        self._flushed_s = time.monotonic()


class TextSink:
    """What the sinks of text have in common: one `LineFile`, open from `open` to `close`.

    Args:
        path: the file.
        overwrite: replace an existing one.

    Raises:
        OutputError: from `open`, where the file exists or cannot be made; from `write` and `close`, where that fails.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        self._overwrite = overwrite
        self._file: LineFile | None = None
        self._class_names: Mapping[int, str] = {}

    def open(self, run: RunInfo) -> None:
        """Make the file."""
        self._class_names = run.class_names
        self._file = LineFile(self.path, overwrite=self._overwrite, head=self._head(run))

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()

    def abort(self) -> None:
        """Finish the file of a run that failed; one that holds no result is removed."""
        if self._file is not None:
            self._file.abort()

    def _head(self, run: RunInfo) -> str:  # noqa: ARG002 - a subclass may tell of the run
        """What stands above the results."""
        return ""

    def _append(self, lines: str) -> None:
        if self._file is None:
            raise InputError(f"{self.path} is not open")
        self._file.write(lines)


def already_there(path: Path) -> OutputError:
    """The error of a result that would be replaced without having been asked to."""
    return OutputError(f"{path} exists: choose another folder, or allow overwriting")
