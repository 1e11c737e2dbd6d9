from __future__ import annotations

import cv2
import numpy as np
import pytest

from tracker.video import open_source
from tracker.video.pictures import natural_order


@pytest.fixture
def shots(tmp_path, make_picture):
    folder = tmp_path / "shots"
    folder.mkdir()
    for index in (1, 2, 3, 10, 11):
        cv2.imwrite(str(folder / f"shot{index}.png"), make_picture(index))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_a_folder_comes_in_natural_order(shots, read_number):
    with open_source(shots) as source:
        frames = list(source)
    assert [read_number(f.image) for f in frames] == [1, 2, 3, 10, 11]
    assert [f.index for f in frames] == [1, 2, 3, 4, 5]
    assert [f.time_s for f in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert (source.info.name, source.info.frames, source.info.rate_hz, source.info.live) == ("shots", 5, 25.0, False)


def test_a_glob_takes_what_matches(shots, read_number):
    with open_source(f"{shots}/shot1*.png", rate_hz=2) as source:
        assert [(read_number(f.image), f.index, f.time_s) for f in source] == [(1, 1, 0), (10, 2, 0.5), (11, 3, 1.0)]


def test_one_picture_is_a_source_of_one_frame(shots):
    with open_source(shots / "shot3.png") as source:
        assert [f.index for f in source] == [1]


def test_a_span_of_pictures(shots, read_number):
    with open_source(shots, start="2", end="0.12s") as source:
        assert source.info.frames == 2
        assert [(f.index, read_number(f.image)) for f in source] == [(2, 2), (3, 3)]


@pytest.mark.parametrize("place", ["beside", "above"])
def test_a_motchallenge_sequence_states_rate_name_and_numbers(tmp_path, make_picture, place):
    sequence = tmp_path / "MOT00-01"
    images = sequence / "img1"
    images.mkdir(parents=True)
    for number in (1, 2, 5):
        cv2.imwrite(str(images / f"{number:06d}.jpg"), make_picture(number))
    info = (images if place == "beside" else sequence) / "seqinfo.ini"
    info.write_text("[Sequence]\nname=MOT00-01\nimDir=img1\nframeRate=10\nseqLength=5\n")
    for spec in (sequence, images, f"{images}/*.jpg"):
        with open_source(spec) as source:
            frames = [(f.index, f.time_s) for f in source]
        assert (source.info.name, source.info.rate_hz) == ("MOT00-01", 10)
        assert frames == [(1, 0), (2, pytest.approx(0.1)), (5, pytest.approx(0.4))]


def test_real_sequences(shared_data):
    for folder in sorted((shared_data / "seq" / "MOT17-mini" / "train").iterdir()):
        files = sorted(p.name for p in (folder / "img1").iterdir())
        with open_source(folder) as source:
            frames = list(source)
        assert [f.index for f in frames] == [int(name[:6]) for name in files]
        assert source.info.name == folder.name


def test_a_damaged_picture_is_named_after_the_ones_before_it(shots, read_until_error):
    (shots / "shot3.png").write_bytes(b"\x89PNG not really")
    with open_source(shots) as source:
        frames, error = read_until_error(source)
    assert [f.index for f in frames] == [1, 2]
    assert "shot3.png is not a picture that OpenCV can read" in str(error)


def test_numbers_sort_by_value(tmp_path):
    names = ["b.jpg", "a10.jpg", "a9.jpg", "A2.jpg", "a02b.jpg"]
    order = [p.name for p in natural_order(tmp_path / name for name in names)]
    assert order == ["A2.jpg", "a02b.jpg", "a9.jpg", "a10.jpg", "b.jpg"]


def test_grey_and_transparent_pictures_become_colour(tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), np.zeros((4, 6), np.uint8))
    cv2.imwrite(str(folder / "2.png"), np.zeros((4, 6, 4), np.uint8))
    with open_source(folder) as source:
        assert [f.image.shape for f in source] == [(4, 6, 3)] * 2
