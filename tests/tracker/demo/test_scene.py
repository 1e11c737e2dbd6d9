"""The rendered clip: what it promises for every seed, determinism, and truth against the painted pixels."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.demo.backdrop import Backdrop
from tracker.demo.cast import pick_cast
from tracker.demo.choreography import PLANNED_S, choreograph, crossings
from tracker.demo.compositing import Picture
from tracker.demo.drawing import Sprite
from tracker.demo.scene import DemoClip, DemoConfig
from tracker.demo.stage import BACK_LANES, FRONT_LANES, body_height, build_stage
from tracker.demo.truth import HIDDEN_BELOW
from tracker.errors import ConfigError, OutputError
from tracker.evaluation import read_mot_truth

SMALL = {"width_px": 240, "height_px": 135, "rate_hz": 10.0}


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Spans [first, last + 1) where a mask is True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(int), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.sampled_from([720.0, 800.0, 960.0]), st.sampled_from([10, 14]))
def test_the_story_keeps_its_promises_for_every_seed(seed, width, count):
    rng = np.random.default_rng(seed)
    stage = build_stage(width, rng)
    figures = pick_cast(count, [(146, 150, 152)], rng)
    walks = choreograph(figures, stage, rng)
    assert len(walks) == count
    for index, (walk, figure) in enumerate(zip(walks, figures, strict=True)):
        assert walk.height_m == figure.height_m
        assert walk.visits[0].start_s >= 0
        assert walk.visits[-1].end_s <= PLANNED_S
        for visit in walk.visits:
            margin = 0.4 * body_height(float(visit.y.mean()), figure.height_m)
            assert all(not -margin < x < width + margin for x in (visit.x[0], visit.x[-1])), "begins and ends outside"
            lanes = BACK_LANES if index < 6 else FRONT_LANES
            assert all(lanes[0] <= y <= lanes[1] for y in visit.y)
        if index < 10:
            assert len(walk.visits) == 2
            assert all(b.start_s - a.end_s >= 5.5 for a, b in pairwise(walk.visits))
        if index < 6:
            for visit in walk.visits:
                assert visit.hidden is not None
                begin, end = visit.hidden
                assert end - begin >= 1.3
                x, height = (
                    float(np.interp(begin, visit.time_s, visit.x)),
                    body_height(float(visit.y[0]), figure.height_m),
                )
                place = next(p for p in stage.occluders if p.left < x < p.right)
                # somebody who stands, bag included, is less than .4 body heights wide and 1.06 high
                assert place.left <= x - 0.2 * height
                assert x + 0.2 * height <= place.right
                assert place.top <= visit.y[0] - 1.06 * height
                assert visit.y[0] < place.base
    away = (walks[0].visits[0].end_s, walks[0].visits[1].start_s)
    assert any(away[0] < v.start_s < away[1] for v in walks[1].visits), "the look-alike comes while the other is away"
    met = sum(crossings(a, b, stage) > 0 for i, a in enumerate(walks) for b in walks[:i])
    assert met >= 4


@pytest.mark.parametrize("seed", [11, 12])
def test_the_painted_clip_shows_what_the_story_promises(seed):
    clip = DemoClip(DemoConfig(seed=seed, **SMALL))
    count = sum(1 for _ in clip)
    assert count == clip.info.frames == 400
    truth, rate = clip.truth, clip.config.rate_hz
    assert len(np.unique(truth.id)) == 10
    hidden = returns = 0
    heights = []
    for identity in np.unique(truth.id):
        rows = truth.id == identity
        seen = np.full(count + 1, -1.0)  # -1 outside the picture
        seen[truth.frame[rows]] = truth.visibility[rows]
        for first, last in runs(seen == 0):
            whole = last - first >= rate and seen[:first].max() > 0.9 and seen[last:].max() > 0.9
            hidden += whole and seen[first - 1] > 0 and last < len(seen) and seen[last] > 0  # it stayed in the picture
        outside = runs(seen[1:] < 0)
        returns += sum(b - a >= 5 * rate for a, b in outside if a > 0 and b < count)
        full = rows & (truth.visibility > 0.95)
        heights.append(np.median(truth.box[full, 3] - truth.box[full, 1]))
    assert hidden >= 6
    assert returns >= 4
    assert max(heights) > 1.4 * min(heights)
    assert (truth.frame == 1).sum() == 0, "the first moment belongs to the empty street"


def test_the_same_seed_gives_the_same_pixels_and_another_one_others():
    config = DemoConfig(seed=3, duration_s=6, **SMALL)
    first, second = DemoClip(config), DemoClip(config)
    pairs = list(zip(first, second, strict=True))
    assert len(pairs) == 60
    assert all(np.array_equal(a.image, b.image) and a.time_s == b.time_s for a, b in pairs)
    for name in ("frame", "id", "box", "whole_box", "visibility"):
        np.testing.assert_array_equal(getattr(first.truth, name), getattr(second.truth, name))
    again = [frame.image for frame in first]  # and a clip can be watched twice
    assert all(np.array_equal(a.image, b) for (a, _), b in zip(pairs, again, strict=True))
    other = next(iter(DemoClip(DemoConfig(seed=4, duration_s=6, **SMALL))))
    assert not np.array_equal(other.image, pairs[0][0].image)


def test_frames_are_what_a_source_promises():
    with DemoClip(DemoConfig(seed=1, duration_s=2, **SMALL)) as clip:
        frames = list(clip)
        assert [f.index for f in frames] == list(range(1, 21))
        np.testing.assert_allclose([f.time_s for f in frames], np.arange(20) / 10)
        assert all(f.image.shape == (135, 240, 3) and f.image.dtype == np.uint8 for f in frames)
        assert (clip.info.width_px, clip.info.height_px, clip.info.live) == (240, 135, False)
    clip.close()
    assert list(clip) == []


def test_a_short_clip_is_the_beginning_of_the_long_one():
    short, long = (DemoClip(DemoConfig(seed=2, duration_s=d, **SMALL)) for d in (3.0, 40.0))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(short, long, strict=False))


@pytest.mark.parametrize("seed", [21, 22])
def test_boxes_agree_with_the_pixels_that_differ_from_the_empty_street(seed):
    clip = DemoClip(DemoConfig(seed=seed, duration_s=16, rate_hz=4, noise=0, width_px=640, height_px=360))
    empty = DemoClip(clip.config)._backdrop.image
    images = {frame.index: frame.image for frame in clip}
    truth = clip.truth
    assert len(truth.id) > 20
    changed = {}  # (h, w) bool of each frame: differs by more than a shadow does
    for index, image in images.items():
        changed[index] = cv2.absdiff(image, empty).max(axis=2) > 64
    checked = 0
    for row in np.flatnonzero(truth.visibility > 0):
        others = (truth.frame == truth.frame[row]) & (truth.id != truth.id[row])
        x1, y1, x2, y2 = truth.box[row].astype(int)
        near = others & (truth.whole_box[:, 0] < x2 + 20) & (truth.whole_box[:, 2] > x1 - 20)
        if near.any():
            continue
        strip = changed[truth.frame[row]][:, max(x1 - 12, 0) : x2 + 12]
        rows, columns = np.flatnonzero(strip.any(axis=1)), np.flatnonzero(strip.any(axis=0))
        if not len(rows):
            continue
        columns = columns + max(x1 - 12, 0)
        assert y1 - 1 <= rows[0]
        assert rows[-1] <= y2
        assert x1 - 1 <= columns[0]
        assert columns[-1] <= x2
        if truth.visibility[row] > 0.99:
            checked += 1
            assert rows[-1] - rows[0] > 0.75 * (y2 - y1)
    assert checked >= 5


def block(width: int, height: int) -> Sprite:
    return Sprite(
        np.full((height, width, 3), 200, np.uint8), np.full((height, width), 255, np.uint8), width / 2, height
    )


def test_visibility_counts_the_pixels_that_are_left():
    before = np.zeros((40, 60), np.uint8)
    before[:, 30:] = 255
    picture = Picture(Backdrop(np.zeros((40, 60, 3), np.uint8), before, ()))
    figure = block(20, 10)
    places = {1: (20, 5, True), 2: (-5, 20, True), 3: (0, 25, False), 4: (35, 5, True), 5: (100, 0, False)}
    for label, (left, top, behind) in places.items():
        picture.add(figure, left, top, label, behind)
    seen = {label: picture.seen(figure, left, top, label) for label, (left, top, _) in places.items()}
    assert seen[1] == ((20, 5, 30, 15), (20, 5, 40, 15), 0.5)  # half behind the wall
    assert seen[2] == ((0, 20, 15, 25), (0, 20, 15, 30), 0.375)  # cut by the border, lower half behind 3
    assert seen[3] == ((0, 25, 20, 35), (0, 25, 20, 35), 1.0)
    assert seen[4] == ((35, 5, 55, 15), (35, 5, 55, 15), 0.0)  # wholly behind the wall: its silhouette
    assert seen[5] is None
    assert (picture.image[5:15, 20:30] == 200).all()
    assert (picture.image[5:15, 30:40] == 0).all()


def test_written_truth_is_read_back_with_hidden_rows_ignored(tmp_path):
    clip = DemoClip(DemoConfig(seed=5, duration_s=15, **SMALL))
    for _ in clip:
        pass
    truth = clip.truth
    assert truth.hidden.any()
    assert not truth.hidden.all()
    truth.write(tmp_path / "truth.txt")
    read = read_mot_truth(tmp_path / "truth.txt")
    np.testing.assert_array_equal(read.frame, truth.frame)
    np.testing.assert_array_equal(read.id, truth.id)
    np.testing.assert_array_equal(read.considered, truth.visibility >= HIDDEN_BELOW)
    np.testing.assert_allclose(read.boxes, truth.box)
    inside = (truth.whole_box[:, :2] <= truth.box[:, :2]) & (truth.whole_box[:, 2:] >= truth.box[:, 2:])
    assert inside.all()
    with pytest.raises(OutputError, match=r"cannot write the truth to .*missing.*: No such file or directory"):
        truth.write(tmp_path / "missing" / "truth.txt")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"duration_s": 0.0}, "duration_s must be above 0 and at most 40, got 0.0"),
        ({"duration_s": 41.0}, "duration_s must be above 0 and at most 40, got 41.0"),
        ({"duration_s": float("nan")}, "duration_s must be above 0 and at most 40, got nan"),
        ({"rate_hz": 0.5}, r"rate_hz must be within 1\.\.120, got 0.5"),
        ({"width_px": 100, "height_px": 75}, "the picture must be 120 rows or higher, .* got 100x75"),
        ({"width_px": 540, "height_px": 960}, "4/3 to 16/9 as wide as high, got 540x960"),
        ({"figures": 9}, r"figures must be within 10\.\.14, got 9"),
        ({"noise": -1.0}, r"noise must be within 0\.\.20 grey levels, got -1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        DemoConfig(**values)
