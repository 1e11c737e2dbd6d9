"""Teaches an embedder on what a site showed, and lets the gate decide. The only part of `reid.online` that needs torch.

Labels there are none. Crops of one pure piece of a track show one object; pieces that were seen at the same time show
two; of all other pairs nobody knows, and they are neither drawn together nor pushed apart.
"""

from __future__ import annotations

import contextlib
import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.calibration_fit import calibrate
from reid.data import Crops, join_crops
from reid.data.config import DataConfig
from reid.data.stores import read_store_crops
from reid.embedder import Embedder
from reid.errors import InputError
from reid.learning.graph import OnnxGraph, write_graph
from reid.learning.model_config import ModelConfig
from reid.learning.sampling import SamplerConfig
from reid.learning.trainer import (
    CardConfig,
    LossConfig,
    OptimizerConfig,
    TrainConfig,
    TrainProgress,
    ValidationConfig,
)
from reid.learning.trainer.distributed import Processes
from reid.learning.trainer.folder import Folder
from reid.learning.trainer.running import limited_threads, run_training
from reid.learning.trainer.schedule import warmup_steps
from reid.learning.trainer.teacher import EmbedderTeacher, Teacher
from reid.learning.trainer.tracklet_objective import TrackletObjective
from reid.learning.trainer.validation import embed_crops
from reid.online.config import AdaptConfig, LessonConfig
from reid.online.figures import Figures, load_figures
from reid.online.files import read_json, write_json
from reid.online.gate import Replay, Verdict, judge, map_of
from reid.online.groups import draw_groups
from reid.online.kept_vectors import StoppedError, vectors_of
from reid.online.latency import BATCH, latencies
from reid.online.purity import purify
from reid.online.slices import (
    SliceConfig,
    accompanied,
    hold_out,
    of_pieces,
    seen_by_training,
    sides,
    still_told_of,
)

_EPOCH_STEPS = 50
_MOST_HELD_OUT = 4000  # crops: all their pairs are looked at
_MOST_TRAINED = 40_000  # crops: twice what the steps of a lesson draw, as it is set by default
_ENOUGH_OF_A_PIECE = 8  # crops: what counts is how many people there are
_Stop = Callable[[], bool]
_SHARES = (1.0, 0.75, 0.5, 0.35, 0.25)
Replayer = Callable[[Embedder], Sequence[Replay | None]]
"""Tracks recorded bursts of detections again, with an embedder; None for each that it could not."""


@dataclass(frozen=True, slots=True)
class AdaptResult:
    """What became of an adaptation."""

    admitted: bool
    """Whether there is a better embedder."""
    reason: str
    """Why, or why not, in a sentence."""
    verdict: Verdict | None
    """The gate's figures; None where nothing could be trained."""
    model: Path | None
    """The better embedder; None where there is none."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Crops, tracklets, pieces, cuts, crops left out, crops trained on and held out."""
    seen_until: Sequence[float] | None = None
    """Up to when, in seconds of each store's runs, somebody counts as trained on, see `adapt`; None where
    nothing was shared out, or names said who was trained on."""


