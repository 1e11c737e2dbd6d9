"""A bounded queue between two threads that ends, fails and is called off cleanly; what joins the stages of a run."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class ChannelEnd(Exception):  # noqa: N818 - like StopIteration it is an end, not an error
    """The sender has finished and everything it sent was received."""


class Channel(Generic[T]):
    """One sender, one receiver, at most `capacity` items in between.

    Unlike `queue.Queue` either side may end it: the sender with `finish` (what was sent is still received, then the
    receiver meets the sender's error or `ChannelEnd`), the receiver with `cancel` (the sender is told by `put`).

    Args:
        capacity: items that may wait, 1 or more.
        newest_wins: where it is full, `put` throws the oldest waiting item away instead of waiting for room;
            `dropped` counts them. An item that is received is thus never older than `capacity` sendings.
    """

    def __init__(self, capacity: int, *, newest_wins: bool = False) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._newest_wins = newest_wins
        self._change = threading.Condition()
        self._finished = False
        self._cancelled = False
        self._error: BaseException | None = None
        self.dropped = 0

    def put(self, item: T) -> bool:
        """Send; waits for room unless the newest wins. False: the receiver wants no more."""
        with self._change:
            if self._newest_wins and len(self._items) >= self._capacity:
                self._items.popleft()
                self.dropped += 1
            self._change.wait_for(lambda: self._cancelled or len(self._items) < self._capacity)
            if self._cancelled:
                return False
            self._items.append(item)
            self._change.notify_all()
            return True

    def get(self) -> T:
        """Receive; waits for an item.

        Raises:
            ChannelEnd: the sender finished, or the channel was cancelled.
            BaseException: whatever `finish` was given, after the last item.
        """
        with self._change:
            self._change.wait_for(lambda: bool(self._items) or self._finished or self._cancelled)
            if self._items:
                item = self._items.popleft()
                self._change.notify_all()
                return item
            if self._error is not None and not self._cancelled:
                raise self._error
            raise ChannelEnd

    def finish(self, error: BaseException | None = None) -> None:
        """By the sender: nothing more comes, because of `error` where one is given."""
        with self._change:
            self._finished = True
            self._error = error
            self._change.notify_all()

    def cancel(self) -> None:
        """By the receiver: nothing more is wanted. Waiting items are dropped and `put` returns False."""
        with self._change:
            self._cancelled = True
            self._items.clear()
            self._change.notify_all()
