"""Tries an embedder on bursts of detections that were recorded while a tracker ran."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.config import TrackerConfig
from tracker.errors import TrackerError
from tracker.replay import Replay, replay
from tracker.types import Detections, EmbedRows, FloatArray, IntArray

if TYPE_CHECKING:
    from reid.embedder import Embedder
    from reid.online.burst import Burst

_logger = logging.getLogger(__name__)


def replays_of(bursts: Path, embedder: Embedder, *, stop: Callable[[], bool] = lambda: False) -> list[Replay | None]:
    """What comes of each burst below a folder, in the order of their names.

    None for one that is damaged, or lacks the picture of a detection that the tracker asked for: which ones it asks for
    depends on the vectors, so that another embedder may well get through.

    Args:
        bursts: where they are.
        embedder: gives the vectors.
        stop: is asked again and again; what is returned after it said True means nothing.
    """
    from reid.online.burst_store import burst_files

    return [None if stop() else _replay_of(path, embedder, stop) for path in burst_files(bursts)]


def _replay_of(path: Path, embedder: Embedder, stop: Callable[[], bool]) -> Replay | None:
    from reid.errors import DataError
    from reid.online.burst import read_burst

    try:
        burst = read_burst(path)
        config = _settings(burst.info.tracker)
        return replay(_frames(burst, embedder), embedder.info, config, stop=stop)
    except (DataError, TrackerError) as error:
        _logger.warning("burst %s is not tracked again: %s", path.name, error)
        return None


def _frames(burst: Burst, embedder: Embedder) -> Iterator[tuple[float, Detections, EmbedRows]]:
    def embed(first: int, rows: IntArray) -> FloatArray:
        return embedder.crops(burst.crops(first + rows))

    for number, time_s in enumerate(burst.time_s.tolist()):
        begin, end = burst.first[number : number + 2].tolist()
        rows = np.arange(begin, end)
        seen = Detections(
            burst.boxes[rows], burst.scores[rows], burst.classes[rows], frame_size=burst.info.frame_size
        )  # fmt: skip
        yield time_s, seen, partial(embed, begin)


def _settings(said: Mapping[str, Any]) -> TrackerConfig:
    """Those of a tracker's settings that this version knows."""
    return TrackerConfig(**{f.name: said[f.name] for f in fields(TrackerConfig) if f.name in said})
