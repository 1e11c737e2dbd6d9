"""Models that go live, or are gone back from, while a tracker runs: it swaps however slowly the machine learns."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from reid.embedder import DEFAULT_MODEL
from reid.errors import ModelError
from reid.learning.graph import OnnxGraph, write_graph
from reid.online import OnlineFolder
from reid.online.registry import ModelRegistry

_NOISE = 0.01
"""Of the weights of each layer, as a share of them: another model, that sees about the same."""
_ROLLED_BACK = 0.25


class Offers:
    """What a worker that learned, and an operator, would do meanwhile.

    Args:
        work: a folder for models.
        seed: of all that is drawn.
    """

    def __init__(self, work: Path, seed: int) -> None:
        self._path, self._rng = work / "offered.onnx", np.random.default_rng(seed)
        self.problems: list[str] = []
        """What went wrong, in words."""

    @contextlib.contextmanager
    def within(self, site: Path, longest_s: float) -> Iterator[None]:
        """One of the two, at a random moment within so many seconds; it is done when this ends."""
        roll_back = bool(self._rng.random() < _ROLLED_BACK)
        if not roll_back:
            self._make()
        timer = threading.Timer(float(self._rng.uniform(0, longest_s)), self._do, (site, roll_back))
        timer.start()
        try:
            yield
        finally:
            timer.join()

    def _make(self) -> None:
        network = OnnxGraph(DEFAULT_MODEL)
        generator = torch.Generator().manual_seed(int(self._rng.integers(2**31)))
        with torch.no_grad():
            for weights in network.weights.values():
                if weights.is_floating_point():
                    weights.mul_(1 + _NOISE * torch.randn(weights.shape, generator=generator))
        write_graph(network, network.card, self._path)

    def _do(self, site: Path, roll_back: bool) -> None:
        try:
            registry = ModelRegistry(OnlineFolder.open(site))
            if not roll_back:
                registry.admit(self._path, reason="offered by the soak")
            elif _was_offered(registry):
                registry.roll_back("asked for by the soak")
        except (ModelError, OSError) as error:
            self.problems.append(f"{'a rollback' if roll_back else 'an admission'} while it tracked: {error}")


def _was_offered(registry: ModelRegistry) -> bool:
    """Whether the live one was: with one that a round taught, the hours would be left out that rounds learn from."""
    live = registry.current().number
    return live > 0 and all(each.window is None for each in registry.models if each.number == live)
