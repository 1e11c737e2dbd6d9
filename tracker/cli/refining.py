"""`track --refine`: the files that hold the tracks, once more, as they are seen when the whole video is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tracker.cli.errors import UsageError
from tracker.cli.settings import SaveKind, TrackSettings
from tracker.refinement import HistoryRecorder, Refinement, refine
from tracker.sinks import CsvSink, JsonlSink, MotSink
from tracker.types import Detections, Frame, FrameResult, Sink
from tracker.writing import opened

if TYPE_CHECKING:
    from tracker.types import AppearanceInfo

REFINED: dict[SaveKind, tuple[Callable[..., Sink], str]] = {
    "mot": (MotSink, "tracks-refined.txt"),
    "jsonl": (JsonlSink, "tracks-refined.jsonl"),
    "csv": (CsvSink, "tracks-refined.csv"),
}
"""What of a run is refined: its sink, and the name of the file."""


def check_refinable(settings: TrackSettings, *, live: bool) -> None:
    """Refuse `--refine` where it can do nothing.

    Raises:
        UsageError: the source is live, or nothing that is refined is saved.
    """
    if live:
        raise UsageError(
            "--refine needs a whole video: SOURCE must be a file or pictures, got a camera or stream; record it first"
        )
    if not set(settings.save) & set(REFINED):
        saved = ",".join(settings.save) or "nothing"
        raise UsageError(f"--refine rewrites tracks, so --save must have one of {', '.join(REFINED)}, got {saved}")


class RefinedFiles:
    """Listens to a run through `recorder`, a sink, and writes the refined files after it.

    Args:
        settings: of the run.
        out: the folder.
        appearance: what is known of the embedder; None where there is none.
    """

    def __init__(self, settings: TrackSettings, out: Path, appearance: AppearanceInfo | None) -> None:
        self.recorder = HistoryRecorder()
        self._config, self._appearance = settings.refinement, appearance
        self.paths = [out / REFINED[kind][1] for kind in settings.save if kind in REFINED]
        """What will be written."""
        self._sinks: Sequence[Sink] = [
            REFINED[kind][0](out / REFINED[kind][1], overwrite=settings.overwrite)
            for kind in settings.save
            if kind in REFINED
        ]

    def write(self) -> Refinement:
        """Refine what was recorded so far, and write it.

        Raises:
            OutputError: a file cannot be written.
        """
        refined = refine(self.recorder.history(), self._config, appearance=self._appearance)
        nothing = np.zeros((0, 0, 3), np.uint8)  # text needs no picture
        if self.recorder.run is not None:
            with opened(self._sinks, self.recorder.run):
                for number, time_s, detected, tracks in refined.history.by_frame():
                    result = FrameResult(Frame(nothing, number, time_s), Detections.empty(), tracks, detected)
                    for sink in self._sinks:
                        sink.write(result)
        return refined
