"""MOTChallenge text, the input of TrackEval and of `reidtrack eval`."""

from __future__ import annotations

from tracker.sinks.text import TextSink
from tracker.types import FrameResult


class MotSink(TextSink):
    """One line an object and frame, ten columns, no header.

    | column | meaning |
    |---|---|
    | frame | the source's frame number, from 1 |
    | id | the identity's number, from 1 |
    | left, top, width, height | the box in pixels, two decimals; may reach over the border |
    | score | the detector's, 0..1, four decimals |
    | x, y, z | always -1 |
    """

    def write(self, result: FrameResult) -> None:
        """Append one frame."""
        self._append(result.tracks.to_mot(result.frame.index))
