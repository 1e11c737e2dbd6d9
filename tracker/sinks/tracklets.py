"""Tracklets to train from: crops, and what is certain of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reid.errors import DataError
from reid.tracklets import CutConfig, PieceCutter, Pieces, TrackletWriter, is_tracklet_store, remove_tracklets
from reid.tracklets.changes import piece_changes
from reid.tracklets.spacing import Spacing
from tracker.boxes import clip
from tracker.errors import InputError, OutputError
from tracker.sinks.checks import check_spacing, check_within
from tracker.sinks.text import already_there
from tracker.types import FloatArray, FrameResult, IntArray, RunInfo, TrackEvent


class TrackletsSink:
    """A store of tracklets (`reid.tracklets`, docs/outputs.md), which `reidtrack train` reads.

    A track is cut where it becomes doubtful whether it still shows the same object: at gaps, where it crosses another
    one, where it was found again or recalled by appearance, and where it turned out to have been somebody else, of
    which the last `doubt_s`, or as much as is known to be wrong, are taken back. Crops are `spacing_s` apart at first
    and ever farther as a tracklet grows older. Predicted positions give no crop, and neither does what is small, badly
    covered or mostly out of the picture.

    Args:
        folder: made where missing.
        overwrite: delete the store that an earlier run left there; otherwise that is an error.
        spacing_s: seconds between two crops of a tracklet at first.
        dense: crops at that spacing; each further so many are twice as far apart.
        least_px: shortest side worth keeping.
        most_covered: largest share of a box inside another box, or out of the picture, with which it is still kept.
        doubt_s: how much of a tracklet is taken back when its track turns out to have been somebody else.
        cut: where tracks are cut.
        jpeg_quality: 1..100.

    Raises:
        ConfigError: an argument is out of range.
        OutputError: a store is there, is being written by another process, or a file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        overwrite: bool = False,
        spacing_s: float = 0.5,
        dense: int = 32,
        least_px: int = 16,
        most_covered: float = 0.5,
        doubt_s: float = 1.0,
        cut: CutConfig | None = None,
        jpeg_quality: int = 92,
    ) -> None:
        check_spacing(spacing_s)
        check_within("dense", dense, 1)
        check_within("least_px", least_px, 1)
        check_within("most_covered", most_covered, 0, 1)
        check_within("doubt_s", doubt_s, 0)
        check_within("jpeg_quality", jpeg_quality, 1, 100)
        self.path = folder
        self._overwrite = overwrite
        self._spacing_s, self._dense = spacing_s, dense
        self._least_px, self._most_covered = least_px, most_covered
        self._doubt_s, self._quality = doubt_s, jpeg_quality
        self._cutter = PieceCutter(cut)
        self._kept: dict[int, Spacing] = {}  # by tracklet, of those that go on
        self._begun_s: dict[int, float] = {}  # likewise, when they were first seen
        self._last: dict[int, int] = {}  # by track, of the last frame: its tracklet
        self._writer: TrackletWriter | None = None

    def open(self, run: RunInfo) -> None:
        """Make the store, or replace an earlier one."""
        try:
            if is_tracklet_store(self.path):
                if not self._overwrite:
                    raise already_there(self.path)
                remove_tracklets(self.path)
            self._writer = TrackletWriter(self.path, jpeg_quality=self._quality)
            self._writer.begin_run(run.source.name, rate_hz=run.source.rate_hz)
            self._writer.commit()
        except DataError as error:
            raise OutputError(str(error)) from error
        except OSError as error:
            raise self._failure(error) from error

    def write(self, result: FrameResult) -> None:
        """Keep the crops of this frame that are due, and note who is seen together for the first time."""
        if self._writer is None:
            raise InputError(f"{self.path} is not open")
        tracks, time_s = result.tracks, result.frame.time_s
        height_px, width_px = result.frame.image.shape[:2]
        inside = clip(tracks.boxes, width_px, height_px)  # (M, 4)
        seen = np.flatnonzero(~tracks.coasted & (_area(inside) > 0))
        renamed, broken = self._changes(self._writer, tracks.events, time_s)
        pieces = self._cutter.update(tracks.ids[seen], inside[seen], time_s, renamed=renamed, broken=broken)
        for tracklet in pieces.ended:
            self._kept.pop(tracklet, None)
            self._begun_s.pop(tracklet, None)
        for tracklet in pieces.tracklet[pieces.tracklet >= 0].tolist():
            self._begun_s.setdefault(tracklet, time_s)
        self._last.update(zip(tracks.ids[seen].tolist(), pieces.tracklet.tolist(), strict=True))
        try:
            for place in self._due(pieces, inside[seen], tracks.boxes[seen], time_s).tolist():
                self._keep(self._writer, result, int(seen[place]), inside, pieces, place)
            self._writer.together(pieces.together, frame=result.frame.index)
            self._writer.commit()
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Finish the store."""
        if self._writer is not None:
            try:
                self._writer.close()
            except OSError as error:
                raise self._failure(error) from error

    def _changes(
        self, writer: TrackletWriter, events: Sequence[TrackEvent], time_s: float
    ) -> tuple[dict[int, int], list[int]]:
        """Which tracks go on under another number, and which numbers stand for another piece from now on."""
        changes = piece_changes(events, time_s, doubt_s=self._doubt_s, begun_s=self._begun)
        for track, since_s in changes.doubted.items():
            doubted = self._last.pop(track, -1)
            if doubted >= 0:
                writer.doubt(doubted, since_s=since_s)
        for track in (*changes.renamed, *changes.ended):
            self._last.pop(track, None)
        return changes.renamed, changes.broken

    def _begun(self, track: int) -> float | None:
        """Since when the tracklet that a track is on has been seen."""
        return self._begun_s.get(self._last.get(track, -1))

    def _due(self, pieces: Pieces, inside: FloatArray, boxes: FloatArray, time_s: float) -> IntArray:
        """(n,) of the boxes seen (m,), those whose crop is to be kept now."""
        corners = np.rint(inside)
        fit = (corners[:, 2:] - corners[:, :2]).min(axis=1, initial=np.inf) >= self._least_px  # (m,)
        fit &= (pieces.tracklet >= 0) & (pieces.covered <= self._most_covered)
        fit &= _area(inside) >= (1 - self._most_covered) * _area(boxes)
        due = []
        for place in np.flatnonzero(fit).tolist():
            kept = self._kept.setdefault(int(pieces.tracklet[place]), Spacing(self._spacing_s))
            if kept.due(time_s):
                kept.take(time_s, dense=self._dense)
                due.append(place)
        return np.array(due, np.int64)

    def _keep(
        self, writer: TrackletWriter, result: FrameResult, row: int, inside: FloatArray, pieces: Pieces, place: int
    ) -> None:
        tracks = result.tracks
        x1, y1, x2, y2 = np.rint(inside[row]).astype(np.int64).tolist()
        writer.add_crop(
            int(pieces.tracklet[place]),
            result.frame.image[y1:y2, x1:x2],
            identity=int(tracks.ids[row]),
            frame=result.frame.index,
            time_s=result.frame.time_s,
            box=tracks.boxes[row],
            score=float(tracks.scores[row]),
            covered=float(pieces.covered[place]),
            class_number=int(tracks.classes[row]),
        )

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(f"{error.filename or self.path} cannot be written: {error.strerror}; the rest is kept")


def _area(boxes: FloatArray) -> FloatArray:
    """(n, 4) -> (n,) in square pixels."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
