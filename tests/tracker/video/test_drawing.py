from __future__ import annotations

import colorsys
import itertools

import numpy as np
import pytest

from tracker.types import Tracks
from tracker.video.drawing import Style, Trails, draw_tracks, identity_colour


def tracks(boxes, ids=None, *, coasted=(), time_s=0.0):
    n = len(boxes)
    rows = np.arange(n)
    rows[list(coasted)] = -1
    return Tracks(
        np.arange(1, n + 1) if ids is None else np.array(ids),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.ones(n, np.float32),
        np.zeros(n, np.int64),
        rows,
        time_s,
    )


def black(width=320, height=240):
    return np.zeros((height, width, 3), np.uint8)


def test_an_identity_keeps_its_colour_and_neighbours_differ():
    colours = [identity_colour(i) for i in range(1, 200)]
    assert colours == [identity_colour(i) for i in range(1, 200)]
    assert len(set(colours)) == len(colours)
    for a, b in itertools.pairwise(colours):
        hue_a, hue_b = (colorsys.rgb_to_hsv(c[2] / 255, c[1] / 255, c[0] / 255)[0] for c in (a, b))
        assert min(abs(hue_a - hue_b), 1 - abs(hue_a - hue_b)) > 0.2


def test_the_picture_that_was_given_is_not_changed():
    image = black()
    image.setflags(write=False)
    drawn = draw_tracks(image, tracks([[20, 60, 80, 200]]))
    assert drawn is not image
    assert drawn.shape == image.shape
    assert image.max() == 0


def test_a_box_is_drawn_where_the_object_is_in_its_colour():
    drawn = draw_tracks(black(), tracks([[20, 60, 80, 200]], [7]))
    for x, y in ((20, 130), (80, 130), (50, 200)):
        assert tuple(drawn[y, x].tolist()) == identity_colour(7)
    assert drawn[130, 50].max() == 0  # its inside is free
    assert drawn[120:, 90:].max() == 0


def test_nothing_is_drawn_for_nobody():
    assert draw_tracks(black(), tracks([])).max() == 0


def test_a_label_stays_inside_the_picture():
    for box in ([-30, -40, 20, 60], [300, 0, 400, 100], [300, 200, 360, 300], [-50, 100, -10, 200]):
        drawn = draw_tracks(black(), tracks([box], [1234]), class_names={0: "person"})
        assert drawn.max() > 0


def test_the_class_is_said_where_names_are_given():
    plain = draw_tracks(black(), tracks([[20, 60, 80, 200]]))
    named = draw_tracks(black(), tracks([[20, 60, 80, 200]]), class_names={0: "person"})
    other = draw_tracks(black(), tracks([[20, 60, 80, 200]]), class_names={5: "bus"})
    assert (named > 0).any(axis=2).sum() > (plain > 0).any(axis=2).sum()
    assert np.array_equal(other, plain)


def test_predicted_boxes_are_dashed():
    whole = draw_tracks(black(), tracks([[20, 60, 200, 220]]))
    dashed = draw_tracks(black(), tracks([[20, 60, 200, 220]], coasted=[0]))
    as_whole = draw_tracks(black(), tracks([[20, 60, 200, 220]], coasted=[0]), dash_coasted=False)
    below = slice(219, 222)
    assert 0.3 < (dashed[below] > 0).sum() / (whole[below] > 0).sum() < 0.85
    assert np.array_equal(as_whole, whole)


@pytest.mark.parametrize("value", [1e9, -1e9, 3e38])
def test_boxes_far_outside_draw_nothing_wrong(value):
    low, high = sorted((value, value / 2))
    drawn = draw_tracks(black(), tracks([[low, low, high, high]], coasted=[0]), trails=Trails())
    assert drawn[100:140, 100:220].max() == 0


def test_text_grows_with_the_picture():
    small, large = Style.of(black(640, 480)), Style.of(black(1920, 1080))
    assert (small.line_px, large.line_px) == (2, 3)
    assert small.text_px == pytest.approx(10)
    assert large.text_px == pytest.approx(22.5)
    assert Style.of(black(64, 48)).text_px == 7


def test_trails_follow_the_feet_and_forget():
    trails = Trails(length_s=1.0)
    for step in range(100):
        trails.update(tracks([[step, 0, step + 10, 50]], [3], time_s=step / 10))
    points = trails.of(3)
    assert points[:, 0].tolist() == list(range(94, 105))  # the last second: eleven points
    assert (points[:, 1] == 50).all()
    assert trails.of(4).shape == (0, 2)
    trails.update(tracks([], time_s=20.0))
    assert trails.of(3).shape == (0, 2)


def test_a_trail_is_drawn():
    trails = Trails()
    for step in range(20):
        last = tracks([[10 * step, 50, 10 * step + 20, 150]], [3], time_s=step / 25)
        trails.update(last)
    drawn = draw_tracks(black(), last, trails=trails)
    assert tuple(drawn[150, 50].tolist()) == identity_colour(3)


def test_a_note_stands_below_its_box_and_inside_the_picture():
    plain = draw_tracks(black(), tracks([[20, 60, 80, 200], [200, 60, 260, 200]]))
    noted = draw_tracks(black(), tracks([[20, 60, 80, 200], [200, 60, 260, 200]]), notes={1: "recalled .83", 7: "x"})
    changed = np.argwhere((plain != noted).any(axis=2))
    assert len(changed)
    assert changed[:, 0].min() >= 200
    assert changed[:, 1].max() < 200  # no note for the other
    assert tuple(noted[212, 21].tolist()) == identity_colour(1)
    for box in ([20, 60, 80, 600], [300, 60, 360, 235], [-50, 300, -10, 400]):
        text = "recalled .83 (+2.1 nats, next .61)"
        low = draw_tracks(black(), tracks([box]), notes={1: text})
        around = np.argwhere((low != draw_tracks(black(), tracks([box]))).any(axis=2))
        assert len(around) > 500  # all of it
