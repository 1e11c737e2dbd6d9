"""Rolls back from a model that makes tracking worse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reid.online.live import LiveEmbedder
from reid.online.watch import Verdict, Watch, WatchConfig


class SwapGuard:
    """Watches every model that goes live, and has the embedder rolled back from one that is worse than the one before.

    Args:
        embedder: whose models are watched.
        config: see `WatchConfig`.
    """

    def __init__(self, embedder: LiveEmbedder, config: WatchConfig | None = None) -> None:
        self._embedder, self._watch = embedder, Watch(config)
        self._model_hash = embedder.info.model_hash
        self._asked = False  # for the model before to be live again

    def update(
        self,
        time_s: float,
        model_hash: str | None,
        *,
        objects: int,
        births: int = 0,
        breaks: int = 0,
        margins: Sequence[float] | NDArray[np.float64] = (),
    ) -> Verdict:
        """Take in what one update of the tracker did; the arguments are those of `Watch.update`.

        `model_hash` is that of the model whose vectors this update was made with (`FrameResult.model_hash`); None where
        it was made without any.
        """
        if model_hash is not None and model_hash != self._model_hash:
            self._model_hash = model_hash
            if self._asked:
                self._watch.rolled_back()
            else:
                self._watch.swapped()
            self._asked = False
        verdict = self._watch.update(time_s, objects=objects, births=births, breaks=breaks, margins=margins)
        if verdict.phase == "worse" and not self._asked:
            self._asked = True
            self._embedder.roll_back(verdict.reason)
        return verdict
