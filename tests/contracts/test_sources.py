"""What every source promises (`tracker.types.Source`)."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest

from tracker.demo.scene import DemoClip, DemoConfig
from tracker.errors import InputError
from tracker.video import open_source

FRAMES = 12


@pytest.fixture(params=["video", "folder", "glob", "demo"])
def source(request, tmp_path):
    if request.param == "demo":
        opened = DemoClip(DemoConfig(duration_s=0.6))
    elif request.param == "video":
        path = tmp_path / "clip.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
        for value in range(FRAMES):
            writer.write(np.full((48, 64, 3), 20 * value, np.uint8))
        writer.release()
        opened = open_source(path)
    else:
        for value in range(FRAMES):
            cv2.imwrite(str(tmp_path / f"{value:02d}.png"), np.full((48, 64, 3), 20 * value, np.uint8))
        opened = open_source(tmp_path if request.param == "folder" else f"{tmp_path}/*.png", rate_hz=10)
    yield opened
    opened.close()


def some(source, count=FRAMES):
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == count:
            break
    return frames


def test_frames_are_numbered_from_one_and_their_time_advances(source):
    frames = some(source)
    assert [f.index for f in frames] == list(range(1, FRAMES + 1))
    times = [f.time_s for f in frames]
    assert times[0] == 0
    assert np.diff(times) == pytest.approx(1 / source.info.rate_hz)


def test_pictures_are_as_announced_and_each_has_its_own_array(source):
    info = source.info
    first, second = some(source, 2)
    for frame in (first, second):
        assert frame.image.shape == (info.height_px, info.width_px, 3)
        assert frame.image.dtype == np.uint8
    assert not np.shares_memory(first.image, second.image)


def test_the_announced_number_of_frames_comes(source):
    assert source.info.frames is not None
    assert sum(1 for _ in source) == source.info.frames
    assert not source.info.live


def test_it_is_closed_by_its_context_at_any_time_and_more_than_once(source):
    with source:
        frames = iter(source)
        next(frames)
    source.close()
    assert list(frames) == []


def test_closing_before_the_first_frame_gives_none(source):
    source.close()
    assert list(source) == []


def test_closing_from_another_thread_ends_the_iteration(source):
    frames = iter(source)
    next(frames)
    closer = threading.Thread(target=source.close)
    closer.start()
    closer.join()
    assert list(frames) == []


def test_a_file_is_iterated_once(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((8, 8, 3), np.uint8))
    source = open_source(tmp_path)
    some(source)
    with pytest.raises(InputError, match="can be iterated once; open it again"):
        iter(source)
