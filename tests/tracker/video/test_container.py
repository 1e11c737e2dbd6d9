"""Whether a file lost its end, whatever it announces; and the clock of files that repeat their time stamps."""

from __future__ import annotations

import logging
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from tracker.video import open_source
from tracker.video.container import is_cut
from tracker.video.file import CapturedVideo


@pytest.mark.parametrize(
    ("name", "fourcc"), [("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.mkv", "MJPG"), ("a.webm", "VP80")]
)
def test_a_file_that_lost_its_end_is_told_from_a_whole_one(tmp_path, make_clip, name, fourcc):
    path = make_clip(tmp_path / name, 20, fourcc=fourcc)
    assert not is_cut(path)
    data = path.read_bytes()
    for left in (len(data) - 1, len(data) // 2, 60):
        path.write_bytes(data[:left])
        assert is_cut(path)


def test_what_does_not_say_its_length_is_not_called_cut(tmp_path):
    box = lambda size, name, content=b"": size.to_bytes(4, "big") + name + content  # noqa: E731
    segment = b"\x18\x53\x80\x67"
    for number, data in enumerate((
        b"", b"text", b"\x1a\x45\xdf\xa3", bytes(300),
        box(16, b"ftyp", b"isom1234") + box(0, b"mdat", bytes(100)),  # up to the end of the file
        box(16, b"ftyp", b"isom1234") + box(1, b"mdat", (116).to_bytes(8, "big") + bytes(100)),
        b"\x1a\x45\xdf\xa3\x81\x00" + segment + b"\x01" + b"\xff" * 7 + bytes(50),  # a recording
        b"\x1a\x45\xdf\xa3\x81\x00" + segment + b"\x40\x32" + bytes(50),
    )):  # fmt: skip
        path = tmp_path / str(number)
        path.write_bytes(data)
        assert not is_cut(path)
    path.write_bytes(box(16, b"ftyp", b"isom1234") + box(1, b"mdat", (117).to_bytes(8, "big") + bytes(100)))
    assert is_cut(path)
    path.write_bytes(b"\x1a\x45\xdf\xa3\x81\x00" + segment + b"\x40\x33" + bytes(50))
    assert is_cut(path)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg to trim a video")
def test_a_video_that_was_trimmed_is_whole(tmp_path, clip, read_number, caplog):
    path = tmp_path / "trimmed.mp4"
    words = ["ffmpeg", "-v", "error", "-ss", "1.3", "-i", str(clip), "-c", "copy", str(path)]
    subprocess.run(words, check=True)
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) > 28
    with caplog.at_level(logging.WARNING), open_source(path) as source:
        numbers = [read_number(frame.image) for frame in source]
    assert numbers == list(range(61 - len(numbers), 61))
    assert len(numbers) < 30


class Clock:
    """A capture whose frames have these time stamps."""

    def __init__(self, stamps_s, rate_hz, announced):
        self._stamps_s, self._rate_hz, self._announced = stamps_s, rate_hz, announced
        self._at = 0

    def get(self, what):
        known = {cv2.CAP_PROP_FPS: self._rate_hz, cv2.CAP_PROP_FRAME_COUNT: self._announced}
        return known.get(what, 1000 * self._stamps_s[self._at])

    def grab(self):
        self._at += 1
        return self._at < len(self._stamps_s)

    def retrieve(self):
        return True, np.zeros((4, 4, 3), np.uint8)

    def release(self): ...


def video(stamps_s, *, rate_hz=10.0, announced=0.0, exact=False):
    first = np.zeros((4, 4, 3), np.uint8)
    return CapturedVideo(Clock(stamps_s, rate_hz, announced), first, "a.mkv", exact=exact, cut=False)


@pytest.mark.parametrize(
    ("stamps_s", "expected"),
    [
        ([0, 0.1, 0.2, 0.3], [0, 0.1, 0.2, 0.3]),
        ([0, 0.1, 0.1, 0.3, 0.4], [0, 0.1, 0.15, 0.3, 0.4]),  # one that is there twice puts no other off
        ([0, 0, 0, 0], [0, 0.1, 0.2, 0.3]),  # none at all
        ([5.0, 5.1, 0.1, 0.2], [5.0, 5.1, 5.2, 5.3]),  # another video begins
        ([0, 0.1, float("nan"), 0.3], [0, 0.1, 0.2, 0.3]),
    ],
)
def test_times_advance_and_are_the_files_own_where_these_do(stamps_s, expected):
    assert [frame.time_s for frame in video(stamps_s)] == pytest.approx(expected)


def test_a_rate_that_is_the_clocks_is_none():
    source = video([0, 0.033, 0.067], rate_hz=1000.0, announced=67)
    assert (source.info.rate_hz, source.info.frames) == (None, None)
    assert video([0], rate_hz=600.0, announced=67).info.rate_hz == 600
    assert video([0], rate_hz=1000.0, announced=67, exact=True).info.frames == 67
    assert len(list(source)) == 3
