"""Moments at which a process is killed: any, or just after something was seen on the disk."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_LOOK_S = 0.003


@dataclass(frozen=True)
class Sight:
    """Something that is seen on the disk while a process is at something."""

    doing: str
    """What it is at."""
    pattern: str
    """A file or folder in the online folder that was changed since the process began."""
    within_s: float
    """The kill comes at random within so many seconds of it."""


WORKER_SIGHTS = (
    Sight("copying the harvest", "training/*/harvest", 0.1),
    Sight("copying bursts", "training/*/replay", 0.1),
    Sight("training", "training/*/lesson", 2.0),
    Sight("writing the candidate", "training/*/lesson/candidate.onnx", 0.3),
    Sight("admitting", "training/*/candidate.onnx", 0.1),
    Sight("admitting", "models/draft.onnx", 0.05),
    Sight("noting", "history.jsonl", 0.02),
    Sight("sharing out", "training/*/.people.json-draft", 0.01),
    Sight("noting", "people.json", 0.01),
)
TRACKER_SIGHTS = (
    Sight("thinning the harvest", "harvest/*/*/.store.jsonl-draft", 0.05),
    Sight("recording a burst", "replay/*/.*.npz-draft", 3.5),
    Sight("keeping a burst", "replay/*/*.npz", 0.05),
    Sight("swapping", "current.json", 1.0),
    Sight("noting", "history.jsonl", 0.02),
    Sight("noting", "watch.json", 0.02),
    Sight("noting", "harvest/totals.json", 0.02),
)


@dataclass(frozen=True)
class Moment:
    """When to kill."""

    doing: str
    """What the process is at."""
    sight: Sight | None
    """What is waited for; None: the start of the process."""
    after_s: float
    """Seconds from then."""

    @classmethod
    def draw(cls, sights: tuple[Sight, ...], any_s: float, rng: np.random.Generator) -> Moment:
        """Half of them any moment within `any_s` of the start, half within a moment of a sight, if there are any."""
        if not sights or rng.random() < 0.5:
            return cls("anything", None, float(rng.uniform(0, any_s)))
        sight = sights[int(rng.integers(len(sights)))]
        return cls(sight.doing, sight, float(rng.uniform(0, sight.within_s)))

    def wait(self, folder: Path, is_alive: Callable[[], bool], longest_s: float = 120.0) -> bool:
        """Wait for it; False where the process ended before, or nothing was seen for so long."""
        began = time.time()
        while self.sight is not None and not _seen(folder, self.sight.pattern, began):
            if not is_alive() or time.time() > began + longest_s:
                return False
            time.sleep(_LOOK_S)
        until = time.monotonic() + self.after_s
        while (left_s := until - time.monotonic()) > 0:
            if not is_alive():
                return False
            time.sleep(min(left_s, 0.05))
        return is_alive()


def _seen(folder: Path, pattern: str, since_unix_s: float) -> bool:
    with contextlib.suppress(FileNotFoundError):  # a folder went while it was looked into
        return any(_changed_unix_s(path) > since_unix_s for path in folder.glob(pattern))
    return False


def _changed_unix_s(path: Path) -> float:
    with contextlib.suppress(OSError):  # it went meanwhile
        return path.stat().st_mtime
    return 0.0
