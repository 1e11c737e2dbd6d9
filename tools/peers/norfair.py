"""Norfair (BSD-3-Clause): boxes by IoU, as its documentation proposes; motion alone."""

from __future__ import annotations

import numpy as np

from peers.base import Appearance, Peer, Result, Scene, Seen, Step


def _make(_: Scene) -> Step:
    import norfair

    theirs = norfair.Tracker(distance_function="iou", distance_threshold=0.7, initialization_delay=2)

    def step(seen: Seen) -> Result:
        points = [norfair.Detection(points=d[:4].reshape(2, 2), scores=np.full(2, d[4])) for d in seen.detections]
        tracks = theirs.update(points)
        ids = np.array([t.id for t in tracks], np.int64)
        return ids, np.array([t.estimate.reshape(4) for t in tracks], float).reshape(-1, 4)

    return step


_SETTINGS = "IoU, distance_threshold=0.7, initialization_delay=2"
PEERS = (Peer("norfair iou", "norfair", Appearance.IGNORED, _SETTINGS, _make),)
