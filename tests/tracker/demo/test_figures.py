"""Identities, how they are painted, and the crops made of them."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.demo.body import STRIDE, Pose, project
from tracker.demo.cast import TWINS, pick_cast
from tracker.demo.crops import CropConfig, paste, sample_crop, silhouette_box
from tracker.demo.drawing import draw_figure
from tracker.demo.figures import look_alike, sample_figure


def figure_of(seed: int):
    return sample_figure(np.random.default_rng(seed))


def test_the_same_generator_gives_the_same_figure_and_crop():
    assert figure_of(5) == figure_of(5)
    assert figure_of(5) != figure_of(6)
    crops = [sample_crop(figure_of(5), np.random.default_rng(9)) for _ in range(2)]
    np.testing.assert_array_equal(*crops)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_a_look_alike_differs_in_two_things_and_keeps_what_is_seen_first(seed):
    rng = np.random.default_rng(seed)
    figure = sample_figure(rng)
    twin = look_alike(figure, rng)
    same = (
        "skin",
        "hair",
        "hair_style",
        "top",
        "top_accent",
        "pattern",
        "long_sleeves",
        "top_length",
        "build",
        "legwear",
    )
    assert all(getattr(figure, name) == getattr(twin, name) for name in same)
    changed = {f.name for f in fields(figure) if getattr(figure, f.name) != getattr(twin, f.name)}
    assert len(changed & {"legs", "shoes", "hat", "bag"}) == 2
    assert abs(figure.height_m - twin.height_m) <= 0.02


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31), st.floats(0, 7), st.floats(-360, 360), st.sampled_from([0.0, 0.5, 1.0]), st.integers(20, 150)
)
def test_any_figure_in_any_pose_fits_its_sprite(seed, phase, facing, stride, height_px):
    sprite = draw_figure(figure_of(seed), Pose(phase, facing, stride), height_px)
    assert sprite.alpha.dtype == sprite.colour.dtype == np.uint8
    assert sprite.colour.shape == (*sprite.alpha.shape, 3)
    assert (sprite.colour <= sprite.alpha[..., None]).all()  # premultiplied
    border = np.concatenate((sprite.alpha[0], sprite.alpha[:, 0], sprite.alpha[:, -1]))
    assert border.max() == 0, "the figure is cut off"
    x1, y1, x2, y2 = silhouette_box(sprite)
    assert 0.93 * height_px - 2 <= y2 - y1 <= 1.09 * height_px + 2
    assert abs(y2 - sprite.foot_y) <= 0.03 * height_px + 2  # it stands on the ground line
    assert x1 < sprite.foot_x < x2
    assert (sprite.alpha[y1:y2, x1:x2] >= 128).mean() > 0.2


def test_the_gait_is_periodic_and_feet_do_not_slide():
    figure = figure_of(1)
    one, other = (draw_figure(figure, Pose(phase, 90.0), 120) for phase in (0.7, 0.7 + 2 * np.pi))
    np.testing.assert_array_equal(one.alpha, other.alpha)
    # while a leg carries the body its ankle moves back as fast as the body moves on
    phases = np.linspace(np.pi * 0.7, np.pi * 1.3, 20)
    ankle = np.array([project(Pose(p, 90.0), 1.0).legs[0, 2, 0] for p in phases])
    travelled = STRIDE * (phases - phases[0]) / (2 * np.pi)
    assert np.abs(np.diff(ankle + travelled)).max() < 0.02


def test_facing_left_mirrors_the_outline_of_facing_right():
    figure = figure_of(3)
    right, left = (draw_figure(figure, Pose(0.0, facing, 0.0), 150).alpha for facing in (90.0, 270.0))
    overlap = np.minimum(right, left[:, ::-1]).sum() / np.maximum(right, left[:, ::-1]).sum()
    assert overlap > 0.93


def test_front_back_and_sides_look_different():
    figure = figure_of(4)
    views = [draw_figure(figure, Pose(0.5, facing), 150).colour.astype(int) for facing in (0, 90, 180, 270)]
    for i, view in enumerate(views):
        assert all(np.abs(view - other).mean() > 0.5 for other in views[:i])


def test_pasting_over_the_border_cuts_and_far_outside_changes_nothing():
    sprite = draw_figure(figure_of(2), Pose(0.0, 90.0), 40)
    image = np.full((50, 60, 3), 90, np.uint8)
    paste(image, sprite, -200, 40)
    assert (image == 90).all()
    paste(image, sprite, 0, 40)
    assert (image[:, :20] != 90).any()
    assert (image[:, 30:] == 90).all()


def test_crops_have_the_size_that_was_asked_for_and_vary():
    rng = np.random.default_rng(0)
    figure = sample_figure(rng)
    crops = [sample_crop(figure, rng, size=(64, 128)) for _ in range(6)]
    assert {c.shape for c in crops} == {(128, 64, 3)}
    assert min(np.abs(a.astype(int) - b).mean() for i, a in enumerate(crops) for b in crops[:i]) > 8
    natural = sample_crop(figure, rng, CropConfig(min_height_px=100, max_height_px=101, cut_off=0, box_jitter=0))
    assert 90 <= natural.shape[0] <= 112


def test_crops_of_an_identity_resemble_each_other_more_than_other_identities():
    rng = np.random.default_rng(1)
    config = CropConfig(occluded=0, cut_off=0, neighbour=0, light=0.3)
    means = []
    for _ in range(8):
        figure = sample_figure(rng)
        crops = [sample_crop(figure, rng, config, size=(32, 64))[14:30, 12:20].mean(axis=(0, 1)) for _ in range(6)]
        means.append(crops)
    colours = np.array(means)  # (figures, crops, 3) colour of the middle of the top
    within = np.linalg.norm(colours - colours.mean(axis=1, keepdims=True), axis=2).mean()
    between = np.linalg.norm(colours.mean(axis=1) - colours.mean(axis=(0, 1)), axis=1).mean()
    assert between > 1.5 * within


@pytest.mark.parametrize("seed", range(5))
def test_only_the_twins_in_a_cast_are_alike(seed):
    cast = pick_cast(10, [(146, 150, 152)], np.random.default_rng(seed))
    assert len(set(cast)) == 10
    tops = np.array([(*f.top, *f.legs) for f in cast], float)
    for one, other in TWINS:
        assert cast[one].top == cast[other].top
    singles = np.delete(tops, [other for _, other in TWINS], axis=0)
    gaps = np.linalg.norm(singles[:, None] - singles[None], axis=2)
    assert gaps[~np.eye(len(singles), dtype=bool)].min() > 30
