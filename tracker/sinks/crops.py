"""Pictures of each identity, one folder an identity, for looking at and for training."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import cv2
import numpy as np

from reid.tracklets.spacing import Spacing
from tracker.boxes import clip
from tracker.errors import OutputError
from tracker.sinks.checks import check_spacing, check_within
from tracker.sinks.text import already_there
from tracker.types import FrameResult, Image, RunInfo

_FOLDER = re.compile(r"\d{6,}")
_PICTURE = re.compile(r"\d{8,}\.jpg")


class CropsSink:
    """JPEG crops `<folder>/<identity, 6 digits>/<frame, 8 digits>.jpg`, a bounded number an identity, spread in time.

    An identity's first crops are `spacing_s` apart. Whenever there would be too many, every second one is deleted and
    the spacing doubled, so that the ones that stay always cover its whole life evenly. Predicted positions, and what
    is less than `least_px` high or wide inside the picture, give no crop.

    Args:
        folder: made where missing.
        overwrite: delete what an earlier run left there; otherwise that is an error. Other files are never touched.
        most: crops an identity, 2 or more.
        spacing_s: seconds between two crops at first.
        least_px: shortest side worth keeping.
        jpeg_quality: 1..100.

    Raises:
        ConfigError: an argument is out of range.
        OutputError: an earlier run's crops are there, or a file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        overwrite: bool = False,
        most: int = 16,
        spacing_s: float = 0.2,
        least_px: int = 16,
        jpeg_quality: int = 92,
    ) -> None:
        check_within("most", most, 2)
        check_within("jpeg_quality", jpeg_quality, 1, 100)
        check_spacing(spacing_s)
        self.path = folder
        self._overwrite = overwrite
        self._most = most
        self._spacing_s = spacing_s
        self._least_px = least_px
        self._quality = jpeg_quality
        # little, since a run of weeks meets many; which pictures there are, the disk tells
        self._kept: dict[int, Spacing] = {}

    def open(self, run: RunInfo) -> None:  # noqa: ARG002 - crops need nothing of it
        """Make the folder, or empty it of an earlier run's crops."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            earlier = [p for p in self.path.iterdir() if p.is_dir() and _FOLDER.fullmatch(p.name)]
            if earlier and not self._overwrite:
                raise already_there(earlier[0])
            for folder in earlier:
                for picture in folder.iterdir():
                    if _PICTURE.fullmatch(picture.name):
                        picture.unlink()
                if not any(folder.iterdir()):
                    folder.rmdir()
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror}") from error

    def write(self, result: FrameResult) -> None:
        """Keep the crops of this frame that are due."""
        image, tracks = result.frame.image, result.tracks
        corners = np.rint(clip(tracks.boxes, image.shape[1], image.shape[0])).astype(np.int64)  # (M, 4)
        seen = ~tracks.coasted & ((corners[:, 2:] - corners[:, :2]).min(axis=1, initial=1 << 30) >= self._least_px)
        for row in np.flatnonzero(seen).tolist():
            kept = self._kept.setdefault(int(tracks.ids[row]), Spacing(self._spacing_s))
            if kept.due(result.frame.time_s):
                x1, y1, x2, y2 = corners[row].tolist()
                self._keep(kept, int(tracks.ids[row]), result.frame.index, image[y1:y2, x1:x2])
                kept.taken_s = result.frame.time_s

    def close(self) -> None:
        """Nothing is held open."""

    def abort(self) -> None:
        """After a failure no empty folder stays."""
        with contextlib.suppress(OSError):  # there is something in it, or none was made
            self.path.rmdir()

    def _keep(self, kept: Spacing, track_id: int, frame: int, crop: Image) -> None:
        path = self.path / f"{track_id:06d}" / f"{frame:08d}.jpg"
        _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data.tobytes())
            kept.count += 1
            if kept.count > self._most:
                kept.count = _thin_out(path.parent)
                kept.spacing_s *= 2
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # half a picture is none
            raise OutputError(f"{path} cannot be written: {error.strerror}") from error


def _thin_out(folder: Path) -> int:
    """Delete every second picture in order of time; how many are left."""
    pictures = sorted(
        (path for path in folder.iterdir() if _PICTURE.fullmatch(path.name)), key=lambda path: int(path.stem)
    )
    for surplus in pictures[1::2]:
        surplus.unlink(missing_ok=True)  # somebody may tidy up meanwhile
    return len(pictures[::2])
