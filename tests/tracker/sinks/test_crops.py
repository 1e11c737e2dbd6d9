from __future__ import annotations

import cv2
import numpy as np
import pytest

from tracker.errors import ConfigError, OutputError
from tracker.sinks import CropsSink


def kept(sink, identity):
    return [int(p.stem) for p in sorted((sink.path / f"{identity:06d}").glob("*.jpg"))]


def test_one_folder_an_identity_with_what_was_seen_of_it(tmp_path, run, make_result):
    sink = CropsSink(tmp_path / "crops", spacing_s=0.04)
    sink.open(run)
    for index in range(1, 6):
        sink.write(make_result(index))
    sink.close()
    assert kept(sink, 1) == [1, 2, 3, 4, 5]
    assert kept(sink, 2) == [1, 2]  # predicted from the third frame on
    crop = cv2.imread(str(sink.path / "000001" / "00000003.jpg"))
    assert crop.shape == (60, 30, 3)
    assert np.abs(crop.astype(int) - 30).max() <= 3
    assert cv2.imread(str(sink.path / "000002" / "00000001.jpg")).shape == (60, 60, 3)  # cut at the border


@pytest.mark.parametrize("frames", [30, 200, 1000])
def test_their_number_is_bounded_and_they_cover_the_whole_life(tmp_path, run, make_result, frames):
    sink = CropsSink(tmp_path / "crops", most=8)
    sink.open(run)
    for index in range(1, frames + 1):
        sink.write(make_result(index, ids=(1,), boxes=[[10, 20, 60, 100]]))
    sink.close()
    numbers = kept(sink, 1)
    assert 4 <= len(numbers) <= 8
    gaps = np.diff(numbers)
    assert numbers[0] == 1
    assert gaps.max() <= 2 * gaps.min()
    assert frames - numbers[-1] <= gaps.max() + 1


def test_a_run_that_fails_before_there_is_a_crop_leaves_no_folder(tmp_path, run, make_result):
    sink = CropsSink(tmp_path / "crops")
    sink.abort()
    sink.open(run)
    sink.abort()
    assert not sink.path.exists()
    sink.open(run)
    sink.write(make_result(1))
    sink.abort()
    assert len(list(sink.path.rglob("*.jpg"))) == 2


def test_what_is_too_small_inside_the_picture_is_left_out(tmp_path, run, make_result):
    sink = CropsSink(tmp_path / "crops")
    sink.open(run)
    sink.write(make_result(1, boxes=[[-40, 10, 10, 100], [500, 500, 600, 600]]))
    assert list(sink.path.iterdir()) == []


def test_an_earlier_runs_crops_are_replaced_only_when_asked(tmp_path, run, make_result):
    def run_once(overwrite, index):
        sink = CropsSink(tmp_path / "crops", overwrite=overwrite)
        sink.open(run)
        sink.write(make_result(index, ids=(index,)))
        return sink

    first = run_once(False, 1)
    (first.path / "000001" / "notes.txt").write_text("mine")
    (first.path / "000002").mkdir()
    with pytest.raises(OutputError, match=r"crops/00000\d exists: choose another folder, or allow overwriting"):
        run_once(False, 3)
    second = run_once(True, 5)
    left = sorted(p.relative_to(second.path).as_posix() for p in second.path.rglob("*") if p.is_file())
    assert left == ["000001/notes.txt", "000005/00000005.jpg"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path, run, make_result):
    sink = CropsSink(tmp_path / "crops")
    sink.open(run)
    (sink.path / "000001").write_text("in the way")
    with pytest.raises(
        OutputError, match=r"crops/000001/00000001\.jpg cannot be written: (File exists|Not a directory)"
    ):
        sink.write(make_result(1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"most": 1}, "most must be 2 or more, got 1"),
        ({"jpeg_quality": 101}, "jpeg_quality must be 1 or more and at most 100, got 101"),
        ({"spacing_s": 0}, "spacing_s must be more than 0, got 0"),
    ],
)
def test_impossible_settings_are_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        CropsSink(tmp_path, **options)
