"""What is known of two crops: that they show the same object, different ones, or neither."""

from __future__ import annotations

from typing import Final

SAME: Final = 1
"""Of one labelled identity, or of one tracklet."""
DIFFERENT: Final = 0
"""Of two labelled identities, or of two tracklets that were seen at the same moment."""
UNKNOWN: Final = -1
"""Anything else. Such a pair is neither a positive nor a negative."""
