"""Box arithmetic against its definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tracker import boxes as bx


def boxes(max_rows: int = 12) -> st.SearchStrategy[np.ndarray]:
    corner = st.floats(-1000, 1000, width=32)

    def order(raw: np.ndarray) -> np.ndarray:
        return np.concatenate((np.minimum(raw[:, :2], raw[:, 2:]), np.maximum(raw[:, :2], raw[:, 2:])), axis=1)

    return arrays(np.float64, st.tuples(st.integers(0, max_rows), st.just(4)), elements=corner).map(order)


@given(boxes())
def test_centre_and_corners_are_inverse(b: np.ndarray) -> None:
    np.testing.assert_allclose(bx.cxcywh_to_xyxy(bx.xyxy_to_cxcywh(b)), b, atol=1e-9)


@given(boxes(), boxes())
def test_iou_is_what_its_name_says(a: np.ndarray, b: np.ndarray) -> None:
    result = bx.iou(a, b)
    assert result.shape == (len(a), len(b))
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            w = min(p[2], q[2]) - max(p[0], q[0])
            h = min(p[3], q[3]) - max(p[1], q[1])
            common = max(w, 0) * max(h, 0)
            union = (p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - common
            np.testing.assert_allclose(result[i, j], common / union if union > 0 else 0, rtol=1e-9, atol=1e-12)


@given(boxes())
def test_iou_is_symmetric_and_one_with_itself(a: np.ndarray) -> None:
    result = bx.iou(a, a)
    np.testing.assert_allclose(result, result.T)
    np.testing.assert_allclose(np.diag(result), (bx.area(a) > 0).astype(float))


@given(boxes(), boxes())
def test_coverage_is_the_share_of_the_first(a: np.ndarray, b: np.ndarray) -> None:
    share = bx.coverage(a, b)
    np.testing.assert_allclose(share * bx.area(a)[:, None], bx.intersection(a, b), rtol=1e-9, atol=1e-6)
    assert (share >= 0).all()
    assert (share <= 1 + 1e-12).all()


@given(boxes())
def test_clipped_boxes_lie_inside_and_inner_ones_stay(b: np.ndarray) -> None:
    clipped = bx.clip(b, 640, 480)
    assert (clipped >= 0).all()
    assert (clipped <= [640, 480, 640, 480]).all()
    inside = (b[:, :2] >= 0).all(axis=1) & (b[:, 2:] <= [640, 480]).all(axis=1)
    np.testing.assert_array_equal(clipped[inside], b[inside])
