"""BoxMOT (AGPL-3.0): its defaults; camera motion off, as pictures are not part of the input."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from peers.base import Appearance, Peer, Result, Scene, Seen, Step


def _peer(kind: str, appearance: Appearance, settings: str = "", **options: Any) -> Peer:
    def make(scene: Scene) -> Step:
        import boxmot
        import torch
        from boxmot.structures.detections import Detections
        from boxmot.structures.geometry import Boxes

        logging.getLogger("boxmot").addFilter(_is_warning)
        theirs = getattr(boxmot, kind)(**options)
        width, height = scene.size
        picture = np.zeros((height, width, 3), np.uint8)

        def step(seen: Seen) -> Result:
            detections = seen.detections
            vectors = {"embeddings": torch.from_numpy(seen.embeddings)} if appearance is Appearance.USED else {}
            theirs_seen = Detections(
                Boxes(torch.from_numpy(detections[:, :4].copy())),
                torch.from_numpy(detections[:, 4].copy()),
                torch.zeros(len(detections), dtype=torch.int64),
                f"frame {seen.frame}",
                **vectors,
            )
            tracks = theirs.update(theirs_seen, picture)
            return tracks.track_ids.numpy().astype(np.int64), tracks.geometry.values.numpy().astype(float)

        return step

    name = f"boxmot {kind}" + ("+emb" if appearance is Appearance.USED else "")
    return Peer(name, "boxmot", appearance, settings or "defaults", make)


def _is_warning(record: logging.LogRecord) -> bool:
    """Whether it is more than the list of settings that is logged with every tracker."""
    return record.levelno >= logging.WARNING


USED, OFF, IGNORED = Appearance.USED, Appearance.OFF, Appearance.IGNORED

PEERS = (
    _peer("BotSort", USED, "camera motion off", use_cmc=False),
    _peer("StrongSort", USED),
    _peer("DeepOcSort", USED, "camera motion off", cmc_off=True),
    _peer("BoostTrack", USED, "camera motion off, embeddings on", use_cmc=False, use_embeddings=True),
    _peer("HybridSort", USED, "camera motion by sparse flow, on black pictures", cmc_method="sof"),
    _peer("ByteTrack", IGNORED),
    _peer("OcSort", IGNORED),
    _peer("BotSort", OFF, "camera motion and embeddings off", use_cmc=False, use_embeddings=False),
    _peer("BoostTrack", OFF, "camera motion and embeddings off", use_cmc=False, use_embeddings=False),
    _peer("HybridSort", OFF, "camera motion by sparse flow, embeddings off", cmc_method="sof", use_embeddings=False),
)
