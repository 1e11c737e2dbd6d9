"""Settings of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from tracker.camera.config import CameraMode, CameraMotionConfig
from tracker.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """How frames go through the pipeline."""

    every: int = 1
    """Detect on every Nth frame and predict the positions between."""
    include_coasted: bool = False
    """Also report objects that were not seen in this frame, at their predicted positions."""
    queue_frames: int = 4
    """Decoded frames of a file that may wait for the detector; of a live source always 1, the newest."""
    write_queue_frames: int = 8
    """Results that may wait for the sinks before the detector waits for them."""
    camera_motion: CameraMode = "auto"
    """Whether the motion of the camera is estimated and predictions moved along: `auto`, with every detector but those
    that need a camera that stands still (`motion`); `on`, with these too; or `off`."""
    camera: CameraMotionConfig = field(default_factory=CameraMotionConfig)
    """How it is estimated."""

    def __post_init__(self) -> None:
        for name in ("every", "queue_frames", "write_queue_frames"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"{name} must be a whole number of 1 or more, got {value!r}")
        if self.camera_motion not in get_args(CameraMode):
            raise ConfigError(f"camera_motion must be auto, on or off, got {self.camera_motion!r}")
