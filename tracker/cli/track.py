"""`reidtrack track`: a source in, objects with lasting identities out."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.allocation import keep_freed_memory
from tracker.cli.checks import check_device, existing_results, open_embedder
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.picture_threads import leave_a_core
from tracker.cli.progress import RunProgress
from tracker.cli.settings import TrackSettings
from tracker.cli.tables import print_summary
from tracker.cli.track_parts import make_pipeline, open_detector_of, open_source_of
from tracker.errors import SourceError

if TYPE_CHECKING:
    from tracker.cli.refining import RefinedFiles
    from tracker.pipeline import Pipeline
    from tracker.types import EmbedderLike, Sink, Source

_EXIT_INTERRUPTED = 130
_SUMMARY = """\
Follow objects through a video file, pictures, a webcam or a stream, and keep their identity.
Every configuration key is a flag too: see --help-all and docs/configuration.md."""
_EXAMPLES = """\
  reidtrack track street.mp4
  reidtrack track street.mp4 --detector yolox_nano.onnx --classes person --save video,mot,crops
  reidtrack track street.mp4 --refine                       # once more at the end, knowing all
  reidtrack track 'shots/*.jpg' --rate-hz 10 --detector detections/det.txt
  reidtrack track 0 --show --save jsonl
  reidtrack track rtsp://camera.example/stream --config configs/stream.yaml --detector yolox_nano.onnx
  reidtrack track rtsp://camera.example/stream --detector yolox_nano.onnx --online site
  reidtrack track long.mp4 --start 1:30 --end 2:00 --tracker.memory-s 60"""


def run(argv: Sequence[str], context: Context) -> int:
    """Follow one source to its end."""
    settings = parse_arguments(TrackSettings, argv, command="track", summary=_SUMMARY, examples=_EXAMPLES, config=True)
    _check(settings)
    check_device(settings.device)
    # Whatever can be refused is refused before the first file is written: display, models, then the source.
    if settings.show:
        from tracker.video.window import check_display

        check_display()
    detector = open_detector_of(settings)
    embedder: EmbedderLike | None = None
    if settings.online is None:
        embedder = open_embedder(settings.embedder, settings.device)
    with open_source_of(settings) as source, contextlib.ExitStack() as stack:
        if settings.refine:
            from tracker.cli.refining import check_refinable

            check_refinable(settings, live=source.info.live)
        out = settings.out or Path("runs") / _folder_name(source.info.name)
        sinks = _open_sinks(settings, out, source)
        refined = _open_refinement(settings, out, embedder)
        paths = [*_paths(sinks), *(refined.paths if refined else ())]
        _refuse_own_input(settings, paths)
        if not settings.overwrite and (found := existing_results(paths)):
            raise UsageError(f"{out} holds results already ({found}): give another --out, or --overwrite")
        if others := existing_results([path for path in _all_paths(out) if path not in paths]):
            context.say(f"reidtrack: {out} also holds results of an earlier run, which stay: {others}")
        keep_freed_memory()
        leave_a_core()
        progress = RunProgress(source.info, context)
        if settings.online is None:
            return _follow(progress, make_pipeline(settings, source, detector, embedder), sinks, out, context, refined)
        from tracker.cli.online_tracking import open_trainer, report
        from tracker.sinks import online_sinks

        trainer = stack.enter_context(open_trainer(settings, source.info, context))
        began_with, progress.more = trainer.embedder.number, lambda: str(trainer.status())
        pipeline = make_pipeline(settings, source, detector, trainer.embedder)
        code = _follow(progress, pipeline, [*sinks, *online_sinks(trainer)], out, context)
        report(trainer, began_with, context)
        return code


def _follow(
    progress: RunProgress,
    pipeline: Pipeline,
    sinks: Sequence[Sink],
    out: Path,
    context: Context,
    refined: RefinedFiles | None = None,
) -> int:
    interrupted = False
    try:
        with progress:
            pipeline.run([*sinks, *([refined.recorder] if refined else ())], progress)
    except KeyboardInterrupt:
        interrupted = True
        context.say(f"reidtrack: interrupted after {progress.frames} frames; what was written up to there is valid")
    except Exception as error:  # whatever it was, of tracking, of a model or of the disk
        if refined and progress.frames and isinstance(error, SourceError):
            refined.write()  # a file that breaks off is refined as far as it went
        if out.is_dir() and progress.frames:
            context.say(f"reidtrack: stopped after {progress.frames} frames; what was written up to there is in {out}")
        raise
    refinement = refined.write() if refined else None
    if not context.quiet:
        paths = [*_paths(sinks), *(refined.paths if refined else ())]
        print_summary(progress, pipeline, [path for path in paths if path.exists()], refinement)
    return _EXIT_INTERRUPTED if interrupted else 0


def _paths(sinks: Sequence[Sink]) -> list[Path]:
    """Where these sinks write; a window writes nowhere."""
    return [sink.path for sink in sinks if hasattr(sink, "path")]


def _all_paths(out: Path) -> list[Path]:
    """Where any run may write in this folder."""
    from tracker.cli.refining import REFINED
    from tracker.sinks import SINK_KINDS, open_sinks

    return [*_paths(open_sinks(SINK_KINDS, out)), *(out / name for _, name in REFINED.values())]


def _check(settings: TrackSettings) -> None:
    source = settings.source.strip()
    from tracker.video.url import looks_like_url  # loads OpenCV

    live = looks_like_url(source) or re.match(r"(/dev/video)?\d{1,4}$", source)
    live_or_glob = live or re.match(r".*[*?\[]", source)
    if not source or not (live_or_glob or _expanded(settings.source).exists()):
        raise UsageError(
            f"SOURCE: {settings.source!r} was not found: it must be a video file, a folder or glob of pictures, "
            "the number of a webcam, or the URL of a stream"
        )
    if Path(settings.detector).suffix.lower() in (".onnx", ".txt") and not Path(settings.detector).is_file():
        raise UsageError(f"--detector: there is no file {settings.detector}")
    if settings.online is not None and settings.embedder == "none":
        raise UsageError("--online needs an embedder to teach, got --embedder none")
    if settings.online_config is not None and settings.online is None:
        raise UsageError("--online-config needs the folder that it is for: --online DIR")
    if not settings.online_worker and settings.online is None:
        raise UsageError("--no-online-worker is about learning on site: give --online DIR")
    if settings.online is not None and settings.refine:
        raise UsageError("--refine compares vectors of one embedder, and --online may exchange it: give one of the two")
    if not settings.save and not settings.show and settings.online is None:
        raise UsageError("--save is empty and there is neither --show nor --online: nothing would come of this run")
    if settings.reasons and "video" not in settings.save and not settings.show:
        raise UsageError("--reasons are written into the video: --save must have video, or --show be given")

    if settings.refine:
        from tracker.cli.refining import check_refinable

        on_the_web = source.lower().startswith(("http:", "https:"))  # may have an end, which opening it will tell
        check_refinable(settings, live=bool(live) and not on_the_web)


def _expanded(name: str) -> Path:
    """Of `~/x` the path; unlike Path's own this leaves `~nobody` as it is."""
    return Path(os.path.expanduser(name))  # noqa: PTH111


