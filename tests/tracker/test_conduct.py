"""What is read off results to judge an embedder by."""

from __future__ import annotations

import numpy as np
import pytest

from tracker import Detections, Frame, FrameResult, Tracks
from tracker.conduct import ConductMeter
from tracker.types import TrackEvent

NOTHING = np.zeros((0, 0, 3), np.uint8)
DIMENSION = 64


def look(person: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    own = np.random.default_rng(person).normal(size=DIMENSION)
    seen = own + rng.normal(0, noise, DIMENSION)
    return seen / np.linalg.norm(seen)


def result(
    people: list[int], time_s: float, rng: np.random.Generator, *, noise: float = 0.5, kinds: tuple[str, ...] = (),
    model: str = "one", apart: float = 100.0,
) -> FrameResult:  # fmt: skip
    boxes = [[apart * k, 0, apart * k + 40, 100] for k in range(len(people))]
    vectors = [look(p, noise, rng) for p in people] if people else None
    found = Detections(boxes, embeddings=vectors)
    events = tuple(TrackEvent(kind, 1, time_s) for kind in kinds)
    n = len(people)
    tracks = Tracks(np.array(people, np.int64), found.boxes, found.scores, found.classes, np.arange(n), time_s, events)
    return FrameResult(Frame(NOTHING, 1, time_s), found, tracks, model_hash=model)


def test_events_are_counted() -> None:
    rng, meter = np.random.default_rng(1), ConductMeter()
    kinds = ("born", "born", "recovered", "recalled", "corrected", "ended")
    conduct = meter.update(result([1, 2, 3], 0.0, rng, kinds=kinds))
    assert (conduct.objects, conduct.births, conduct.breaks) == (3, 2, 5)
    assert meter.update(result([], 0.1, rng)).objects == 0


@pytest.mark.parametrize(("noise", "low", "high"), [(0.1, 1.0, 1.0), (3.0, 0.6, 0.95), (1e6, 0.4, 0.6)])
def test_the_better_an_embedder_tells_people_apart_the_higher_are_its_margins(
    noise: float, low: float, high: float
) -> None:
    rng, meter = np.random.default_rng(1), ConductMeter()
    margins = [meter.update(result([1, 2, 3, 4, 5], k / 10, rng, noise=noise)).margins for k in range(200)]
    assert [len(each) for each in margins[:3]] == [0, 5, 5]
    assert low <= np.concatenate(margins).mean() <= high


def test_vectors_of_two_models_are_never_compared() -> None:
    rng, meter = np.random.default_rng(1), ConductMeter()
    for k in range(3):
        meter.update(result([1, 2], k / 10, rng))
    assert len(meter.update(result([1, 2], 0.4, rng, model="another")).margins) == 0
    assert len(meter.update(result([1, 2], 0.5, rng, model="another")).margins) == 2


def test_crops_that_show_others_too_and_who_is_alone_say_nothing() -> None:
    rng, meter = np.random.default_rng(1), ConductMeter()
    for k in range(3):
        assert len(meter.update(result([1, 2], k / 10, rng, apart=20.0)).margins) == 0
    for k in range(3):
        assert len(meter.update(result([7], 1 + k / 10, rng)).margins) == 0


def test_who_is_long_gone_is_forgotten() -> None:
    rng, meter = np.random.default_rng(1), ConductMeter()
    for k in range(500):
        meter.update(result([k, k + 1], float(k), rng))
    assert len(meter._ids) <= 8