def adapt(
    stores: Sequence[str | Path],
    start: str | Path,
    out: str | Path,
    config: AdaptConfig | None = None,
    *,
    base: str | Path | None = None,
    people: str | Path | None = None,
    seen_until: Sequence[float] | None = None,
    replay: Replayer | None = None,
    kept_in: str | Path | None = None,
    seed: int = 0,
    progress: Callable[[TrainProgress], None] = lambda _row: None,
    stop: _Stop = lambda: False,
) -> AdaptResult:
    """Train the embedder `start` further on tracklets; `out` is written only where the gate finds it better.

    Args:
        stores: tracklet stores, or folders of them.
        start: the embedder that is live, an ONNX file or `default`.
        out: the file to write.
        config: see `AdaptConfig`.
        base: the embedder that the site began with, of which nothing may be forgotten; None: `start`.
        people: a file that says who was held out before, which is read, and written before anything is trained; None:
            nobody was.
        seen_until: where the same videos were learned from before, and were followed anew, `AdaptResult.seen_until` of
            the first time: whoever was trained on then is not held out now, though all names are others. None: nobody
            was trained on.
        replay: tracks bursts of detections again, the same ones with `start`, with the candidate, and with `base` where
            that is another one; None: none are recorded.
        kept_in: a folder in which vectors and training are kept, so that what ended there before its time goes on; the
            caller deletes it. None: what ends before its time is lost.
        seed: of all that is drawn.
        progress: is called with every row of the training's history.
        stop: is asked after every step, and every few crops that are looked at; True ends it without a result.

    Raises:
        InputError: a store is given twice.
        DataError: there is no store, or one cannot be read, or `people` is damaged.
        ModelError: the embedder cannot be trained.
        CollapseError: the training went wrong.
        OSError: `people` cannot be written.
    """
    c, out, counts = config or AdaptConfig(), Path(out), dict[str, int]()
    if len({Path(store).resolve() for store in stores}) < len(stores):
        raise InputError("stores must be given once each: what is held out of one would be trained on from the other")
    out.parent.mkdir(parents=True, exist_ok=True)
    with _limited(c.lesson.threads), _lesson_folder(out, kept_in) as folder:
        live = Embedder(start, device="cpu", threads=c.lesson.threads)
        try:
            seen = _pure(stores, live, c, None if kept_in is None else folder, stop, counts)
            sides_file = None if people is None else Path(people)
            trained, held_out, seen_until = _shared_out(seen, c.slices, sides_file, seen_until, counts)
            del seen  # as large as a harvest
            missing = _too_few(trained.crops, held_out.crops, c.slices)
            if missing:
                return AdaptResult(admitted=False, reason=missing, verdict=None, model=None, counts=counts)
            trained = trained.drawn(_MOST_TRAINED, max(_ENOUGH_OF_A_PIECE, c.lesson.pictures), seed)
            held_out = held_out.drawn(_MOST_HELD_OUT, _ENOUGH_OF_A_PIECE, seed)
            lesson = _Lesson(live, Path(start), base, load_figures(), c, replay, seed, stop)
            draft = folder / out.name
            if not lesson.teach(trained, held_out.crops, draft, progress):
                raise StoppedError
            verdict = lesson.judge(draft, held_out)
        except StoppedError:
            return AdaptResult(admitted=False, reason="it was stopped", verdict=None, model=None, counts=counts)
        if verdict.admitted:
            draft.replace(out)
    return AdaptResult(verdict.admitted, verdict.reason, verdict, out if verdict.admitted else None, counts, seen_until)


@contextlib.contextmanager
def _limited(threads: int) -> Iterator[None]:
    """So many threads for torch's arithmetic and for OpenCV's, and so for reading pictures; afterwards as before."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        with limited_threads(threads):
            yield
    finally:
        cv2.setNumThreads(before)


@contextlib.contextmanager
def _lesson_folder(out: Path, kept_in: str | Path | None) -> Iterator[Path]:
    if kept_in is not None:
        Path(kept_in).mkdir(parents=True, exist_ok=True)
        yield Path(kept_in)
        return
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".adapt-") as folder:
        yield Path(folder)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Crops, and what the embedder that is live makes of them."""

    crops: Crops
    vectors: NDArray[np.float32]
    """(N, D)"""

    def take(self, rows: NDArray[Any]) -> _Seen:
        """These rows, indices or a mask."""
        return _Seen(self.crops.subset(rows), self.vectors[rows])

    def drawn(self, most: int, each: int, seed: int) -> _Seen:
        """At most so many, see `draw_groups`."""
        return self.take(draw_groups(self.crops, most, each=each, seed=seed))


def _pure(
    stores: Sequence[str | Path],
    live: Embedder,
    config: AdaptConfig,
    kept_in: Path | None,
    stop: _Stop,
    counts: dict[str, int],
) -> _Seen:
    """Crops of pure pieces; how many there were of what goes into `counts`."""
    # a harvest is larger than any cache, and looked at once
    data = DataConfig(cache_mb=0)
    tracklets = join_crops([read_store_crops(Path(store), data) for store in stores], cache_mb=0)
    vectors = vectors_of(live, tracklets, stop, kept_in)
    pieces = purify(vectors, tracklets.identity, tracklets.time_s, tracklets.together, config.purity)
    counts |= {"crops": len(tracklets), "tracklets": len(tracklets.identities), "pieces": len(pieces.tracklet)}
    counts |= {"cuts": pieces.cut, "crops left out": pieces.left_out}
    return _Seen(of_pieces(tracklets, pieces), vectors[pieces.piece >= 0])


