"""One training: batches in; a network, its history and its checkpoints out."""

from __future__ import annotations

import copy
import datetime as dt
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from reid.data import Crops
from reid.errors import InputError
from reid.learning.augmentation import Augmentation
from reid.learning.embedding import EmbeddingModel
from reid.learning.model_config import ONNX
from reid.learning.networks import Network, build_network
from reid.learning.trainer.alarm import CollapseAlarm
from reid.learning.trainer.batches import Batches, LoadedBatch
from reid.learning.trainer.checkpoint import VERSION, save_atomically
from reid.learning.trainer.config import TrainConfig
from reid.learning.trainer.device import choose_dtype
from reid.learning.trainer.distributed import Processes
from reid.learning.trainer.everybody import Everybody
from reid.learning.trainer.finish import export_trained, fit_colours
from reid.learning.trainer.folder import Folder
from reid.learning.trainer.history import row_to_plain
from reid.learning.trainer.loss_config import LossConfig
from reid.learning.trainer.meter import OPTIONAL_VALUES, Meter
from reid.learning.trainer.network import StepInput, TrainedNetwork
from reid.learning.trainer.objective import Cost, Objective, TripletObjective
from reid.learning.trainer.progress import TrainProgress
from reid.learning.trainer.randomness import seed_of
from reid.learning.trainer.recording import Recording
from reid.learning.trainer.schedule import learning_rate, warmup_steps
from reid.learning.trainer.standing import Standing
from reid.learning.trainer.teacher import EmbedderTeacher, Teacher
from reid.learning.trainer.validation import embed_crops, report_on
from reid.learning.weights import load_weights

LEAST_EPOCH_STEPS = 10
_OWN, _COMMON, _AUGMENT = 1, 2, 3  # second words of the seeds: for what is drawn
_logger = logging.getLogger(__name__)

MakeObjective = Callable[[Network, int | None], Objective]


