"""The example of docs/camera-motion.md runs as it stands there, and keeps a number that is lost without it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tracker import Detections, Frame

PAGE = Path(__file__).resolve().parents[3] / "docs" / "camera-motion.md"
BLOCK = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def shaking() -> tuple[list[Frame], np.ndarray]:
    """Frames of a wall through a camera that jumps, and the box, in each, of a thing that stands before the wall."""
    rng = np.random.default_rng(3)
    wall = cv2.resize(rng.integers(0, 255, (60, 90, 3)).astype(np.uint8), (900, 600), interpolation=cv2.INTER_CUBIC)
    corner = rng.integers(60, 110, (40, 2))
    corner[::2] += 40
    frames = [
        Frame(np.ascontiguousarray(wall[y : y + 270, x : x + 480]), i + 1, i / 10) for i, (x, y) in enumerate(corner)
    ]
    return frames, np.array([[400, 250, 420, 300]], np.float32) - np.tile(corner, 2)[:, None]


def test_the_example_keeps_the_number_of_what_stands_before_a_shaking_camera() -> None:
    assert BLOCK is not None
    code = BLOCK.group(1)
    frames, boxes = shaking()

    def ids(code: str) -> list[int]:
        seen: list[int] = []
        names: dict[str, Any] = {
            "source": frames,
            "detector": lambda frame: Detections(boxes[frame.index - 1], frame_size=(480, 270)),
            "collect": seen,
        }
        exec(code + "\n    collect.extend(tracks.ids.tolist())", names)
        return seen

    with_motion, without = ids(code), ids(code.replace("camera_motion=motion", "camera_motion=None"))
    assert set(with_motion) == {1}
    assert len(with_motion) >= 38
    assert len(set(without)) > 1 or len(without) < 20
