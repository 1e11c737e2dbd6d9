"""`reidtrack demo`: a rendered clip with known truth, followed with the defaults and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracker.cli.allocation import keep_freed_memory
from tracker.cli.checks import existing_results, open_embedder
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.picture_threads import leave_a_core
from tracker.cli.schema import flag_only
from tracker.demo import DemoConfig

_OUTPUTS = ("annotated", "tracks", "contact_sheet", "truth")
_SHORTEST_S = 4.0  # the first people come in after 1 to 3 s, and there is nothing to score before
_SUMMARY = """\
Render a street in which people hide, leave and come back, follow everybody with the defaults, and score the result
against the truth. Writes the annotated video, the tracks, the truth and a contact sheet (a row an identity)."""
_EXAMPLES = """\
  reidtrack demo
  reidtrack demo --seed 7 --out demo-7
  reidtrack demo --embedder none --out demo-without        # what appearance is worth"""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """Settings of `reidtrack demo`."""

    out: Path = field(default=Path("demo-out"), metadata=flag_only("DIR"))
    """Folder for the results."""
    overwrite: bool = field(default=False, metadata=flag_only())
    """Replace results that are already in the folder."""
    seed: int = DemoConfig().seed
    """Chooses the street, the people and what they do."""
    duration_s: float = DemoConfig().duration_s
    """Length of the clip in seconds, 4 to 40; a shorter one shows the beginning of the same story."""
    embedder: str = "default"
    """What recognises people again: `default` (shipped), an .onnx file, or `none`."""
    device: str = "auto"
    """Where the embedder runs: auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N."""


def run(argv: Sequence[str], context: Context) -> int:
    """Render, follow, score; 0."""
    settings = parse_arguments(DemoSettings, argv, command="demo", summary=_SUMMARY, examples=_EXAMPLES)
    clip = DemoConfig(seed=settings.seed, duration_s=settings.duration_s)
    if settings.duration_s < _SHORTEST_S:
        raise UsageError(
            f"duration_s must be {_SHORTEST_S:g} or more, got {settings.duration_s:g}: nobody is there at first"
        )
    if not settings.overwrite and (found := existing_results([settings.out / name for name in _OUTPUTS])):
        raise UsageError(f"{settings.out} holds results already ({found}): give another --out, or --overwrite")
    embedder = open_embedder(settings.embedder, settings.device)

    from tracker.cli.progress import RunProgress
    from tracker.cli.tables import print_demo
    from tracker.demo.run import run_demo
    from tracker.types import SourceInfo

    info = SourceInfo("demo", clip.width_px, clip.height_px, clip.rate_hz, clip.frames, live=False)
    context.say(f"rendering {clip.frames} frames (seed {clip.seed}) and following everybody in them ...")
    keep_freed_memory()
    leave_a_core()
    with RunProgress(info, context) as progress:
        report = run_demo(clip, settings.out, embedder=embedder, overwrite=settings.overwrite, on_result=progress)
    if not context.quiet:
        print_demo(report)
    return 0
