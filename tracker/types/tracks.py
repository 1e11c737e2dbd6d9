"""What the tracker says of one frame: objects with identities, and what happened to these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tracker.errors import TrackerError
from tracker.types.arrays import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from tracker.explanation import Explanation

TrackEventKind: TypeAlias = Literal["born", "recovered", "recalled", "corrected", "ended"]


@dataclass(frozen=True, slots=True)
class TrackEvent:
    """A turn in the life of one identity.

    `born`: reported for the first time. `recovered`: found again by appearance, soon after it was lost, where motion
    did not reach. `ended`: no longer looked for by motion; remembered, where memory is on and its appearance is known.
    `recalled`: came back from that memory. `corrected`: it was taken for somebody else, and goes on under a number of
    its own.

    What corrects an earlier report need not be `corrected`: it is `recovered` or `recalled` where the object turns out
    to be one known before, as each of two does who had swapped. `corrects` says it of any kind.
    """

    kind: TrackEventKind
    """What happened. To hear of every correction look at `corrects`, not for one kind."""
    track_id: int
    time_s: float
    replaces: int | None = None
    """A correction: the number under which this object was reported until now, if it was."""
    since_s: float | None = None
    """Of a correction: since when it holds, looking back. What was reported under `replaces` from then on was this
    object; before that time, if the track is older, it followed somebody else."""

    @property
    def corrects(self) -> bool:
        """Whether the object was reported under another number until now: under `replaces`."""
        return self.replaces is not None


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """What the tracker says of one frame: M objects with identities."""

    ids: IntArray
    """(M,) int64, the identities' numbers, from 1."""
    boxes: FloatArray
    """(M, 4) float32, `x1, y1, x2, y2` in pixels: the filtered estimate."""
    scores: FloatArray
    """(M,) float32, the detector's score of the matched detection (the last one, where coasted)."""
    classes: IntArray
    """(M,) int64."""
    detections: IntArray
    """(M,) int64: the row of the input that matched, -1 where the position is predicted."""
    time_s: float = 0.0
    """When, on the clock that `update` was given."""
    events: tuple[TrackEvent, ...] = field(default=())
    """What happened to identities in this update."""
    explanation: Explanation | None = None
    """Why; None where the tracker was not made to explain itself, and of predictions."""
    confident: int = 0
    """How many detections had a high score (`TrackerConfig.high_score`)."""
    embedded: int = 0
    """How many of these had a vector, given or asked for."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def coasted(self) -> BoolArray:
        """(M,) bool: predicted, not seen in this frame."""
        return self.detections < 0

    def to_supervision(self) -> Any:
        """As a `supervision.Detections` with `tracker_id`."""
        try:
            import supervision
        except ImportError as error:
            raise TrackerError(
                "to_supervision needs supervision, which is not installed: pip install supervision"
            ) from error
        return supervision.Detections(
            xyxy=self.boxes.copy(),
            confidence=self.scores.copy(),
            class_id=self.classes.astype(int),
            tracker_id=self.ids.astype(int),
        )

    def to_mot(self, frame: int) -> str:
        """MOTChallenge rows `frame,id,left,top,width,height,score,-1,-1,-1`, one a line, each ended by a newline.

        `frame` is the source's frame number, from 1.
        """
        sizes = self.boxes[:, 2:] - self.boxes[:, :2]
        rows = zip(self.ids.tolist(), self.boxes[:, :2].tolist(), sizes.tolist(), self.scores.tolist(), strict=True)
        return "".join(
            f"{frame},{i},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},-1,-1,-1\n" for i, (x, y), (w, h), score in rows
        )
