"""Tracklets: pure pieces of tracks, cut where doubt begins, and their store on disk."""

from reid.tracklets.cutting import CutConfig, PieceCutter, Pieces
from reid.tracklets.reading import TrackletRun, Tracklets, is_tracklet_store, read_tracklets
from reid.tracklets.removing import remove_tracklets
from reid.tracklets.tidying import StoreSize, measure_tracklets, tidy_tracklets
from reid.tracklets.writing import TrackletWriter

__all__ = [
    "CutConfig",
    "PieceCutter",
    "Pieces",
    "StoreSize",
    "TrackletRun",
    "TrackletWriter",
    "Tracklets",
    "is_tracklet_store",
    "measure_tracklets",
    "read_tracklets",
    "remove_tracklets",
    "tidy_tracklets",
]
