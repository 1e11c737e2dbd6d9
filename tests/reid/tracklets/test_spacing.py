"""How far apart the crops of one object are kept."""

from __future__ import annotations

from reid.tracklets.spacing import Spacing


def taken(times_s, *, spacing_s, dense):
    """Which of these times a crop is taken at."""
    spacing, out = Spacing(spacing_s), []
    for time_s in times_s:
        if spacing.due(time_s):
            spacing.take(time_s, dense=dense)
            out.append(time_s)
    return out


def test_crops_are_farther_apart_the_more_there_are():
    assert taken(range(20), spacing_s=1, dense=3) == [0, 1, 2, 4, 6, 8, 12, 16]


def test_the_first_is_taken_whenever_it_comes():
    assert taken([-7.0], spacing_s=100, dense=1) == [-7.0]


def test_a_time_that_was_rounded_to_milliseconds_is_no_reason_to_wait():
    assert taken([0.033, 0.066, 0.0995, 0.133], spacing_s=0.1 / 3, dense=9) == [0.033, 0.066, 0.0995, 0.133]
    assert taken([0.0, 0.03], spacing_s=0.1 / 3, dense=9) == [0.0]
