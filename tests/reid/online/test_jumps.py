"""Where a track's motion jumps."""

from __future__ import annotations

import numpy as np
import pytest

from reid.errors import InputError
from reid.online.jumps import JumpConfig, JumpDetector


def feed(detector, time_s, boxes, **more):
    jumped = detector.update(
        np.array(list(boxes), np.int64), np.array(list(boxes.values()), np.float64).reshape(-1, 4), time_s, **more
    )
    return {track for track, jump in zip(boxes, jumped.tolist(), strict=True) if jump}


def box(x, y=0, width=40, height=100):
    return [x, y, x + width, y + height]


def test_motion_may_go_on_and_begin():
    detector = JumpDetector()
    for k in range(20):
        assert not feed(detector, k * 0.1, {3: box(25 * k), 1: box(0)}), "far, but as before"
    assert feed(detector, 2.0, {3: box(25 * 19 - 100), 1: box(0)}) == {3}
    assert not feed(detector, 2.1, {3: box(25 * 19 - 100), 1: box(0)}), "a jump is told once"


def test_whoever_was_not_seen_may_be_farther_and_after_long_anywhere():
    detector = JumpDetector(forget_s=1.0)
    feed(detector, 0, {1: box(0), 2: box(0), 3: box(0)})
    assert feed(detector, 0.1, {1: box(50)}) == {1}
    assert feed(detector, 0.6, {2: box(50)}) == set()
    assert feed(detector, 1.7, {3: box(900)}) == set()


@pytest.mark.parametrize(
    ("changed", "jumps"),
    [
        (box(0, height=120), False), (box(0, height=80), False), (box(0, height=145), True), (box(0, height=60), True),
        (box(0, width=60), False), (box(0, width=75), True),
    ],
)  # fmt: skip
def test_sizes(changed, jumps):
    detector = JumpDetector()
    feed(detector, 0, {1: box(0)})
    assert feed(detector, 0.04, {1: changed}) == ({1} if jumps else set())


def test_the_size_of_things_does_not_matter():
    for scale in (0.1, 10):
        detector = JumpDetector()
        feed(detector, 0, {1: box(0, width=40 * scale, height=100 * scale)})
        assert not feed(detector, 0.1, {1: box(30 * scale, width=40 * scale, height=100 * scale)})
        assert feed(detector, 0.2, {1: box(160 * scale, width=40 * scale, height=100 * scale)}) == {1}


def test_numbers_that_stand_for_another_track_are_not_compared():
    detector = JumpDetector()
    feed(detector, 0, {1: box(0), 2: box(300)})
    assert feed(detector, 0.1, {1: box(300), 2: box(0)}, anew=[1]) == {2}


def test_nobody_and_memory():
    detector = JumpDetector()
    assert not feed(detector, 0, {})
    for k in range(500):
        feed(detector, k * 0.1, {k: box(0)})
    assert len(detector._ids) <= 12


@pytest.mark.parametrize("wrong", [{"sizes": -1}, {"sizes_per_s": -1}, {"scale": 0.9}, {"scale_per_s": float("nan")}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} must be"):
        JumpConfig(**wrong)
