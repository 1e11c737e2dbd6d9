"""The annotated video."""

from __future__ import annotations

from pathlib import Path

from tracker.errors import InputError
from tracker.sinks.text import already_there
from tracker.types import FrameResult, RunInfo
from tracker.video.annotator import Annotator
from tracker.video.calm import Calmer
from tracker.video.writer import CODECS, Codec, VideoWriter

_DEFAULT_RATE_HZ = 25.0
_HIGHEST_RATE_HZ = 60.0  # of a live source that claims more
_PLAYABLE_HZ = (1.0, 500.0)  # beyond these the encoders write files that do not read back with their rate
_LONGEST_GAP_S = 10.0  # a stream that stood still for longer does not fill the disk with one picture


class VideoSink:
    """Boxes, numbers and trails drawn over each frame; plays in a browser (`tracker.video.writer`).

    Of a file every frame becomes one picture. Of a live source pictures are repeated or left out so that the video
    runs as fast as the world did, also where frames were dropped. Noise of a camera that stands still is left out
    (`tracker.video.calm`).

    Args:
        stem: the file without its suffix, which the codec decides: `.mp4` (H.264) or `.webm` (VP8).
        overwrite: replace an existing one.
        rate_hz: pictures a second; None takes the source's, or 25 where that is unknown. What is slower than 1, such as
            pictures taken once a minute, is played at 1, and what is faster than 1000 at 1000.
        trail_s: how long a trail is; 0 draws none.
        reasons: say for a second why an object has the number of one known before, or has it no longer; needs a tracker
            made with `explain=True`.
        codec: None takes the best that OpenCV can write here.

    Raises:
        OutputError: it exists, cannot be made or written, or no codec works.
        InputError: from `write`, where reasons are wanted and the tracker keeps none.
    """

    def __init__(
        self,
        stem: Path,
        *,
        overwrite: bool = False,
        rate_hz: float | None = None,
        trail_s: float = 1.5,
        reasons: bool = False,
        codec: Codec | None = None,
    ) -> None:
        self._stem = stem
        self._overwrite = overwrite
        self._rate_hz = rate_hz
        self._trail_s, self._reasons = trail_s, reasons
        self._annotator = Annotator({}, trail_s)
        self._codec = codec
        self._calmer = Calmer()
        self._live = False
        self._began_s: float | None = None
        self._writer: VideoWriter | None = None

    @property
    def path(self) -> Path:
        """The file; before `open`, without its suffix."""
        return self._stem if self._writer is None else self._writer.path

    def open(self, run: RunInfo) -> None:
        """Choose the codec and make the file."""
        if not self._overwrite:
            for codec in CODECS:
                path = self._stem.with_name(self._stem.name + codec.suffix)
                if path.exists():
                    raise already_there(path)
        self._annotator = Annotator(run.class_names, self._trail_s, reasons=self._reasons)
        self._live = run.source.live
        rate_hz = self._rate_hz or run.source.rate_hz or _DEFAULT_RATE_HZ
        if self._live and self._rate_hz is None:
            rate_hz = min(rate_hz, _HIGHEST_RATE_HZ)
        self._rate_hz = rate_hz = min(max(rate_hz, _PLAYABLE_HZ[0]), _PLAYABLE_HZ[1])
        size = (run.source.width_px, run.source.height_px)
        self._writer = VideoWriter(self._stem, size, rate_hz, codec=self._codec, overwrite=self._overwrite)

    def write(self, result: FrameResult) -> None:
        """Draw and append one frame."""
        if self._writer is None:
            raise InputError(f"{self._stem} is not open")
        self._annotator.follow(result)
        repeats = self._repeats(result.frame.time_s) if self._live else 1
        if repeats == 0:
            return
        image = self._annotator.draw(self._calmer(result.frame.image), result)
        for _ in range(repeats):
            self._writer.write(image)

    def _repeats(self, time_s: float) -> int:
        """How often to write the frame of this time so that picture k lies at k / rate."""
        assert self._writer is not None
        assert self._rate_hz is not None
        done = self._writer.frames
        if self._began_s is None:
            self._began_s = time_s
        due = round((time_s - self._began_s) * self._rate_hz) + 1
        longest = round(_LONGEST_GAP_S * self._rate_hz)
        if due - done > longest:
            self._began_s += (due - done - longest) / self._rate_hz
            return longest
        return max(0, due - done)

    def close(self) -> None:
        """Finish the file and make sure that it reads."""
        if self._writer is not None:
            self._writer.close()
