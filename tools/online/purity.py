"""How much of a tracklet store is true, by the hidden truth of its clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from online.clips import Clip
from online.parts import true_identities
from reid.tracklets import Tracklets, read_tracklets


@dataclass(frozen=True)
class Purity:
    """Of one store."""

    crops: int
    tracklets: int
    people: int
    """True identities that are seen in it."""
    mixed_tracklets: float
    """Share of the tracklets of two crops or more that show more than one person."""
    wrong_crops: float
    """Share of the crops that show another person than most of their tracklet, or nobody."""
    false_pairs: float
    """Share of the pairs seen together that are the same person in truth, by what most of their crops show."""
    mixed_pairs: float
    """Share of the pairs seen together of which some crop of one shows whom some crop of the other shows."""


def store_identities(clip: Clip, store: Tracklets) -> NDArray[np.int64]:
    """(N,) whom each crop of a store shows in truth, -1 for nobody."""
    return true_identities(clip, store.frame, store.boxes)


def purity(clip: Clip, folder: Path) -> Purity:
    """Judge a store by its clip's truth."""
    store = read_tracklets(folder)
    who = store_identities(clip, store)
    shown = {t: who[store.tracklet == t] for t in np.unique(store.tracklet).tolist()}
    main = {t: _most(seen) for t, seen in shown.items()}
    several = [seen[seen >= 0] for seen in shown.values() if len(seen) >= 2]
    wrong = sum(int((seen != main[t]).sum() if main[t] >= 0 else len(seen)) for t, seen in shown.items())
    pairs = [(a, b) for a, b in store.together.tolist() if a in shown and b in shown]
    same = [main[a] == main[b] and main[a] >= 0 for a, b in pairs]
    common = [bool(set(shown[a].tolist()) & set(shown[b].tolist()) - {-1}) for a, b in pairs]
    return Purity(
        len(store),
        len(shown),
        len(np.unique(who[who >= 0])),
        float(np.mean([len(np.unique(seen)) > 1 for seen in several])) if several else 0.0,
        wrong / max(len(store), 1),
        float(np.mean(same)) if pairs else 0.0,
        float(np.mean(common)) if pairs else 0.0,
    )


def _most(seen: NDArray[np.int64]) -> int:
    """Who is shown most, -1 for nobody."""
    known = seen[seen >= 0]
    return int(np.bincount(known).argmax()) if len(known) else -1
