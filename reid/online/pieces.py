"""Pieces of tracks while they are harvested: where they are cut, and which of their crops are due."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.online.harvest_config import HarvestConfig
from reid.online.jumps import JumpDetector
from reid.online.sightings import Sightings
from reid.tracklets import PieceCutter, Pieces
from reid.tracklets.spacing import TIME_SLACK_S, Spacing


@dataclass(slots=True)
class _Track:
    since_s: float
    seen_s: float
    piece: int = -1
    taken_s: float = -np.inf
    """When its last crop was taken, whichever piece it was of."""


class HarvestPieces:
    """Follows pieces of tracks through the frames.

    Its memory is bounded by what was seen within the longest gap. Pieces are numbered on for ever; after `renew`, all
    are new ones.
    """

    def __init__(self, config: HarvestConfig) -> None:
        self._config = config
        self._next = 1
        self._gap_s = config.cut.longest_gap_s + TIME_SLACK_S
        self.forget()

    def forget(self) -> None:
        """Begin anew, as when a source begins anew."""
        self._jumps = JumpDetector(self._config.jumps, forget_s=self._gap_s)
        self._tracks: dict[int, _Track] = {}
        self.renew()

    def renew(self) -> None:
        """Cut every piece here; who is seen together is told anew."""
        self._cutter = PieceCutter(self._config.cut, first=self._next)
        self._pieces: dict[int, Spacing] = {}  # of those that go on
        self._untold: set[tuple[int, int]] = set()
        for track in self._tracks.values():
            track.piece = -1

    def of_tracks(self, tracks: Mapping[int, float]) -> dict[int, float]:
        """Pieces for tracks, with what belongs to these; for those that have one."""
        found = {number: self._tracks[number].piece for number in tracks if number in self._tracks}
        return {piece: tracks[number] for number, piece in found.items() if piece >= 0}

    def update(
        self, sightings: Sightings, time_s: float, *, renamed: Mapping[int, int], broken: Collection[int]
    ) -> Pieces:
        """The pieces of a frame's sightings; frames come in order of time, arguments are those of `PieceCutter`."""
        self._follow(time_s, renamed, broken)
        anew = {*broken, *renamed, *renamed.values()}
        jumped = self._jumps.update(sightings.ids, sightings.inside, time_s, anew=anew)  # (M,)
        broken = {*broken, *sightings.ids[jumped].tolist()}
        pieces = self._cutter.update(sightings.ids, sightings.inside, time_s, renamed=renamed, broken=broken)
        self._next = max(self._next, int(pieces.tracklet.max(initial=0)) + 1)
        for number, piece in zip(sightings.ids.tolist(), pieces.tracklet.tolist(), strict=True):
            track = self._tracks.setdefault(number, _Track(time_s, time_s))
            track.seen_s, track.piece = time_s, piece
            if piece >= 0 and piece not in self._pieces:
                self._pieces[piece] = Spacing(self._config.spacing_s)
        if pieces.ended:
            for piece in pieces.ended:
                self._pieces.pop(piece, None)
            self._untold = {pair for pair in self._untold if self._pieces.keys() >= set(pair)}
        self._untold.update((a, b) for a, b in pieces.together.tolist())
        return pieces

    def due(self, sightings: Sightings, pieces: Pieces, time_s: float) -> NDArray[np.int64]:
        """(n,) rows of the sightings of which a crop is worth keeping, and wanted now; they count as taken."""
        c = self._config
        fit = (pieces.tracklet >= 0) & (sightings.scores >= c.least_score)  # (M,)
        fit &= np.maximum(pieces.covered, sightings.covered) <= c.most_covered
        fit &= sightings.boxes[:, 3] - sightings.boxes[:, 1] >= c.least_height_px
        fit &= sightings.border_px >= c.border_px
        rows = []
        for row in np.flatnonzero(fit).tolist():
            piece = self._pieces[int(pieces.tracklet[row])]
            track = self._tracks[int(sightings.ids[row])]
            old_enough = time_s - track.since_s >= c.least_age_s - TIME_SLACK_S
            # a box that trembles begins a piece with every jump, and a piece that begins knows of no crop
            spaced = time_s - track.taken_s >= c.spacing_s - TIME_SLACK_S
            if old_enough and spaced and piece.due(time_s):
                piece.take(time_s, dense=c.dense)
                track.taken_s = time_s
                rows.append(row)
        return np.array(rows, np.int64)

    def told_now(self) -> NDArray[np.int64]:
        """(m, 2) pairs of pieces that were seen together, each once, as soon as both have a crop."""
        told = [pair for pair in self._untold if all(self._pieces[piece].count for piece in pair)]
        self._untold.difference_update(told)
        return np.array(sorted(told), np.int64).reshape(-1, 2)

    def untell(self, pairs: NDArray[np.int64]) -> None:
        """Tell pairs once more: what was told has not arrived."""
        self._untold.update((a, b) for a, b in pairs.tolist())

    def _follow(self, time_s: float, renamed: Mapping[int, int], broken: Collection[int]) -> None:
        """Keep the age of tracks whatever they are called; a number that stands for another track is a young one."""
        for number in broken:
            self._tracks.pop(number, None)
        # all leave their old numbers before any takes its new one: two tracks may exchange theirs
        going_on = {new: self._tracks.pop(old) for old, new in renamed.items() if old in self._tracks}
        for number in renamed.values():
            self._tracks.pop(number, None)
        self._tracks |= going_on
        self._tracks = {k: track for k, track in self._tracks.items() if track.seen_s >= time_s - self._gap_s}
