"""Tracks made better once the whole video is known: tracklets linked globally, gaps filled. Offline only.

Works on the history of any tracker; the project's own also hands over what each object looked like.

The ideas: tracklets linked by one assignment over a whole video (Huang 2008, hierarchical association), objects that
appear and vanish as alternatives to a link (Zhang 2008, network flows), links and interpolation as steps after any
tracker (GIAOTracker, Du 2021; StrongSORT++, Du 2023: AFLink and GSI).
"""

from tracker.refinement.config import RefinementConfig
from tracker.refinement.history import Appearance, History
from tracker.refinement.recorder import HistoryRecorder
from tracker.refinement.refine import Refinement, refine

__all__ = ["Appearance", "History", "HistoryRecorder", "Refinement", "RefinementConfig", "refine"]
