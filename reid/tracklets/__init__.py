"""Tracklets: pure pieces of tracks, cut where doubt begins, and their store on disk."""

from reid.tracklets.cutting import CutConfig, PieceCutter, Pieces
from reid.tracklets.reading import TrackletRun, Tracklets, is_tracklet_store, read_tracklets
from reid.tracklets.writing import TrackletWriter, remove_tracklets

__all__ = [
    "CutConfig",
    "PieceCutter",
    "Pieces",
    "TrackletRun",
    "TrackletWriter",
    "Tracklets",
    "is_tracklet_store",
    "read_tracklets",
    "remove_tracklets",
]