def _refuse_own_input(settings: TrackSettings, results: Sequence[Path]) -> None:
    """Refuse to write a result over what is read: the source, detections, or a model.

    Raises:
        UsageError: one of them lies where a result goes.
    """
    named = {"SOURCE": settings.source, "--detector": settings.detector, "--embedder": settings.embedder}
    for flag, name in named.items():
        given = _expanded(re.split(r"[*?\[]", name)[0])
        if not given.exists():
            continue  # a stream, a webcam, a name
        path = given.resolve()
        for result in results:
            if result.resolve() in (path, *path.parents, path.with_suffix("")):  # a video's suffix is chosen later
                raise UsageError(f"{flag}: {name} lies where this run would write {result}: give another --out")


def _open_sinks(settings: TrackSettings, out: Path, source: Source) -> list[Sink]:
    from tracker.sinks import open_sinks

    sinks = list(open_sinks(settings.save, out, overwrite=settings.overwrite, reasons=settings.reasons))
    if settings.show:
        from tracker.video.window import Window

        sinks.append(Window(source.info.name, reasons=settings.reasons))
    return sinks


def _open_refinement(settings: TrackSettings, out: Path, embedder: EmbedderLike | None) -> RefinedFiles | None:
    if not settings.refine:
        return None
    from tracker.cli.refining import RefinedFiles

    return RefinedFiles(settings, out, None if embedder is None else embedder.info)


def _folder_name(source_name: str) -> str:
    """A name fit for a folder: `street.mp4` is `street`, but a host's address keeps its dots."""
    stem = re.sub(r"\.[A-Za-z][A-Za-z0-9]{1,4}$", "", source_name)
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "source"
