"""Whether a candidate is slower is said by clocks that are handed in, and of real embedders by their work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import pytest

from reid.embedder import DEFAULT_MODEL, Embedder
from reid.online.latency import BATCH, latencies

PIXELS = np.zeros((4, 8, 4, 3), np.uint8)


class Machine:
    """Embedders that take `seconds` for a run, and a clock that knows it."""

    def __init__(self) -> None:
        self.now_s, self.log, self.opened = 0.0, list[str](), 0

    def embedder(self, name: str, seconds: Sequence[float]) -> Any:
        taken: Iterator[float] = iter(seconds)
        machine = self

        class Embedder:
            def crops(self, pixels: Any) -> None:
                assert pixels is PIXELS
                machine.log.append(name)
                machine.now_s += next(taken)

        def opened() -> Embedder:
            machine.opened += 1
            return Embedder()

        return opened

    def measure(self, live: Sequence[float], candidate: Sequence[float]) -> tuple[float, float]:
        pair = self.embedder("live", live), self.embedder("candidate", candidate)
        return latencies(*pair, PIXELS, 0.05, clock=lambda: self.now_s)


class Twice:
    """An embedder that works twice for the same crops."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def crops(self, pixels: Any) -> None:
        self._embedder.crops(pixels)
        self._embedder.crops(pixels)


class Helped:
    """Works for a while, and waits for another thread of this process that works ten times as long."""

    def crops(self, _pixels: Any) -> None:
        work(0.001)
        helper = threading.Thread(target=work, args=(0.01,))
        helper.start()
        helper.join()


class Alone:
    """Works for a while."""

    def crops(self, _pixels: Any) -> None:
        work(0.001)


def work(seconds: float) -> None:
    until_s = time.thread_time() + seconds
    while time.thread_time() < until_s:
        pass


def test_real_ones_are_told_apart_by_their_work() -> None:
    def opened() -> Embedder:
        return Embedder(DEFAULT_MODEL, device="cpu", threads=1)

    shape = opened().card.height_px, opened().card.width_px
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, *shape, 3), np.uint8)
    one, two = latencies(opened, lambda: cast("Embedder", Twice(opened())), pixels, most_slower=9.0)
    assert 1.4 < two / one < 2.8


def test_what_else_the_process_does_counts_for_neither() -> None:
    alone, helped = latencies(cast("Any", Alone), cast("Any", Helped), PIXELS, most_slower=99.0)
    assert helped / alone < 3


def test_medians_of_runs_in_turn_are_compared_without_the_first() -> None:
    machine = Machine()
    live, candidate = [9.0] + [0.4] * 15, [50.0] + [0.4] * 8 + [0.8] * 7
    assert machine.measure(live, candidate) == pytest.approx((100, 100))  # milliseconds a crop, of four
    assert machine.log == ["live", "candidate", "candidate", "live"] * 8
    assert machine.opened == 2


def test_what_seems_slower_is_measured_again_and_the_best_counts() -> None:
    machine = Machine()
    busy = [0.0] + [0.48] * 15
    assert machine.measure([0.4] * 80, [*busy, *busy, *[0.4] * 48]) == pytest.approx((100, 100))
    assert len(machine.log) == 3 * 32
    assert machine.opened == 6, "where they lie in memory is chance"


def test_what_is_slower_every_time_is_said_to_be() -> None:
    machine = Machine()
    worse = [0.0] + [0.48] * 15
    better = [0.0] + [0.44] * 15
    found = machine.measure([0.4] * 80, [*worse, *worse, *better, *worse, *worse])
    assert found == pytest.approx((100, 110))
    assert len(machine.log) == 5 * 32
