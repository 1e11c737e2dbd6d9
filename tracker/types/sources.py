"""Where frames come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tracker.types.arrays import Image

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source."""

    image: Image
    """(H, W, 3) uint8, BGR."""
    index: int
    """The source's own frame number, from 1."""
    time_s: float
    """Seconds since the source began: media time of a file, capture time of a live source."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before its first frame is used."""

    name: str
    """A short name fit for file names and messages; never holds a password."""
    width_px: int
    height_px: int
    rate_hz: float | None
    """Nominal frames a second, None where unknown."""
    frames: int | None
    """How many frames will come, None where unknown."""
    live: bool
    """Whether frames come on their own time (camera, stream): such a source may drop frames, a file never does."""


class Source(Protocol):
    """Frames in order. Iterate once; close (or use as a context manager) when done.

    `close` may be called at any time, more than once, also before the end.
    """

    @property
    def info(self) -> SourceInfo: ...
    def __iter__(self) -> Iterator[Frame]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Source: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
