"""Crops to learn from and to measure on, from folders, Market-1501-style names, MOT sequences and tracklet stores.

Needs numpy and OpenCV; torch is not imported.
"""

from reid.data.config import DataConfig
from reid.data.crops import Crops, join_crops
from reid.data.opening import detect_kind, open_crops
from reid.data.relations import DIFFERENT, SAME, UNKNOWN
from reid.data.selection import split_identities

__all__ = [
    "DIFFERENT",
    "SAME",
    "UNKNOWN",
    "Crops",
    "DataConfig",
    "detect_kind",
    "join_crops",
    "open_crops",
    "split_identities",
]
