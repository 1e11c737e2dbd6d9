"""What is drawn over every picture of one run: boxes, numbers, names, trails and reasons."""

from __future__ import annotations

from collections.abc import Mapping

from tracker.explanation.explanation import explanation_of
from tracker.types import FrameResult, Image
from tracker.video.drawing import Trails, draw_tracks

_REASON_S = 1.0


class Annotator:
    """Draws the results of one run, frame after frame.

    Args:
        class_names: the detector's; they are drawn only where there is more than one kind of object.
        trail_s: how long a trail is; 0 draws none.
        reasons: say for a second why an object has the number of one known before, or has it no longer
            (`IdentityDecision.short`).
    """

    def __init__(self, class_names: Mapping[int, str], trail_s: float, *, reasons: bool = False) -> None:
        self._class_names = class_names if len(class_names) > 1 else {}
        self._trails = Trails(trail_s) if trail_s > 0 else None
        self._with_reasons = reasons
        self._reasons: dict[int, tuple[str, float]] = {}  # number -> what is said, and until when

    def follow(self, result: FrameResult) -> None:
        """Take note of where everybody is, and why; once a frame, also where the frame is not drawn.

        Raises:
            InputError: reasons are wanted, and the tracker keeps none.
        """
        if self._trails is not None:
            self._trails.update(result.tracks)
        if self._with_reasons:
            now_s = result.frame.time_s
            self._reasons = {number: said for number, said in self._reasons.items() if said[1] > now_s}
            explanation = explanation_of(result)
            for decision in () if explanation is None else explanation.identities:
                if decision.short:
                    self._reasons[decision.track_id] = decision.short, now_s + _REASON_S

    def draw(self, image: Image, result: FrameResult) -> Image:
        """A copy of `image` (H, W, 3) BGR uint8 with the result drawn over it."""
        return draw_tracks(
            image,
            result.tracks,
            class_names=self._class_names,
            trails=self._trails,
            notes={number: text for number, (text, _) in self._reasons.items()},
            dash_coasted=result.detected,
        )
