"""Who is worse is rolled back from, once."""

from __future__ import annotations

from types import SimpleNamespace

from reid.online.guard import SwapGuard
from reid.online.watch import WatchConfig

CONFIG = WatchConfig(before_s=1200, after_s=1200, block_s=20)


class Embedder:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.info = SimpleNamespace(model_hash="one")
        self.reasons: list[str] = []

    def roll_back(self, reason: str) -> None:
        self.reasons.append(reason)


class Run:
    def __init__(self) -> None:
        self.embedder, self.time_s = Embedder(), 0.0
        self.guard = SwapGuard(self.embedder, CONFIG)  # type: ignore[arg-type]

    def go_on(self, seconds: float, model: str | None, births: int) -> str:
        phases = set()
        for k in range(round(seconds / 2)):
            self.time_s += 2.0
            born = births if k % 5 == 0 else 0
            verdict = self.guard.update(self.time_s, model, objects=10, births=born, breaks=born, margins=(0.9,))
            phases.add(verdict.phase)
        return verdict.phase


def test_a_worse_model_is_rolled_back_from_once_and_the_one_before_is_not_watched() -> None:
    run = Run()
    assert run.go_on(1300, "one", 1) == "calm"
    assert run.go_on(1300, "two", 4) == "worse"
    (reason,) = run.embedder.reasons
    assert "new identities: 36 before" in reason
    assert run.go_on(1300, "one", 1) == "calm"
    assert run.go_on(1300, "three", 4) == "worse"
    assert len(run.embedder.reasons) == 2


def test_a_good_model_is_kept_and_frames_without_a_model_change_nothing() -> None:
    run = Run()
    run.go_on(1300, "one", 2)
    assert run.go_on(600, "two", 2) == "watching"
    run.go_on(20, None, 2)
    assert run.go_on(1300, "two", 2) == "kept"
    assert run.embedder.reasons == []
