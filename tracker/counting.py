"""What a run has met: the one definition of each figure that progress bars, summaries and reports share."""

from __future__ import annotations

import numpy as np

from tracker.types import Tracks


class IdentityCount:
    """Counts the different numbers under which objects were reported.

    A number that was corrected later counts too, as it stands in what was written. Trackers number identities in the
    order in which they report them, so a new one has a number above all earlier ones, and no list has to be kept.
    """

    def __init__(self) -> None:
        self.total = 0
        self._highest = 0

    def update(self, tracks: Tracks) -> None:
        """Count what one frame brought."""
        if len(tracks) and (newest := int(tracks.ids.max())) > self._highest:
            self.total += len(np.unique(tracks.ids[tracks.ids > self._highest]))
            self._highest = newest


class MatchCount:
    """Counts the detections that continued tracks, of trackers that were made to explain themselves."""

    def __init__(self) -> None:
        self.total = 0
        self.by_appearance = 0
        """How many of them went elsewhere, or nowhere, by motion alone."""

    def update(self, tracks: Tracks) -> None:
        """Count what one frame brought."""
        if tracks.explanation is not None:
            self.total += tracks.explanation.matched
            self.by_appearance += tracks.explanation.decided_by_appearance


class EmbeddedCount:
    """Counts the detections of high score, and those of them that had a vector."""

    def __init__(self) -> None:
        self.total = 0
        self.embedded = 0

    @property
    def share(self) -> float:
        """Of the detections of high score, 0..1; 0 before the first."""
        return self.embedded / self.total if self.total else 0.0

    def update(self, tracks: Tracks) -> None:
        """Count what one frame brought."""
        self.total += tracks.confident
        self.embedded += tracks.embedded
