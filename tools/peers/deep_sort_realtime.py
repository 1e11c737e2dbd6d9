"""deep-sort-realtime (MIT): `max_age` of 30 frames, embeddings handed in."""

from __future__ import annotations

import numpy as np

from peers.base import Appearance, Peer, Result, Scene, Seen, Step


def _make(_: Scene) -> Step:
    from deep_sort_realtime.deepsort_tracker import DeepSort

    theirs = DeepSort(embedder=None, max_age=30)

    def step(seen: Seen) -> Result:
        rows = [([x1, y1, x2 - x1, y2 - y1], score, 0) for x1, y1, x2, y2, score, _ in seen.detections.tolist()]
        tracks = theirs.update_tracks(rows, embeds=list(seen.embeddings))
        tracks = [t for t in tracks if t.is_confirmed() and t.time_since_update == 0]
        ids = np.array([int(t.track_id) for t in tracks], np.int64)
        return ids, np.array([t.to_ltrb() for t in tracks], float).reshape(-1, 4)

    return step


PEERS = (Peer("deep-sort-realtime+emb", "deep-sort-realtime", Appearance.USED, "max_age=30", _make),)
