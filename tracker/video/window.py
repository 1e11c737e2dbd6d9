"""Results in a window while they are made."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2

from tracker.errors import DisplayError
from tracker.types import FrameResult, RunInfo
from tracker.video.annotator import Annotator

_KEYS_THAT_STOP = (ord("q"), ord("Q"), 27)  # 27 is Esc
_PROBE = "import cv2; cv2.namedWindow('reidtrack'); cv2.waitKey(1)"
_PROBE_TIMEOUT_S = 30.0


class Window:
    """An interactive sink: shows each frame as soon as it is done; q, Esc or closing the window ends the run.

    All calls must come from one thread, which the pipeline's `run` sees to.

    Args:
        title: of the window.
        trail_s: how long a trail is; 0 draws none.
        reasons: as of `tracker.sinks.VideoSink`.

    Raises:
        DisplayError: from `open`, where there is no display or this build of OpenCV has no windows.
    """

    def __init__(self, title: str = "reidtrack", *, trail_s: float = 1.5, reasons: bool = False) -> None:
        self._title = title
        self._trail_s, self._reasons = trail_s, reasons
        self._annotator = Annotator({}, trail_s)
        self._open = False
        self._stop = False

    @property
    def stop_requested(self) -> bool:
        """Whether the person at the window wants the run to end."""
        return self._stop

    def open(self, run: RunInfo) -> None:
        """Open the window."""
        # the wheels name a folder of fonts that is not in them, and warn about it again and again
        os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
        check_display()
        self._annotator = Annotator(run.class_names, self._trail_s, reasons=self._reasons)
        try:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(self._title, run.source.width_px, run.source.height_px)
        except cv2.error as error:
            raise DisplayError(f"no window can be opened: {error.err}") from error
        self._open = True

    def write(self, result: FrameResult) -> None:
        """Show one frame and look at the keys."""
        self._annotator.follow(result)
        cv2.imshow(self._title, self._annotator.draw(result.frame.image, result))
        key = cv2.waitKey(1) & 0xFF
        closed = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        self._stop = self._stop or key in _KEYS_THAT_STOP or closed

    def close(self) -> None:
        """Close the window; harmless more than once."""
        if self._open:
            self._open = False
            try:
                cv2.destroyWindow(self._title)
            except cv2.error:  # the person has closed it already
                return


def check_display() -> None:
    """Find out whether a window could be opened.

    In a process of its own, since a toolkit that cannot reach its display aborts the program instead of raising.

    Raises:
        DisplayError: it could not; the message says why and what to do instead.
    """
    instead = "leave show out and look at the annotated video instead"
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise DisplayError(f"there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set): {instead}")
    try:
        probe = subprocess.run(  # noqa: S603 - our own interpreter and a constant
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise DisplayError(f"the display did not answer within {_PROBE_TIMEOUT_S:.0f} s: {instead}") from None
    if probe.returncode != 0:
        lines = [line for line in probe.stderr.splitlines() if line.strip()]
        headless = any("not implemented" in line for line in lines)
        why = (
            "this OpenCV is a headless build (install opencv-python)" if headless else (lines or ["unknown"])[0].strip()
        )
        raise DisplayError(f"no window can be opened: {why}; {instead}")
