"""Crops are known again, and anything that changed in them is noticed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reid.data import Crops, join_crops, open_crops
from reid.data.fingerprint import fingerprint, without_shared
from reid.data.pictures import MemoryPictures
from reid.errors import DataError, InputError

COLUMNS: dict[str, Any] = {
    "camera": [0, 1, 0, 1],
    "time_s": [0.0, 1.0, np.nan, 3.0],
    "group": [0, 0, 0, 0],
    "together": [[0, 1]],
    "kin": [0, 1, 1],
    "labelled": [True, True, False],
    "distractor": [False, False, True],
}


def in_memory(value: int = 7, **columns: Any) -> Crops:
    pictures = MemoryPictures(8 * 4 * 3 * 2)  # the last two of four are kept as JPEG
    for row in range(4):
        pictures.add(np.full((8, 4, 3), value if row == 3 else row, np.uint8), f"{row}.png")
    return Crops(pictures, [0, 0, 1, 2], ["a", "b", "c"], **(COLUMNS | columns))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(3):
        for identity in "ab":
            path = tmp_path / "data" / identity / f"{number}.bmp"  # not compressed: all pictures are of one length
            path.parent.mkdir(parents=True, exist_ok=True)
            side = 16 if number else 256
            assert cv2.imwrite(str(path), rng.integers(0, 256, (side, side, 3), np.uint8))
    return tmp_path / "data"


def test_the_same_data_is_known_again_elsewhere_and_later(folder: Path, tmp_path: Path) -> None:
    before = fingerprint(open_crops(folder))
    assert before.startswith("6 crops ")
    shutil.copytree(folder, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.bmp"):
        os.utime(path, (1, 1))
    assert fingerprint(open_crops(tmp_path / "copy")) == before
    assert fingerprint(in_memory()) == fingerprint(in_memory())


@pytest.mark.parametrize("name", ["a/0.bmp", "b/2.bmp"])
def test_a_picture_that_changed_under_its_name_is_noticed(folder: Path, name: str) -> None:
    before, path = fingerprint(open_crops(folder)), folder / name
    length = path.stat().st_size
    picture = cv2.imread(str(path))
    assert cv2.imwrite(str(path), 255 - picture)
    assert path.stat().st_size == length
    assert fingerprint(open_crops(folder)) != before


def test_a_part_of_a_large_picture_that_changed_is_noticed(folder: Path) -> None:
    before, path = fingerprint(open_crops(folder)), folder / "a" / "0.bmp"
    picture = cv2.imread(str(path))
    assert picture is not None
    picture[150] = 0  # one of 256 rows
    assert cv2.imwrite(str(path), picture)
    assert fingerprint(open_crops(folder)) != before


def test_a_picture_that_is_gone_is_named(folder: Path) -> None:
    crops = open_crops(folder)
    (folder / "b" / "1.bmp").unlink()
    with pytest.raises(DataError, match=r"picture .*1\.bmp cannot be read: No such file"):
        fingerprint(crops)


@pytest.mark.parametrize(
    "changed",
    [
        {"camera": [0, 1, 0, 2]},
        {"time_s": [0.0, 1.0, np.nan, 3.5]},
        {"group": [0, 0, 0, 1]},
        {"together": [[0, 2]]},
        {"kin": [0, 1, 2]},
        {"labelled": [True, True, True]},
        {"distractor": False},
        {"value": 99},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_else_changed_is_noticed(changed: dict[str, Any]) -> None:
    assert fingerprint(in_memory(**changed)) != fingerprint(in_memory())


def test_rows_and_their_order_count_and_joined_sets_are_looked_into(folder: Path) -> None:
    crops = in_memory()
    seen = {fingerprint(crops.subset(rows)) for rows in ([0, 1, 2, 3], [0, 1, 2], [1, 0, 2, 3], [0, 0, 2, 3])}
    assert len(seen) == 4
    joined = [fingerprint(join_crops([open_crops(folder), in_memory(value)])) for value in (7, 7, 99)]
    assert joined[0] == joined[1] != joined[2]


def test_a_picture_that_is_trained_on_is_not_held_out_under_another_name(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "c"
    other.mkdir(parents=True)
    assert cv2.imwrite(str(other / "new.bmp"), np.full((16, 16, 3), 9, np.uint8))
    assert len(without_shared(open_crops(folder), open_crops(tmp_path / "other"))) == 1
    for name in ("a/0.bmp", "b/2.bmp"):  # a large one and a small one
        copy = shutil.copy(folder / name, other / "copy.bmp")
        with pytest.raises(
            InputError, match=rf"must hold no picture that is trained on.* got 1 such of 2: {copy}\. Give"
        ):
            without_shared(open_crops(folder), open_crops(tmp_path / "other"))


def test_crops_that_were_cut_are_compared_by_their_pixels(folder: Path) -> None:
    both = join_crops([open_crops(folder), in_memory(7)])
    without_shared(both, in_memory(99).subset([3]))
    with pytest.raises(InputError, match=r"got 4 such of 4: 0\.png; 1\.png; "):
        without_shared(both, in_memory())


@pytest.mark.parametrize(("others", "refused"), [(9, False), (8, True)])
def test_a_few_shared_pictures_are_left_out_and_told_of_and_many_refused(
    others: int, refused: bool, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = MemoryPictures(0)
    for row in range(others + 1):
        pictures.add(np.full((8, 4, 3), row or 255, np.uint8), f"{row}.png")
    trained = MemoryPictures(0)
    trained.add(np.full((8, 4, 3), 255, np.uint8), "other name.png")
    crops, held_out = (
        Crops(trained, [0], ["a"]),
        Crops(pictures, [0, 1] * 5 if others == 9 else [0, 1, 1] * 3, ["b", "c"]),
    )
    if refused:
        with pytest.raises(InputError, match=r"got 1 such of 9: 0\.png\. Give"):
            without_shared(crops, held_out)
        return
    kept = without_shared(crops, held_out)
    assert [kept.picture_name(row) for row in range(len(kept))] == [f"{row}.png" for row in range(1, 10)]
    assert caplog.messages == ["left out held-out pictures that are trained on: 1 such of 10: 0.png"]
