"""The contact sheet: what is kept, how much, and the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tracker.demo.contact_sheet import ContactSheet
from tracker.errors import InputError, OutputError
from tracker.types import Detections, Frame, FrameResult, RunInfo, SourceInfo, Tracks

RUN = RunInfo(SourceInfo("street", 160, 120, 10.0, None, live=False), {})


def result(
    index: int, boxes: dict[int, tuple[float, float, float, float]], detected=True, coasted=False
) -> FrameResult:
    n = len(boxes)
    array = np.array(list(boxes.values()), np.float32).reshape(-1, 4)
    image = np.full((120, 160, 3), index % 250, np.uint8)
    rows = np.full(n, -1) if coasted else np.arange(n)
    ids = np.array(list(boxes), np.int64)
    tracks = Tracks(ids, array, np.ones(n, np.float32), np.zeros(n, np.int64), rows, (index - 1) / 10)
    return FrameResult(Frame(image, index, (index - 1) / 10), Detections(array), tracks, detected)


def test_a_row_an_identity_with_crops_spread_over_time(tmp_path):
    sheet = ContactSheet(tmp_path / "sheet.png", columns=5)
    sheet.open(RUN)
    for index in range(1, 401):
        boxes = {1: (10, 10, 50, 100)}
        if index < 100 or index > 300:
            boxes[7] = (80, 10, 120, 100)
        sheet.write(result(index, boxes))
    times = [time_s for time_s, _ in sheet.crops_of(1)]
    assert len(times) == 5
    assert times[0] < 7
    assert times[-1] > 33
    assert np.diff(times).min() > 4
    assert sheet.spans_of(7) == [(0.0, 9.8), (30.0, 39.9)]
    for time_s, picture in sheet.crops_of(1):  # each crop is of the frame that its caption says
        assert np.abs(picture[-10:, 30:36].astype(int) - (round(time_s * 10) + 1) % 250).max() <= 1
    sheet.close()
    picture = cv2.imread(str(tmp_path / "sheet.png"))
    assert picture is not None
    np.testing.assert_array_equal(picture, sheet.render())
    sheet.close()  # a second time changes nothing


def test_memory_is_bounded_whatever_the_length_and_the_number_of_identities(tmp_path):
    sheet = ContactSheet(tmp_path / "sheet.png", columns=3, rows=4)
    sheet.open(RUN)
    for index in range(1, 601):
        sheet.write(result(index, {1: (0, 0, 40, 80), 1000 + index // 3: (60, 0, 90, 80)}))
        assert len(sheet._identities) <= 9
        assert all(len(identity.crops) <= 6 for identity in sheet._identities.values())
    tall = sheet.render()
    sheet.close()
    assert 1 in sheet._identities  # the one that was seen most is not forgotten
    assert tall.shape[0] < 4 * 200 + 100


def test_predicted_positions_and_boxes_outside_give_no_crop(tmp_path):
    sheet = ContactSheet(tmp_path / "sheet.png")
    sheet.open(RUN)
    sheet.write(result(1, {1: (10, 10, 40, 90)}, detected=False))
    sheet.write(result(2, {2: (10, 10, 40, 90)}, coasted=True))
    sheet.write(result(3, {3: (-90, 10, -20, 90), 4: (150, 100, 400, 300)}))
    assert set(sheet._identities) == {3, 4}
    assert sheet.crops_of(3) == []
    assert len(sheet.crops_of(4)) == 1
    sheet.close()


def test_a_run_without_identities_gives_a_sheet_that_says_so(tmp_path):
    sheet = ContactSheet(tmp_path / "sheet.png")
    sheet.open(RUN)
    sheet.close()
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] > 300


def test_what_is_refused(tmp_path):
    (tmp_path / "sheet.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"sheet\.png exists already: remove it, or ask to overwrite"):
        ContactSheet(tmp_path / "sheet.png").open(RUN)
    ContactSheet(tmp_path / "sheet.png").close()
    assert (tmp_path / "sheet.png").read_bytes() == b"mine"
    sheet = ContactSheet(tmp_path / "none" / "sheet.png")
    sheet.open(RUN)
    with pytest.raises(OutputError, match=r"cannot write the contact sheet .*: No such file or directory"):
        sheet.close()
    with pytest.raises(InputError, match="columns and rows must be 1 or more, got 0 and 4"):
        ContactSheet(tmp_path / "other.png", columns=0, rows=4)
