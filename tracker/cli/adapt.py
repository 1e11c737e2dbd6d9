"""`reidtrack adapt`: videos of a site in, an embedder that knows it better out, if the gate finds it better."""

from __future__ import annotations

import contextlib
import math
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.adapt_settings import AdaptSettings
from tracker.cli.checks import check_device, open_embedder, require_new_model, require_path, require_training
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.progress import RunProgress
from tracker.cli.stopping import stop_when_asked
from tracker.cli.track_parts import make_pipeline, open_detector_of, open_source_of
from tracker.cli.train_progress import TrainDisplay

if TYPE_CHECKING:
    from reid.online import BurstRecorder
    from reid.online.worker import AdaptResult

_EXIT_REFUSED, _EXIT_INTERRUPTED = 1, 130
_PREFIX, _LOCK = ".adapting-", "lock"
_SUMMARY = """\
Teach an embedder what one site looks like, without labels: everybody is followed through the videos, and what is sure
of the tracklets is learned from (crops of one tracklet show one object, tracklets seen at one moment show two).
A part is held out; only where the result finds held-out objects again more often, and has forgotten nothing, is it
written. Exit code 1: it was no better, and nothing was written. Any ONNX embedder can be taught. Needs the extra
[train]."""
_EXAMPLES = """\
  reidtrack adapt monday.mp4 tuesday.mp4 --out site.onnx
  reidtrack adapt monday.mp4 --detector yolox_nano.onnx --classes person --embedder osnet.onnx --out site.onnx
  reidtrack adapt runs/monday/tracklets runs/tuesday/tracklets --out site.onnx
  reidtrack track wednesday.mp4 --embedder site.onnx"""


def run(argv: Sequence[str], context: Context) -> int:
    """Follow, teach, judge; as often as asked for."""
    settings = parse_arguments(AdaptSettings, argv, command="adapt", summary=_SUMMARY, examples=_EXAMPLES, config=True)
    _check(settings)
    require_training("teaching an embedder")
    with _working_folder(settings) as folder:
        admitted, interrupted = _teach(settings, folder, context)
        if interrupted:
            done = f"{settings.out} has what came of pass {len(admitted)}" if admitted else "nothing was written"
            context.say(f"reidtrack: interrupted; {done}")
        if admitted:
            admitted[-1].replace(settings.out)
    if interrupted:
        return _EXIT_INTERRUPTED
    if not admitted:
        return _EXIT_REFUSED
    context.result(f"wrote {settings.out}")
    context.result(f"use it: reidtrack track VIDEO --embedder {shlex.quote(str(settings.out))}")
    return 0


def _check(settings: AdaptSettings) -> None:
    for source in settings.source:
        require_path("VIDEO", source)
    check_device(settings.device)
    if settings.embedder == "none":
        raise UsageError("--embedder must be default or an .onnx file, got none: there must be something to teach")
    if settings.embedder != "default" and not Path(settings.embedder).is_file():
        raise UsageError(f"--embedder must be default or an .onnx file, and there is no file {settings.embedder}")
    require_new_model(settings.out, replace=settings.overwrite)
    if len({source.resolve() for source in settings.source}) < len(settings.source):
        raise UsageError("VIDEO: each must be given once: what is held out of one would be learned from the other")
    keep = settings.keep
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise UsageError(f"--keep: {keep} must be an empty folder or none")
    if settings.out.is_dir():
        raise UsageError(f"--out: {settings.out} is a folder")
    if settings.passes > 1 and any(_is_store(source) for source in settings.source):
        raise UsageError("--passes above 1 follows videos anew each time, and tracklets are followed already")


def _is_store(source: Path) -> bool:
    from reid.data.stores import find_stores

    return source.is_dir() and bool(find_stores(source))


@contextlib.contextmanager
def _working_folder(settings: AdaptSettings) -> Iterator[Path]:
    """Where embedders lie until one takes its place, and tracklets that nobody keeps.

    These are pictures of people: what a run left that was killed is deleted by the next one.
    """
    from reid.online import FileLock

    if settings.keep is not None:
        settings.keep.mkdir(parents=True, exist_ok=True)
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    for left in settings.out.parent.glob(f"{_PREFIX}*"):
        if (lock := FileLock.attempt(left / _LOCK)) is not None:
            with lock:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=settings.out.parent, prefix=_PREFIX) as name:
        folder = Path(name)
        with FileLock.attempt(folder / _LOCK) or contextlib.nullcontext():
            yield folder


def _teach(settings: AdaptSettings, folder: Path, context: Context) -> tuple[list[Path], bool]:
    """The embedder that was admitted in each pass, in `folder`, and whether it was interrupted."""
    from reid.online.worker import adapt
    from tracker.cli.replaying import replays_of

    admitted: list[Path] = []
    seen_until: Sequence[float] | None = None
    for number in range(1, settings.passes + 1):
        live = str(admitted[-1]) if admitted else settings.embedder
        draft = folder / f"{number}.onnx"
        kept, replay = (settings.keep or folder) / f"pass-{number}", folder / f"replay-{number}"
        stores = [_store(settings, source, live, kept, replay, context) for source in settings.source]
        with TrainDisplay(context) as display, stop_when_asked(context) as request:
            result = adapt(
                stores, live, draft, settings.config,
                base=settings.embedder if admitted else None,  # what each pass may lose does not add up
                seen_until=seen_until, replay=partial(replays_of, replay, stop=request.made),
                seed=settings.seed, progress=display, stop=request.made,
            )  # fmt: skip
        if request.made():
            return admitted, True
        _report(result, number, settings, context)
        if not result.admitted:
            break
        admitted.append(draft)
        seen_until = result.seen_until
    return admitted, False


def _store(settings: AdaptSettings, source: Path, embedder: str, folder: Path, replay: Path, context: Context) -> Path:
    """The tracklets of a source: followed now where it is a video, of which bursts are recorded in `replay`."""
    if _is_store(source):
        return source
    from tracker.sinks import open_sinks
    from tracker.sinks.burst import BurstSink

    name = f"{settings.source.index(source) + 1}-{source.stem}"
    tracking = settings.tracking(source, folder / name)
    detector, model = open_detector_of(tracking), open_embedder(embedder, settings.device)
    with open_source_of(tracking) as frames:
        context.say(f"following {source}")
        sinks = [*open_sinks(tracking.save, folder / name), BurstSink(_recorder(settings, replay, name))]
        with RunProgress(frames.info, context) as progress:
            make_pipeline(tracking, frames, detector, model).run(sinks, progress)
    return folder / name


def _recorder(settings: AdaptSettings, replay: Path, name: str) -> BurstRecorder:
    from reid.online import BurstRecorder, BurstStore

    store = BurstStore(replay, name, name, settings.bursts, keep_days=math.inf, least_free_mb=0)
    tracker = settings.tracker
    return BurstRecorder(store, least_score=tracker.high_score, tracker=asdict(tracker))


def _report(result: AdaptResult, number: int, settings: AdaptSettings, context: Context) -> None:
    counts = ", ".join(f"{value} {name}" for name, value in result.counts.items())
    which = f"pass {number}: " if settings.passes > 1 else ""
    context.result(f"{which}{counts}")
    if result.verdict is not None:
        for name, figure in result.verdict.figures.items():
            context.result(
                f"  {name:<24} {figure.live:.3f} -> {figure.candidate:.3f}  "
                f"{figure.value:+.4f} [{figure.low:+.4f}, {figure.high:+.4f}]"
            )
    context.result(f"{'admitted' if result.admitted else 'refused'}: {result.reason}")
