"""How the camera moved, from the pictures: what `Tracker.update(camera_motion=...)` asks for."""

from tracker.camera.config import CameraMotionConfig
from tracker.camera.estimator import CameraMotion

__all__ = ["CameraMotion", "CameraMotionConfig"]
