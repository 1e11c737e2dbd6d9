"""What a run of the tracker is made of, by its settings: source, detector, pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.settings import TrackSettings

if TYPE_CHECKING:
    from tracker.pipeline import Pipeline
    from tracker.types import DetectorLike, EmbedderLike, Source


def open_detector_of(settings: TrackSettings) -> DetectorLike:
    """The detector; a device that was asked for the embedder is not asked of one that runs no model."""
    from tracker.detectors import open_detector

    runs_no_model = settings.detector == "motion" or Path(settings.detector).suffix.lower() == ".txt"
    device_is_for_embedder = runs_no_model and settings.embedder != "none"
    return open_detector(
        settings.detector,
        device="auto" if device_is_for_embedder else settings.device,
        conf=settings.conf,
        classes=settings.classes or (),
        onnx=settings.onnx,
        motion=settings.motion,
    )


def open_source_of(settings: TrackSettings) -> Source:
    """The frames."""
    from tracker.video import open_source

    return open_source(settings.source, start=settings.start, end=settings.end, rate_hz=settings.rate_hz)


def make_pipeline(
    settings: TrackSettings, source: Source, detector: DetectorLike, embedder: EmbedderLike | None
) -> Pipeline:
    """Source, detector, embedder and a tracker that keeps its reasons."""
    from tracker.pipeline import Pipeline, PipelineConfig
    from tracker.tracker import Tracker

    tracker = Tracker(settings.tracker, appearance=None if embedder is None else embedder.info, explain=True)
    config = PipelineConfig(
        every=settings.every,
        include_coasted=settings.include_coasted,
        camera_motion=settings.camera_motion,
        camera=settings.camera,
    )
    return Pipeline(source, detector, embedder, tracker, config=config)
