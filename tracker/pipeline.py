"""Source -> detector -> embedder -> tracker -> sinks, with the stages overlapping.

    reader thread       detector thread        caller's thread                   writer thread
    source -> [frames] -> detect -> [detected] -> track (-> embed) -> [results] -> sink, sink, ...

All channels are bounded. Of a file every frame is processed: a full channel makes its sender wait. Of a live source
the newest frame wins: a frame that waits for the detector is replaced by the next one and counted in `dropped`, so that
what comes out is never older than the work on three frames: one being detected on, one waiting, one being tracked.
"""

from __future__ import annotations

import inspect
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from tracker.asking import EmbeddingsOnRequest
from tracker.camera.stage import CameraStage
from tracker.channel import Channel, ChannelEnd
from tracker.counting import EmbeddedCount, IdentityCount
from tracker.errors import InputError, SourceError
from tracker.exchanging import exchange_of
from tracker.pipeline_config import PipelineConfig
from tracker.stages import StageTimes
from tracker.types import (
    Detections,
    DetectorLike,
    EmbedderLike,
    EmbedRows,
    FloatArray,
    Frame,
    FrameResult,
    IntArray,
    RunInfo,
    Sink,
    Source,
    Tracks,
)
from tracker.writing import SinkThread, opened

__all__ = ["InteractiveSink", "Pipeline", "PipelineConfig", "RunSummary", "TrackerLike"]


class TrackerLike(Protocol):
    """What the pipeline asks of a tracker; `tracker.Tracker` is one."""

    def update(
        self,
        detections: Detections,
        *,
        time_s: float | None = None,
        embed: EmbedRows | None = None,
        camera_motion: Any = None,
        include_coasted: bool = False,
    ) -> Tracks: ...
    def predict(self, time_s: float) -> Tracks: ...


@runtime_checkable
class InteractiveSink(Sink, Protocol):
    """A sink that a person sits before, such as a window: written in the caller's thread, and may end the run."""

    @property
    def stop_requested(self) -> bool:
        """Whether the run shall end after this frame."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a finished run amounted to."""

    frames: int
    """Frames that came out, detected on or predicted."""
    detected_frames: int
    """Frames that the detector ran on."""
    dropped_frames: int
    """Frames of a live source that were replaced by a newer one; of a file always 0."""
    identities: int
    """Different numbers under which objects were reported."""
    embedded: EmbeddedCount
    """Detections of high score, and how many of them had a vector."""
    wall_s: float
    """From the first frame asked for to the last sink closed."""
    stages: StageTimes
    """Time at work of each stage; they overlap, so their sum may exceed `wall_s`."""


