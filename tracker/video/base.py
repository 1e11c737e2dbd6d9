"""What all sources share: iterate once, close at any time from any thread, begin and end where asked."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType

from tracker.errors import InputError, SourceError
from tracker.types import Frame, SourceInfo
from tracker.video.moment import Span


class BaseSource(ABC):
    """A `tracker.types.Source`. A subclass says what it is (`info`) and how to read the next frame.

    `close` may come from another thread while a frame is being read: it waits for that read, which a subclass bounds.
    """

    def __init__(self, info: SourceInfo, span: Span) -> None:
        self._info = info
        self._span = span
        self._lock = threading.Lock()  # held while the underlying reader is used
        self._closing = False  # set without the lock, so that a reader between two frames sees it at once
        self._released = False
        self._begun = False

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        if self._begun:
            raise InputError(f"{self._info.name} can be iterated once; open it again")
        self._begun = True
        return self._frames()

    def close(self) -> None:
        """End the iteration and let the file or device go; harmless more than once."""
        self._closing = True
        with self._lock:
            if not self._released:
                self._released = True
                self._release()

    def __enter__(self) -> BaseSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _frames(self) -> Iterator[Frame]:
        given = 0
        last = 0
        past_end = False
        while True:
            with self._lock:
                frame = None if self._closing else self._read()
            if frame is None:
                break
            last = frame.index
            past_end = self._span.after(frame.index, frame.time_s)
            if past_end:
                break
            if not self._span.before(frame.index, frame.time_s):
                given += 1
                yield frame
        if given or self._closing:
            return
        if past_end:
            start = self._span.start or "the beginning"
            raise SourceError(
                f"{self._info.name}: no frame lies between start at {start} and end at {self._span.end}: "
                "end must come after start"
            )
        if self._span.start is not None:
            raise SourceError(
                f"{self._info.name}: start at {self._span.start} leaves no frame; the source ends with frame {last}"
            )

    @abstractmethod
    def _read(self) -> Frame | None:
        """The next frame, None at the end. Called with the lock held, not after `_release`.

        Frames before the span (`self._span.before`) are thrown away, so their image may be anything.
        """

    @abstractmethod
    def _release(self) -> None:
        """Let the file or device go; called once, with the lock held."""
