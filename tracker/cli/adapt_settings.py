"""The settings of `reidtrack adapt`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from reid.online.burst_config import BurstConfig
from reid.online.config import AdaptConfig
from tracker.camera.config import CameraMode, CameraMotionConfig
from tracker.cli.schema import argument, flag_only, part_of
from tracker.cli.settings import TrackSettings
from tracker.config import TrackerConfig
from tracker.detectors.motion_config import MotionDetectorConfig
from tracker.detectors.onnx_config import OnnxDetectorConfig

_SHARED = ("detector", "classes", "conf", "device", "camera_motion", "every", "tracker", "camera", "motion", "onnx")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptSettings(AdaptConfig):
    """Settings of `reidtrack adapt`."""

    source: tuple[Path, ...] = field(metadata=argument("VIDEO"))
    """Video files of one site, or tracklets that `reidtrack track --save tracklets` wrote there."""
    out: Path = field(default=Path("adapted.onnx"), metadata=flag_only("FILE"))
    """The embedder to write, where a better one comes of it."""
    embedder: str = "default"
    """The embedder to begin with: `default` (shipped) or an .onnx file, whoever made it."""
    passes: int = 1
    """How often videos are followed and learned from, each time with the embedder that came of the time before."""
    seed: int = 0
    """Of everything that is drawn."""
    keep: Path | None = field(default=None, metadata=flag_only("DIR"))
    """Keep the tracklets that were followed in this folder; they are pictures of whoever was there. Deleted at the end
    where it is not given."""
    overwrite: bool = field(default=False, metadata=flag_only())
    """Replace the file that is there."""
    detector: str = "motion"
    """What finds objects: as for `reidtrack track`."""
    classes: tuple[str, ...] | None = None
    """Only these classes, by name or number; none for all that the detector knows."""
    conf: float | None = None
    """Drop detections with a lower score, 0..1; none for the detector's own default."""
    device: str = "auto"
    """Where detector and embedder run while videos are followed; where it learns is `lesson.device`."""
    camera_motion: CameraMode = "auto"
    """Whether the motion of the camera is estimated: `auto`, `on` or `off`."""
    every: int = 1
    """Detect on every Nth frame."""
    bursts: BurstConfig = field(default_factory=BurstConfig)
    """How much of what the detector gave is recorded while videos are followed, to try the result on it."""
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    """How detections become objects with identities."""
    camera: CameraMotionConfig = field(default_factory=CameraMotionConfig)
    """How the motion of the camera is estimated."""
    motion: MotionDetectorConfig = field(default_factory=MotionDetectorConfig)
    """The detector `motion`."""
    onnx: OnnxDetectorConfig = field(default_factory=OnnxDetectorConfig)
    """Detectors from .onnx files."""

    def __post_init__(self) -> None:
        for name in ("passes", "seed"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < (name == "passes"):
                raise ValueError(f"{name} must be a whole number of {int(name == 'passes')} or more, got {value!r}")
        self.tracking(self.source[0] if self.source else Path(), Path())  # refuses what `track` refuses

    @property
    def config(self) -> AdaptConfig:
        """What the library is told."""
        return part_of(self, AdaptConfig)

    def tracking(self, video: Path, out: Path) -> TrackSettings:
        """The settings under which a video is followed, its tracklets written to `out`."""
        shared = {name: getattr(self, name) for name in _SHARED}
        return TrackSettings(source=str(video), out=out, save=("tracklets",), **shared)
