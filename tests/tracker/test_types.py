"""The contract of the arrays: what is accepted, converted and refused, and with which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tracker import Detections, Tracks
from tracker.errors import InputError

GOOD = [[0.0, 0.0, 10.0, 20.0], [5.0, 5.0, 25.0, 45.0]]
UNIT = np.array([[1.0, 0.0], [0.6, 0.8]])
NAN, INF = float("nan"), float("inf")


def test_defaults_and_dtypes() -> None:
    d = Detections(GOOD)
    assert len(d) == 2
    assert d.boxes.dtype == d.scores.dtype == np.float32
    assert d.classes.dtype == np.int64
    np.testing.assert_array_equal(d.scores, [1, 1])
    np.testing.assert_array_equal(d.classes, [0, 0])
    assert d.embeddings is None
    assert not d.has_embedding.any()


def test_every_form_of_nothing_is_nothing() -> None:
    for nothing in ([], np.zeros((0, 4)), np.zeros(0)):
        assert Detections(nothing).boxes.shape == (0, 4)
    assert len(Detections.empty()) == 0
    assert len(Detections([], [], [], np.zeros((0, 128)))) == 0


def test_single_rows_may_lack_an_embedding() -> None:
    d = Detections(GOOD, embeddings=[[1, 0], [NAN, 5]], has_embedding=[True, False])
    np.testing.assert_array_equal(d.has_embedding, [True, False])


def test_the_caller_may_use_its_arrays_for_the_next_frame() -> None:
    given = [np.array(GOOD, np.float32), np.array([0.5, 0.6], np.float32), np.array([1, 2]), UNIT.astype(np.float32)]
    d = Detections(*given, has := np.array([True, False]))
    for array in (*given, has):
        array[:] = 0
    np.testing.assert_array_equal(d.boxes, GOOD)
    np.testing.assert_array_equal(d.scores, np.float32([0.5, 0.6]))
    np.testing.assert_array_equal(d.classes, [1, 2])
    np.testing.assert_array_equal(d.embeddings, UNIT.astype(np.float32))
    np.testing.assert_array_equal(d.has_embedding, [True, False])


def test_select_keeps_all_fields() -> None:
    d = Detections(GOOD, [0.1, 0.2], [3, 4], UNIT, [True, False], (640, 480))
    s = d.select(np.array([1]))
    assert (s.scores[0], s.classes[0], s.has_embedding[0], s.frame_size) == (np.float32(0.2), 4, False, (640, 480))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"boxes": [[0, 0, 10]]}, r"boxes must have shape \(N, 4\), got \(1, 3\)"),
        ({"boxes": [0, 0, 10, 10]}, r"boxes must have shape \(N, 4\), got \(4,\)"),
        ({"boxes": [[0, 0, 10, 10], [0, 0, 1]]}, r"boxes must be one array of shape \(N, 4\)"),
        ({"boxes": [["a", "b", "c", "d"]]}, "boxes must be numbers that fit float32"),
        ({"boxes": [[0, 0, 9, 9], [0, NAN, 9, 9]]}, r"boxes\[1\] must be finite"),
        ({"boxes": [[0, 0, INF, 9]]}, r"boxes\[0\] must be finite"),
        ({"boxes": [[0, 0, 9, 9], [9, 0, 0, 9], [9, 0, 0, 9]]}, r"boxes\[1\] must be x1, .* \(and 1 more rows\)"),
        ({"boxes": [[0, 9, 9, 0]]}, r"boxes\[0\] must be x1, y1, x2, y2 with x2 >= x1 and y2 >= y1, got \[0.0, 9.0"),
        ({"scores": [0.5]}, r"scores must have shape \(2,\), got \(1,\)"),
        ({"scores": [0.5, 1.5]}, r"scores\[1\] must be within 0..1, got 1.5"),
        ({"scores": [NAN, 0.5]}, r"scores\[0\] must be within 0..1, got nan"),
        ({"classes": [0.5, 1]}, "classes must be numbers that fit int64, got dtype float64"),
        ({"classes": [0, NAN]}, "classes must be numbers that fit int64, got dtype float64"),
        ({"classes": [0, INF]}, r"classes\[1\] must be small enough for int64, got inf"),
        ({"classes": [0, -1]}, r"classes\[1\] must be 0 or more, got -1"),
        ({"classes": [[0, 1]]}, r"classes must have shape \(2,\), got \(1, 2\)"),
        ({"embeddings": UNIT[:1]}, r"embeddings must have shape \(2, D\), got \(1, 2\)"),
        ({"embeddings": UNIT * 2}, r"embeddings\[0\] must be finite, of unit length"),
        ({"embeddings": [[1, 0], [NAN, 1]]}, r"embeddings\[1\] must be finite, of unit length"),
        ({"embeddings": np.zeros((2, 0))}, "embeddings must have at least one dimension"),
        ({"has_embedding": [True, False]}, r"has_embedding\[0\] is True but embeddings is None"),
        ({"embeddings": UNIT, "has_embedding": [1, 0]}, "has_embedding must be numbers that fit bool"),
        ({"boxes": [[0, 0, 9, 9], [0, 0, 1e300, 9]]}, r"boxes\[1\] must be small enough for float32"),
        ({"classes": [0, 1e30]}, r"classes\[1\] must be small enough for int64"),
        ({"frame_size": (0, 480)}, "frame_size must be"),
        ({"frame_size": 640}, "frame_size must be"),
        ({"frame_size": (640, 480, 3)}, "frame_size must be"),
    ],
)
def test_bad_arrays_are_refused_by_name_and_row(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Detections(**{"boxes": GOOD, **arguments})


def some_tracks() -> Tracks:
    return Tracks(
        np.array([3, 7]),
        np.array([[1.0, 2.0, 11.0, 22.0], [5.5, 6.0, 8.0, 9.25]], np.float32),
        np.array([0.9, 0.5], np.float32),
        np.array([0, 2]),
        np.array([1, -1]),
        1.5,
    )


def test_mot_rows() -> None:
    assert some_tracks().to_mot(12) == (
        "12,3,1.00,2.00,10.00,20.00,0.9000,-1,-1,-1\n12,7,5.50,6.00,2.50,3.25,0.5000,-1,-1,-1\n"
    )


def test_coasted_tracks_are_those_without_a_detection() -> None:
    np.testing.assert_array_equal(some_tracks().coasted, [False, True])


def test_supervision_there_and_back() -> None:
    supervision = pytest.importorskip("supervision")
    tracks = some_tracks()
    there = tracks.to_supervision()
    assert isinstance(there, supervision.Detections)
    np.testing.assert_array_equal(there.tracker_id, [3, 7])
    back = Detections.from_supervision(there)
    np.testing.assert_array_equal(back.boxes, tracks.boxes)
    np.testing.assert_array_equal(back.scores, tracks.scores)
    np.testing.assert_array_equal(back.classes, tracks.classes)


class _UltralyticsBoxes:
    """The attributes of `ultralytics.engine.results.Boxes` that are read."""

    xyxy = np.array(GOOD, np.float32)
    conf = np.array([0.8, 0.4], np.float32)
    cls = np.array([0.0, 16.0], np.float32)
    orig_shape = (480, 640)


def test_ultralytics_results() -> None:
    class Results:
        boxes = _UltralyticsBoxes()

    d = Detections.from_ultralytics(Results())
    np.testing.assert_array_equal(d.classes, [0, 16])
    assert d.frame_size == (640, 480)


@pytest.mark.parametrize("convert", [Detections.from_ultralytics, Detections.from_supervision])
def test_foreign_results_of_another_kind_are_refused(convert: Any) -> None:
    with pytest.raises(InputError, match="got list"):
        convert([])
