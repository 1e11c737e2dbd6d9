from __future__ import annotations

import logging
import shutil
import subprocess

import pytest

from tracker.errors import SourceError
from tracker.video import open_source


def numbers(source, read_number):
    return [(frame.index, read_number(frame.image)) for frame in source]


def test_a_file_gives_every_frame_with_its_number_and_media_time(clip, read_number):
    with open_source(clip) as source:
        info = source.info
        frames = list(source)
    assert (info.name, info.width_px, info.height_px, info.rate_hz, info.frames) == ("clip.mp4", 160, 64, 25.0, 60)
    assert not info.live
    assert [f.index for f in frames] == list(range(1, 61))
    assert [read_number(f.image) for f in frames] == list(range(1, 61))
    assert [f.time_s for f in frames] == pytest.approx([i / 25 for i in range(60)])
    assert all(f.image.shape == (64, 160, 3) and f.image.flags.owndata for f in frames)


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("10", "20", 10, 20),
        ("10", "10", 10, 10),
        (None, "5", 1, 5),
        ("55", None, 55, 60),
        ("50", "1000", 50, 60),
        ("1s", "2s", 26, 50),
        ("0:01", "0:02", 26, 50),
        ("0s", "0.04s", 1, 1),
        ("1s", "30", 26, 30),
        ("30", "1.2s", 30, 30),
        ("0.5s", None, 14, 60),  # frame 13 is at 0.48 s, frame 14 at 0.52 s
    ],
)
def test_a_span_keeps_the_sources_numbers_and_times(clip, read_number, start, end, first, last):
    with open_source(clip, start=start, end=end) as source:
        announced = source.info.frames
        frames = list(source)
    assert [f.index for f in frames] == list(range(first, last + 1))
    assert [read_number(f.image) for f in frames] == list(range(first, last + 1))
    assert frames[0].time_s == pytest.approx((first - 1) / 25)
    assert announced == len(frames)


def test_a_start_behind_the_end_is_said(clip):
    with open_source(clip, start="100") as source, pytest.raises(SourceError, match=r"start at frame 100 .* frame 60"):
        list(source)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("50", "1s", "no frame lies between start at frame 50 and end at 1 s: end must come after start"),
        (None, "0s", "no frame lies between start at the beginning and end at 0 s: end must come after start"),
    ],
)
def test_a_span_that_holds_nothing_is_said(clip, start, end, message):
    with open_source(clip, start=start, end=end) as source, pytest.raises(SourceError, match=message):
        list(source)


def test_a_stated_rate_takes_the_place_of_the_files_clock(clip):
    with open_source(clip, rate_hz=10) as source:
        assert source.info.rate_hz == 10
        assert [f.time_s for f in source][:3] == pytest.approx([0, 0.1, 0.2])


@pytest.mark.parametrize("name", ["clip.avi", "clip.mkv"])
def test_other_containers(tmp_path, make_clip, read_number, name):
    path = make_clip(tmp_path / name, 40, fourcc="MJPG" if name.endswith("avi") else "MP4V")
    with open_source(path) as source:
        assert numbers(source, read_number) == [(i, i) for i in range(1, 41)]


def test_a_truncated_file_gives_what_is_there_then_says_where_it_breaks_off(
    tmp_path, make_clip, read_number, read_until_error
):
    path = make_clip(tmp_path / "cut.avi", 60, fourcc="MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with open_source(path) as source:
        frames, error = read_until_error(source)
    got = len(frames)
    assert 10 < got < 50
    assert [(f.index, read_number(f.image)) for f in frames] == [(i, i) for i in range(1, got + 1)]
    assert str(error) == (
        f"cut.avi: frame {got + 1} of 60 cannot be read: the file is truncated or corrupt there; "
        f"results up to frame {got} are kept"
    )


def test_a_real_video_that_was_cut_off(shared_data, tmp_path, read_until_error):
    whole = (shared_data / "video" / "one-by-one-person-detection.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 4])
    with open_source(path) as source:
        frames, error = read_until_error(source)
    assert 100 < len(frames) < 1394
    assert f"cut.mp4: frame {len(frames) + 1} of 1394 cannot be read: the file is truncated" in str(error)


def test_a_real_video_is_read_to_its_end(shared_data):
    with open_source(shared_data / "seq" / "TUD-Stadtmitte" / "TUD-Stadtmitte.mp4") as source:
        frames = [(f.index, f.time_s) for f in source]
    assert frames == [(i, pytest.approx((i - 1) / 25)) for i in range(1, 180)]


def test_an_estimated_count_that_is_a_little_high_is_no_defect(tmp_path, make_clip, caplog):
    # Matroska does not count its frames: duration times rate is an estimate, here of a file that lost its last second
    path = make_clip(tmp_path / "clip.mkv", 100, fourcc="MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.9)])
    with caplog.at_level(logging.WARNING), open_source(path) as source:
        count = sum(1 for _ in source)
    assert 80 < count < 95
    assert f"clip.mkv ends after {count} of about 100 frames" in caplog.text


def test_an_estimated_count_that_is_far_too_high_is_one(tmp_path, make_clip):
    path = make_clip(tmp_path / "clip.mkv", 200, fourcc="MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with open_source(path) as source, pytest.raises(SourceError, match=r"of about 200 cannot be read"):
        assert sum(1 for _ in source) > 50


def test_a_picture_that_was_held_sideways_is_turned_upright(tmp_path, clip):
    # the display matrix of the track header (ISO/IEC 14496-12, 8.3.2): 16.16 fixed point, identity -> 90 degrees
    identity = b"".join(v.to_bytes(4, "big") for v in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
    turned = b"".join(v.to_bytes(4, "big") for v in (0, 0x10000, 0, 0xFFFF0000, 0, 0, 0x400000, 0, 0x40000000))
    data = clip.read_bytes()
    header = data.index(b"tkhd")
    place = data.index(identity, header)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data[:place] + turned + data[place + len(turned) :])
    with open_source(path) as source:
        frame = next(iter(source))
        assert (source.info.width_px, source.info.height_px) == (64, 160)
    assert frame.image.shape == (160, 64, 3)
    b, _, r = frame.image[20, 10].tolist()  # red was below on the left, so it is above on the left now
    assert r > 200 > 60 > b


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="makes its file with the ffmpeg program")
def test_a_variable_frame_rate_keeps_the_files_own_times(tmp_path, clip, read_number):
    path = tmp_path / "variable.mkv"
    drop = "select='lt(n,20)+not(mod(n,4))'"  # all of the first 20 frames, then every fourth
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(clip),
        "-vf",
        drop,
        "-fps_mode",
        "passthrough",
        "-c:v",
        "mpeg4",
        str(path),
    ]
    subprocess.run(command, check=True)
    with open_source(path) as source:
        frames = [(read_number(f.image), f.time_s) for f in source]
    shown = [n for n in range(1, 61) if n <= 20 or (n - 1) % 4 == 0]
    assert [n for n, _ in frames] == shown
    assert [t for _, t in frames] == pytest.approx([(n - 1) / 25 for n in shown], abs=1e-3)


def test_closing_ends_the_iteration(clip):
    source = open_source(clip)
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []
