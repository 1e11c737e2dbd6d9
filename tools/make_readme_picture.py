"""Make README's picture from the folder of a finished `reidtrack demo`: one annotated frame above the contact sheet.

reidtrack demo --out demo-out && python tools/make_readme_picture.py demo-out docs/demo.jpg --frame 520
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH_PX = 960
SHEET_PX = 560  # of the sheet's height: enough rows to see what it is
HEAVIEST_BYTES = 300_000


def main() -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, help="the folder that reidtrack demo wrote")
    parser.add_argument("picture", type=Path, help="the JPEG to write")
    parser.add_argument("--frame", type=int, default=520, help="number of the annotated frame, from 1")
    options = parser.parse_args()
    sheet = cv2.imread(str(options.demo / "contact_sheet.png"))
    if sheet is None:
        raise SystemExit(f"{options.demo} must hold contact_sheet.png: run reidtrack demo --out {options.demo}")
    parts = [to_width(read_frame(options.demo, options.frame)), to_width(sheet)[:SHEET_PX]]
    _, data = cv2.imencode(".jpg", np.vstack(parts), [cv2.IMWRITE_JPEG_QUALITY, 80])
    if len(data) >= HEAVIEST_BYTES:
        raise SystemExit(f"the picture must be lighter than {HEAVIEST_BYTES} bytes, got {len(data)}")
    options.picture.write_bytes(data.tobytes())
    print(f"wrote {options.picture}, {len(data)} bytes")
    return 0


def read_frame(demo: Path, number: int) -> NDArray[np.uint8]:
    """One frame of the annotated video; videos are read from the start, since not every container seeks exactly."""
    path = next(iter(demo.glob("annotated.*")), None)
    if path is None:
        raise SystemExit(f"{demo} must hold an annotated video")
    capture = cv2.VideoCapture(str(path))
    for _ in range(number):
        there, image = capture.read()
        if not there:
            raise SystemExit(f"{path} has fewer than {number} frames")
    capture.release()
    return image.astype(np.uint8)


def to_width(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scaled to the picture's width."""
    height = round(image.shape[0] * WIDTH_PX / image.shape[1])
    return cv2.resize(image, (WIDTH_PX, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
