"""From `video,mot,jsonl` to sinks in a folder."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path

from tracker.errors import ConfigError, OutputError
from tracker.sinks.crops import CropsSink
from tracker.sinks.csv import CsvSink
from tracker.sinks.explain import ExplainSink
from tracker.sinks.jsonl import JsonlSink
from tracker.sinks.mot import MotSink
from tracker.sinks.tracklets import TrackletsSink
from tracker.sinks.video import VideoSink
from tracker.types import Sink

SINK_KINDS = ("video", "mot", "jsonl", "csv", "crops", "tracklets", "explain")
"""What `open_sinks` knows."""


def open_sinks(
    kinds: Sequence[str], out: Path, *, overwrite: bool = False, rate_hz: float | None = None, reasons: bool = False
) -> list[Sink]:
    """Sinks that write into a folder; they touch no file before the pipeline opens them. Each has a `path`.

    | kind | what |
    |---|---|
    | video | `annotated.mp4` (H.264) or `annotated.webm` (VP8) |
    | mot | `tracks.txt` |
    | jsonl | `tracks.jsonl` |
    | csv | `tracks.csv` |
    | crops | `crops/<identity>/<frame>.jpg` |
    | tracklets | `tracklets/`, a store to train from |
    | explain | `explain.jsonl`; needs a tracker made with `explain=True` |

    Args:
        kinds: of `SINK_KINDS`, in any order, each once.
        out: the folder, made where missing.
        overwrite: replace results that are there; otherwise opening such a sink is an error.
        rate_hz: of the video; None takes the source's.
        reasons: the video says for a second why an object has the number of one known before, or has it no longer;
            needs such a tracker too.

    Raises:
        ConfigError: a kind is unknown or named twice.
        OutputError: `out` is a file.
    """
    for kind in kinds:
        if kind not in SINK_KINDS:
            near = difflib.get_close_matches(kind, SINK_KINDS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"save must be of {', '.join(SINK_KINDS)}, got {kind!r}{hint}")
    if twice := next((kind for kind in kinds if list(kinds).count(kind) > 1), None):
        raise ConfigError(f"save must name each kind once, got {twice} twice")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} must be a folder, but is a file")
    makers: dict[str, Callable[[], Sink]] = {
        "video": lambda: VideoSink(out / "annotated", overwrite=overwrite, rate_hz=rate_hz, reasons=reasons),
        "mot": lambda: MotSink(out / "tracks.txt", overwrite=overwrite),
        "jsonl": lambda: JsonlSink(out / "tracks.jsonl", overwrite=overwrite),
        "csv": lambda: CsvSink(out / "tracks.csv", overwrite=overwrite),
        "crops": lambda: CropsSink(out / "crops", overwrite=overwrite),
        "tracklets": lambda: TrackletsSink(out / "tracklets", overwrite=overwrite),
        "explain": lambda: ExplainSink(out / "explain.jsonl", overwrite=overwrite),
    }
    return [makers[kind]() for kind in kinds]
