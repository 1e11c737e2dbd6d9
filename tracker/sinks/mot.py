"""MOTChallenge text, the input of TrackEval and of `reidtrack eval`."""

from __future__ import annotations

from pathlib import Path

from tracker.errors import InputError
from tracker.sinks.text import LineFile
from tracker.types import FrameResult, RunInfo


class MotSink:
    """One line an object and frame, ten columns, no header.

    | column | meaning |
    |---|---|
    | frame | the source's frame number, from 1 |
    | id | the identity's number, from 1 |
    | left, top, width, height | the box in pixels, two decimals; may reach over the border |
    | score | the detector's, 0..1, four decimals |
    | x, y, z | always -1 |

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

    def open(self, run: RunInfo) -> None:  # noqa: ARG002 - the format has no place for it
        """Make the file."""
        self._file = LineFile(self.path, overwrite=self._overwrite)

    def write(self, result: FrameResult) -> None:
        """Append one frame."""
        if self._file is None:
            raise InputError(f"{self.path} is not open")
        self._file.write(result.tracks.to_mot(result.frame.index))

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()
