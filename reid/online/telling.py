"""Tells somebody what happens, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, Final

_logger = logging.getLogger(__name__)
_PATIENCE_S: Final = 5.0


class Teller:
    """Tells of events, one after the other: nobody waits for whoever is told, who may take long, fail, and end it all.

    Args:
        tell: is told.
    """

    def __init__(self, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self._tell = tell
        self._events: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reidtrack-tells", daemon=True)
        self._thread.start()

    def put(self, event: Mapping[str, Any]) -> None:
        """Have an event told; from any thread."""
        self._events.put(event)

    def close(self) -> None:
        """Tell of what waits, for a few seconds at most, and end; harmless more than once."""
        self._events.put(None)
        if threading.current_thread() is not self._thread:  # whoever is told may call it
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._tell(event)
            except Exception:
                _logger.exception("whoever is told what happens failed")
