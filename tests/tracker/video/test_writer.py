from __future__ import annotations

import functools
import http.server
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from tracker.errors import InputError, OutputError
from tracker.video import open_source, webm
from tracker.video.writer import CODECS, Codec, VideoWriter, probe_codec

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def codec():
    return probe_codec()


def test_the_probe_takes_the_first_codec_that_reads_back(codec):
    assert codec in CODECS
    assert codec.suffix in (".mp4", ".webm")
    nonsense = Codec("nonsense", "zzzz", ".webm")
    assert probe_codec([nonsense, codec]) == codec
    with pytest.raises(OutputError, match=r"this build of OpenCV \(.*\) can encode none of nonsense: install"):
        probe_codec([nonsense])


@pytest.mark.parametrize("size", [(160, 64), (161, 64), (160, 65), (161, 65)])
@pytest.mark.parametrize("rate_hz", [25, 29.97, 8])
def test_what_was_written_reads_back(tmp_path, codec, make_picture, read_number, size, rate_hz):
    writer = VideoWriter(tmp_path / "out", size, rate_hz, codec=codec)
    assert writer.path == tmp_path / f"out{codec.suffix}"
    for index in range(1, 31):
        writer.write(make_picture(index, *size))
    writer.close()
    writer.close()
    assert writer.frames == 30
    with open_source(writer.path) as source:
        assert (source.info.width_px, source.info.height_px) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
        assert source.info.rate_hz == pytest.approx(rate_hz, rel=0.01)
        frames = list(source)
    assert [read_number(f.image) for f in frames] == list(range(1, 31))
    assert frames[-1].time_s == pytest.approx(29 / rate_hz, abs=2e-3)


@pytest.mark.parametrize(("size", "encoded"), [((1, 1), (16, 16)), ((3, 40), (16, 40)), ((41, 7), (42, 16))])
def test_tiny_pictures_are_padded_to_what_can_be_encoded(tmp_path, codec, size, encoded):
    writer = VideoWriter(tmp_path / "out", size, 25, codec=codec)
    for _ in range(3):
        writer.write(np.full((size[1], size[0], 3), 128, np.uint8))
    writer.close()
    with open_source(writer.path) as source:
        assert (source.info.width_px, source.info.height_px) == encoded
        assert len(list(source)) == 3


def test_pictures_that_the_encoder_refuses_are_said_and_leave_no_file(tmp_path, codec):
    with pytest.raises(OutputError, match=r"takes no pictures of 20000x16 at 25 a second; leave the video out"):
        VideoWriter(tmp_path / "out", (20_000, 16), 25, codec=codec)
    assert list(tmp_path.iterdir()) == []


def test_a_long_video_keeps_its_rate(tmp_path, codec):
    # long enough for its header to reach the disk before the end, where it is written anew
    writer = VideoWriter(tmp_path / "out", (320, 240), 10, codec=codec)
    noise = np.random.default_rng(0)
    for _ in range(40):
        writer.write(noise.integers(0, 256, (240, 320, 3), np.uint8))
    assert writer.path.stat().st_size > 100_000
    writer.close()
    with open_source(writer.path) as source:
        assert source.info.rate_hz == pytest.approx(10)
        assert source.info.frames == 40
        assert [f.time_s for f in source] == pytest.approx([i / 10 for i in range(40)], abs=2e-3)


def test_nothing_is_printed_and_other_peoples_words_are_kept(tmp_path):
    code = """
import os, sys
from pathlib import Path
import numpy as np
from tracker.video.capture import without_lines
from tracker.video.writer import VideoWriter
writer = VideoWriter(Path(sys.argv[1]) / "out", (64, 64), 25)
writer.write(np.zeros((64, 64, 3), np.uint8))
writer.close()
with without_lines(b"OpenCV: "):
    os.write(2, b"OpenCV: noise\\nsomething that matters\\n")
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "something that matters\n")


def test_a_webm_file_of_a_killed_program_plays_as_far_as_it_goes(tmp_path, codec):
    if codec.suffix != ".webm":
        pytest.skip("mp4 needs its end")
    code = """
import os, signal, sys
from pathlib import Path
import numpy as np
from tracker.video.writer import VideoWriter
writer = VideoWriter(Path(sys.argv[1]) / "out", (320, 240), 25)
noise = np.random.default_rng(0)
for _ in range(60):
    writer.write(noise.integers(0, 256, (240, 320, 3), np.uint8))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    with open_source(tmp_path / "out.webm") as source:
        times = [f.time_s for f in source]
    assert len(times) >= 40
    assert np.diff(times) == pytest.approx(0.04, abs=2e-3)


@pytest.mark.parametrize(
    ("rate_hz", "possible"), [(25, True), (0.5, True), (240, True), (0.01, False), (20_000, False)]
)
def test_rates_that_fit_into_a_webm_header(rate_hz, possible):
    assert webm.can_retime(rate_hz) == possible


def test_a_header_that_is_not_understood_is_left_alone(tmp_path):
    path = tmp_path / "other.webm"
    path.write_bytes(b"something else" * 100)
    assert not webm.retime(path, 25)
    assert path.read_bytes() == b"something else" * 100


