"""What kind of data lies somewhere, and what is said where none does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid.data import detect_kind, open_crops, split_identities
from reid.data.selection import spread_evenly
from reid.errors import DataError, InputError
from reid.tracklets import TrackletWriter


@pytest.fixture
def store(tmp_path):
    with TrackletWriter(tmp_path / "runs" / "street" / "tracklets") as writer:
        writer.begin_run("street.mp4")
        crop = np.zeros((60, 30, 3), np.uint8)
        writer.add_crop(1, crop, identity=1, frame=1, time_s=0, box=(0, 0, 30, 60), score=1)
    return writer.folder


class TestDetection:
    def test_each_kind_is_recognised(self, tmp_path, make_picture, make_sequence, store):
        make_picture(tmp_path / "pets" / "rex" / "1.jpg")
        make_picture(tmp_path / "market" / "0002_c1s1_000451_03.jpg")
        (tmp_path / "whole" / "query").mkdir(parents=True)
        sequence = make_sequence([(1, 1, 10, 10, 30, 70, 1)])
        assert detect_kind(tmp_path / "pets") == "folders"
        assert detect_kind(tmp_path / "market") == "market"
        assert detect_kind(tmp_path / "whole") == "market"
        assert detect_kind(sequence) == "mot"
        assert detect_kind(store) == "tracklets"
        assert detect_kind(tmp_path / "runs") == "tracklets"

    def test_the_crops_of_a_run_are_folders(self, tmp_path, make_picture):
        make_picture(tmp_path / "crops" / "000001" / "00000012.jpg")
        assert open_crops(tmp_path / "crops").names == ("000001",)

    def test_what_was_found_and_what_is_expected_is_said(self, tmp_path, make_picture):
        for k in range(3):
            make_picture(tmp_path / "here" / f"{k}.jpg")
        (tmp_path / "here" / "readme.txt").write_text("x")
        with pytest.raises(DataError, match=r"found 3 \.jpg, 1 \.txt\. Expected one of: a folder an identity .* MOT"):
            open_crops(tmp_path / "here")

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("nope", r"nope was not found: it must be a folder"),
            ("notes.txt", r"notes\.txt must be a folder, or a video .* got a \.txt file"),
            ("empty", r"found nothing\. Expected one of"),
        ],
    )
    def test_what_is_no_data(self, tmp_path, name, message):
        (tmp_path / "notes.txt").write_text("x")
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match=message):
            open_crops(tmp_path / name)

    def test_a_kind_that_does_not_fit(self, tmp_path, make_picture, store):
        path = make_picture(tmp_path / "pets" / "rex" / "1.jpg")
        with pytest.raises(DataError, match=r"pets must be or hold a tracklet store .*, found 1 folder \(rex\)"):
            open_crops(tmp_path / "pets", kind="tracklets")
        with pytest.raises(DataError, match="pets must be a MOT sequence or hold some"):
            open_crops(tmp_path / "pets", kind="mot")
        with pytest.raises(DataError, match=r"1\.jpg must be a folder for data of the kind folders, got a file"):
            open_crops(path, kind="folders")
        with pytest.raises(InputError, match="kind must be auto, folders, market, mot, tracklets, got 'zip'"):
            open_crops(tmp_path, kind="zip")

    def test_the_file_of_a_store_stands_for_it(self, store):
        assert len(open_crops(store / "store.jsonl")) == 1


class TestSpreadEvenly:
    def test_each_keeps_at_most_so_many_evenly(self):
        rng = np.random.default_rng(0)
        identity = rng.integers(0, 9, 400)
        when = rng.permutation(400)
        for most in (1, 2, 7, 39, 1000):
            rows = spread_evenly(identity, when, most)
            assert (np.diff(rows) > 0).all()
            for k in range(9):
                life = np.sort(when[identity == k])
                kept = np.searchsorted(life, np.sort(when[rows[identity[rows] == k]]))
                assert len(kept) == min(most, len(life))
                if 1 < most < len(life):
                    gaps = np.diff(np.r_[kept, len(life)])
                    assert gaps.max() - gaps.min() <= 1

    def test_nothing_of_nothing(self):
        none = np.zeros(0, np.int64)
        assert len(spread_evenly(none, none, 3)) == 0


class TestSplit:
    @pytest.fixture
    def crops(self, tmp_path, make_picture):
        for k in range(10):
            make_picture(tmp_path / "pets" / str(k) / "1.png")
            make_picture(tmp_path / "pets" / str(k) / "2.png")
        return open_crops(tmp_path / "pets")

    def test_identities_are_on_one_side(self, crops):
        train, held = split_identities(crops, share=0.3, seed=0)
        assert len(held.identities) == 3
        assert len(train.identities) == 7
        assert not set(train.identities) & set(held.identities)
        assert len(train) + len(held) == 20

    def test_the_seed_decides(self, crops):
        first, again, other = (split_identities(crops, share=0.5, seed=s)[1].identities.tolist() for s in (1, 1, 2))
        assert first == again
        assert first != other

    def test_both_sides_have_somebody(self, crops):
        few, many = (split_identities(crops, share=share, seed=0)[1] for share in (0.001, 0.999))
        assert len(few.identities) == 1
        assert len(many.identities) == 9

    def test_impossible_splits_are_refused(self, crops):
        for share in (0, 1, -1):
            with pytest.raises(InputError, match="share must be above 0 and below 1"):
                split_identities(crops, share=share, seed=0)
        with pytest.raises(InputError, match="two identities or more, got 1"):
            split_identities(crops.subset(crops.identity == 3), share=0.5, seed=0)


def test_real_folders(shared_data: Path) -> None:
    crops = open_crops(shared_data / "reid" / "Nyala_Data_Zero")
    assert (len(crops), len(crops.identities)) == (1213, 179)
    assert crops.pixels(np.arange(0, 1213, 40), 64, 64).std() > 20
