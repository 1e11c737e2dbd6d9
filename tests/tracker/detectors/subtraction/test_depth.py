"""Two in one blob at different distances: what is cut, and what must not be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tracker.detectors.subtraction.blobs import find_blobs
from tracker.detectors.subtraction.depth import cut_by_depth
from tracker.detectors.subtraction.separation import Separation
from tracker.detectors.subtraction.sizes import SizePrior

HORIZON = 50  # row of everybody's head: heights are foot minus horizon, widths two fifths of that


def taught() -> SizePrior:
    sizes = SizePrior()
    for foot in np.linspace(100, 220, 60):
        height = foot - HORIZON
        sizes.add(np.array([0, HORIZON, 0.4 * height, foot], np.float32))
    return sizes


def picture(*boxes: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """(240, 320) with these boxes filled."""
    inside = np.zeros((240, 320), np.bool_)
    for x1, y1, x2, y2 in boxes:
        inside[y1:y2, x1:x2] = True
    return inside


def cut(*boxes: tuple[int, int, int, int], sizes: SizePrior | None = None) -> list[list[int]]:
    inside = picture(*boxes)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    corner = np.array([columns[0], rows[0]], np.float32)
    part = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return [box.astype(int).tolist() for box in cut_by_depth(part, corner, sizes or taught())]


FAR, NEAR = (100, 50, 132, 130), (128, 50, 188, 200)


def test_somebody_nearer_and_somebody_farther_are_cut_where_the_feet_change() -> None:
    assert cut(FAR, NEAR) == [[100, 50, 128, 130], [128, 50, 188, 200]]
    mirrored = [(320 - x2, y1, 320 - x1, y2) for x1, y1, x2, y2 in (FAR, NEAR)]
    assert cut(*mirrored) == [[132, 50, 192, 200], [192, 50, 220, 130]]


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param([NEAR], id="one"),
        pytest.param([(100, 50, 160, 200), (160, 50, 220, 200)], id="side by side at one distance"),
        pytest.param([NEAR, (100, 120, 128, 190)], id="an outstretched leg"),
        pytest.param([NEAR, (110, 80, 128, 120)], id="a bag"),
        pytest.param([NEAR, (120, 50, 128, 130)], id="too narrow for somebody"),
        pytest.param([NEAR, (100, 90, 128, 130)], id="too low for its foot"),
    ],
)
def test_one_object_is_not_cut(boxes: list[tuple[int, int, int, int]]) -> None:
    assert cut(*boxes) == []


def test_nothing_is_cut_where_sizes_are_not_known() -> None:
    assert cut(FAR, NEAR, sizes=SizePrior()) == []


def step(separation: Separation, *boxes: tuple[int, int, int, int]) -> list[list[int]]:
    mask = picture(*boxes).astype(np.uint8) * np.uint8(255)
    image = np.full((*mask.shape, 3), 90, np.uint8)
    found, _ = separation.update(find_blobs(mask, 50), image, 0.04)
    return sorted(np.rint(found).astype(int).tolist())


def shifted(box: tuple[int, int, int, int], by: int) -> tuple[int, int, int, int]:
    return (box[0] + by, box[1], box[2] + by, box[3])


def test_two_who_came_in_together_have_a_box_each() -> None:
    separation = Separation()
    separation.sizes = taught()
    for by in range(0, 20, 2):
        found = step(separation, shifted(FAR, by), shifted(NEAR, by))
    assert found == [[118, 50, 146, 130], [146, 50, 206, 200]]


def test_a_known_one_keeps_its_box_when_somebody_farther_comes_out_beside_it() -> None:
    separation = Separation()
    separation.sizes = taught()
    for _ in range(12):
        step(separation, NEAR)
    (known,) = separation.objects
    found = step(separation, (104, 50, 136, 130), NEAR)
    assert found == [[104, 50, 128, 130], [128, 50, 188, 200]]
    assert known in separation.objects
    np.testing.assert_allclose(known.box, NEAR, atol=1)


def test_of_somebody_nearer_whose_legs_alone_stand_out_the_whole_is_boxed() -> None:
    separation = Separation()
    separation.sizes = taught()
    for _ in range(12):
        step(separation, FAR)
    # somebody comes in front: the upper part lies over the known one's box, the legs below it
    found = step(separation, FAR, (96, 50, 140, 200))
    assert [96, 50, 140, 200] in found