class Pipeline:
    """Iterate over it for a `FrameResult` a frame, or `run` it into sinks. Once: it consumes its source.

    Args:
        source: where frames come from; closed when the iteration ends, however it ends.
        detector: called with every `every`th frame, in order, in a thread of its own, while earlier frames are tracked.
        embedder: called with the rows that the tracker asks for; None tracks without appearance. The model of a
            `SwappableEmbedder` is exchanged between two frames.
        tracker: keeps its state, so a tracker that has already seen frames goes on from there.
        config: see `PipelineConfig`.

    Errors of every stage reach the caller as they were raised, a reader's after the frames that came before it.

    Raises:
        SourceError: on iteration, where a frame has another size than the first.
    """

    def __init__(
        self,
        source: Source,
        detector: DetectorLike,
        embedder: EmbedderLike | None,
        tracker: TrackerLike,
        *,
        config: PipelineConfig | None = None,
    ) -> None:
        self._source = source
        self._detector = detector
        self._embedder = embedder
        self._tracker = tracker
        self.config = config or PipelineConfig()
        self.stages = StageTimes.zero()
        self._exchange = None if embedder is None else exchange_of(embedder, tracker, self.stages.embed)
        self._camera = CameraStage(self.config.camera_motion, self.config.camera, detector, self.stages.camera)
        self._counts = {"frames": 0, "detected": 0}
        self._identities = IdentityCount()
        self._embedded = EmbeddedCount()
        live = source.info.live
        self._decoded: Channel[Frame] = Channel(1 if live else self.config.queue_frames, newest_wins=live)
        self._detected: Channel[tuple[Frame, Detections | None]] = Channel(1)
        # weak, so that leaving a `for` loop drops the generator and thereby ends its threads at once
        self._results: weakref.ref[Generator[FrameResult, None, None]] | None = None
        self._owner: int | None = None  # the thread that iterates: no other may end its generator

    @property
    def dropped(self) -> int:
        """Frames of a live source that were replaced by a newer one before the detector was free."""
        return self._decoded.dropped

    def __iter__(self) -> Iterator[FrameResult]:
        if self._results is not None:
            raise InputError("a Pipeline can be iterated once: its source is used up; make a new one")
        results = self._iterate()
        self._results = weakref.ref(results)
        return results

    def close(self) -> None:
        """End an iteration early and close the source; harmless at any time, more than once, and from any thread.

        Where another thread waits for the next result, that one finds the iteration ended.
        """
        self._detected.cancel()
        self._decoded.cancel()
        self._source.close()
        results = None if self._results is None else self._results()
        if results is not None and threading.get_ident() == self._owner and not _runs(results):
            results.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, sinks: Sequence[Sink] = (), on_result: Callable[[FrameResult], None] | None = None) -> RunSummary:
        """Process the whole source into the sinks.

        Args:
            sinks: opened here when there is a first result, written in order in a thread of their own (an
                `InteractiveSink` in this one), and closed here, also after an error or Ctrl-C: results that were
                finished before it are still written.
            on_result: called in this thread with every result, after it was handed to the sinks; for a progress bar.

        Raises:
            TrackerError: of any stage or sink, as it was raised.
        """
        began = time.perf_counter()
        info = RunInfo(self._source.info, dict(self._detector.class_names))
        screens = [s for s in sinks if isinstance(s, InteractiveSink)]
        files = [s for s in sinks if not isinstance(s, InteractiveSink)]
        queue = self.config.write_queue_frames
        with self:
            results = iter(self)
            first = list(itertools.islice(results, 1))  # what fails at once does so before a file is made
            with opened(sinks, info), SinkThread(files, queue, self.stages.write) as writer:
                for result in itertools.chain(first, results):
                    writer.write(result)
                    for screen in screens:
                        screen.write(result)
                    if on_result is not None:
                        on_result(result)
                    if any(screen.stop_requested for screen in screens):
                        break
        return self._summary(time.perf_counter() - began)

    def _summary(self, wall_s: float) -> RunSummary:
        n = self._counts
        identities, embedded = self._identities.total, self._embedded
        return RunSummary(n["frames"], n["detected"], self.dropped, identities, embedded, wall_s, self.stages)

    def _iterate(self) -> Generator[FrameResult, None, None]:
        self._owner = threading.get_ident()
        reader = threading.Thread(target=self._read, name="reidtrack-reader")
        detector = threading.Thread(target=self._detect, name="reidtrack-detector")
        reader.start()
        detector.start()
        try:
            while True:
                try:
                    frame, detections = self._detected.get()
                except ChannelEnd:
                    return
                yield self._track(frame, detections)
        finally:
            self._detected.cancel()
            self._decoded.cancel()
            self._source.close()
            detector.join()
            reader.join()

    def _read(self) -> None:
        """The reader's thread."""
        # of a live source most of the wall time is waiting for the camera, which is no work
        clock = time.thread_time if self._source.info.live else time.perf_counter
        first: tuple[int, ...] | None = None
        try:
            frames = iter(self._source)
            while True:
                began = clock()
                frame = next(frames, None)
                if frame is None:
                    break
                self.stages.decode.add(clock() - began)
                first = first or frame.image.shape
                _check_size(frame, first)
                if not self._decoded.put(frame):
                    break
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
            self._decoded.finish(error)
        else:
            self._decoded.finish()

    def _detect(self) -> None:
        """The detector's thread."""
        try:
            for number in itertools.count():
                try:
                    frame = self._decoded.get()
                except ChannelEnd:
                    break
                detections = None
                if number % self.config.every == 0:
                    with self.stages.detect.measure():
                        detections = _checked(self._detector(frame))
                if not self._detected.put((frame, detections)):
                    break
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
            self._detected.finish(error)
        else:
            self._detected.finish()

    def _track(self, frame: Frame, detections: Detections | None) -> FrameResult:
        self._counts["frames"] += 1
        if detections is None:
            with self.stages.track.measure():
                tracks = self._tracker.predict(frame.time_s)
            tracks = self._camera.predicted(frame.image, tracks)
            return FrameResult(frame, Detections.empty(), tracks, detected=False)
        self._counts["detected"] += 1
        result = self._update(frame, detections)
        self._identities.update(result.tracks)
        self._embedded.update(result.tracks)
        return result

    def _update(self, frame: Frame, detections: Detections) -> FrameResult:
        embed = model_hash = None
        if self._exchange is not None:
            self._exchange.before_update()
        if (embedder := self._embedder) is not None:
            model_hash = embedder.info.model_hash

            def vectors_of(rows: IntArray) -> FloatArray:
                with self.stages.embed.measure():
                    return embedder(frame.image, detections.boxes[rows])

            embed = EmbeddingsOnRequest(detections, vectors_of)
        embedding_before_s = self.stages.embed.seconds
        motion = self._camera.detected(frame.image, detections.boxes)
        began = time.perf_counter()
        tracks = self._tracker.update(
            detections,
            time_s=frame.time_s,
            embed=embed,
            include_coasted=self.config.include_coasted,
            # a tracker that does not know of camera motion serves as long as the camera stands
            **({} if motion is None else {"camera_motion": motion}),
        )
        elapsed_s = time.perf_counter() - began
        self.stages.track.add(elapsed_s - (self.stages.embed.seconds - embedding_before_s))
        if self._exchange is not None:
            self._exchange.after_update(frame, detections, tracks)
        return FrameResult(frame, detections if embed is None else embed.detections, tracks, model_hash=model_hash)


def _runs(results: Generator[FrameResult, None, None]) -> bool:
    """Whether some thread is inside of it."""
    return inspect.getgeneratorstate(results) == inspect.GEN_RUNNING


def _checked(detections: Any) -> Detections:
    """What a detector gave.

    Raises:
        InputError: it is something else; None would look like a frame that was not detected on.
    """
    if not isinstance(detections, Detections):
        raise InputError(f"a detector must return tracker.Detections, got {type(detections).__name__}")
    return detections


def _check_size(frame: Frame, first: tuple[int, ...]) -> None:
    if frame.image.shape != first:
        (h, w), (h1, w1) = frame.image.shape[:2], first[:2]
        raise SourceError(
            f"frame {frame.index} is {w}x{h}, but the source began with {w1}x{h1}: all frames must be of one size; "
            f"results before frame {frame.index} are kept"
        )
