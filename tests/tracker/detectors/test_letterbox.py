from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.detectors.letterbox import Fit, Placement, fit_image

SIZES = st.tuples(st.integers(1, 4000), st.integers(1, 4000))
INPUTS = st.tuples(st.integers(32, 1280), st.integers(32, 1280))
FITS = st.sampled_from(["letterbox", "letterbox_top_left", "stretch"])


@given(SIZES, INPUTS, FITS, st.lists(st.floats(-200, 4200, width=32), min_size=4, max_size=4))
def test_to_frame_undoes_to_input(frame: tuple[int, int], size: tuple[int, int], fit: Fit, values: list[float]) -> None:
    placement = Placement.of(frame, size, fit)
    boxes = np.array([values], np.float32)
    back = placement.to_frame(placement.to_input(boxes))
    # float32 in the input's pixels, magnified by the way back
    tolerance = 1e-3 + 1e-6 * 4200 / min(placement.scale_x, placement.scale_y)
    np.testing.assert_allclose(back, boxes, atol=tolerance, rtol=1e-5)


@given(SIZES, INPUTS, FITS)
def test_the_whole_frame_lands_on_the_resized_picture(frame: tuple[int, int], size: tuple[int, int], fit: Fit) -> None:
    placement = Placement.of(frame, size, fit)
    corners = placement.to_input(np.array([[0, 0, *frame]], np.float32))[0]
    left, top = placement.left_px, placement.top_px
    expected = [left, top, left + placement.width_px, top + placement.height_px]
    np.testing.assert_allclose(corners, expected, rtol=1e-5, atol=1e-3)
    assert left >= 0
    assert left + placement.width_px <= size[0]
    assert top >= 0
    assert top + placement.height_px <= size[1]
    if fit == "stretch":
        assert (placement.width_px, placement.height_px) == size
    else:
        assert placement.width_px == size[0] or placement.height_px == size[1]


@pytest.mark.parametrize(
    ("fit", "rows", "columns"),
    [("letterbox", slice(8, 24), slice(0, 32)), ("letterbox_top_left", slice(0, 16), slice(0, 32))],
)
def test_padding_surrounds_the_picture(fit: Fit, rows: slice, columns: slice) -> None:
    image = np.full((100, 200, 3), 250, np.uint8)
    placement = Placement.of((200, 100), (32, 32), fit)
    out = fit_image(image, placement, (32, 32), 114)
    assert out.shape == (32, 32, 3)
    inside = np.zeros((32, 32), bool)
    inside[rows, columns] = True
    assert (out[inside] == 250).all()
    assert (out[~inside] == 114).all()
    assert (image == 250).all()
