"""Exchanges the model of an embedder between two frames, and keeps the crops that make it possible."""

from __future__ import annotations

import logging
import math
import time
from typing import Protocol, runtime_checkable

import numpy as np

from tracker.association.evidence import shows_object
from tracker.boxes import area, clip
from tracker.errors import InputError
from tracker.stages import StageTime
from tracker.types import (
    AppearanceInfo,
    Detections,
    EmbedderLike,
    Frame,
    IntArray,
    RemakeVectors,
    SwappableEmbedder,
    TrackEvent,
    Tracks,
)

_SPACING_S = ((3, 0.1), (8, 0.5), (math.inf, 2.0))
"""Of the crops of one identity: how far apart the first 3 are, the next up to 8, and all others."""
_TIDY_S = 10.0
"""How often it is looked up who may still come back."""
_LEAST_SCORE = 0.5
_LEAST_SIDE_PX = 8
_LEAST_INSIDE = 0.8
"""Crops of which a smaller share is in the picture do not show enough."""
_logger = logging.getLogger(__name__)


@runtime_checkable
class SwappableTracker(Protocol):
    """A tracker that goes on with the vectors of another embedder; `tracker.Tracker` is one."""

    @property
    def known_ids(self) -> IntArray:
        """(n,) numbers that may be reported again."""

    def change_embedder(self, info: AppearanceInfo, again: RemakeVectors | None = None) -> None: ...
    def forget(self, ids: IntArray) -> None: ...


class Exchange:
    """What a pipeline does before and after each update, so that the model can be exchanged at any time.

    Crops are remembered of objects that were just seen, alone and as a whole: at most one a tenth of a second and
    identity, and one in two seconds in the long run.

    Args:
        embedder: whose model is exchanged.
        tracker: which goes on with the new one.
        clock: to which the time that this takes is added, but no call.
    """

    def __init__(self, embedder: SwappableEmbedder, tracker: SwappableTracker, clock: StageTime) -> None:
        self._embedder, self._tracker, self._clock = embedder, tracker, clock
        self._next: dict[int, tuple[float, int]] = {}  # by number: when the next crop is due, and which one it will be
        self._tidy_s = -math.inf

    def before_update(self) -> None:
        """Forget whom somebody wants to be forgotten, and take another model, where one waits.

        Should the second fail, for whatever reason, tracking goes on with the old model.
        """
        forgotten = self._embedder.to_forget()
        if len(forgotten):
            self._tracker.forget(forgotten)
        if not self._embedder.ready():
            return
        began = time.perf_counter()
        try:
            self._embedder.swap(self._tracker.change_embedder)
        except Exception:
            _logger.exception("another embedder was not taken: tracking goes on with the one before")
        self._clock.seconds += time.perf_counter() - began

    def after_update(self, frame: Frame, detections: Detections, tracks: Tracks) -> None:
        """Have crops of what was seen remembered."""
        began = time.perf_counter()
        self._rename(tracks.events, frame.time_s)
        rows = self._due(detections, tracks, frame)
        if len(rows):
            boxes = detections.boxes[tracks.detections[rows]]
            height_px, width_px = frame.image.shape[:2]
            corners = np.rint(clip(boxes, width_px, height_px)).astype(np.int64)
            crops = [frame.image[y1:y2, x1:x2] for x1, y1, x2, y2 in corners.tolist()]
            self._embedder.remember(tracks.ids[rows], crops, frame.time_s)
        if frame.time_s - self._tidy_s >= _TIDY_S:
            self._tidy_s = frame.time_s
            known = self._tracker.known_ids
            self._embedder.keep_only(known)
            still = set(known.tolist())
            self._next = {number: due for number, due in self._next.items() if number in still}
        self._clock.seconds += time.perf_counter() - began

    def _rename(self, events: tuple[TrackEvent, ...], now: float) -> None:
        moved = [(k, event) for k, event in enumerate(events, 1) if event.corrects]
        # all leave their numbers before anybody takes one: two may exchange theirs
        for k, event in moved:
            assert event.replaces is not None
            self._embedder.renamed(event.replaces, -k, since_s=now if event.since_s is None else event.since_s)
        for k, event in moved:
            self._embedder.renamed(-k, event.track_id, since_s=-math.inf)

    def _due(self, detections: Detections, tracks: Tracks, frame: Frame) -> IntArray:
        """Rows (n,) of the tracks of which a crop is due, and can be had."""
        now, seen = frame.time_s, np.flatnonzero((tracks.detections >= 0) & (tracks.scores >= _LEAST_SCORE))
        due = [now >= self._next.get(number, (now, 0))[0] for number in tracks.ids[seen].tolist()]
        rows: IntArray = seen[np.array(due, bool)]
        if not len(rows):
            return rows
        boxes = detections.boxes[tracks.detections[rows]].astype(np.float64)
        height_px, width_px = frame.image.shape[:2]
        inside = clip(boxes, width_px, height_px)
        whole = area(inside) >= _LEAST_INSIDE * area(boxes)
        large = (inside[:, 2:] - inside[:, :2]).min(axis=1) >= _LEAST_SIDE_PX
        rows = rows.compress(whole & large & shows_object(detections)[tracks.detections[rows]])
        for number in tracks.ids[rows].tolist():
            count = self._next.get(number, (now, 0))[1] + 1
            self._next[number] = now + next(spacing for most, spacing in _SPACING_S if count < most), count
        return rows


def exchange_of(embedder: EmbedderLike, tracker: object, clock: StageTime) -> Exchange | None:
    """None where the embedder stays as it is.

    Raises:
        InputError: the embedder's model is exchanged, and the tracker cannot go on with another one.
    """
    if not isinstance(embedder, SwappableEmbedder):
        return None
    if not isinstance(tracker, SwappableTracker):
        raise InputError(
            f"an embedder whose model is exchanged needs a tracker with change_embedder, forget and known_ids, "
            f"such as tracker.Tracker, got {type(tracker).__name__}"
        )
    return Exchange(embedder, tracker, clock)
