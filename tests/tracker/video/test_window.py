from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from tracker.errors import DisplayError
from tracker.types import RunInfo, SourceInfo
from tracker.video.window import Window

RUN = RunInfo(SourceInfo("clip", 64, 48, 25.0, None, live=False), {})


def test_without_a_display_a_window_is_refused(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    window = Window()
    with pytest.raises(
        DisplayError, match=r"^there is no display \(neither DISPLAY nor WAYLAND_DISPLAY is set\): leave"
    ):
        window.open(RUN)
    window.close()
    assert not window.stop_requested


def test_a_display_that_cannot_be_reached_is_an_error_and_no_crash(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":9876")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DisplayError, match=r"^no window can be opened: .*; leave show out and look"):
        Window().open(RUN)


@pytest.mark.skipif(shutil.which("Xvfb") is None or shutil.which("xdotool") is None, reason="needs Xvfb and xdotool")
def test_q_in_the_window_ends_the_run(tmp_path):
    code = """
import time
import numpy as np
from tracker.types import Detections, Frame, FrameResult, RunInfo, SourceInfo, Tracks
from tracker.video.window import Window
window = Window("reidtrack test")
window.open(RunInfo(SourceInfo("clip", 600, 400, 25.0, None, live=False), {}))
one = np.ones(1, int)
tracks = Tracks(one, np.float32([[10, 20, 60, 100]]), np.ones(1, np.float32), 0 * one, 0 * one)
print("open", flush=True)
until = time.monotonic() + 60
while not window.stop_requested and time.monotonic() < until:
    window.write(FrameResult(Frame(np.zeros((400, 600, 3), np.uint8), 1, 0.0), Detections.empty(), tracks))
window.close()
window.close()
print("stopped" if window.stop_requested else "went on", flush=True)
"""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL) as server:
        os.close(write_end)
        try:
            with os.fdopen(read_end) as numbers:
                environment = {**os.environ, "DISPLAY": f":{numbers.readline().strip()}"}
            program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
            with program:
                assert program.stdout.readline() == "open\n"
                while program.poll() is None:  # without a window manager the window below the pointer has the focus
                    subprocess.run(["xdotool", "mousemove", "200", "200", "key", "q"], env=environment, check=False)
                    time.sleep(0.1)
                assert program.stdout.read() == "stopped\n"
        finally:
            server.terminate()
