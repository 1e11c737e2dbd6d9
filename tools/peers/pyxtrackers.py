"""pyxtrackers (Cython): its defaults; motion alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from peers.base import Appearance, Peer, Result, Scene, Seen, Step, split


def _peer(kind: str, settings: str = "defaults", **options: Any) -> Peer:
    def make(_: Scene) -> Step:
        import pyxtrackers

        theirs = getattr(pyxtrackers, kind)(**options)

        def step(seen: Seen) -> Result:
            return split(theirs.update(seen.detections[:, :5].astype(np.float64)))

        return step

    return Peer(f"pyxtrackers {kind}", "pyxtrackers", Appearance.IGNORED, settings, make)


PEERS = (_peer("BYTETracker"), _peer("OCSort", "det_thresh=0.3", det_thresh=0.3))