def test_a_video_without_a_frame_leaves_no_file(tmp_path, codec):
    writer = VideoWriter(tmp_path / "out", (64, 64), 25, codec=codec)
    writer.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "rate_hz", "message"),
    [
        ((0, 10), 25, r"^size must be \(width_px, height_px\), both 1 or more, got \(0, 10\)"),
        ((10, 10), 0, r"^rate_hz must be more than 0, got 0"),
        ((10, 10), float("inf"), r"^rate_hz must be more than 0, got inf"),
    ],
)
def test_impossible_videos_are_refused(tmp_path, codec, size, rate_hz, message):
    with pytest.raises(InputError, match=message):
        VideoWriter(tmp_path / "out", size, rate_hz, codec=codec)


def test_a_picture_of_another_size_is_refused(tmp_path, codec):
    writer = VideoWriter(tmp_path / "out", (64, 48), 25, codec=codec)
    with pytest.raises(InputError, match=r"the picture must have shape \(48, 64, 3\), got \(64, 48, 3\)"):
        writer.write(np.zeros((64, 48, 3), np.uint8))
    writer.close()
    with pytest.raises(InputError, match="is closed"):
        writer.write(np.zeros((48, 64, 3), np.uint8))


def test_a_place_that_cannot_be_written_is_named(tmp_path, codec):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/out\..* cannot be written: (Not a directory|File exists)"):
        VideoWriter(tmp_path / "file" / "out", (64, 64), 25, codec=codec)


def test_a_file_that_somebody_else_has_just_made_is_left_alone(tmp_path, codec):
    first = VideoWriter(tmp_path / "out", (64, 64), 25, codec=codec, overwrite=False)
    with pytest.raises(OutputError, match="cannot be written: File exists"):
        VideoWriter(tmp_path / "out", (64, 64), 25, codec=codec, overwrite=False)
    first.write(np.zeros((64, 64, 3), np.uint8))
    first.close()
    assert first.path.stat().st_size > 0


def test_a_place_whose_name_is_not_utf8_is_refused(tmp_path, codec):
    with pytest.raises(OutputError, match=r"caf\\udce9/out\..*' has a name that is not UTF-8 text"):
        VideoWriter(tmp_path / "caf\udce9" / "out", (64, 64), 25, codec=codec)


def test_a_limit_on_file_sizes_is_noticed_at_the_latest_at_the_end(tmp_path):
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from tracker.errors import OutputError
from tracker.video.writer import VideoWriter, probe_codec
codec = probe_codec()
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
writer = VideoWriter(Path(sys.argv[1]) / "out", (320, 240), 25, codec=codec)
noise = np.random.default_rng(0)
try:
    for _ in range(20):
        writer.write(noise.integers(0, 256, (240, 320, 3), np.uint8))
    writer.close()
except OutputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert re.match(r".*out\.\w+ is incomplete: 20 frames were written, \d+ arrived \(.* MB free\)", done.stdout)


def test_a_full_disk_is_noticed_before_it_breaks_the_file(tmp_path, codec, monkeypatch):
    writer = VideoWriter(tmp_path / "out", (64, 64), 25, codec=codec)
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10_000_000, 9_000_000, 1_000_000))
    picture = np.zeros((64, 64, 3), np.uint8)
    for _ in range(24):
        writer.write(picture)
    with pytest.raises(OutputError, match=r"out\.\w+ cannot be continued: the disk is almost full \(1\.0 MB free\)"):
        writer.write(picture)
    writer.close()  # what was written stays valid
    with open_source(writer.path) as source:
        assert sum(1 for _ in source) == 25


PAGE = """<!doctype html><video muted autoplay src="{name}"></video><script>
const video = document.querySelector("video");
const report = (...words) => fetch("/report?" + words.join(","));
video.onerror = () => report("error", video.error.code, video.error.message);
video.onended = () => report("ended", video.readyState, video.videoWidth, video.videoHeight, video.currentTime);
</script>"""


class PageHandler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/report?"):
            self.server.reports.put(unquote(self.path.partition("?")[2]).split(","))
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *args):
        pass


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium browser")
@pytest.mark.parametrize("size", [(320, 240), (161, 65)])
def test_it_plays_in_a_browser(tmp_path, codec, make_picture, size):
    folder = tmp_path / "site"
    writer = VideoWriter(folder / "out", size, 25, codec=codec)
    for index in range(1, 26):
        writer.write(make_picture(index, *size))
    writer.close()
    (folder / "index.html").write_text(PAGE.format(name=writer.path.name))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(PageHandler, directory=str(folder)))
    server.reports = queue.Queue()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--autoplay-policy=no-user-gesture-required",
    ]
    url = f"http://127.0.0.1:{server.server_port}/index.html"
    browser = [CHROMIUM, *flags, f"--user-data-dir={tmp_path / 'profile'}", url]
    try:
        with subprocess.Popen(browser, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                what, *state = server.reports.get(timeout=120)
            finally:
                process.terminate()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert what == "ended", state
    ready, width, height, seconds = map(float, state)
    assert ready >= 2  # HAVE_CURRENT_DATA
    assert (width, height) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert seconds == pytest.approx(1.0, abs=0.05)


def test_the_suffix_follows_the_codec(tmp_path):
    vp8 = next(c for c in CODECS if c.name == "VP8")
    writer = VideoWriter(tmp_path / "clip.v2", (64, 64), 25, codec=vp8)
    writer.write(np.zeros((64, 64, 3), np.uint8))
    writer.close()
    assert writer.path.name == "clip.v2.webm"
    capture = cv2.VideoCapture(str(writer.path))
    assert capture.isOpened()
    capture.release()
