from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker.refinement import History, RefinementConfig, refine


def walk(*given, **named):
    return given, named


STAY = RefinementConfig(link_evidence=1e6, keep_evidence=-1e6)


def filled(past: History, config: RefinementConfig = STAY) -> list[int]:
    after = refine(past, config).history
    return after.frame[~after.seen].tolist()


def test_a_short_gap_is_filled_on_a_straight_line_in_time(history) -> None:
    past = history(walk(1, 1, 20, 300), walk(1, 24, 40, 320))
    times_s = past.times_s.copy()
    times_s[20] += 0.08  # frame 21 came late
    after = refine(replace(past, times_s=times_s), STAY).history
    new = ~after.seen
    assert after.frame[new].tolist() == [21, 22, 23]
    share = (times_s[[20, 21, 22]] - times_s[19]) / (times_s[23] - times_s[19])
    np.testing.assert_allclose(after.boxes[new][:, 0], 275 + 20 * share, rtol=1e-5)
    np.testing.assert_allclose(after.boxes[new][:, 3], 300)


@pytest.mark.parametrize(
    ("why", "walks"),
    [
        ("too long", (walk(1, 1, 40, 300), walk(1, 67, 109, 300))),
        ("longer than it was seen before", (walk(1, 1, 3, 300), walk(1, 8, 40, 300))),
        ("longer than it was seen after", (walk(1, 1, 40, 300), walk(1, 45, 47, 300))),
        ("too far", (walk(1, 1, 20, 300), walk(1, 25, 40, 345))),
        ("another size", (walk(1, 1, 20, 300, height=100), walk(1, 25, 40, 300, height=140))),
        ("out of the picture on the left", (walk(1, 1, 20, 25), walk(1, 25, 40, 25))),
        ("out of the picture on the right", (walk(1, 1, 20, 970), walk(1, 25, 40, 976))),
        ("out of the picture below", (walk(1, 1, 20, 300, y=450), walk(1, 25, 40, 300, y=450))),
        ("hardly ever seen", tuple(walk(1, f, f + 1, 300) for f in range(1, 60, 6))),
    ],
)
def test_gaps_that_are_left(history, why: str, walks: tuple[np.ndarray, ...]) -> None:
    assert filled(history(*walks)) == [], why


def test_a_flicker_at_the_border_is_filled(history) -> None:
    assert filled(history(walk(1, 1, 20, 25), walk(1, 22, 40, 25))) == [21]


def test_none_are_filled_on_request(history) -> None:
    past = history(walk(1, 1, 20, 300), walk(1, 24, 40, 320))
    assert filled(past, replace(STAY, max_gap_s=0)) == []


def test_frames_that_the_source_left_out_are_not_invented(history) -> None:
    past = history(walk(1, 1, 20, 300), walk(1, 24, 40, 300))
    keep = ~np.isin(past.frames, [22])
    sparse = replace(past, frames=past.frames[keep], times_s=past.times_s[keep], detected=past.detected[keep])
    assert filled(sparse) == [21, 23]
