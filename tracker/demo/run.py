"""The library part of `reidtrack demo`: render a clip, follow everybody in it with the defaults, score the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tracker.config import TrackerConfig
from tracker.demo.contact_sheet import ContactSheet
from tracker.demo.scene import DemoClip, DemoConfig
from tracker.detectors import MotionDetector
from tracker.errors import MissingExtraError, OutputError
from tracker.evaluation import Scores, evaluate_files
from tracker.pipeline import Pipeline, RunSummary
from tracker.sinks import open_sinks
from tracker.tracker import Tracker
from tracker.types import EmbedderLike, FrameResult, Sink

_SAVED = ("video", "mot", "jsonl")


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What a demo run amounted to."""

    scores: Scores | None
    """Against the truth of the clip; None where TrackEval is not installed (extra `eval`)."""
    summary: RunSummary
    """Frames, identities, wall time, and the time of each stage; rendering the clip is the stage `decode`."""
    paths: tuple[Path, ...]
    """What was written: annotated video, tracks.txt, tracks.jsonl, contact_sheet.png, truth.txt."""


def run_demo(
    config: DemoConfig | None,
    out: Path,
    *,
    embedder: EmbedderLike | None,
    tracker: TrackerConfig | None = None,
    overwrite: bool = False,
    on_result: Callable[[FrameResult], None] | None = None,
) -> DemoReport:
    """Render a clip and run the real pipeline on it: motion detector, this embedder, tracker, sinks.

    Args:
        config: the clip; None for the default one.
        out: folder for the outputs, made where missing.
        embedder: the default one, another, or None to track without appearance.
        tracker: settings of the tracker; None for the defaults.
        overwrite: replace what is in `out`.
        on_result: called with every result, for a progress bar.

    Raises:
        OutputError: an output exists (without `overwrite`) or cannot be written.
        TrackerError: as any stage of the pipeline raised it.
    """
    clip = DemoClip(config)
    truth_path, sheet = out / "truth.txt", ContactSheet(out / "contact_sheet.png", overwrite=overwrite)
    if truth_path.exists() and not overwrite:
        raise OutputError(f"{truth_path} exists already: give another folder, or ask to overwrite")
    files = open_sinks(_SAVED, out, overwrite=overwrite)
    engine = Tracker(tracker, appearance=None if embedder is None else embedder.info)
    pipeline = Pipeline(clip, MotionDetector(), embedder, engine)
    summary = pipeline.run([*files, sheet], on_result)
    clip.truth.write(truth_path)
    return DemoReport(_score(truth_path, out / "tracks.txt"), summary, _paths(files, sheet.path, truth_path))


def _paths(sinks: list[Sink], *others: Path) -> tuple[Path, ...]:
    # every sink of `open_sinks` says where it writes; the video knows its suffix once it was opened
    return (*(sink.path for sink in sinks if hasattr(sink, "path")), *others)


def _score(truth: Path, tracks: Path) -> Scores | None:
    try:
        return evaluate_files(truth, [tracks]).combined
    except MissingExtraError:
        return None
