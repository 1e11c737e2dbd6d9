from __future__ import annotations

import base64
import http.server
import re
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from tracker.cli.main import main
from tracker.errors import SourceError
from tracker.evaluation import read_mot_tracks
from tracker.video import StreamTimeouts, open_source
from tracker.video.live import WebVideo
from tracker.video.moment import Span
from tracker.video.url import StreamUrl
from tracker.video.web import has_length

SYSTEM_PYTHON = "/usr/bin/python3"  # GStreamer's bindings come with the distribution's Python, not from PyPI
QUICK = StreamTimeouts(connect_s=120.0, stall_s=60.0)  # of what must go well: a machine may be busy
PATIENT = StreamTimeouts(connect_s=120.0, stall_s=5.0)
IMPATIENT = StreamTimeouts(connect_s=1.0, stall_s=1.0)


@pytest.fixture(autouse=True)
def _servers_may_be_slow(monkeypatch):
    monkeypatch.setattr("tracker.video.web._MOST_S", 60.0)


def gstreamer_is_here() -> bool:
    if not Path(SYSTEM_PYTHON).exists():
        return False
    code = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    return subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, check=False).returncode == 0


class MjpegHandler(http.server.BaseHTTPRequestHandler):
    """A camera's MJPEG: `/video` ends after its frames, `/stall` goes silent, `/private...` wants a password."""

    def do_GET(self):
        self.server.accounts.append(self.headers.get("Authorization"))
        wanted = "Basic " + base64.b64encode(b"user:secret").decode()
        if self.path.startswith("/private") and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path in self.server.moved:
            self.send_response(302)
            self.send_header("Location", self.server.moved[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path in self.server.files:
            self.send_file(self.server.files[self.path])
            return
        if self.path == "/silent":
            self.server.ended.wait(30)
            return
        if self.path == "/endless.mjpeg":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"".join(self.server.pictures))
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for picture in self.server.pictures:
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            self.wfile.write(head.encode() + picture + b"\r\n")
        if self.path == "/stall":
            self.server.ended.wait(30)

    def send_file(self, data):
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        self.wfile.write(data[begin:])

    def log_message(self, *args):
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request, address):
        """A client that has seen enough hangs up."""


@contextmanager
def serving(*, files, pictures=(), moved=None):
    server = QuietServer(("127.0.0.1", 0), MjpegHandler)
    server.ended = threading.Event()
    server.files, server.pictures, server.moved = files, pictures, moved or {}
    server.accounts = []  # what each request gave as `Authorization`
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def camera(make_picture, clip):
    pictures = [cv2.imencode(".jpg", make_picture(i))[1].tobytes() for i in range(1, 31)]
    files = {
        "/file.mp4": clip.read_bytes(),
        "/private.mp4": clip.read_bytes(),
        "/file.mjpeg": b"".join(pictures),  # one picture after another: nothing counts them
        "/live.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfirst.ts\n",
    }
    with serving(files=files, pictures=pictures) as server:
        yield f"127.0.0.1:{server.server_port}"


def test_mjpeg_over_http_is_live_and_ends_with_the_server(camera, read_number):
    with open_source(f"http://{camera}/video", timeouts=QUICK) as source:
        info = source.info
        frames = list(source)
    assert (info.width_px, info.height_px, info.frames, info.live) == (160, 64, None, True)
    numbers = [read_number(f.image) for f in frames]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 29  # the last one may lack the boundary that would end it
    assert [f.index for f in frames] == numbers
    times = [f.time_s for f in frames]
    assert times[0] == 0
    assert times == sorted(times)


def test_a_stream_is_cut_at_a_frame_but_not_begun_late(camera):
    with open_source(f"http://{camera}/video", end="5", timeouts=QUICK) as source:
        assert [f.index for f in source] == [1, 2, 3, 4, 5]
    with pytest.raises(SourceError, match=r"/video is live and begins when it is opened: leave start out"):
        open_source(f"http://{camera}/video", start="5", timeouts=QUICK)
    with pytest.raises(SourceError, match=r"/video is live and has a clock of its own: leave rate_hz out"):
        open_source(f"http://{camera}/video", rate_hz=5, timeouts=QUICK)


def test_a_stream_that_goes_silent_is_an_error(camera, read_until_error):
    with open_source(f"http://{camera}/stall", timeouts=PATIENT) as source:
        frames, error = read_until_error(source)
    assert len(frames) >= 29
    assert str(error).startswith(f"http://{camera}/stall stalled: no frame for")


def test_a_server_that_never_answers_is_given_up(camera):
    with pytest.raises(SourceError, match=r"/silent did not answer within \d+ s: check address"):
        open_source(f"http://{camera}/silent", timeouts=IMPATIENT)


def test_user_and_password_are_used_and_not_shown(camera):
    with open_source(f"http://user:secret@{camera}/private", timeouts=QUICK) as source:
        assert next(iter(source)).index == 1
        assert "secret" not in source.info.name
    with pytest.raises(SourceError) as caught:
        open_source(f"http://user:wrong@{camera}/private", timeouts=QUICK)
    assert str(caught.value).startswith(f"http://{camera}/private refused the connection")