class Training:
    """One training, from where it stands to its end. Use as a context manager: a thread reads batches ahead.

    Args:
        config: the settings.
        crops: what is trained on.
        validation: what is held out, or None.
        device: where it computes.
        processes: who shares each batch.
        make_objective: makes other losses than those of the settings.
        teacher: gives vectors to learn from, in the place of the one in the settings.
        checkpoint: where it stands, or None for the beginning.
    """

    def __init__(
        self,
        config: TrainConfig,
        crops: Crops,
        validation: Crops | None,
        device: torch.device,
        processes: Processes,
        make_objective: MakeObjective | None,
        teacher: Teacher | None,
        checkpoint: Mapping[str, Any] | None,
    ) -> None:
        self._config, self._crops, self._validation = config, crops, validation
        self._device, self._processes = device, processes
        self.standing = Standing() if checkpoint is None else Standing.from_plain(checkpoint["standing"])
        """Where it stands."""
        self._alarm = CollapseAlarm(config.alarm, self.standing.alarms)
        self._augmentation = Augmentation(config.augmentation)
        if teacher is None and config.loss.teacher is not None:
            teacher = EmbedderTeacher(config.loss.teacher, crops, threads=config.threads)
        # weights are those of the checkpoint; the graph of an ONNX file is nowhere but in the file
        graph = config.model.backbone == ONNX
        begun = config.model if checkpoint is None or graph else replace(config.model, pretrained=None)
        model = build_network(begun, seed=config.seed)
        drawn = None if checkpoint is None else checkpoint["sampler"]
        self._batches = Batches(crops, config, model.form, processes, drawn, teacher)
        self._epoch_steps = config.epoch_steps or max(-(-len(crops) // self._batches.size), LEAST_EPOCH_STEPS)
        self.steps = self._epoch_steps * config.epochs
        """How many steps there are to do."""
        self._meter = Meter()
        self._network = self._build(model, make_objective, taught=teacher is not None)
        if checkpoint is not None:
            self._network.restore(checkpoint)
            self._meter.restore(checkpoint["meter"], device)
        self._everybody = Everybody(config, crops, self._batches, self._network, processes)

    def __enter__(self) -> Training:
        return self

    def __exit__(self, *_error: object) -> None:
        self._batches.close()

    def _build(self, model: Network, make_objective: MakeObjective | None, *, taught: bool) -> TrainedNetwork:
        config = self._config
        if make_objective is None:
            _check_learns(config.loss, labelled=self._batches.classes is not None, taught=taught)
        if isinstance(model, EmbeddingModel):
            fit_colours(model, self._crops, config.seed)
        torch.manual_seed(seed_of(config.seed, _COMMON, 0))  # of the classifier's weights
        if make_objective is None:
            objective: Objective = TripletObjective(
                config.loss,
                _feature_dimension(model),
                self._batches.classes,
                batch_size=self._batches.size,
                memory_after=warmup_steps(self.steps, config.optimizer),
                seed=config.seed,
                pictures=config.sampler.pictures,  # repeated ones of short identities among them
            )
        else:
            objective = make_objective(model, self._batches.classes)
        objective.to(self._device)
        dtype = choose_dtype(config.precision, self._device)
        return TrainedNetwork(model.to(self._device), objective, config.optimizer, dtype, self._processes)

    def run(self, folder: Folder, recording: Recording, stop: Callable[[], bool], run: Mapping[str, str]) -> bool:
        """Do the steps that are left; True where it was told to stop before the end.

        Raises:
            CollapseError: it learns nothing.
            DataError: a picture cannot be read.
        """
        standing, patience = self.standing, self._config.validation.patience
        while standing.step < self.steps and not (patience and standing.worse >= patience):
            self._everybody.look(standing.step, self._epoch_steps, self._device)
            batch = self._batches.take()
            cost = self._do_step(batch)
            ends_epoch = standing.step % self._epoch_steps == 0
            # processes that ask each other wait for their devices: they do it where rows are read from them anyway
            asks = self._processes.count == 1 or ends_epoch or standing.step % self._config.log_every == 0
            stopping = asks and self._processes.any(stop(), self._device)
            saves = ends_epoch or stopping
            sound = not saves or self._meter.finite()  # reads from the device
            validated = ends_epoch and sound and self._validate(folder)
            if validated or not sound or standing.step % self._config.log_every == 0 or standing.step == self.steps:
                row = self._row(validated=validated)
                recording.add(row)
                # raises where it is not sound: no checkpoint has weights that went bad
                self._alarm.check(row, cost.parked_at, self._network.loss_scale)
            if saves:
                self._save(folder, recording, batch, run)
            if stopping and standing.step < self.steps:
                return True
        return False

    def _do_step(self, batch: LoadedBatch) -> Cost:
        began_s = time.perf_counter()
        config, step = self._config, self.standing.step + 1
        rank = self._processes.rank
        generator = torch.Generator().manual_seed(seed_of(config.seed, _AUGMENT, step, rank))
        given = StepInput(
            pixels=self._augmentation(batch.pixels.to(self._device, non_blocking=True), generator),
            relations=batch.relations.to(self._device),
            classes=_moved(batch.classes, self._device),
            triplets=_moved(batch.triplets, self._device),
            teacher=_moved(batch.teacher, self._device),
            learning_rate=learning_rate(step, self.steps, config.optimizer),
            own_seed=seed_of(config.seed, _OWN, step, rank),
            common_seed=seed_of(config.seed, _COMMON, step),
            rows=batch.rows.to(self._device),
        )
        cost, norm = self._network.step(given, step)
        self.standing.step = step
        self._meter.add(_values(cost, norm), data_s=batch.waited_s, compute_s=time.perf_counter() - began_s)
        return cost

    def _validate(self, folder: Folder) -> bool:
        """Validate where it is time; True where that was done. The weights of a better mAP are kept."""
        epoch, config = self.standing.step // self._epoch_steps, self._config.validation
        due = epoch % config.every == 0 or self.standing.step == self.steps
        if self._validation is None or not due:
            return False
        began_s = time.perf_counter()
        self._processes.average_buffers(self._network.result)
        network = self._network.result
        vectors = embed_crops(network, self._validation, network.form, self._device, self._processes)
        report = report_on(vectors, self._validation, config)
        better = self.standing.take_validation(report.mean_average_precision.value, report.rank_1.value)
        if better and self._processes.first:
            save_atomically(
                {"version": VERSION, "step": self.standing.step, "model": network.state_dict()}, folder.best
            )
        _logger.debug("validated in %.1f s", time.perf_counter() - began_s)
        return True

    def _row(self, *, validated: bool) -> TrainProgress:
        step, means = self.standing.step, self._meter.means()
        self._meter = Meter()
        return TrainProgress(
            step=step,
            steps=self.steps,
            epoch=-(-step // self._epoch_steps),
            learning_rate=learning_rate(step, self.steps, self._config.optimizer),
            validation_map=self.standing.last_map if validated else None,
            validation_rank1=self.standing.last_rank1 if validated else None,
            loss=means["loss"] or 0.0,
            gradient_norm=means["gradient_norm"] or 0.0,
            data_s=means["data_s"] or 0.0,
            compute_s=means["compute_s"] or 0.0,
            **{name: means[name] for name in OPTIONAL_VALUES},
        )

    def _save(self, folder: Folder, recording: Recording, batch: LoadedBatch, run: Mapping[str, str]) -> None:
        self._processes.average_buffers(self._network.model)
        if self._network.result is not self._network.model:
            self._processes.average_buffers(self._network.result)
        if not self._processes.first:
            return
        content = {
            "version": VERSION,
            "step": self.standing.step,
            **self._network.state(),
            "sampler": dict(batch.sampler),
            "standing": self.standing.to_plain(),
            "meter": self._meter.state(),
            "history": [row_to_plain(row) for row in recording.rows],
            "run": dict(run),
        }
        save_atomically(content, folder.checkpoint)

    def finish(self, folder: Folder, out: Path) -> Path | None:
        """Export the weights that are kept; the first process alone writes."""
        model = copy.deepcopy(self._network.result)
        if self._config.validation.keep == "best" and folder.best.exists() and self._validation is not None:
            load_weights(model, folder.best)
        held_out = None
        if self._validation is not None:
            model.to(self._device)
            vectors = embed_crops(model, self._validation, model.form, self._device, self._processes)
            report = report_on(vectors, self._validation, self._config.validation, intervals=True)
            held_out = (self._validation, vectors, report)
        if not self._processes.first:
            return None
        today = dt.datetime.now(tz=dt.UTC).date()
        return export_trained(
            model.cpu(), self._config, out, self._crops, held_out, steps=self.standing.step, today=today
        )


def _check_learns(loss: LossConfig, *, labelled: bool, taught: bool) -> None:
    """Refuse losses that are all left out: known only with the data and a teacher that may be given as a callable.

    Raises:
        InputError: they are.
    """
    if loss.triplet_weight > 0 or (loss.identity_weight > 0 and labelled) or taught:
        return
    if labelled:
        raise InputError(
            "loss.triplet_weight or loss.identity_weight must be above 0, or a teacher given: there is nothing to "
            "learn from"
        )
    raise InputError(
        "loss.triplet_weight must be above 0, or a teacher given: tracklets have no identities to name, so there is "
        "nothing to learn from"
    )


@torch.no_grad()
def _feature_dimension(model: Network) -> int:
    """Length of the features that losses see: without the colour histogram beside them."""
    model.eval()  # or this would count as a batch of the batch norms
    return int(model.features(torch.zeros((1, *model.size_px, 3), dtype=torch.uint8))[0].shape[1])


def _moved(tensor: torch.Tensor | None, device: torch.device) -> torch.Tensor | None:
    return None if tensor is None else tensor.to(device)


def _values(cost: Cost, norm: torch.Tensor) -> dict[str, torch.Tensor | None]:
    """The values of a row by name."""
    seen = cost.statistics
    return {
        "loss": cost.total,
        "triplet_loss": cost.triplet,
        "identity_loss": cost.identity,
        "teacher_loss": cost.teacher,
        "active_share": None if seen is None else seen.active_share,
        "positive_distance": None if seen is None else seen.mean_positive_distance,
        "negative_distance": None if seen is None else seen.mean_negative_distance,
        "mean_cosine": None if seen is None else seen.mean_cosine,
        "gradient_norm": norm,
    }
