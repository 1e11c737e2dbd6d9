"""Runs a training from wherever it stands to the exported model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from reid.card_lookup import refuse_card_beside
from reid.data import Crops
from reid.data.fingerprint import check_pictures, without_shared
from reid.errors import MissingExtraError
from reid.learning.trainer.checkpoint import check_same_run, describe_run
from reid.learning.trainer.config import TrainConfig
from reid.learning.trainer.device import open_device
from reid.learning.trainer.distributed import joined_processes
from reid.learning.trainer.folder import Existing, Folder
from reid.learning.trainer.history import row_from_plain
from reid.learning.trainer.progress import ProgressCallback, TrainResult
from reid.learning.trainer.recording import Recording
from reid.learning.trainer.teacher import Teacher
from reid.learning.trainer.training import MakeObjective, Training
from reid.learning.trainer.validation import check_measurable, hold_out


def run_training(
    config: TrainConfig,
    crops: Crops,
    validation: Crops | None,
    out: Path,
    *,
    progress: ProgressCallback,
    stop: Callable[[], bool],
    existing: Existing,
    make_objective: MakeObjective | None,
    teacher: Teacher | None,
    may_share: bool = False,
) -> TrainResult:
    """See `reid.learning.trainer.train`.

    `may_share`: pictures of `crops` stay in `validation`: where another judge decides, and a clip that a site tracked
    twice gives the same ones on both sides.
    """
    _check_export_possible()
    refuse_card_beside(out)
    device = open_device(config.device)
    if validation is None:
        crops, validation = hold_out(crops, config)
    elif not may_share:
        validation = without_shared(crops, validation)
    if validation is not None:
        check_measurable(validation, config.validation)
    check_pictures(crops, *(() if validation is None else (validation,)))
    with contextlib.ExitStack() as stack:
        processes = stack.enter_context(joined_processes(device))
        # what is drawn here leaves the caller's generator as it was
        stack.enter_context(torch.random.fork_rng(devices=[device] if device.type == "cuda" else []))
        stack.enter_context(limited_threads(config.threads))
        folder = Folder.beside(out)
        run = describe_run(config, crops, validation, processes.count)
        stack.enter_context(folder.locked(processes, device))
        checkpoint = folder.prepare(existing)
        if checkpoint is not None:
            check_same_run(checkpoint["run"], run, folder.checkpoint)
        training = stack.enter_context(
            Training(config, crops, validation, device, processes, make_objective, teacher, checkpoint)
        )
        if existing == "replace" and processes.first:
            folder.clear()
        processes.wait()
        rows = [] if checkpoint is None else [row_from_plain(row) for row in checkpoint["history"]]
        recording = stack.enter_context(
            Recording(folder, rows, progress, tensorboard=config.tensorboard, first=processes.first)
        )
        stopped = training.run(folder, recording, stop, run)
        standing = training.standing
        written = None
        if not stopped:
            written = training.finish(folder, out)
    return TrainResult(
        stopped="interrupted" if stopped else "early" if standing.step < training.steps else "done",
        step=standing.step,
        best_step=standing.best_step,
        best_map=standing.best_map,
        best_rank1=standing.best_rank1,
        model=written,
        checkpoint=folder.checkpoint,
        history=folder.history,
        curves=folder.curves,
    )


@contextlib.contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """So many threads for torch's arithmetic, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check_export_possible() -> None:
    """Hours of training should not end in a missing package."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("onnx, onnxscript and onnxruntime", ("train", "cpu"), "exporting the model") from error
