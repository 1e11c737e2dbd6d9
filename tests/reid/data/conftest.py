"""Small data sets on disk."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest


def picture(value: int, height_px: int = 64, width_px: int = 32) -> np.ndarray:
    """A plain picture whose blue channel tells which one it is."""
    image = np.full((height_px, width_px, 3), 128, np.uint8)
    image[..., 0] = value
    return image


def save(path: Path, value: int = 0, height_px: int = 64, width_px: int = 32) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(value, height_px, width_px))
    return path


@pytest.fixture
def make_picture():
    return save


@pytest.fixture
def make_sequence(tmp_path):
    """A MOT sequence: `rows` of text, and frames in which every box `k` of the text is filled with 30 * k."""

    def make(rows, *, name="SEQ-01", frames=None, size=(120, 200), text="gt/gt.txt", info=True, folder="img1"):
        root = tmp_path / name
        (root / text).parent.mkdir(parents=True, exist_ok=True)
        (root / text).write_text("\n".join(",".join(str(value) for value in row) for row in rows) + "\n")
        if info:
            (root / "seqinfo.ini").write_text(f"[Sequence]\nname={name}\nimDir={folder}\nframeRate=10\n")
        for number in frames or sorted({row[0] for row in rows}):
            image = np.zeros((*size, 3), np.uint8)
            for _, who, left, top, width, height, *_ in [row for row in rows if row[0] == number]:
                left, top = max(int(left), 0), max(int(top), 0)
                image[top : int(top + height), left : int(left + width)] = 30 * who
            path = root / folder / f"{number:06d}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), image)
        return root

    return make
