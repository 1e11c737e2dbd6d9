"""The settings of `reidtrack track`: the root of every configuration file in `configs/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tracker.camera.config import CameraMode, CameraMotionConfig
from tracker.cli.schema import argument, flag_only
from tracker.config import TrackerConfig
from tracker.detectors.motion_config import MotionDetectorConfig
from tracker.detectors.onnx_config import OnnxDetectorConfig
from tracker.errors import ConfigError
from tracker.refinement.config import RefinementConfig

SaveKind = Literal["video", "mot", "jsonl", "csv", "crops", "tracklets", "explain"]


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """Settings of `reidtrack track`."""

    source: str = field(metadata=argument("SOURCE"))
    """A video file, a folder or quoted glob of pictures, the number of a webcam, or the URL of a stream."""
    detector: str = "motion"
    """What finds objects: `motion` (moving things before a static camera), an .onnx file, a MOT det.txt, or, with the
    extra [yolo], an Ultralytics name or .pt file."""
    embedder: str = "default"
    """What recognises objects again: `default` (shipped), an .onnx file, or `none`."""
    classes: tuple[str, ...] | None = None
    """Only these classes, by name or number; none for all that the detector knows."""
    conf: float | None = None
    """Drop detections with a lower score, 0..1; none for the detector's own default."""
    device: str = "auto"
    """Where models run: auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N. A GPU that cannot be used is an error; auto
    takes one where it can be used."""
    camera_motion: CameraMode = "auto"
    """Whether the motion of the camera is estimated and predictions moved along: `auto`, with every detector but
    `motion`, which needs a camera that stands still; `on`, with that one too; or `off`."""
    every: int = 1
    """Detect on every Nth frame and predict the positions between."""
    start: str | None = None
    """Where to begin: seconds (`12.5s`), minutes (`1:30`) or a frame number (`300`)."""
    end: str | None = None
    """Where to stop, written like `start`."""
    rate_hz: float | None = None
    """Frames a second: of pictures, or of a video in place of its own clock; none for what the source says, else 25."""
    save: tuple[SaveKind, ...] = ("video", "mot", "jsonl")
    """What to write: any of video, mot, jsonl, csv, crops, tracklets, explain (the tracker's reasons); an empty list
    for nothing."""
    reasons: bool = False
    """Say in the video and the window, for a second, why an object has the number of one known before, or has it no
    longer."""
    include_coasted: bool = False
    """Also write objects that were not seen in a frame, at their predicted positions."""
    refine: bool = False
    """Of a file or pictures: go over the tracks once more at the end, now that all is known, and write them beside the
    others as `tracks-refined`."""
    out: Path | None = field(default=None, metadata=flag_only("DIR"))
    """Folder for the results; a folder named after the source in `runs` where it is not given."""
    overwrite: bool = field(default=False, metadata=flag_only())
    """Replace results that are already in the folder."""
    online: Path | None = field(default=None, metadata=flag_only("DIR"))
    """Learn on site: keep crops of what is followed in this folder, have a worker teach the embedder beside the
    tracking, and use what came of it. Pictures of whoever is there stay in the folder; see docs/online.md."""
    online_config: Path | None = field(default=None, metadata=flag_only("FILE"))
    """Settings of that folder, for the harvest, the worker and the watch over embedders: see configs/online.yaml."""
    online_worker: bool = field(default=True, metadata=flag_only())
    """Whether a worker is started beside the tracking where it learns on site and torch is installed; switched off,
    that is left to `reidtrack online worker` elsewhere, such as on a machine of its own."""
    show: bool = False
    """Show a window while it runs; q or Esc stops."""
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    """How detections become objects with identities."""
    camera: CameraMotionConfig = field(default_factory=CameraMotionConfig)
    """How the motion of the camera is estimated."""
    refinement: RefinementConfig = field(default_factory=RefinementConfig)
    """What `refine` does."""
    motion: MotionDetectorConfig = field(default_factory=MotionDetectorConfig)
    """The detector `motion`."""
    onnx: OnnxDetectorConfig = field(default_factory=OnnxDetectorConfig)
    """Detectors from .onnx files."""

    def __post_init__(self) -> None:
        if self.conf is not None and not 0 <= self.conf <= 1:
            raise ConfigError(f"conf must be within 0..1, got {self.conf}")
        if self.every < 1:
            raise ConfigError(f"every must be 1 or more, got {self.every}")
        if self.rate_hz is not None and self.rate_hz <= 0:
            raise ConfigError(f"rate_hz must be above 0, got {self.rate_hz}")
        if self.tracker.rate_hz != TrackerConfig().rate_hz:
            raise ConfigError("tracker.rate_hz is for programs that give no times: give rate_hz, that of the source")
        if not self.refine and self.refinement != RefinementConfig():
            raise ConfigError("refinement.* says how tracks are refined, which refine asks for")
        if self.camera_motion == "off" and self.camera != CameraMotionConfig():
            raise ConfigError("camera.* says how camera motion is estimated, which camera_motion switches off")
        if len(set(self.save)) != len(self.save):
            raise ConfigError(f"save must name each output once, got {','.join(self.save)}")
