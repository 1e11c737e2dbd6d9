"""Sinks in a thread of their own, so that encoding and disks do not hold the detector up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, runtime_checkable

from tracker.channel import Channel, ChannelEnd
from tracker.stages import StageTime
from tracker.types import FrameResult, RunInfo, Sink

_logger = logging.getLogger(__name__)


@runtime_checkable
class AbortableSink(Sink, Protocol):
    """A sink that leaves nothing behind where a run failed before there was a result for it."""

    def abort(self) -> None:
        """Close it after a failure, in place of `close`; also where `open` was what failed."""


@contextmanager
def opened(sinks: Sequence[Sink], run: RunInfo) -> Iterator[None]:
    """Open every sink, and close every one that was, whatever happens; after errors `abort` those that can be aborted.

    An error of the enclosed block goes before one of closing, which is then logged and added to it as a note.
    """
    begun: list[Sink] = []
    failure: BaseException | None = None
    try:
        for sink in sinks:
            begun.append(sink)
            sink.open(run)
        yield
    except BaseException as error:
        failure = error
        raise
    finally:
        _close(begun, failure)


def _close(sinks: Sequence[Sink], failure: BaseException | None) -> None:
    first: BaseException | None = None
    for sink in sinks:
        try:
            if isinstance(failure, Exception) and isinstance(sink, AbortableSink):
                sink.abort()
            else:
                sink.close()
        except BaseException as error:  # noqa: BLE001 - of Ctrl-C too: the others must be closed before it is raised
            earlier = failure or first
            if earlier is None:
                first = error
            else:
                _note(earlier, f"while closing {type(sink).__name__}: {str(error) or type(error).__name__}")
    if first is not None:
        raise first


def _note(earlier: BaseException, text: str) -> None:
    """What went wrong after `earlier`, which is the one that is raised."""
    _logger.warning("%s", text)
    earlier.add_note(text)


class SinkThread:
    """Writes results to open sinks, in order, behind a bounded queue. A context manager: leaving it waits for the rest.

    Args:
        sinks: open; they stay so.
        capacity: results that may wait; a full queue makes `write` wait.
        clock: counts the work, a call a result.

    Raises:
        BaseException: what a sink raised: from the `write` after it, at the latest on leaving.
    """

    def __init__(self, sinks: Sequence[Sink], capacity: int, clock: StageTime) -> None:
        self._sinks = tuple(sinks)
        self._channel: Channel[FrameResult] = Channel(capacity)
        self._clock = clock
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="reidtrack-writer")

    def __enter__(self) -> SinkThread:
        self._thread.start()
        return self

    def write(self, result: FrameResult) -> None:
        """Hand one result over."""
        if not self._channel.put(result) and self._error is not None:
            raise self._error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.finish()
        try:
            self._thread.join()
        except BaseException:  # a second Ctrl-C: give the waiting results up, but not the one that is being written
            self._channel.cancel()
            self._thread.join()
            raise
        if self._error is not None and self._error is not error:
            if error is None:
                raise self._error
            _note(error, f"while writing: {self._error}")

    def _work(self) -> None:
        try:
            while True:
                try:
                    result = self._channel.get()
                except ChannelEnd:
                    return
                with self._clock.measure():
                    for sink in self._sinks:
                        sink.write(result)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
            self._error = error
            self._channel.cancel()
