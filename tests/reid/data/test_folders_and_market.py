"""A folder an identity, and names that carry identity and camera."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from reid.data import DataConfig, join_crops, open_crops
from reid.errors import DataError, InputError


class TestFolders:
    def test_every_folder_is_an_identity(self, tmp_path, make_picture):
        for k, name in enumerate(("10/a.png", "10/B.JPG", "9/c.jpeg", "Ada/d.webp", "Ada/e.bmp", "Ada/f.png")):
            make_picture(tmp_path / name, 10 * k)
        (tmp_path / "Ada" / "notes.txt").write_text("no picture")
        (tmp_path / ".cache").mkdir()
        make_picture(tmp_path / ".cache" / "x.png")
        make_picture(tmp_path / "9" / ".hidden.png")
        (tmp_path / "empty").mkdir()
        crops = open_crops(tmp_path)
        assert crops.names == ("9", "10", "Ada"), "in natural order"
        assert np.bincount(crops.identity).tolist() == [1, 2, 3]
        assert crops.labelled.all()
        assert (crops.camera == -1).all()
        assert (crops.group == -1).all()
        assert np.isnan(crops.time_s).all()
        files = ["c.jpeg", "a.png", "B.JPG", "d.webp", "e.bmp", "f.png"]
        assert [crops.picture_name(k).rsplit("/", 1)[1] for k in range(6)] == files
        blue = crops.pixels(np.arange(6), 8, 8)[:, 4, 4, 0]
        np.testing.assert_allclose(blue, [20, 0, 10, 30, 40, 50], atol=4)

    def test_a_single_folder_around_them_is_passed_through(self, tmp_path, make_picture):
        make_picture(tmp_path / "data" / "train" / "a" / "1.png")
        make_picture(tmp_path / "data" / "train" / "b" / "1.png")
        assert open_crops(tmp_path).names == ("a", "b")

    def test_cameras_where_every_name_has_one(self, tmp_path, make_picture):
        for name in ("0002/0002_c1s1_000451_03.jpg", "0002/0002_c2s1_000001_01.jpg", "0007/0007_c012_5.jpg"):
            make_picture(tmp_path / name)
        assert open_crops(tmp_path).camera.tolist() == [1, 2, 12]
        make_picture(tmp_path / "0007" / "other.jpg")
        assert open_crops(tmp_path).camera.tolist() == [-1] * 4

    def test_cameras_in_names_are_told_of_and_can_be_left_out(self, tmp_path, make_picture, caplog):
        for name in ("dog0/dog0_c0.jpg", "dog0/dog0_c1.jpg", "dog1/dog1_c0.jpg"):
            make_picture(tmp_path / name)
        caplog.set_level(logging.INFO)
        assert open_crops(tmp_path).camera.tolist() == [0, 1, 0]
        assert "2 cameras read from names of pictures, such as 0 from dog0_c0.jpg" in caplog.text
        assert "data.cameras_in_names" in caplog.text
        assert not [record for record in caplog.records if record.levelno > logging.INFO]
        caplog.clear()
        assert open_crops(tmp_path, config=DataConfig(cameras_in_names=False)).camera.tolist() == [-1] * 3
        assert "cameras read" not in caplog.text

    def test_a_number_is_no_camera(self, tmp_path, make_picture):
        for name in ("a/c001.jpg", "a/c002.jpg", "b/c001.jpg"):
            make_picture(tmp_path / name)
        assert open_crops(tmp_path).camera.tolist() == [-1] * 3
        for name in ("d/c1_001.jpg", "d/0002_c4.jpg"):
            make_picture(tmp_path / "more" / name)
        assert open_crops(tmp_path / "more").camera.tolist() == [4, 1]

    def test_folders_that_are_no_identities_are_named(self, tmp_path, make_picture, caplog):
        for name in ("a/1.jpg", "b/1.jpg", "deeper/cam1/1.jpg"):
            make_picture(tmp_path / name)
        assert open_crops(tmp_path).names == ("a", "b")
        assert "left out folders without a picture" in caplog.text
        assert "deeper holds 1 folder (cam1)" in caplog.text

    def test_the_licence_among_them_or_as_said(self, tmp_path, make_picture):
        make_picture(tmp_path / "train" / "a" / "1.png")
        make_picture(tmp_path / "train" / "b" / "1.png")
        assert open_crops(tmp_path / "train").licence is None
        (tmp_path / "LICENSE").write_text("of the program in whose folder they lie")
        assert open_crops(tmp_path / "train").licence is None
        (tmp_path / "train" / "LICENCE.txt").write_text("\n# CC BY 4.0\nand so on")
        assert open_crops(tmp_path / "train").licence == "CC BY 4.0"
        assert open_crops(tmp_path / "train", config=DataConfig(licence="my own")).licence == "my own"

    def test_several_parts_are_not_taken_for_identities(self, tmp_path, make_picture):
        make_picture(tmp_path / "val" / "a" / "1.png")
        make_picture(tmp_path / "train" / "a" / "1.png")
        with pytest.raises(DataError, match=r"found 2 folders \(train, val\); none .*: did you mean .*/train\?"):
            open_crops(tmp_path)

    def test_no_picture_anywhere(self, tmp_path):
        (tmp_path / "a").mkdir()
        with pytest.raises(DataError, match=r"must hold a folder an identity .* found 1 folder \(a\)|found nothing"):
            open_crops(tmp_path, kind="folders")


class TestMarket:
    NAMES = (
        "0002_c1s1_000451_03", "0002_c3s1_000551_01", "0007_c3s3_077419_03", "-1_c1s1_000401_03",
        "0000_c1s1_000151_01", "0000_c2s1_000151_01",
    )  # fmt: skip

    def test_identity_and_camera_are_in_the_name(self, tmp_path, make_picture):
        for name in self.NAMES:
            make_picture(tmp_path / f"{name}.jpg")
        (tmp_path / "Thumbs.db").write_bytes(b"x")
        crops = open_crops(tmp_path)
        assert crops.names == ("0002", "0007")
        assert crops.identity.tolist() == [0, 0, 1]
        assert crops.camera.tolist() == [1, 3, 3]
        assert np.isnan(crops.time_s).all()

    @pytest.mark.parametrize(("distractors", "said"), [(False, "left out"), (True, "took for nobody")])
    def test_what_became_of_number_0_is_told(self, tmp_path, make_picture, caplog, distractors, said):
        for name in self.NAMES:
            make_picture(tmp_path / f"{name}.jpg")
        open_crops(tmp_path, config=DataConfig(distractors=distractors))
        assert f"{tmp_path}: {said} 2 of 6 pictures, since number 0000 is a distractor" in caplog.text
        assert "number identities from 1" in caplog.text

    def test_distractors_where_market_has_them_and_none_at_all_are_no_news(self, tmp_path, make_picture, caplog):
        make_picture(tmp_path / "bounding_box_test" / "0000_c1s1_000151_01.jpg")
        make_picture(tmp_path / "bounding_box_test" / "0001_c1s1_000151_01.jpg")
        make_picture(tmp_path / "bounding_box_train" / "0002_c1s1_000151_01.jpg")
        for distractors in (False, True):
            open_crops(tmp_path, config=DataConfig(part="gallery", distractors=distractors))
        open_crops(tmp_path)
        assert caplog.text == ""

    def test_distractors_are_nobodys_match(self, tmp_path, make_picture):
        for name in self.NAMES:
            make_picture(tmp_path / f"{name}.jpg")
        crops = open_crops(tmp_path, config=DataConfig(distractors=True))
        names = [crops.names[k] for k in crops.identity]
        assert sorted(names) == ["0000", "0000", "0002", "0002", "0007"]
        assert len(crops.identities) == 4, "each distractor is an identity of its own"
        assert [crops.names[k] for k in np.flatnonzero(crops.distractor)] == ["0000", "0000"]
        last = crops.subset(np.arange(5)[::-1])
        for some in (last, join_crops([crops, last])):
            known = [some.names[k] for k in some.identity[some.measured_identity >= 0]]
            assert "0000" not in known
            assert (some.measured_identity < 0).sum() * 5 == 2 * len(some)

    @pytest.mark.parametrize("name", ["0001_c2_f0046182.jpg", "0001_c001_00016450_0.jpg"])
    def test_other_data_sets_with_such_names(self, tmp_path, make_picture, name):
        make_picture(tmp_path / name)
        crops = open_crops(tmp_path)
        assert crops.names == ("0001",)
        assert crops.camera.tolist() == [int(name.split("_")[1][1:])]

    def test_a_whole_data_set_has_parts(self, tmp_path, make_picture):
        for part, name in (("bounding_box_train", "0002"), ("query", "0003"), ("bounding_box_test", "0004")):
            make_picture(tmp_path / part / f"{name}_c1s1_000451_03.jpg")
        assert open_crops(tmp_path).names == ("0002",)
        assert open_crops(tmp_path, config=DataConfig(part="query")).names == ("0003",)
        assert open_crops(tmp_path, config=DataConfig(part="gallery")).names == ("0004",)
        assert open_crops(tmp_path / "query").names == ("0003",)

    def test_a_part_that_is_missing(self, tmp_path, make_picture):
        make_picture(tmp_path / "bounding_box_train" / "0002_c1s1_000451_03.jpg")
        with pytest.raises(DataError, match="must hold query for the part 'query', found 1 folder"):
            open_crops(tmp_path, config=DataConfig(part="query"))

    def test_a_strange_name_among_them_is_named(self, tmp_path, make_picture):
        for name in (*self.NAMES, "holiday"):
            make_picture(tmp_path / f"{name}.jpg")
        with pytest.raises(DataError, match=r"named like 0002_c1s1_000451_03\.jpg .* got 'holiday\.jpg' \(and 0 more"):
            open_crops(tmp_path)

    def test_nothing_but_junk(self, tmp_path, make_picture):
        make_picture(tmp_path / "-1_c1s1_000401_03.jpg")
        make_picture(tmp_path / "0000_c1s1_000401_03.jpg")
        with pytest.raises(DataError, match="found 2 pictures, all of them junk"):
            open_crops(tmp_path)

    def test_no_picture(self, tmp_path):
        with pytest.raises(DataError, match="found nothing"):
            open_crops(tmp_path, kind="market")


@pytest.mark.parametrize(
    ("name", "value"),
    [("least_height_px", 0), ("least_width_px", 0), ("least_visibility", 1.5), ("most_crops", 0), ("cache_mb", -1)],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name} must be .* got {value}"):
        DataConfig(**{name: value})
