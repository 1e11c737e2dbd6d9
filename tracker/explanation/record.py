"""What one update of a tracker decided on, taken down as the arrays that its steps had at hand.

The tracker's core writes here, and only where somebody asked; nothing is computed that the core does not need itself.
`tracker.explanation.explanation` makes decisions of it that people can read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from tracker.table import TrackTable

if TYPE_CHECKING:
    from tracker.association.evidence import Candidates
    from tracker.association.matching import Seen
    from tracker.config import TrackerConfig
    from tracker.types import BoolArray, DoubleArray, FloatArray, IntArray, TrackEvent

Stage: TypeAlias = Literal["confident", "weak", "tentative"]
"""Confirmed tracks with confident detections, those left over with weak ones, tentative tracks with confident ones."""


class StageRecord(NamedTuple):
    """One stage of the matching, with its P pairs."""

    stage: Stage
    pairs: Candidates
    motion: DoubleArray
    """(P,) nats."""
    other_class: BoolArray
    """(P,) whether track and detection are of different classes."""
    appearance: DoubleArray | None
    """(P,) nats, 0 where track or detection have no vector; None where the stage does not look at appearance."""
    cosine: DoubleArray
    """(P,) of the track's mean and the detection, 0 where there is no vector."""
    gain: DoubleArray
    """(P,) nats, all together."""
    chosen: IntArray
    """(C,) rows of the pairs that became matches."""


class Asked(NamedTuple):
    """The n tracks that asked who they are."""

    detections: IntArray
    """(n,) rows of the detections that continue them."""
    before: IntArray
    """(n,) their numbers until then."""
    vectors: DoubleArray
    """(n,) how many crops they had."""
    tell: BoolArray
    """(n,) whether these were enough to tell by."""


class Compared(NamedTuple):
    """Those n beside the K who are missing; lost tracks come before the remembered."""

    numbers: IntArray
    """(K,) of the missing."""
    lost: int
    """How many of them are lost tracks."""
    seen_s: DoubleArray
    """(K,) when they were last seen."""
    held: IntArray
    """(n,) the old number that a track claims already, else 0."""
    cosine: FloatArray
    """(n, K) of the mean appearances."""
    least: DoubleArray
    """(n, K) cosines that one object has at least; (n, 1) where it is one for all."""


class Weighed(NamedTuple):
    """Of these, the P pairs that are alike enough, by enough crops, and within reach."""

    rows: IntArray
    """(P,) of the n that asked."""
    columns: IntArray
    """(P,) of the K who are missing."""
    evidence: DoubleArray
    """(P,) nats."""
    needed: DoubleArray
    """(P,) nats."""
    chosen: IntArray
    """(C,) which of the pairs became claims."""


class UpdateRecord:
    """Filled by the steps of one update, in their order."""

    def __init__(self, config: TrackerConfig) -> None:
        self.config = config
        self.stages: list[StageRecord] = []
        self.parted: dict[int, float] = {}
        """Numbers of tracks that had gone over to other objects, and the evidence for it in nats."""
        self.asked: Asked | None = None
        """None where nobody asked."""
        self.compared: Compared | None = None
        """None where nobody was missing."""
        self.weighed: Weighed | None = None
        """None where nobody was possible."""
        self.births: tuple[IntArray, DoubleArray, IntArray] | None = None
        """(B,) rows of detections good enough to found a track, (B, S) their IoU with tracked objects, and (S,) the
        detections of those; None where there was none to compare."""

    def add_stage(
        self,
        stage: Stage,
        pairs: Candidates,
        motion: DoubleArray,
        other_class: BoolArray,
        appearance: DoubleArray | None,
        cosine: DoubleArray,
        gain: DoubleArray,
        chosen: IntArray,
    ) -> None:
        """One stage of the matching is done."""
        self.stages.append(StageRecord(stage, pairs, motion, other_class, appearance, cosine, gain, chosen))

    def matched(self, tracks: TrackTable, seen: Seen, pairs: Candidates, detection: IntArray, free: BoolArray) -> None:
        """The matching is done; the tracks have not taken it in yet."""
        self.tracks = TrackTable.zeros(len(tracks), 0)
        """As they were, (T,), of ids, proven, seen_s and classes alone."""
        for name in ("ids", "proven", "seen_s", "classes"):
            setattr(self.tracks, name, getattr(tracks, name).copy())
        self.known = tracks.vectors > 0
        """(T,) of which tracks it is known what they look like."""
        scores, classes = seen.scores.copy(), seen.classes.copy()
        self.seen = seen._replace(scores=scores, classes=classes, vectors=seen.vectors[:, :0].copy())
        """Without the vectors, which would take much memory, and sharing none with the caller."""
        self.pairs, self.detection, self.free = pairs, detection, free
        """All pairs, (T,) the detections that continue tracks, -1 for none, and (N,) which continue none."""

    def add_ignored(self, pairs: Candidates) -> None:
        """Pairs of detections that do not count; no stage has seen them."""
        self.pairs = self.pairs.join(pairs)

    def end(self, tracks: TrackTable, events: tuple[TrackEvent, ...]) -> None:
        """What the update ends with."""
        matched = tracks.detection >= 0
        self.number_of = dict(zip(tracks.detection[matched].tolist(), tracks.ids[matched].tolist(), strict=True))
        """Detection -> the number of its track, 0 while it has none."""
        self.events = events