def _shared_out(
    seen: _Seen, config: SliceConfig, people: Path | None, seen_until: Sequence[float] | None, counts: dict[str, int]
) -> tuple[_Seen, _Seen, Sequence[float] | None]:
    """What is trained on, what is held out, `AdaptResult.seen_until`; who is on which side is written down."""
    before = {} if people is None else (read_json(people) or {})
    held_out = hold_out(seen.crops, config, before, seen_until=seen_until)
    if seen_until is None and not before and held_out.any():
        seen_until = seen_by_training(seen.crops, held_out)
    if people is not None:
        write_json(people, still_told_of(before, seen.crops) | sides(seen.crops, held_out))
    counts |= {"trained on": int((~held_out).sum()), "held out": int(held_out.sum())}
    return seen.take(~held_out), seen.take(held_out), seen_until


def _too_few(trained: Crops, held_out: Crops, config: SliceConfig) -> str:
    """What is missing to learn anything; nothing where all is well."""
    for part, what, least in (
        (trained, "train on", config.least_trained),
        (held_out, "judge by", config.least_held_out),
    ):
        if len(found := accompanied(part)) < least:
            return (
                f"there are {len(found)} tracklets to {what} that were seen beside others, and {least} are needed: "
                "let more be seen"
            )
    return ""


class _Lesson:
    """One candidate: taught, moved back as far as it forgot, and judged.

    Args:
        live: what it begins as.
        start: its file.
        base: the file of what the site began with; None: `live`.
        figures: the fixed set.
        config: see `AdaptConfig`.
        replay: see `adapt`.
        seed: of all that is drawn.
        stop: see `adapt`; all methods raise StoppedError where it said so.
    """

    def __init__(
        self,
        live: Embedder,
        start: Path,
        base: str | Path | None,
        figures: Figures,
        config: AdaptConfig,
        replay: Replayer | None,
        seed: int,
        stop: _Stop,
    ) -> None:
        self._live, self._start, self._figures = live, start, figures
        self._base_file = base
        self._base = live if base is None else Embedder(base, device="cpu", threads=config.lesson.threads)
        self._config, self._replay, self._seed, self._stop = config, replay, seed, stop
        self._began = OnnxGraph(start)

    def teach(self, trained: _Seen, held_out: Crops, draft: Path, progress: Callable[[TrainProgress], None]) -> bool:
        """Write a candidate; False where it was stopped."""
        lesson = self._config.lesson
        crops = join_crops([trained.crops, self._figures.learned])
        frozen = self._began.all_but_last(lesson.trained_share)
        training = _training(lesson, self._start, frozen, self._live, self._seed)
        result = run_training(
            training,
            crops,
            held_out,
            draft,
            make_objective=lambda model, _classes: TrackletObjective(
                model,
                crops.relations,
                hard_from_step=lesson.steps * lesson.easy_share,
                dropped_positives=lesson.dropped_positives,
                memory_weight=lesson.memory_weight,
                remembered=lesson.remembered_batches * lesson.identities * lesson.pictures,
                remember_after=warmup_steps(training.epochs * _EPOCH_STEPS, training.optimizer),
                seed=self._seed,
            ),
            teacher=self._teacher(trained, crops) if lesson.memory_weight > 0 else None,
            may_share=True,
            existing="resume" if Folder.beside(draft).checkpoint.exists() else "refuse",
            progress=progress,
            stop=self._stop,
        )
        if result.model is not None:
            self._go_only_so_far(draft, held_out)
        return result.model is not None

    def judge(self, draft: Path, held_out: _Seen) -> Verdict:
        """What the gate says of a candidate."""
        candidate = Embedder(draft, device="cpu", threads=self._config.lesson.threads)
        if candidate.info.calibration is None:
            return Verdict(admitted=False, reason=_uncalibrated(held_out.crops))
        canary = self._figures.canary
        fixed = self._vectors(self._base, canary), self._vectors(candidate, canary), canary.identity
        vectors = self._vectors(candidate, held_out.crops)
        few = np.arange(min(BATCH, len(held_out.crops)))
        pixels = held_out.crops.pixels(few, *self._began.form)
        began = self._start if self._base_file is None else self._base_file
        base, taught = (partial(Embedder, model, device="cpu", threads=1) for model in (began, draft))
        taken_ms = latencies(base, taught, pixels, self._config.gate.most_slower)
        replays = base_replay = None
        if self._replay is not None:
            replays = self._replay(self._live), self._replay(candidate)
            if self._base.info.model_hash != self._live.info.model_hash:  # minutes, so not twice of the same
                base_replay = self._replay(self._base)
        self._go_on()
        return judge(
            held_out.vectors, vectors, held_out.crops, fixed, self._config.gate,
            replays=replays, base_replay=base_replay, latency_ms=taken_ms, seed=self._seed,
        )  # fmt: skip

    def _teacher(self, trained: _Seen, crops: Crops) -> Teacher:
        """What the site began with, of what is trained on and the figures."""
        if self._base_file is not None:
            return EmbedderTeacher(self._base_file, crops, threads=self._config.lesson.threads)
        known = np.concatenate((trained.vectors, self._vectors(self._live, self._figures.learned)))  # (N, D)
        return lambda rows: known[rows]

    def _vectors(self, embedder: Embedder, crops: Crops) -> NDArray[np.float32]:
        """(N, D) of all crops."""
        return vectors_of(embedder, crops, self._stop)

    def _go_on(self) -> None:
        if self._stop():
            raise StoppedError

    def _go_only_so_far(self, draft: Path, held_out: Crops) -> None:
        """Move a candidate back towards where it began, until it knows the figures about as well as the base does.

        Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models": weights on the way between two
        networks, of which one was trained on from the other, keep most of what both know.
        """
        limit, taught = self._figures.limit, OnnxGraph(draft)
        least = map_of(self._vectors(self._base, limit), limit.identity) - self._config.lesson.most_figure_loss
        began, end = self._began.state_dict(), copy.deepcopy(taught.state_dict())
        share = _SHARES[0]
        for share in _SHARES:
            taught.load_state_dict({name: _between(began[name], value, share) for name, value in end.items()})
            if map_of(_network_vectors(taught, limit), limit.identity) >= least:
                break
        self._go_on()
        vectors = _network_vectors(taught, held_out)
        fit = calibrate(
            vectors, held_out.identity, relations=held_out.relations, seed=self._seed, data="held-out tracklets"
        )
        said = f"{taught.card.training} {share:.0%} of the way there from where it began."
        write_graph(taught, replace(taught.card, calibration=fit, scores=(), training=said), draft, seed=self._seed)


