"""Ultralytics (AGPL-3.0): the settings of its YAML files; camera motion off, embeddings handed in."""

from __future__ import annotations

from typing import Any

from peers.base import Appearance, Peer, Result, Scene, Seen, Step, split

_CLASSES = {
    "botsort": ("bot_sort", "BOTSORT"),
    "deepocsort": ("deep_oc_sort", "DeepOCSORT"),
    "tracktrack": ("track_tracker", "TRACKTRACK"),
    "bytetrack": ("byte_tracker", "BYTETracker"),
    "ocsort": ("oc_sort", "OCSORT"),
    "fasttrack": ("fast_tracker", "FASTTracker"),
}


def _peer(name: str, kind: str, appearance: Appearance) -> Peer:
    embedded = appearance is Appearance.USED

    def make(scene: Scene) -> Step:
        import importlib

        from ultralytics.engine.results import Boxes
        from ultralytics.utils import YAML, IterableSimpleNamespace
        from ultralytics.utils.checks import check_yaml

        options: dict[str, Any] = YAML.load(check_yaml(f"{kind}.yaml"))
        if "gmc_method" in options:
            options |= {"gmc_method": "none", "with_reid": embedded, "model": "auto"}
        module, class_name = _CLASSES[kind]
        theirs = getattr(importlib.import_module(f"ultralytics.trackers.{module}"), class_name)
        tracker = theirs(IterableSimpleNamespace(**options))
        width, height = scene.size

        def step(seen: Seen) -> Result:
            boxes = Boxes(seen.detections, (height, width))
            return split(tracker.update(boxes, None, feats=seen.embeddings if embedded else None))

        return step

    settings = f"{kind}.yaml"
    if appearance is not Appearance.IGNORED:
        settings += f", camera motion off, embeddings {'on' if embedded else 'off'}"
    return Peer(f"ultralytics {name}" + ("+emb" if embedded else ""), "ultralytics", appearance, settings, make)


PEERS = (
    _peer("BoT-SORT", "botsort", Appearance.USED),
    _peer("DeepOCSORT", "deepocsort", Appearance.USED),
    _peer("TrackTrack", "tracktrack", Appearance.USED),
    _peer("ByteTrack", "bytetrack", Appearance.IGNORED),
    _peer("OC-SORT", "ocsort", Appearance.IGNORED),
    _peer("FastTrack", "fasttrack", Appearance.IGNORED),
    _peer("BoT-SORT", "botsort", Appearance.OFF),
    _peer("TrackTrack", "tracktrack", Appearance.OFF),
)
