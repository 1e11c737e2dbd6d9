"""Rendered clips with known truth: figures that walk, hide, leave and come back; and the run of `reidtrack demo`."""

from tracker.demo.scene import DemoClip, DemoConfig
from tracker.demo.truth import Truth

__all__ = ["DemoClip", "DemoConfig", "Truth"]
