"""Crops of tracklet stores."""

from __future__ import annotations

import numpy as np
import pytest

from reid.data import DIFFERENT, SAME, UNKNOWN, DataConfig, open_crops
from reid.errors import DataError
from reid.tracklets import TrackletWriter


def write(folder, source, runs):
    """`runs`: a list of ({tracklet: (identity, frames)}, pairs)."""
    with TrackletWriter(folder) as writer:
        for tracklets, pairs in runs:
            writer.begin_run(source, rate_hz=10)
            for tracklet, (identity, frames) in tracklets.items():
                for frame in frames:
                    crop = np.full((60, 30, 3), 20 * tracklet + frame, np.uint8)
                    writer.add_crop(
                        tracklet, crop, identity=identity, frame=frame, time_s=frame / 10, box=(0, 0, 30, 60), score=1,
                        covered=0.1 * (frame % 10),
                    )  # fmt: skip
            writer.together(np.array(pairs).reshape(-1, 2), frame=1)
    return folder


@pytest.fixture
def runs(tmp_path):
    write(
        tmp_path / "runs" / "a" / "tracklets", "a.mp4",
        [({1: (1, (1, 2, 3)), 2: (2, (1, 2)), 4: (1, (30, 31))}, [(1, 2), (2, 3)]), ({5: (1, (1,))}, [])],
    )  # fmt: skip
    write(tmp_path / "runs" / "b" / "tracklets", "b.mp4", [({1: (1, (2,)), 3: (9, (3,))}, [(1, 3)])])
    return tmp_path / "runs"


def test_tracklets_are_identities_of_which_little_is_known(runs):
    crops = open_crops(runs)
    assert crops.names == ("a.mp4/1 (1)", "a.mp4/2 (2)", "a.mp4/1 (4)", "a.mp4/1 (5)", "b.mp4/1 (1)", "b.mp4/9 (3)")
    assert np.bincount(crops.identity).tolist() == [3, 2, 2, 1, 1, 1]
    assert not crops.labelled.any()
    assert crops.together.tolist() == [[0, 1], [4, 5]], "tracklet 3 of the first left no crop"
    assert crops.group[np.searchsorted(crops.identity, range(6))].tolist() == [0, 0, 0, 1, 2, 2]
    assert crops.kin.tolist() == [0, 1, 0, 2, 3, 4], "one tracker's number in one run"
    rows = np.searchsorted(crops.identity, range(6))
    relations = crops.relations([*rows, rows[0] + 1])
    assert relations[0].tolist() == [SAME, DIFFERENT, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, SAME]
    np.testing.assert_allclose(crops.time_s[:3], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(crops.pixels(rows, 8, 8)[:, 4, 4, 0], [21, 41, 110, 101, 22, 63], atol=2)


def test_small_covered_and_too_many_are_left_out(runs):
    assert len(open_crops(runs / "a", config=DataConfig(least_visibility=0.8))) == 7
    assert len(open_crops(runs / "a", config=DataConfig(most_crops=1))) == 4
    with pytest.raises(DataError, match=r"at least 16x61 px and visibility 0\.4, found none among 8 stored crops"):
        open_crops(runs / "a", config=DataConfig(least_height_px=61))


def test_a_store_without_a_crop(tmp_path):
    TrackletWriter(tmp_path / "tracklets").close()
    with pytest.raises(DataError, match="found none among 0 stored crops"):
        open_crops(tmp_path)
