"""The models of an online folder: numbered, checked, and one of them live.

    models/0-1a2b3c4d5e6f.onnx     the base
    models/3-0f1e2d3c4b5a.onnx     a number, and the first digits of the file's SHA-256
    current.json                   which one is live, and all else that is known of them (`reid.online.registry_state`)
    history.jsonl                  a line a change, in which `change` counts them

Everything that a change needs is written before it: a change is the one moment in which `current.json` is replaced.
What comes after it (its line in the history, the end of files that are not kept) is made good by whoever comes next.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reid.checks import check_whole
from reid.embedder import DEFAULT_MODEL
from reid.errors import DataError, ModelError
from reid.online.folder import OnlineFolder
from reid.online.registry_files import RegistryFiles, card_sha256_of, sha256_of
from reid.online.registry_state import (
    LivePeriod,
    ModelRecord,
    Quarantined,
    RegistryState,
    Why,
    Window,
    plain_figures,
)
from reid.online.smoke import open_checked

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegistryConfig:
    """Which models are kept."""

    keep: int = 3
    """How many of the models that were live last are kept beside the base, to go back to."""

    def __post_init__(self) -> None:
        check_whole("keep", self.keep, 2)


@dataclass(frozen=True, slots=True)
class CurrentModel:
    """The model that is live."""

    number: int
    """Of the model."""
    path: Path
    """Its file."""
    sha256: str
    """Of the file."""
    since_unix_s: float
    """When it became live."""


class ModelRegistry:
    """The models of one online folder. Any number of processes and threads may use it at once.

    Args:
        folder: the online folder.
        base: the file of number 0, the embedder that the folder was begun with, of which a copy is taken: `default` or
            an ONNX file. None: the copy that is there, else `default`.
        config: which models are kept.
        clock: gives Unix seconds.
        repair: whether what is damaged is repaired at once; False for whoever only reads, and may not be allowed to
            write: then it is when something is asked that cannot be told without.

    Raises:
        ModelError: the base is not sound, or is another one than the folder's, or no sound model is left.
        DataError: another process does not let go of the folder.
        OSError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: OnlineFolder,
        *,
        base: str | Path | None = None,
        config: RegistryConfig | None = None,
        clock: Callable[[], float] = time.time,
        repair: bool = True,
    ) -> None:
        self.folder = folder
        self.config = config or RegistryConfig()
        self._files, self._clock = RegistryFiles(folder), clock
        self._base = DEFAULT_MODEL if base in (None, "default") else Path(str(base))
        if base is not None and (sha256 := sha256_of(self._base)) != folder.base.sha256:
            raise ModelError(
                f"{folder.path} was begun with {folder.base.name} ({folder.base.sha256[:12]}), got {self._base} "
                f"({sha256[:12]}): give the same base, or another folder"
            )
        self._thread_lock = threading.Lock()
        if repair:
            with self._changing():
                pass

    # ---- what is asked -------------------------------------------------------------------------------------------

    def current(self) -> CurrentModel:
        """The model that is live, its file checked against its SHA-256.

        Where `current.json` or that file is damaged or missing, the newest sound one that was live before it is live
        from now on: a warning says so, and the history.

        Raises:
            ModelError: no sound model is left.
            DataError: something is damaged, and this user may not write the folder.
            OSError: the folder cannot be written where it must be.
        """
        state, damage = self._files.read()
        if state is None or (damage := damage or self._damage(state)):
            state = self._repaired(damage)
        live = state.live[-1]
        return CurrentModel(live.number, self._files.path(_of(state, live.number)), live.sha256, live.since_unix_s)

    @property
    def models(self) -> tuple[ModelRecord, ...]:
        """Those that are kept."""
        return self._state().models

    @property
    def history(self) -> tuple[LivePeriod, ...]:
        """Who was live since when; the last one still is. At most the last thousand."""
        return self._state().live

    def were_live(self) -> list[int]:
        """Numbers of those that may be live again, the one that was live last first; the base is the last."""
        return self._state().were_live()

    @property
    def quarantined(self) -> tuple[Quarantined, ...]:
        """The models that were rolled back from, and what they had learned from."""
        return self._state().quarantined

    def path(self, number: int) -> Path:
        """The file of a model that is kept.

        Raises:
            ModelError: it is not kept.
        """
        return self._files.path(_of(self._state(), number))

    def stamp(self) -> tuple[int, int, int]:
        """Differs from an earlier one when another model may be live: cheap, for those who look often."""
        return self._files.stamp()

    # ---- what is changed -----------------------------------------------------------------------------------------

    def admit(
        self,
        path: str | Path,
        figures: Mapping[str, Any] | None = None,
        *,
        window: Window | None = None,
        reason: str = "",
        instead_of: str | None = None,
    ) -> int:
        """Make a model live, of which a copy is taken. The one that is live already stays, under its number.

        Args:
            path: an ONNX file.
            figures: what was measured of it; numbers that are not finite are kept as None.
            window: from when to when that was seen which no model before had learned from, in Unix seconds;
                quarantined if the model is rolled back from.
            reason: why, for the history.
            instead_of: SHA-256 of the model that it is better than; None: whichever is live.

        Returns:
            Its number.

        Raises:
            ModelError: it is not sound (see `reid.online.smoke`), or was rolled back from, or another model is live
                than the one that it is better than.
            InputError: JSON cannot say the figures.
            OSError: it cannot be read or copied. Whatever is raised, nothing has changed.
        """
        with self._changing() as state, self._files.draft(Path(path)) as draft:
            sha256 = sha256_of(draft)
            if instead_of not in (None, state.live[-1].sha256):
                raise ModelError("another embedder went live meanwhile than the one that this one was compared with")
            if sha256 == state.live[-1].sha256:
                return state.number
            record = self._checked(draft, sha256, state.next_number)
            if state.is_quarantined(sha256, record.weights_hash):
                raise ModelError(f"model {path} was rolled back from, and is never made live again")
            record = replace(record, figures=plain_figures(figures or {}), window=window)
            self._files.settle(draft, record)
            self._make_live(replace(state, models=(*state.models, record)), record, "admitted", reason)
            return record.number

    def roll_back(self, reason: str, *, number: int | None = None, keep_harvest: bool = False) -> int:
        """Go back to the sound model that was live before; the one that is left is quarantined with its window.

        Args:
            reason: why, for the history.
            number: of the model that is meant; None: the one that is live. Where another one is live by now, that one
                stays.
            keep_harvest: quarantine no window: what it learned from is not to blame.

        Returns:
            The number of the model that is live then.

        Raises:
            ModelError: the base is meant, before which nothing was live, or a model that is not kept, or no sound model
                is left.
        """
        with self._changing() as state:
            bad = _of(state, state.number if number is None else number)
            if bad.number == 0:
                raise ModelError("the base cannot be rolled back from: nothing was live before it")
            window = None if keep_harvest else bad.window
            note = Quarantined(bad.number, bad.sha256, bad.weights_hash, window, reason, self._clock())
            others = tuple(each for each in state.quarantined if each.number != bad.number)
            state = replace(state, quarantined=(*others, note))
            live = self._newest_sound(state) if state.number == bad.number else _of(state, state.number)
            _logger.warning("model %d was rolled back from, model %d is live: %s", bad.number, live.number, reason)
            self._make_live(state, live, "rolled_back", reason)
            return live.number

    # ---- how it is done ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _changing(self) -> Iterator[RegistryState]:
        """Keeps all others from changing anything; gives what is known, once what is damaged was repaired."""
        with self._thread_lock, self._files.locked():
            state, damage = self._files.read()
            if state is None:
                state = self._begin()
            elif damage := damage or self._damage(state):
                live = self._newest_sound(state)
                _logger.warning("%s: %s; model %d is live", self.folder.path, damage, live.number)
                state = self._make_live(state, live, "fell_back", damage)
            else:
                self._files.make_good(state)
            yield state

    def _state(self) -> RegistryState:
        state, damage = self._files.read()
        return state if state is not None and not damage else self._repaired(damage)

    def _repaired(self, damage: str) -> RegistryState:
        try:
            with self._changing() as state:
                return state
        except OSError as error:
            if not isinstance(error, PermissionError) and error.errno != errno.EROFS:
                raise
            raise DataError(
                f"{self.folder.path}: {damage}, which only somebody can repair who may write there: {error}"
            ) from error

    def _damage(self, state: RegistryState) -> str:
        """What is wrong with the model that is live; nothing where all is well."""
        return self._files.damage(_of(state, state.number))

    def _begin(self) -> RegistryState:
        """A new folder, or one of which nothing is left but files of models: the base is live."""
        found = self._files.found()
        source = found.get(0, self._base)
        with self._files.draft(source) as draft:
            base = self._checked(draft, sha256_of(draft), 0)
            if base.sha256 != self.folder.base.sha256:
                wanted = f"{self.folder.base.name} ({self.folder.base.sha256[:12]})"
                raise ModelError(f"{self.folder.path} was begun with {wanted}, which is needed again: give it (base=)")
            self._files.settle(draft, base)
        state = RegistryState(0, max(found, default=0) + 1, (base,), ())
        return self._make_live(state, base, "begun")

    def _checked(self, draft: Path, sha256: str, number: int) -> ModelRecord:
        weights_hash = open_checked(draft, threads=1).card.weights_hash
        return ModelRecord(number, sha256, card_sha256_of(draft), weights_hash, admitted_unix_s=self._clock())

    def _newest_sound(self, state: RegistryState) -> ModelRecord:
        """The one that was live last, is not quarantined, has the bytes it should have, and opens."""
        for number in state.were_live():
            model = state.model(number)
            if model is None or (self._files.damage(model) and not self._restored(model)):
                continue
            try:
                open_checked(self._files.path(model), threads=1)
            except ModelError as error:
                _logger.warning("model %d cannot serve: %s", number, error)
                continue
            return model
        raise ModelError(
            f"no sound model is left in {self.folder.path}: give the base again (base=), or another folder"
        )

    def _restored(self, model: ModelRecord) -> bool:
        """Whether this is the base, and is whole again by a new copy of where it came from."""
        if model.number != 0 or not self._base.is_file() or sha256_of(self._base) != model.sha256:
            return False
        with self._files.draft(self._base) as draft:
            self._files.settle(draft, model)
        return not self._files.damage(model)

    def _make_live(self, state: RegistryState, model: ModelRecord, why: Why, reason: str = "") -> RegistryState:
        """The change itself: this model is live from now on."""
        now = self._clock()
        live = state.live
        if not live or live[-1].number != model.number:
            live = (*live, LivePeriod(model.number, model.sha256, now, why, reason))
        state = replace(
            state,
            change=state.change + 1,
            next_number=max(state.next_number, model.number + 1),
            live=live,
        ).kept(self.config.keep if why == "admitted" else None)  # who rolls back may know of no such setting
        state = replace(state, event=state.told(model, why, reason, now))
        self._files.write(state)
        self._files.make_good(state, changed_now=True)
        return state


def _of(state: RegistryState, number: int) -> ModelRecord:
    model = state.model(number)
    if model is None:
        raise ModelError(f"model {number} is not kept, there are {[each.number for each in state.models]}")
    return model
