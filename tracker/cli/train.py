"""`reidtrack train`: pictures of known identities in, a model file with its card out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracker.cli.checks import require_new_model, require_path
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.stopping import stop_when_asked
from tracker.cli.train_progress import TrainDisplay
from tracker.cli.train_settings import TrainSettings

if TYPE_CHECKING:
    from reid.data import Crops
    from reid.learning.trainer import TrainResult

_EXIT_INTERRUPTED = 130
_SUMMARY = """\
Train re-identification for your own objects and write it as one ONNX file. DATA is a folder an identity,
Market-1501-style pictures, MOT sequences, or tracklets that `reidtrack track --save tracklets` wrote.
A fifth of the identities is held out to score and calibrate the model. Ctrl-C leaves a checkpoint to resume from.
Every configuration key is a flag too: see --help-all and configs/train.yaml. Needs the extra [train]."""
_EXAMPLES = """\
  reidtrack train animals/ --out animals.onnx
  reidtrack train animals/ --out animals.onnx --resume
  reidtrack train Market-1501/ --model.backbone osnet_x1_0 --model.height-px 256 --model.width-px 128 --device cuda
  reidtrack train site/ --model.pretrained animals.train/best.pt --optimizer.learning-rate 2e-4 --epochs 10
  torchrun --nproc-per-node 4 -m tracker.cli.main train Market-1501/ --out people.onnx"""


def run(argv: Sequence[str], context: Context) -> int:
    """Train to the end, to an early stop or to Ctrl-C."""
    settings = parse_arguments(TrainSettings, argv, command="train", summary=_SUMMARY, examples=_EXAMPLES, config=True)
    if os.environ.get("RANK", "0") != "0":  # one of several processes of torchrun: the first one speaks for all
        context = Context(quiet=True)
    _check(settings)
    from reid.data import open_crops
    from reid.learning.trainer import train

    crops = open_crops(settings.source, kind=settings.kind, config=settings.data)
    other = None
    if settings.validate_on is not None:
        other = open_crops(settings.validate_on, kind=settings.kind, config=settings.held_out_data)
    context.say(_describe(crops, other, settings))
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    with TrainDisplay(context) as display, stop_when_asked(context) as request:
        result = train(
            settings.config,
            crops,
            other,
            settings.out,
            progress=display,
            stop=request.made,
            existing="resume" if settings.resume else "replace" if settings.overwrite else "refuse",
        )
    if result.stopped == "interrupted":
        context.say(f"reidtrack: stopped after step {result.step}; {result.checkpoint} has everything. To go on:")
        context.say(f"  {_resume_command(argv)}")
        return _EXIT_INTERRUPTED
    _report(result, settings, context)
    return 0


def _check(settings: TrainSettings) -> None:
    require_path("DATA", settings.source)
    if settings.validate_on is not None:
        require_path("--validate-on", settings.validate_on)
    folder = settings.out.with_suffix(".train")
    begun = (folder / "checkpoint.pt").exists()
    require_new_model(settings.out, replace=settings.overwrite or (settings.resume and begun))
    if begun and not (settings.overwrite or settings.resume):
        raise UsageError(f"{folder} holds a training already: --resume goes on with it, --overwrite replaces it")


def _describe(crops: Crops, other: Crops | None, settings: TrainSettings) -> str:
    kind = "identities" if bool(crops.labelled[crops.identities].all()) else "tracklets"
    if other is not None:
        held_out = f"validated on {len(other)} crops of {len(other.identities)} in {settings.validate_on}"
    elif settings.validation.share:
        held_out = f"{settings.validation.share:.0%} of them held out for validation"
    else:
        held_out = "none held out, so there will be no score and no calibration"
    return f"{settings.source}: {len(crops)} crops of {len(crops.identities)} {kind}, {held_out}"


def _report(result: TrainResult, settings: TrainSettings, context: Context) -> None:
    if result.best_map is not None and result.best_rank1 is not None:
        early = "; stopped early, since it got no better" if result.stopped == "early" else ""
        where = settings.validate_on or "identities that it was not trained on"
        context.result(
            f"best at step {result.best_step} of {result.step}{early}: mAP {result.best_map:.3f}, "
            f"rank-1 {result.best_rank1:.3f} on {where}"
        )
    for path in (result.model, result.history, result.curves, result.checkpoint):
        if path is not None:
            context.result(f"wrote {path}")
    context.result(f"use it: reidtrack track VIDEO --embedder {shlex.quote(str(result.model))}")


def _resume_command(argv: Sequence[str]) -> str:
    words = [word for word in argv if word not in ("--resume", "--no-resume", "--overwrite", "--no-overwrite")]
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # a training goes on with as many processes as it had
        return "the same torchrun command, with --resume in the place of --overwrite"
    return shlex.join(["reidtrack", "train", *words, "--resume"])
