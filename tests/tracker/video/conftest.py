"""Small clips whose pictures say their number."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.errors import SourceError

BITS = 8
CELL_PX = 16


def numbered(index: int, width: int = 160, height: int = 64) -> np.ndarray:
    """A picture with its number as black and white cells, which survive any codec."""
    image = np.full((height, width, 3), 128, np.uint8)
    for bit in range(BITS):
        image[8:24, CELL_PX * bit : CELL_PX * (bit + 1)] = 255 if index >> bit & 1 else 0
    image[40:, : width // 2] = (0, 0, 255)  # red below on the left, to see a rotation
    return image


def number_of(image: np.ndarray) -> int:
    cells = image[16, CELL_PX // 2 : CELL_PX * BITS : CELL_PX].mean(axis=1)
    return sum(1 << bit for bit, value in enumerate(cells) if value > 128)


def write_clip(path: Path, frames: int, *, rate_hz: float = 25.0, fourcc: str = "mp4v") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), rate_hz, (160, 64))
    assert writer.isOpened()
    for index in range(1, frames + 1):
        writer.write(numbered(index))
    writer.release()
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """60 frames at 25 a second, MPEG-4 in mp4."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 60)


@pytest.fixture(scope="session")
def make_clip():
    return write_clip


@pytest.fixture(scope="session")
def make_picture():
    return numbered


@pytest.fixture(scope="session")
def read_number():
    return number_of


@pytest.fixture(scope="session")
def read_until_error():
    """Frames of a source, and the error that ended it or None."""

    def read(source):
        frames = []
        try:
            for frame in source:
                frames.append(frame)  # noqa: PERF402 - what came before the error is the point
        except SourceError as error:
            return frames, error
        return frames, None

    return read
