"""What is drawn over every picture of one run: boxes, numbers, names and trails."""

from __future__ import annotations

from collections.abc import Mapping

from tracker.types import FrameResult, Image
from tracker.video.drawing import Trails, draw_tracks


class Annotator:
    """Draws the results of one run, frame after frame.

    Args:
        class_names: the detector's; they are drawn only where there is more than one kind of object.
        trail_s: how long a trail is; 0 draws none.
    """

    def __init__(self, class_names: Mapping[int, str], trail_s: float) -> None:
        self._class_names = class_names if len(class_names) > 1 else {}
        self._trails = Trails(trail_s) if trail_s > 0 else None

    def follow(self, result: FrameResult) -> None:
        """Take note of where everybody is; once a frame, also where the frame is not drawn."""
        if self._trails is not None:
            self._trails.update(result.tracks)

    def draw(self, image: Image, result: FrameResult) -> Image:
        """A copy of `image` (H, W, 3) BGR uint8 with the result drawn over it."""
        return draw_tracks(
            image,
            result.tracks,
            class_names=self._class_names,
            trails=self._trails,
            dash_coasted=result.detected,
        )
