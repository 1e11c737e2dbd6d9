"""What `reidtrack track --online` harvests of the first part of a clip: tracklets, and bursts of detections."""

from __future__ import annotations

import functools
import hashlib
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import reid
import tracker
from online.clips import Clip
from online.parts import follow, model_digest
from reid.data.stores import find_stores
from reid.online import OnlineTrainer
from tracker import TrackerConfig
from tracker.sinks.harvest import HarvestSink
from tracker.types import FrameResult, RunInfo

BEGIN_UNIX_S = 1_780_272_000.0
"""When every clip begins: with an hour, or its end would cut all tracks, at another moment in every run."""


@dataclass(frozen=True)
class Site:
    """What is learned from."""

    name: str
    """Another one for what was harvested otherwise, or changed since."""
    tracklets: Path
    """The store of the one hour."""
    bursts: Path
    """A folder of what the detector gave now and then, on which candidates are tried."""


def harvest(clip: Clip, model: Path, out: Path) -> Site:
    """Track the first part with this model, with all settings as an operator finds them.

    Raises:
        ValueError: there is no harvest, or it is of more than an hour.
        RuntimeError: the disk failed, or was too slow.
    """
    name = f"{clip.folder.name}-{model_digest(model)}-{_code_digest()}"
    folder = out / "sites" / name
    if not (folder / "done").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        _harvest(clip, model, folder)
        (folder / "done").touch()
    stores = find_stores(folder / "harvest")
    if len(stores) != 1:
        raise ValueError(f"{folder} must hold the harvest of one hour, found {len(stores)}")
    return Site(name, stores[0], folder / "replay")


@functools.cache
def _code_digest() -> str:
    """Changes when the product may harvest or adapt otherwise than before."""
    roots = [Path(package.__file__ or "").parent for package in (reid, tracker)]
    files = sorted(file for root in roots for file in root.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _harvest(clip: Clip, model: Path, folder: Path) -> None:
    config, clock = TrackerConfig(), _ClipClock()
    with OnlineTrainer(
        model, folder, camera=clip.folder.name, rate_hz=clip.rate_hz, device="cpu", worker=False,
        least_score=config.high_score, tracker=asdict(config), wall=clock, steady=clock,
    ) as trainer:  # fmt: skip
        follow(clip, 1, model, [clock, HarvestSink(trainer)])
        status = trainer.status()
    lost = status.harvested.crowded_out + status.harvested.paused
    if lost or status.problems:
        raise RuntimeError(f"{folder} must hold all that was harvested, lost {lost} crops: {status.problems}")


class _ClipClock:
    """Shows the time of a clip, however fast it is tracked; a sink, to be told of it before others."""

    def __init__(self) -> None:
        self._now_s = BEGIN_UNIX_S

    def __call__(self) -> float:
        return self._now_s

    def open(self, run: RunInfo) -> None:
        """Nothing to open."""

    def write(self, result: FrameResult) -> None:
        """Go on to the time of a frame."""
        self._now_s = BEGIN_UNIX_S + result.frame.time_s

    def close(self) -> None:
        """Nothing to close."""
