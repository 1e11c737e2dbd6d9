"""Rolls back from a model that makes tracking worse."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.errors import DataError
from reid.online.files import read_json, write_json
from reid.online.live import LiveEmbedder
from reid.online.watch import Verdict, Watch, WatchConfig

_MOST_CAMERAS = 16
"""Cameras that are remembered: each new file may be one."""
_MOST_MODELS = 16
"""Models of which it is remembered what was said: those of the last three that were live may be live again."""
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Doubt:
    """What speaks against a model, whether or not it is live at the moment."""

    reason: str = ""
    """Nothing where nothing does, or does no more."""
    said: bool = False
    """Whether the history was asked last to say that there is such a doubt."""
    told: bool = False
    """Whether the history says so on the disk."""


class SwapGuard:
    """Watches every model that goes live, and has the embedder rolled back from one that is worse than the one before.

    Each camera judges for itself, since cameras differ more than models: by the last model that it found good, or the
    first that it met. That stays the measure for as long as it takes: neither a second model that goes live meanwhile,
    nor the end of the process, nor other cameras between, make an unwatched one the measure.

    Args:
        embedder: whose models are watched.
        config: see `WatchConfig`.
        record: the file in which all this outlives the process; None: nothing does.
        camera: name of the source. The last 16 are remembered.
    """

    def __init__(
        self,
        embedder: LiveEmbedder,
        config: WatchConfig | None = None,
        *,
        record: Path | None = None,
        camera: str = "",
    ) -> None:
        self._embedder, self._watch, self._record, self._camera = embedder, Watch(config), record, camera
        self._model_hash = self._good_hash = embedder.info.model_hash
        self._asked = False  # for the model before to be live again
        self._doubts = {self._model_hash: _Doubt()}  # of those that were live last, the one that is at the end
        self._others: dict[str, Any] = {}  # what is known of other cameras, the one that ran last at the end
        self._seen: dict[str, Any] = {}  # what is to be written
        self._written, self._writing = self._watch.blocks, False
        saved = None if record is None else _read(record)
        if saved is not None:
            self._take_up(saved)

    def update(
        self,
        time_s: float,
        model_hash: str | None,
        *,
        objects: int,
        births: int = 0,
        breaks: int = 0,
        margins: Sequence[float] | NDArray[np.float64] = (),
    ) -> Verdict:
        """Take in what one update of the tracker did; the arguments are those of `Watch.update`.

        `model_hash` is that of the model whose vectors this update was made with (`FrameResult.model_hash`); None where
        it was made without any.
        """
        if model_hash is not None and model_hash != self._model_hash:
            self._changed(model_hash)
        verdict = self._watch.update(time_s, objects=objects, births=births, breaks=breaks, margins=margins)
        if verdict.phase == "kept":
            self._good_hash = self._model_hash
        if verdict.phase == "worse" and not self._asked:
            self._asked = True
            # margins alone may have fallen with the light, for which the hours are not to blame
            self._embedder.roll_back(verdict.reason, self._model_hash, keep_harvest=verdict.margins_alone)
        doubt = self._doubts[self._model_hash]
        if verdict.doubt:
            doubt.reason = doubt.reason or verdict.doubt
        elif verdict.phase == "kept":
            doubt.reason = ""
        if bool(doubt.reason) != doubt.said:
            self._say(doubt)
        if self._watch.blocks != self._written:
            self._note()
        return verdict

    def _say(self, doubt: _Doubt) -> None:
        """Have the history say that there is a doubt, or none any more; it is remembered once that is on the disk."""
        doubt.said = told = bool(doubt.reason)

        def is_told() -> None:
            doubt.told = told

        self._embedder.doubt(doubt.reason, self._model_hash, self._camera, is_told)

    def _changed(self, model_hash: str) -> None:
        self._model_hash, self._asked = model_hash, False
        self._doubts[model_hash] = self._doubts.pop(model_hash, _Doubt())  # as it was left, where it was live before
        for long_ago in list(self._doubts)[:-_MOST_MODELS]:
            del self._doubts[long_ago]
        if self._embedder.is_quarantined(self._good_hash):  # by hand, or at another camera: it is no measure any more
            self._watch, self._good_hash = Watch(self._watch.config), model_hash
        if model_hash == self._good_hash:
            self._watch.rolled_back()
            return
        self._watch.swapped()
        if self._watch.verdict.phase == "calm":  # there is nothing to judge it by: it is what others are judged by here
            self._good_hash = model_hash

    def _take_up(self, saved: dict[str, Any]) -> None:
        """Go on where another process ended; with another model, as after a swap."""
        try:
            cameras = dict(saved["cameras"])
            here, self._others = cameras.pop(self._camera, None), cameras
            if here is None:
                return
            self._watch.restore(here["watch"])
            model_hash, good_hash, doubts = str(here["model"]), str(here["good"]), _doubts_of(here)
        except (KeyError, TypeError, ValueError) as error:
            _logger.warning("what was seen of earlier models is not used: %r", error)
            self._watch = Watch(self._watch.config)
            return
        now, self._model_hash, self._good_hash = self._model_hash, model_hash, good_hash
        self._doubts = doubts
        self._doubts[model_hash] = doubts.pop(model_hash, _Doubt())
        if now != model_hash:
            self._changed(now)

    def _note(self) -> None:
        """Have what is known written, by a thread that does not keep the tracking waiting."""
        self._written = self._watch.blocks
        here = {
            "model": self._model_hash, "good": self._good_hash, "watch": self._watch.saved(),
            "doubts": {model: [each.reason, each.told] for model, each in self._doubts.items()},
        }  # fmt: skip
        others = list(self._others.items())[-(_MOST_CAMERAS - 1) :]
        self._seen = {"cameras": dict([*others, (self._camera, here)])}
        if self._record is not None and not self._writing:
            self._writing = True
            self._embedder.run_beside(partial(self._write, self._record))

    def _write(self, record: Path) -> None:
        try:
            write_json(record, self._seen)
        except (DataError, OSError):
            raise  # it is tried again, with what is known by then
        except Exception:
            self._writing = False  # it is given up, and the next one is not
            raise
        self._writing = False


def _doubts_of(saved: Mapping[str, Any]) -> dict[str, _Doubt]:
    """What was saved of doubts, by model; earlier versions knew of the one that was live alone.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    if "doubts" not in saved:
        told = bool(saved["doubted"])
        return {str(saved["model"]): _Doubt(str(saved["doubt"]), told, told)}
    rows = dict(saved["doubts"]).items()
    return {model: _Doubt(str(reason), bool(told), bool(told)) for model, (reason, told) in rows}


def _read(record: Path) -> dict[str, Any] | None:
    with contextlib.suppress(DataError):  # what is damaged is written anew
        return read_json(record)
    return None