def _uncalibrated(held_out: Crops) -> str:
    """Why `calibrate` finds nothing."""
    return (
        f"what its cosines mean cannot be said from {len(held_out)} held-out crops of {len(held_out.identities)} "
        "pieces: there must be ten pieces or more, and crops of one of them surely more alike than crops of two"
    )


def _training(lesson: LessonConfig, start: Path, frozen: tuple[str, ...], live: Embedder, seed: int) -> TrainConfig:
    """A lesson as the trainer's settings."""
    return TrainConfig(
        epochs=max(1, lesson.steps // _EPOCH_STEPS),
        epoch_steps=_EPOCH_STEPS,
        seed=seed,
        device=lesson.device,
        threads=lesson.threads,
        log_every=_EPOCH_STEPS // 5,
        model=ModelConfig("onnx", pretrained=start),
        loss=LossConfig(identity_weight=0.0),
        sampler=SamplerConfig(identities=lesson.identities, pictures=lesson.pictures),
        optimizer=OptimizerConfig(
            learning_rate=lesson.learning_rate,
            weight_decay=0.0,
            clip_norm=1.0,
            average_decay=lesson.average_decay,
            frozen=frozen,
            freeze_batch_norm=lesson.freeze_batch_norm,
        ),
        validation=ValidationConfig(every=10**6, keep="last"),
        card=CardConfig(name=live.card.name, licence=live.card.licence, data="tracklets of a site"),
    )


def _between(began: Tensor, end: Tensor, share: float) -> Tensor:
    """So far on the way; counters of batch norms are whole numbers, and stay those of the end."""
    return torch.lerp(began, end, share) if end.is_floating_point() else end


def _network_vectors(network: OnnxGraph, crops: Crops) -> NDArray[np.float32]:
    """(N, D) of all crops."""
    return embed_crops(network, crops, network.form, torch.device("cpu"), Processes())
