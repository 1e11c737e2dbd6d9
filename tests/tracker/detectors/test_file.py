from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tracker.detectors import FileDetector
from tracker.types import Frame


def frame(index: int) -> Frame:
    return Frame(np.zeros((48, 64, 3), np.uint8), index, index / 25)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "det.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_come_with_their_frame_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path, "2,-1,10,20,30,40,0.5,-1,-1,-1\n1,-1,1.5,2,3,4,0.9\n\n2,-1,-5,0,10,10,0.7\n900,-1,0,0,1,1,1\n"
    )
    detector = FileDetector(path)
    first, second, third = detector(frame(1)), detector(frame(2)), detector(frame(3))
    assert first.boxes.tolist() == [[1.5, 2, 4.5, 6]]
    assert second.boxes.tolist() == [[10, 20, 40, 60], [-5, 0, 5, 10]]
    assert second.scores.tolist() == pytest.approx([0.5, 0.7])
    assert len(third) == 0
    assert second.frame_size == (64, 48)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (["0.2", "1"], [0.2, 1]),
        (["-1", "-1"], [1, 1]),
        (["-1", "0.4"], [1, 0.4]),
        (["20", "60"], [0.1, 1]),
        (["-0.5", "-1", "1.5"], [0.28, 0.1, 1]),
        (["7", "7"], [1, 1]),
    ],
)
def test_scores_are_read_as_documented(tmp_path: Path, scores: list[str], expected: list[float]) -> None:
    path = write(tmp_path, "".join(f"1,-1,{10 * i},0,5,5,{score}\n" for i, score in enumerate(scores)))
    assert FileDetector(path)(frame(1)).scores.tolist() == pytest.approx(expected)


def test_a_file_without_scores(tmp_path: Path) -> None:
    assert FileDetector(write(tmp_path, "1,-1,0,0,5,5\n"))(frame(1)).scores.tolist() == [1]


def test_conf_leaves_weak_rows_out(tmp_path: Path) -> None:
    path = write(tmp_path, "1,-1,0,0,5,5,0.3\n1,-1,9,0,5,5,0.5\n")
    assert FileDetector(path, conf=0.5)(frame(1)).scores.tolist() == [0.5]


def test_an_empty_file_is_no_detection_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(FileDetector(write(tmp_path, "\n"))(frame(1))) == 0
    assert "holds no detection" in caplog.text


def test_public_detections_of_a_real_sequence(shared_data: Path) -> None:
    path = shared_data / "seq" / "TUD-Stadtmitte" / "det" / "det.txt"
    rows = np.loadtxt(path, delimiter=",")
    detector = FileDetector(path)
    assert sum(len(detector(frame(i))) for i in range(1, 180)) == len(rows)
    mine = detector(frame(7))
    theirs = rows[rows[:, 0] == 7]
    np.testing.assert_allclose(mine.boxes[:, 2:] - mine.boxes[:, :2], theirs[:, 4:6], atol=1e-3)
    np.testing.assert_allclose(mine.scores, theirs[:, 6], atol=1e-6)
