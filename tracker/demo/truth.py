"""What is known of a rendered clip: who is where in each frame, and how much of them is seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tracker.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.demo.compositing import Box
    from tracker.types import BoolArray, DoubleArray, FloatArray, IntArray

Row: TypeAlias = "tuple[int, int, Box, Box, float]"
"""Frame, identity, box of what is seen, box of the whole silhouette, visibility."""
HIDDEN_BELOW = 0.25
"""Figures of which a smaller share is visible count as hidden: their rows are flagged 0, to be ignored in scoring."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """One row for each figure in each frame that it is in, sorted by frame, then identity; hidden figures included."""

    frame: IntArray
    """(n,) frame number, from 1."""
    id: IntArray
    """(n,) identity, from 1."""
    box: FloatArray
    """(n, 4) `x1, y1, x2, y2` of what is seen of the figure; of the whole silhouette where nothing is seen."""
    whole_box: FloatArray
    """(n, 4) `x1, y1, x2, y2` of the whole silhouette, hidden parts included, clipped to the picture."""
    visibility: DoubleArray
    """(n,) share of the silhouette that is seen, 0..1; what lies outside the picture is not."""

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> Truth:
        """One row a figure and frame, in their order."""
        return cls(
            np.array([row[0] for row in rows], np.int64),
            np.array([row[1] for row in rows], np.int64),
            np.array([row[2] for row in rows], np.float32).reshape(-1, 4),
            np.array([row[3] for row in rows], np.float32).reshape(-1, 4),
            np.array([row[4] for row in rows], np.float64),
        )

    @property
    def hidden(self) -> BoolArray:
        """(n,) whether too little is visible to ask a tracker for it."""
        return self.visibility < HIDDEN_BELOW

    def write(self, path: str | Path) -> None:
        """Write MOTChallenge ground truth: `frame,id,left,top,width,height,flag,class,visibility`, one row a line.

        The boxes are those of what is seen (`box`). `class` is 1 (pedestrian). `flag` is 0, which means
        "ignore this row", where the figure is hidden (less than a quarter of it visible), and 1 elsewhere.

        Raises:
            OutputError: the file cannot be written.
        """
        lines = []
        for frame, identity, box, visibility in zip(
            self.frame.tolist(), self.id.tolist(), self.box.tolist(), self.visibility.tolist(), strict=True
        ):
            x1, y1, x2, y2 = box
            flag = int(visibility >= HIDDEN_BELOW)
            lines.append(f"{frame},{identity},{x1:g},{y1:g},{x2 - x1:g},{y2 - y1:g},{flag},1,{visibility:.4f}\n")
        try:
            Path(path).write_text("".join(lines), encoding="ascii")
        except OSError as error:
            raise OutputError(f"cannot write the truth to {path}: {error.strerror}") from error