def test_a_finished_file_on_a_web_server_is_no_live_source(camera, read_number):
    with open_source(f"http://{camera}/file.mp4", start="11", timeouts=QUICK) as source:
        assert not source.info.live
        assert source.info.frames == 50
        frames = list(source)
    assert [(f.index, read_number(f.image)) for f in frames] == [(i, i) for i in range(11, 61)]
    assert frames[0].time_s == pytest.approx(0.4)


def test_a_file_that_does_not_count_its_frames_has_an_end_too(camera, read_number):
    with open_source(f"http://{camera}/file.mjpeg", start="11", rate_hz=10, timeouts=QUICK) as source:
        assert (source.info.live, source.info.frames) == (False, None)
        frames = list(source)
    assert [(f.index, read_number(f.image)) for f in frames] == [(i, i) for i in range(11, 31)]


def test_a_file_that_goes_silent_is_an_error(make_picture, read_until_error):
    class Silent:
        """Gives up after its limit, as OpenCV does."""

        def get(self, _):
            return 0.0

        def grab(self):
            time.sleep(0.2)
            return False

        def release(self):
            pass

    url, limits = StreamUrl("http://user:secret@camera.example/x.ts"), StreamTimeouts(stall_s=0.2)
    with WebVideo(url, Silent(), make_picture(1), limits, Span(), None) as source:
        frames, error = read_until_error(source)
    assert [frame.index for frame in frames] == [1]
    assert re.fullmatch(r"http://camera\.example/x\.ts stalled: no frame for \d+ s after frame 1", str(error))


@pytest.mark.parametrize(
    ("path", "known"), [("file.mp4", True), ("file.mjpeg", True), ("live.m3u8", False), ("endless.mjpeg", False),
                        ("video", False), ("private", False)]
)  # fmt: skip
def test_what_has_a_length_is_a_file(camera, path, known):
    assert has_length(StreamUrl(f"http://{camera}/{path}"), 60.0) is known
    assert has_length(StreamUrl(f"http://us%65r:secret@{camera}/{path}"), 60.0) is known


def test_a_file_behind_a_password_has_a_length_for_those_who_know_it(camera):
    assert has_length(StreamUrl(f"http://us%65r:secret@{camera}/private.mp4"), 60.0)
    assert not has_length(StreamUrl(f"http://user:wrong@{camera}/private.mp4"), 60.0)
    assert not has_length(StreamUrl(f"http://{camera}/private.mp4"), 60.0)


def test_the_password_is_not_told_to_whom_the_server_redirects(clip):
    with serving(files={"/file.mp4": clip.read_bytes()}) as stranger:
        there = f"http://127.0.0.1:{stranger.server_port}/file.mp4"
        with serving(files={}, moved={"/private.mp4": there}) as server:
            assert has_length(StreamUrl(f"http://user:secret@127.0.0.1:{server.server_port}/private.mp4"), 60.0)
    assert server.accounts == ["Basic " + base64.b64encode(b"user:secret").decode()]
    assert stranger.accounts == [None]


def test_a_server_that_cannot_be_asked_states_no_length():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        assert not has_length(StreamUrl(f"http://127.0.0.1:{taken.getsockname()[1]}/file.mp4"), 0.5)


def test_a_finished_file_on_a_web_server_can_be_refined(camera, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "det.txt").write_text("".join(f"{f},-1,60,20,20,30,0.9\n" for f in range(1, 61) if f != 30))
    words = ["--detector", "det.txt", "--embedder", "none", "--save", "mot", "--refine", "--out"]
    assert main(["track", f"http://{camera}/file.mp4", *words, "file"]) == 0
    refined = read_mot_tracks(tmp_path / "file" / "tracks-refined.txt")
    assert refined.frame.tolist() == list(range(1, 61))
    assert main(["track", f"http://{camera}/video", *words, "camera"]) == 2
    assert "--refine needs a whole video" in capsys.readouterr().err
    assert not (tmp_path / "camera").exists()


@pytest.fixture(params=[False, True], ids=["open", "password"])
def rtsp(request, tmp_path, clip):
    if not gstreamer_is_here():
        pytest.skip("needs GStreamer's RTSP server: apt install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-bad")
    if shutil.which("ffmpeg") is None:
        pytest.skip("makes its H.264 file with the ffmpeg program")
    path = tmp_path / "h264.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-i", clip, "-c:v", "libx264", "-g", "10", path], check=True)
    account = ["user", "secret"] if request.param else []
    command = [SYSTEM_PYTHON, str(Path(__file__).with_name("rtsp_server.py")), str(path), *account]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        host = f"127.0.0.1:{server.stdout.readline().strip()}"
        yield host, ":".join(account) + "@" if account else ""
        server.stdin.close()


def test_rtsp(rtsp, read_number):
    host, account = rtsp
    with open_source(f"rtsp://{account}{host}/live", timeouts=QUICK) as source:
        assert source.info.live
        assert source.info.rate_hz == 25
        assert "secret" not in source.info.name
        frames = list(source)
    assert [(f.index, read_number(f.image)) for f in frames] == [(i, i) for i in range(1, 61)]
    if account:
        with pytest.raises(SourceError, match=rf"^rtsp://{host}/live refused the connection or sent no video"):
            open_source(f"rtsp://user:wrong@{host}/live", timeouts=QUICK)
