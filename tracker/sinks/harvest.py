"""Hands what a tracker follows to whoever harvests crops of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from tracker.sinks.piece_changes import piece_changes
from tracker.types import FrameResult, RunInfo

_DOUBT_S = 1.0
"""How much of a piece is taken back when its track turns out to have been somebody else."""


class HarvesterLike(Protocol):
    """What the sink needs of `reid.online.Harvester`."""

    def observe(
        self,
        image: Any,
        *,
        ids: Any,
        boxes: Any,
        scores: Any,
        time_s: float,
        seen: Any = None,
        classes: Any = None,
        frame: int | None = None,
        renamed: Mapping[int, int] | None = None,
        broken: Iterable[int] = (),
        doubted: Mapping[int, float] | None = None,
    ) -> int: ...
    def close(self) -> None: ...


class HarvestSink:
    """Tells a harvester of every frame that the detector saw, and which pieces of tracks end or were wrong.

    Args:
        harvester: is closed with the sink.
    """

    def __init__(self, harvester: HarvesterLike) -> None:
        self._harvester = harvester
        self._begun_s: dict[int, float] = {}  # by number, of the tracks that are followed

    def open(self, run: RunInfo) -> None:
        """Nothing to open."""

    def write(self, result: FrameResult) -> None:
        """Tell of one frame; positions that were predicted between detections are none."""
        if not result.detected:
            return
        tracks, time_s = result.tracks, result.frame.time_s
        changes = piece_changes(tracks.events, time_s, doubt_s=_DOUBT_S, begun_s=self._begun_s.get)
        for old, new in changes.renamed.items():
            self._begun_s[new] = self._begun_s.pop(old, time_s)
        for number in (*changes.broken, *changes.ended):
            self._begun_s.pop(number, None)
        for number in tracks.ids.tolist():
            self._begun_s.setdefault(number, time_s)
        self._harvester.observe(
            result.frame.image,
            ids=tracks.ids,
            boxes=tracks.boxes,
            scores=tracks.scores,
            time_s=time_s,
            seen=~tracks.coasted,
            classes=tracks.classes,
            frame=result.frame.index,
            renamed=changes.renamed,
            broken=changes.broken,
            doubted=changes.doubted,
        )

    def close(self) -> None:
        """Let it write what waits."""
        self._harvester.close()
