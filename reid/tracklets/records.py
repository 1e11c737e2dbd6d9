"""The store's layout and the words of its records, which the writer and the reader share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SCHEMA: Final = "reidtrack.tracklets"
SCHEMA_VERSION: Final = 1
RECORDS: Final = "store.jsonl"
"""One JSON object a line; lines are only ever added."""
PICTURES: Final = "pictures"
"""Folder of the crops."""


def picture_path(folder: Path, tracklet: int, frame: int) -> Path:
    """Where the crop of a tracklet in a frame lies."""
    return folder / PICTURES / f"{tracklet:06d}" / f"{frame:08d}.jpg"
