from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from tracker.errors import ConfigError, SourceError
from tracker.video import open_source
from tracker.video.moment import Moment, Span
from tracker.video.url import StreamUrl


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("hello")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("this is no video at all, however long it may be " * 50)
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 not really")
    (tmp_path / "seq").mkdir()
    cv2.imwrite("seq/1.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "seq" / "seqinfo.ini").write_text("[Sequence]\nframeRate=fast\n")
    (tmp_path / "seq0").mkdir()
    cv2.imwrite("seq0/1.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "seq0" / "seqinfo.ini").write_text("[Sequence]\nframeRate=0\n")
    os.mkfifo("pipe")
    (tmp_path / "caf\udce9.mp4").write_bytes(b"e acute as in Latin-1")
    (tmp_path / "bomb.png").write_bytes(png_header(60_000, 60_000))
    return tmp_path


def png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(
    ("spec", "kind", "message"),
    [
        ("missing.mp4", SourceError, r"^missing\.mp4 was not found: expected a video file, a folder of pictures"),
        ("empty", SourceError, r"^empty is empty: expected files named \.bmp, \.jpeg"),
        ("texts", SourceError, r"^texts holds no picture: expected files named"),
        ("texts/*.txt", SourceError, r"^texts/\*\.txt matches texts/a\.txt, which is no picture"),
        ("nothing/*.jpg", SourceError, r"^no file matches nothing/\*\.jpg"),
        ("empty.mp4", SourceError, r"^empty\.mp4 is empty$"),
        ("text.mp4", SourceError, r"^text\.mp4 is not a video that OpenCV can read: check that it plays"),
        ("bad.jpg", SourceError, r"^bad\.jpg is not a picture that OpenCV can read"),
        ("seq", SourceError, r"seqinfo\.ini must be a MOTChallenge seqinfo\.ini: could not convert"),
        ("seq0", SourceError, r"seqinfo\.ini: frameRate must be more than 0, got 0"),
        ("pipe", SourceError, r"^pipe is neither a file nor a folder"),
        ("caf\udce9.mp4", SourceError, r"^'caf\\udce9\.mp4' has a name that is not UTF-8 text"),
        ("bomb.png", SourceError, r"^bomb\.png is not a picture that OpenCV can read: it is damaged, too large"),
        ("~nobody-here/a.mp4", SourceError, r"^~nobody-here/a\.mp4 was not found"),
        ("20240229", SourceError, r"^20240229 was not found: expected a video file"),
        ("83", SourceError, r"^camera 83 was not found; cameras are numbered from 0"),
        ("/dev/video83", SourceError, r"^camera 83 was not found"),
        ("", SourceError, r"^the source must be a file, folder, glob, camera number or URL, got an empty text"),
        ("ftp://host/a.mp4", SourceError, r"^a stream URL must begin with one of .*rtsp.*, got ftp"),
        ("rtsp:///path", SourceError, r"^the stream URL must name a host, as in rtsp://host/path"),
        ("rtsp://host:port/", SourceError, r"^the stream URL is malformed: expected scheme://"),
    ],
)
def test_what_is_no_source_is_said(place, spec, kind, message):
    with pytest.raises(kind, match=message):
        open_source(spec)


def test_a_malformed_url_does_not_show_its_password():
    with pytest.raises(SourceError, match="must name a host") as raised:
        open_source("rtsp:/user:secret@10.0.0.5/live")
    assert "secret" not in str(raised.value)


def test_opencvs_own_complaints_stay_out_of_the_users_way(place):
    specs = ["text.mp4", "bad.jpg", "83", "rtsp://user:secret@127.0.0.1:9/live", "http://127.0.0.1:9/a"]
    code = f"""
import contextlib
from tracker.errors import SourceError
from tracker.video import open_source
for spec in {specs}:
    with contextlib.suppress(SourceError):
        open_source(spec)
        raise SystemExit(f"{{spec}} was opened")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean_environment()
    )
    assert done.stderr == done.stdout == ""


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "1.5"}, r"^start must be a frame number such as 300, .* got '1\.5'; seconds are written 1\.5s"),
        ({"start": "0"}, r"^start must be a frame number from 1, got 0"),
        ({"end": "-3"}, r"^end must be a frame number such as 300, .* got '-3'"),
        ({"end": "1:75"}, r"got '1:75'"),
        ({"end": "1:75:00"}, r"got '1:75:00'"),
        ({"end": "later"}, r"got 'later'"),
        ({"start": "20", "end": "10"}, r"^end must come after start, got start frame 20 and end frame 10"),
        ({"start": "2s", "end": "2s"}, r"^end must come after start, got start 2 s and end 2 s"),
        ({"rate_hz": 0}, r"^rate_hz must be more than 0, got 0"),
        ({"rate_hz": float("nan")}, r"^rate_hz must be more than 0, got nan"),
    ],
)
def test_malformed_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        open_source("any.mp4", **options)


def test_a_live_source_keeps_its_own_clock():
    with pytest.raises(SourceError, match="camera 83 is live and has a clock of its own: leave rate_hz out"):
        open_source("83", rate_hz=5)
    with pytest.raises(SourceError, match="camera 83 is live and begins when it is opened: leave start out"):
        open_source("83", start="10")


@pytest.mark.parametrize(
    ("text", "frame", "time_s"),
    [
        ("300", 300, None),
        ("12.5s", None, 12.5),
        (".5s", None, 0.5),
        ("90s", None, 90),
        ("1:30", None, 90),
        ("01:02:03.5", None, 3723.5),
        ("90:00", None, 5400),
        (" 7 ", 7, None),
    ],
)
def test_moments(text, frame, time_s):
    assert Moment.parse(text) == Moment(frame, time_s)


def test_how_many_frames_a_span_holds():
    assert Span().count(100, 25) == 100
    assert Span().count(None, 25) is None
    assert Span.parse("11", None).count(100, 25) == 90
    assert Span.parse("1s", "2s").count(100, 25) == 25
    assert Span.parse(None, "2s").count(None, 25) == 50
    assert Span.parse(None, "2s").count(100, None) is None
    assert Span.parse("500", None).count(100, 25) == 0


@pytest.mark.parametrize(
    ("url", "shown", "name"),
    [
        ("rtsp://user:secret@10.0.0.5:554/live/1", "rtsp://10.0.0.5:554/live/1", "10-0-0-5-554-live-1"),
        ("http://host/video.mjpg?token=secret", "http://host/video.mjpg", "host-video-mjpg"),
        ("rtsp://host/user=admin&password=secret&ch=1", "rtsp://host/...", "host"),
        ("rtsp://user:sec@ret@host/a", "rtsp://host/a", "host-a"),
        ("rtsp://[::1]:8554/a#secret", "rtsp://[::1]:8554/a", "1-8554-a"),
    ],
)
def test_a_stream_url_hides_its_secrets(url, shown, name):
    parsed = StreamUrl(url)
    assert str(parsed) == shown
    assert repr(parsed) == f"StreamUrl({shown!r})"
    assert parsed.name == name
    assert parsed.secret() == url


def test_a_refused_stream_shows_no_secret():
    with pytest.raises(SourceError) as caught:
        open_source("rtsp://user:secret@127.0.0.1:9/live?token=hush")
    assert str(caught.value).startswith("rtsp://127.0.0.1:9/live refused the connection or sent no video")
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert not any("secret" in repr(e) or "hush" in repr(e) for e in chain)
