"""What a round of learning takes of a folder, as it is at its beginning: the harvest and the bursts."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from reid.data.pictures import decode
from reid.errors import DataError
from reid.online.burst_store import burst_files
from reid.online.files import is_full
from reid.online.folder import OnlineFolder
from reid.online.hours import HOUR_S, hour_begin
from reid.online.ledger import hour_folders
from reid.online.registry import ModelRegistry
from reid.online.registry_state import Quarantined
from reid.tracklets import tidy_tracklets


def hours_left_out(hours: Iterable[str], registry: ModelRegistry) -> set[str]:
    """Those of the hours that a model was the first to learn from which was rolled back from."""
    return hours_left_out_for(registry.quarantined, hours)


def hours_left_out_for(rolled_back: Iterable[Quarantined], hours: Iterable[str]) -> set[str]:
    """Those of the hours that one of these models was the first to learn from."""
    bad = [window for each in rolled_back if (window := each.window) is not None]
    begins = {hour: hour_begin(hour) for hour in hours}
    return {
        hour
        for hour, begin in begins.items()
        if begin is not None and any(begin < last and begin + HOUR_S > first for first, last in bad)
    }


def set_harvest_aside(
    folder: OnlineFolder, registry: ModelRegistry, into: Path, *, stop: Callable[[], bool] = lambda: False
) -> None:
    """Set the harvest aside as it is now, without copying pictures where the disk can do without.

    Hours that a model was the first to learn from which made tracking worse are left out. What a tracker thins out or
    an operator forgets meanwhile is gone from this slice with the end of the round. `stop` is asked for every tracklet;
    where it says so, half of the harvest is there.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    into.mkdir()
    stores = hour_folders(folder.harvest)
    left_out = hours_left_out({hour for _, hour in stores}, registry)
    for camera, hour in stores:
        if hour in left_out:
            continue
        _copy(folder.harvest / camera / hour, into / camera / hour, stop)
        if stop():
            return
        try:  # nor what is damaged: one bad byte must not end all learning
            tidy_tracklets(into / camera / hour)
        except DataError:  # so damaged that nothing of it can be read, or of a later version
            shutil.rmtree(into / camera / hour)


def set_bursts_aside(folder: OnlineFolder, into: Path) -> None:
    """Set the bursts aside as they are now: both embedders are tried on the same ones.

    Raises:
        OSError: the folder cannot be written.
    """
    for number, path in enumerate(burst_files(folder.replay), 1):
        into.mkdir(exist_ok=True)
        _linked(str(path), str(into / f"{number:06d}.npz"))


def _copy(store: Path, into: Path, stop: Callable[[], bool]) -> None:
    """A store as it is now; what goes meanwhile is not in it."""
    for here, _, names in os.walk(store):
        if stop():
            return
        there = into / Path(here).relative_to(store)
        there.mkdir(parents=True, exist_ok=True)
        for name in names:
            try:
                _linked(str(Path(here) / name), str(there / name))
            except OSError as error:  # what cannot be read is not learned from
                if is_full(error):
                    raise


def _linked(source: str, target: str) -> None:
    """A second name for a picture or a burst; of what is written to, and where there are no such names, a copy.

    Nothing comes of a picture that is damaged.
    """
    with contextlib.suppress(FileNotFoundError):  # it went meanwhile
        if Path(source).suffix == ".jpg" and decode(Path(source).read_bytes(), 1, 1) is None:
            return
        if Path(source).suffix in (".jpg", ".npz"):
            with contextlib.suppress(OSError):
                os.link(source, target)
                return
        shutil.copyfile(source, target)
