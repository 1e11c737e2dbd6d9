"""Tries an embedder on the bursts of detections that were recorded in an online folder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reid.embedder import Embedder

_logger = logging.getLogger(__name__)


def numbers_of(bursts: Path, embedder: Embedder, *, stop: Callable[[], bool]) -> list[int]:
    """How many numbers a tracker gives with this embedder in each burst below a folder; without those that are damaged.

    Args:
        bursts: where they are.
        embedder: gives the vectors.
        stop: is asked again and again; what is returned after it said True means nothing.
    """
    from reid.errors import DataError
    from reid.online.burst import read_burst
    from reid.online.burst_store import burst_files
    from tracker.replay import replay

    found = []
    for path in burst_files(bursts):
        if stop():
            break
        try:
            found.append(replay(read_burst(path), embedder, stop=stop).births)
        except DataError as error:  # the same for every embedder
            _logger.warning("%s", error)
    return found
