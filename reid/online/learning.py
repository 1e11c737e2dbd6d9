"""How far the learning in an online folder is: what a worker notes of itself, and what follows for those who ask."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from reid.errors import DataError
from reid.locking import is_locked
from reid.online.config import CycleConfig
from reid.online.cycle import new_crops
from reid.online.files import read_json, write_json
from reid.online.folder import OnlineFolder
from reid.online.ledger import HourTotal
from reid.online.registry import ModelRegistry

Stage: TypeAlias = Literal["waiting", "preparing", "training", "judging"]


@dataclass(frozen=True, slots=True)
class Learning:
    """How far it is."""

    at_work: bool
    """Whether there is a worker."""
    paused: bool
    """Whether somebody paused the learning."""
    rounds: int
    """Number of the last round that was begun; 0 before the first."""
    stage: Stage
    """What the worker does, or did when it ended: wait for crops, look at them, train, or have the gate judge."""
    trained: float
    """Share of the training of this round that is done, 0..1."""
    new_crops: int
    """Crops that were harvested since the last round."""
    needed_crops: int
    """So many begin a round."""

    @property
    def missing_crops(self) -> int:
        """How many more crops begin a round."""
        return max(0, self.needed_crops - self.new_crops)

    def __str__(self) -> str:
        under_way = {
            "waiting": "",
            "preparing": f"round {self.rounds} begins",
            "training": f"round {self.rounds} trains, {self.trained:.0%}",
            "judging": f"round {self.rounds} is judged",
        }[self.stage]
        if self.paused:
            return "learning is paused" + (f" ({under_way})" if under_way else "")
        if not self.at_work:
            goes_on = f" (round {self.rounds} goes on with the next one)" if under_way else ""
            return f"no worker, {self.new_crops} of {self.needed_crops} crops for the next round{goes_on}"
        if under_way:
            return under_way
        return f"{self.missing_crops} crops until the next round" if self.missing_crops else "the next round is due"


class WorkerNote:
    """What the worker of a folder notes of itself in `worker.json`; a disk that takes none keeps it from nothing.

    Args:
        folder: where it is at work.
        config: when it learns.
    """

    def __init__(self, folder: OnlineFolder, config: CycleConfig) -> None:
        self._path, self._needed = folder.worker_note, config.needed_crops

    def waits(self) -> None:
        """No round is under way."""
        self._write("waiting", 0.0)

    def prepares(self) -> None:
        """A round has begun, or goes on."""
        self._write("preparing", 0.0)

    def trained(self, step: int, steps: int) -> None:
        """So many steps of a training are done; after the last one the gate judges."""
        self._write("training" if step < steps else "judging", step / max(1, steps))

    def _write(self, stage: Stage, trained: float) -> None:
        note = {"needed_crops": self._needed, "stage": stage, "trained": round(trained, 4)}
        with contextlib.suppress(OSError):
            write_json(self._path, note)


def learning_of(
    folder: OnlineFolder, registry: ModelRegistry, totals: Sequence[HourTotal], *, config: CycleConfig | None = None
) -> Learning:
    """How far the learning in a folder is.

    Args:
        folder: where.
        registry: of its models.
        totals: what is harvested there (`reid.online.harvest_totals`).
        config: when a worker learns, as long as none has told.

    Raises:
        DataError: `state.json` is damaged.
        ModelError: no sound model is left.
        OSError: something cannot be read.
    """
    state, note = folder.state(), {}
    with contextlib.suppress(DataError):  # a damaged note is no worse than none
        note = read_json(folder.worker_note) or {}
    stage: Stage = next((stage for stage in get_args(Stage) if stage == note.get("stage")), "waiting")
    needed, trained = note.get("needed_crops"), note.get("trained")
    return Learning(
        at_work=is_locked(folder.worker_lock),
        paused=bool(state.get("paused")),
        rounds=int(state.get("rounds", 0)),
        stage=stage,
        trained=trained if isinstance(trained, float) else 0.0,
        new_crops=new_crops(state, totals, registry),
        needed_crops=needed if isinstance(needed, int) else (config or CycleConfig()).needed_crops,
    )
