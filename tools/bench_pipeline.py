"""How much the pipeline costs on top of its models: wall time of a run over the inference time inside it.

    python tools/bench_pipeline.py VIDEO --detector yolox_nano_416x416.onnx --embedder osnet_x0_25_msmt17.onnx

Inference time is the sum over all ONNX session runs of detector and embedder, measured in the same run; everything
else (decoding, preparing, decoding of model outputs, tracking, writing) has to hide behind it or counts. Loading the
models is in neither. Detector and embedder run at the same time, on different frames; the stricter ratio, to the time
in which at least one of them was running, is printed beside it. Prints a line a repeat and the median ratio; exits
with 1 where that is above `--limit`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from reid import Embedder
from reid.runtime import OnnxSession
from tracker import Tracker
from tracker.detectors import open_detector
from tracker.pipeline import Pipeline, PipelineConfig, RunSummary
from tracker.sinks import open_sinks
from tracker.video import open_source


class InferenceClock:
    """Time inside ONNX session runs, of any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._since = 0.0
        self.summed_s = 0.0
        """All runs added up; two at once count twice."""
        self.busy_s = 0.0
        """Time in which at least one was running."""

    def begin(self) -> float:
        """A run starts."""
        now = time.perf_counter()
        with self._lock:
            if self._running == 0:
                self._since = now
            self._running += 1
        return now

    def end(self, began: float) -> None:
        """The run that started then is over."""
        now = time.perf_counter()
        with self._lock:
            self._running -= 1
            self.summed_s += now - began
            if self._running == 0:
                self.busy_s += now - self._since


@contextmanager
def inference_clock() -> Iterator[InferenceClock]:
    """Counts the time inside every ONNX session's run."""
    clock = InferenceClock()
    run = OnnxSession.run

    def timed(self: OnnxSession, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        began = clock.begin()
        try:
            return run(self, feeds)
        finally:
            clock.end(began)

    OnnxSession.run = timed  # type: ignore[method-assign]
    try:
        yield clock
    finally:
        OnnxSession.run = run  # type: ignore[method-assign]


def run_once(
    options: argparse.Namespace, detector: Any, embedder: Embedder | None
) -> tuple[RunSummary, InferenceClock]:
    """One run over the video into a fresh folder: its summary and the inference in it."""
    tracker = Tracker(appearance=embedder.info if embedder else None)
    config = PipelineConfig(every=options.every)
    with tempfile.TemporaryDirectory() as out, inference_clock() as clock:
        sinks = open_sinks(options.save.split(",") if options.save else [], Path(out))
        with open_source(options.video) as source:
            summary = Pipeline(source, detector, embedder, tracker, config=config).run(sinks)
    return summary, clock


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--detector", required=True, help="an ONNX file")
    parser.add_argument("--embedder", help="an ONNX file; without it no appearance")
    parser.add_argument("--save", default="mot,jsonl", help="what is written, comma separated (default: %(default)s)")
    parser.add_argument("--every", type=int, default=1, help="detect on every Nth frame")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=float, default=1.15, help="highest median ratio (default: %(default)s)")
    options = parser.parse_args()
    detector = open_detector(options.detector)
    embedder = Embedder(options.embedder) if options.embedder else None
    ratios = []
    for repeat in range(options.repeats):
        summary, inference = run_once(options, detector, embedder)
        ratios.append(summary.wall_s / inference.summed_s)
        stages = ", ".join(f"{name} {stage.seconds:.2f}" for name, stage in summary.stages.items())
        print(
            f"{repeat + 1}: {summary.frames} frames in {summary.wall_s:.2f} s ({summary.frames / summary.wall_s:.1f} a "
            f"second), inference {inference.summed_s:.2f} s, ratio {ratios[-1]:.3f}; with runs at the same time "
            f"counted once {inference.busy_s:.2f} s, ratio {summary.wall_s / inference.busy_s:.3f}; "
            f"seconds at work: {stages}"
        )
    median = statistics.median(ratios)
    print(f"median ratio {median:.3f} (from {min(ratios):.3f} to {max(ratios):.3f}), limit {options.limit}")
    return 0 if median <= options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
