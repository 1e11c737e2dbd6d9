"""An embedder that is exchanged between two frames: the next one is loaded and made ready beside, never in the way."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.card import Card
from reid.checks import check_number
from reid.embedder import Embedder, EmbedderInfo
from reid.errors import DataError, InputError, ModelError
from reid.online.crop_memory import CropMemory, CropMemoryConfig, look_at, mean_vectors
from reid.online.news import put_off_of
from reid.online.registry import CurrentModel, ModelRegistry
from reid.online.smoke import open_checked

Remake: TypeAlias = Callable[[NDArray[np.int64], NDArray[np.float64]], tuple[NDArray[np.float32], NDArray[np.float64]]]
"""Identities (n,), and until when (n,) what was seen of them counts -> the mean vectors (n, D) of their crops, of unit
length, and how many crops (n,) there were; zeros where there was none."""

_BATCH = 16  # crops that are embedded before the thread rests, so that the one that tracks is not kept waiting
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """How a running tracker comes to use a model that was admitted."""

    poll_s: float = 2.0
    """Seconds between two looks at whether another model is to be live."""
    retry_s: float = 300.0
    """A model that could not be loaded, by no fault of its own, is tried again after this time."""
    crops: CropMemoryConfig = field(default_factory=CropMemoryConfig)
    """What is remembered of everybody, for the next model to look at."""

    def __post_init__(self) -> None:
        for name in ("poll_s", "retry_s"):
            check_number(name, getattr(self, name), above=0)


class LiveEmbedder:
    """The model of a registry that is live, as an embedder (`tracker.types.SwappableEmbedder`).

    A thread of its own sees that another model is to be live, loads and checks it, and embeds with it all crops that
    are remembered. Only then is it `ready`; `swap` exchanges one for the other, which is done between two frames, by
    the thread that tracks. A model that cannot serve is never live here; it is rolled back from in the registry where
    another one does serve at that moment, and tried again later where none does.

    Args:
        registry: which model is to be live.
        device: where models run, see `reid.Embedder`.
        config: see `LiveConfig`.

    Raises:
        ModelError: no model of the registry can be loaded.
        DeviceError: the device cannot be used.
    """

    def __init__(self, registry: ModelRegistry, *, device: str = "auto", config: LiveConfig | None = None) -> None:
        self.config = config or LiveConfig()
        self.problem: str | None = None
        """Why a model that should be live is not; None where all is well."""
        self._registry, self._device = registry, device
        self._memory = CropMemory(self.config.crops)
        self._stamp = registry.stamp()
        number, self._live = self._first()
        self._numbers = {self._live.info.model_hash: number}  # of all that were live here
        self._waiting: tuple[int, Embedder] | None = None
        self._ready = False
        self._again_s = -math.inf  # when to look, and to try again, whether something changed or not
        self._tried: str | None = None  # SHA-256 of what could not be loaded
        self._to_forget: deque[int] = deque()
        self._errands: list[Callable[[], object]] = []  # what writes files, and so is done by the thread
        self._waits_for: str | None = None  # why the first of those that wait could not be done
        self._exchange = threading.Lock()  # held while it is decided which models there are
        self._wake, self._closed = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="reidtrack-live-embedder", daemon=True)
        self._thread.start()

    # ---- the embedder --------------------------------------------------------------------------------------------

    @property
    def info(self) -> EmbedderInfo:
        """Of the model that is live."""
        return self._live.info

    @property
    def card(self) -> Card:
        """Of the model that is live."""
        return self._live.card

    @property
    def device(self) -> str:
        """What it runs on."""
        return self._live.device

    @property
    def number(self) -> int:
        """Of the model that is live here, in the registry."""
        return self._numbers[self._live.info.model_hash]

    def __call__(self, image: NDArray[np.uint8], boxes: ArrayLike) -> NDArray[np.float32]:
        """Embed what lies inside the boxes, as `reid.Embedder` does."""
        return self._live(image, boxes)

    # ---- its exchange --------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether another model waits, and has looked at what is remembered."""
        return self._ready

    def swap(
        self, adopt: Callable[[EmbedderInfo, Remake], object] | None = None
    ) -> tuple[EmbedderInfo, EmbedderInfo] | None:
        """Exchange the model that is live for the one that waits. Call it between two frames.

        Args:
            adopt: called before, with what is known of the new model and a function that gives its vectors of
                everybody remembered; `tracker.Tracker.change_embedder` is one. Whatever it raises is raised here: the
                old model stays live then, and the new one is given up.

        Returns:
            What is known of the old and of the new one; None where none is ready.
        """
        with self._exchange:
            if self._waiting is None or not self._ready:
                return None
            number, embedder = self._waiting
            old_number, old = self.number, self._live
            self._waiting, self._ready = None, False
            try:
                if adopt is not None:
                    adopt(embedder.info, lambda *wanted: mean_vectors(self._memory, embedder, *wanted))
            except Exception as error:
                self._put_off(embedder.info.model_hash, f"model {number} could not be taken over: {error}")
                raise
            self._numbers[embedder.info.model_hash], self._live = number, embedder
            note = {"number": number, "sha256": embedder.info.model_hash, "before": old_number}
            self._errands.append(lambda: self._registry.folder.history.append("swapped", **note))
        self._wake.set()
        _logger.info("model %d is live, in the place of model %d", number, old_number)
        return old.info, embedder.info

    def roll_back(self, reason: str, model_hash: str, *, keep_harvest: bool = False) -> None:
        """Have a model that was live here rolled back from; if it still is, the one before it is ready a moment later.

        Args:
            reason: why, for the history.
            model_hash: of the model that was judged: whoever judges what was tracked may be late, and another live.
            keep_harvest: go on learning from what it was the first to learn from.

        Raises:
            InputError: that model was never live here.
        """
        number = self._number_of(model_hash)
        self.run_beside(lambda: self._registry.roll_back(reason, number=number, keep_harvest=keep_harvest))

    def doubt(self, reason: str, model_hash: str, camera: str, then: Callable[[], object]) -> None:
        """Have the history say that a model that was live here may be worse than the one before it, or not any more.

        Args:
            reason: why, for the history; nothing takes back what was said.
            model_hash: of the model.
            camera: name of the source at which it seems so.
            then: called by another thread, once that is on the disk.

        Raises:
            InputError: that model was never live here.
        """
        note = {"number": self._number_of(model_hash), "camera": camera, "reason": reason}

        def tell() -> None:
            self._registry.folder.history.append("doubted" if reason else "trusted", **note)
            then()

        self.run_beside(tell)

    def is_quarantined(self, model_hash: str) -> bool:
        """Whether a model was rolled back from, by whomever; False where that cannot be read now."""
        with contextlib.suppress(DataError, ModelError, OSError):
            return any(each.sha256 == model_hash for each in self._registry.quarantined)
        return False

    def run_beside(self, job: Callable[[], object]) -> None:
        """Have the thread that looks for models do this soon, such as to write a file.

        What cannot be done now (DataError, OSError) is tried again, whatever else it raises ends it.
        """
        self._errands.append(job)
        self._wake.set()

    def close(self) -> None:
        """End the thread, once it has written what is to be written; harmless more than once."""
        self._closed = True
        self._wake.set()
        self._thread.join()

    def __enter__(self) -> LiveEmbedder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- what is remembered --------------------------------------------------------------------------------------

    def remember(self, ids: NDArray[np.int64], crops: Sequence[NDArray[np.uint8]], time_s: float) -> None:
        """Take clean crops (H, W, 3) of identities (n,) in, as seen at a time; they are copied.

        Raises:
            InputError: a crop is not a picture, or there are not as many as identities.
        """
        self._memory.remember(ids, crops, time_s)

    def renamed(self, old: int, new: int, *, since_s: float) -> None:
        """What was seen as `old` since a time was `new` all the while."""
        self._memory.renamed(old, new, since_s=since_s)

    def forget(self, ids: NDArray[np.int64]) -> None:
        """Drop all that is remembered of identities (n,), and have `to_forget` tell of them; from any thread."""
        self._memory.forget(ids)
        self._to_forget.extend(ids.tolist())

    def to_forget(self) -> NDArray[np.int64]:
        """(n,) identities that were to be forgotten since this was last asked: whoever tracks knows them, too."""
        numbers = []
        while self._to_forget:
            numbers.append(self._to_forget.popleft())
        return np.array(numbers, np.int64)

    def keep_only(self, ids: NDArray[np.int64]) -> None:
        """Drop all that is remembered of all but these identities (n,)."""
        self._memory.keep_only(ids)

    def vectors_again(
        self, ids: NDArray[np.int64], until_s: ArrayLike = np.inf
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Vectors by the model that is live, of the crops that are remembered of identities (n,).

        Args:
            ids: whose.
            until_s: (n,) or one, until when what was seen counts; included.

        Returns:
            Mean vectors (n, D) of unit length, and how many crops made them (n,); zeros where there was none.
        """
        return mean_vectors(self._memory, self._live, ids, until_s)

    def _number_of(self, model_hash: str) -> int:
        number = self._numbers.get(model_hash)
        if number is None:
            raise InputError(f"model_hash must be of a model that was live here, got {model_hash!r}")
        return number

    # ---- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(self.config.poll_s)
            self._wake.clear()
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - tracking goes on with the model that it has
                self._report(f"looking for another model failed: {error}")
        self._do_errands()

    def _look(self) -> None:
        self._do_errands()
        stamp = self._registry.stamp()
        again = time.monotonic() >= self._again_s
        if again:
            self._again_s, self._tried = math.inf, None
        if again or stamp != self._stamp:
            self._stamp = stamp
            try:
                self._consider(self._registry.current())
            except Exception:
                self._again_s = time.monotonic() + self.config.retry_s
                raise
        waiting = self._waiting
        if waiting is not None:
            self._look_at_crops(waiting[1])

    def _consider(self, wanted: CurrentModel) -> None:
        """Load the model that is to be live, unless it is, or waits, or was tried in vain a moment ago."""
        with self._exchange:
            if self._tried != wanted.sha256:
                self._tried = None
            if self._waiting is not None and self._waiting[1].info.model_hash != wanted.sha256:
                self._waiting, self._ready = None, False
            if wanted.sha256 == self._live.info.model_hash:
                self._numbers[wanted.sha256], self.problem = wanted.number, None
                self._errands.append(lambda: self._tell(wanted.number, None))
                return
            if self._waiting is not None or self._tried is not None:
                return
        embedder = self._load(wanted)
        if embedder is not None:
            with self._exchange:
                self._waiting, self.problem = (wanted.number, embedder), None

    def _load(self, wanted: CurrentModel) -> Embedder | None:
        """The model, once it was checked; None where it does not serve, now or ever."""
        try:
            return self._opened_or_rolled_back(wanted)
        except Exception as error:  # noqa: BLE001 - such as a machine without memory or threads left, which may change
            problem = f"model {wanted.number} cannot be used on {self._device} now: {error}"
            self._put_off(wanted.sha256, problem)
            self._errands.append(lambda: self._tell(wanted.number, problem))
        return None

    def _opened_or_rolled_back(self, wanted: CurrentModel) -> Embedder | None:
        try:
            return self._opened(wanted)
        except ModelError as error:
            if not self._is_to_blame(wanted):
                raise
            self._report(f"model {wanted.number} cannot serve: {error}")
            # what it learned from did not keep it from being opened
            self._registry.roll_back(str(error), number=wanted.number, keep_harvest=True)
            self._wake.set()  # to look at the one before it
            return None

    def _is_to_blame(self, wanted: CurrentModel) -> bool:
        """Whether it is the model that does not serve, and not this moment or this device.

        Where the machine has no memory or no threads left, no model is opened, and the error is the same. So another
        one must serve here and now, and this one still not, nor on the CPU.
        """
        if wanted.number == 0 or self._newest_that_serves(but=wanted.number) is None:
            return False
        return not any(_serves(wanted.path, device) for device in dict.fromkeys((self._device, "cpu")))

    def _opened(self, wanted: CurrentModel) -> Embedder:
        embedder = open_checked(wanted.path, device=self._device)
        if embedder.info.model_hash != wanted.sha256:
            raise ModelError(f"model {wanted.path} changed while it was loaded")
        return embedder

    def _first(self) -> tuple[int, Embedder]:
        """The model to begin with: the one that is live, or that was live before, if that cannot be loaded.

        Whether it ever can is found by the thread, which tries it again.
        """
        wanted = self._registry.current()
        try:
            return wanted.number, self._opened(wanted)
        except ModelError as error:
            found = self._newest_that_serves(but=wanted.number)
            if found is None:
                raise
            _logger.warning("model %d cannot be used: %s; it begins with model %d", wanted.number, error, found[0])
            return found

    def _newest_that_serves(self, *, but: int) -> tuple[int, Embedder] | None:
        """The newest one that serves on this device, but for one, where there is any."""
        for number in self._registry.were_live():
            if number != but:
                with contextlib.suppress(ModelError):  # nor may it be kept any more
                    return number, open_checked(self._registry.path(number), device=self._device)
        return None

    def _look_at_crops(self, embedder: Embedder) -> None:
        """Embed what the waiting model has not seen, resting as long as it works."""
        while (missing := self._memory.not_seen_by(embedder.info.model_hash)) and not self._closed:
            began = time.monotonic()
            look_at(missing[:_BATCH], embedder)
            if len(missing) <= _BATCH:
                break  # those that came meanwhile are few
            time.sleep(time.monotonic() - began)
        with self._exchange:
            self._ready = self._waiting is not None and self._waiting[1] is embedder

    def _do_errands(self) -> None:
        """All of them; what cannot be done now, since a disk is full or a file locked, waits for the next look."""
        waits_for = None
        for errand in tuple(self._errands):
            try:
                errand()
            except (DataError, OSError) as error:
                waits_for = waits_for or str(error)
                continue
            except ModelError as error:
                self._report(str(error))
            except Exception as error:  # noqa: BLE001 - it would be raised again and again
                self._report(f"something is given up that was to be done: {error!r}")
            self._errands.remove(errand)
        if waits_for is not None:
            self._report(waits_for)
        elif self.problem == self._waits_for:
            self.problem = None
        self._waits_for = waits_for

    def _tell(self, number: int, problem: str | None) -> None:
        """Have the history say, once, that a model that is to be live is put off, or that it is live for all that."""
        history = self._registry.folder.history
        if (put_off_of(number, history.read()) is None) != (problem is None):
            fields = {} if problem is None else {"reason": problem}
            history.append("taken_up" if problem is None else "put_off", number=number, **fields)

    def _put_off(self, model_hash: str, problem: str) -> None:
        self._tried, self._again_s = model_hash, time.monotonic() + self.config.retry_s
        self._report(problem)

    def _report(self, problem: str) -> None:
        if problem != self.problem:  # what is tried again and again is told once
            _logger.warning("%s; model %d stays live", problem, self.number)
        self.problem = problem


def _serves(path: Path, device: str) -> bool:
    try:
        open_checked(path, device=device)
    except ModelError:
        return False
    return True
