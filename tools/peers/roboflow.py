"""Roboflow's trackers (Apache-2.0): their defaults; motion alone, camera motion off."""

from __future__ import annotations

from typing import Any

import numpy as np

from peers.base import Appearance, Peer, Result, Scene, Seen, Step


def _peer(name: str, kind: str, settings: str = "defaults", **options: Any) -> Peer:
    def make(_: Scene) -> Step:
        import supervision
        import trackers

        theirs = getattr(trackers, kind)(**options)

        def step(seen: Seen) -> Result:
            boxes, scores, classes = seen.detections[:, :4], seen.detections[:, 4], seen.detections[:, 5].astype(int)
            tracks = theirs.update(supervision.Detections(xyxy=boxes, confidence=scores, class_id=classes))
            numbered = tracks.tracker_id >= 0
            return tracks.tracker_id[numbered].astype(np.int64), tracks.xyxy[numbered].astype(float)

        return step

    return Peer(f"roboflow {name}", "trackers", Appearance.IGNORED, settings, make)


PEERS = (
    _peer("BoT-SORT", "BoTSORTTracker", "camera motion off", enable_cmc=False),
    _peer("ByteTrack", "ByteTrackTracker"),
    _peer("OC-SORT", "OCSORTTracker"),
    _peer("C-BIoU", "CBIoUTracker"),
)
