"""Decoding: sizes, damage, names, and crops in memory."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from reid.data.pictures import FilePictures, MemoryPictures, decode, encode
from reid.errors import DataError


def noise(height_px, width_px):
    small = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    return cv2.resize(small, (width_px, height_px), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((75, 50), (75, 50)),
        ((256, 255), (256, 255)),
        ((256, 275), (128, 138)),
        ((525, 512), (132, 128)),
        ((1024, 1250), (128, 157)),
        ((2250, 75), (2250, 75)),
    ],
)
def test_a_jpeg_is_reduced_to_no_less_than_twice_the_size_wanted(size, expected):
    image = noise(*size)
    got = decode(encode(image, 95), 64, 32)
    assert got.shape == (*expected, 3)
    reference = cv2.resize(image, (expected[1], expected[0]), interpolation=cv2.INTER_AREA)
    assert np.abs(got.astype(int) - reference).mean() < 3


def test_other_files_and_unknown_sizes_come_as_they_are():
    image = noise(300, 280)
    _, png = cv2.imencode(".png", image)
    np.testing.assert_array_equal(decode(png.tobytes(), 64, 64), image)
    assert decode(encode(image, 95)).shape == image.shape


@pytest.mark.parametrize("kind", ["grey", "alpha", "deep"])
def test_every_picture_becomes_three_channels_of_8_bits(kind):
    plain = noise(40, 30)
    image = {
        "grey": plain[..., 0],
        "alpha": np.dstack((plain, plain[..., :1])),
        "deep": plain.astype(np.uint16) * 257,
    }[kind]
    _, png = cv2.imencode(".png", image)
    got = decode(png.tobytes())
    assert (got.shape, got.dtype) == ((40, 30, 3), np.uint8)
    np.testing.assert_array_equal(got, np.dstack([plain[..., 0]] * 3) if kind == "grey" else plain)


def test_damage_is_none_and_never_an_exception():
    data = encode(noise(64, 64), 90)
    assert decode(b"") is None
    assert decode(b"\xff\xd8\xff") is None
    assert decode(b"no picture at all") is None
    for end in range(0, len(data), 97):
        image = decode(data[:end], 16, 16)
        assert image is None or image.shape == (64, 64, 3)


def test_files_by_any_name(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")  # not UTF-8
    _, png = cv2.imencode(".png", noise(20, 10))
    (tmp_path / name).write_bytes(png.tobytes())
    pictures = FilePictures([tmp_path / name])
    assert pictures.read(0, 8, 8).shape == (20, 10, 3)
    assert pictures.name(0) == str(tmp_path / name)


def test_files_that_are_missing_or_damaged_are_named(tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    pictures = FilePictures([tmp_path / "text.jpg", tmp_path / "gone.jpg"])
    with pytest.raises(DataError, match=r"picture .*text\.jpg cannot be decoded \(5 bytes\)"):
        pictures.read(0, 8, 8)
    with pytest.raises(DataError, match=r"picture .*gone\.jpg cannot be read: No such file"):
        pictures.read(1, 8, 8)


def test_crops_in_memory_are_exact_while_the_budget_lasts():
    crop = noise(40, 20)
    pictures = MemoryPictures(2 * crop.nbytes)
    for k in range(4):
        pictures.add(crop, f"crop {k}")
    crop_before = crop.copy()
    crop[:] = 0  # a frame's memory is used again
    assert len(pictures) == 4
    for k in range(4):
        np.testing.assert_allclose(pictures.read(k, 8, 8), crop_before, atol=0 if k < 2 else 40)
        assert np.abs(pictures.read(k, 8, 8).astype(int) - crop_before).mean() < (1e-9 if k < 2 else 3)
    assert pictures.name(3) == "crop 3"
