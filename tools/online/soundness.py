"""Whether an online folder is sound while nobody uses it: what a killed process may leave, and what it may not."""

from __future__ import annotations

import contextlib
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from reid.data.stores import find_stores
from reid.errors import ReidError
from reid.locking import is_locked
from reid.online import OnlineFolder
from reid.online.burst import read_burst
from reid.online.burst_store import burst_files
from reid.online.registry import ModelRegistry
from reid.online.smoke import open_checked
from reid.tracklets import read_tracklets
from tracker.cli.main import main as reidtrack

ASKED = {
    "opens": "the folder opens, and `status` ends with 0",
    "model": "the live model is sound, and is the one that the history says",
    "harvest": "every store reads, and every picture",
    "bursts": "every burst reads, and every picture in it",
    "locks": "no lock is held",
    "files": "no file that does not belong there, no draft taken for a whole one, nothing grows",
}
_JSON = "(online|clock|starts|current|state|watch|people)"
_KNOWN = re.compile(
    rf"{_JSON}\.json|\.{_JSON}\.json-draft|history\.jsonl|\.history\.jsonl-draft|\.?worker\.(log|log\.1|json|yaml)(-draft)?|lock\.\w+|models/.+"
    r"|harvest/\.?totals\.json(-draft)?|harvest/[^/]+/\d{8}-\d\d/.+|training/\d+/.+|replay/[^/]+/\.?\d{6}\.npz(-draft)?"
    r"|replay/\.?forgotten\.json(-draft)?"
)


def examine(path: Path) -> dict[str, list[str]]:
    """What is wrong, by the keys of `ASKED`; nothing there where all is well."""
    wrong: dict[str, list[str]] = {name: [] for name in ASKED}
    with _warnings(wrong["model"]):
        try:
            folder = OnlineFolder.open(path)
            registry = ModelRegistry(folder)
            wrong["model"] += _of_models(folder, registry)
        except (ReidError, OSError) as error:
            wrong["opens"].append(str(error))
            return wrong
    code, said = quietly("online", "status", str(path))
    if code:
        wrong["opens"].append(f"status ended with {code}: {said.strip()[-200:]}")
    with _warnings(wrong["harvest"]):
        wrong["harvest"] += _of_harvest(folder)
    wrong["bursts"] += _of_bursts(folder)
    locks = [path / "online.json", *path.glob("lock.*"), path / "models" / "lock"]
    locks += path.glob("harvest/*/*/store.jsonl")
    wrong["locks"] += [f"{lock.relative_to(path)} is held" for lock in locks if is_locked(lock)]
    wrong["files"] += _of_files(path, registry)
    return wrong


def quietly(*words: str) -> tuple[int, str]:
    """Exit code of a command of `reidtrack`, run in this process, and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = reidtrack(list(words))
    return code, said.getvalue()


def strangers(path: Path) -> list[str]:
    """Files of a harvest that no record speaks of: a tracker that starts deletes them."""
    found = []
    for store in find_stores(path / "harvest"):
        read = read_tracklets(store)
        known = {read.picture(row) for row in range(len(read))} | {store / "store.jsonl"}
        found += [str(file.relative_to(path)) for file in store.rglob("*") if file.is_file() and file not in known]
    return found


def _of_models(folder: OnlineFolder, registry: ModelRegistry) -> list[str]:
    wrong, live = [], registry.current()
    open_checked(live.path, threads=1)
    told = [event for event in folder.history.read() if "change" in event]
    changes = [event["change"] for event in told]
    if changes != list(range(1, len(changes) + 1)):
        wrong.append(f"changes in the history must be 1, 2, ..., got {changes[-5:]} at its end")
    if not told or told[-1]["number"] != live.number or told[-1]["model"]["sha256"] != live.sha256:
        wrong.append(f"model {live.number} ({live.sha256[:12]}) is live, the history ends with {told[-1:]}")
    hashes: dict[int, set[str]] = {}
    for event in told:
        hashes.setdefault(event["number"], set()).add(event["model"]["sha256"])
    wrong += [f"{len(several)} models have number {number}" for number, several in hashes.items() if len(several) > 1]
    return wrong


def _of_harvest(folder: OnlineFolder) -> list[str]:
    wrong = []
    for store in find_stores(folder.harvest):
        try:
            read = read_tracklets(store)
        except ReidError as error:
            wrong.append(str(error))
            continue
        for row in range(len(read)):
            data = np.frombuffer(read.picture(row).read_bytes(), np.uint8)
            if not len(data) or cv2.imdecode(data, cv2.IMREAD_COLOR) is None:
                wrong.append(f"{read.picture(row)} is no picture")
    return wrong


def _of_bursts(folder: OnlineFolder) -> list[str]:
    wrong = []
    for path in burst_files(folder.replay):
        try:
            burst = read_burst(path)
            burst.crops(np.flatnonzero([len(jpeg) > 0 for jpeg in burst.jpegs]))
        except ReidError as error:
            wrong.append(str(error))
    return wrong


def _of_files(path: Path, registry: ModelRegistry) -> list[str]:
    files = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    wrong = [f"{name} does not belong there" for name in files if not _KNOWN.fullmatch(name)]
    models = {name.removeprefix("models/") for name in files if name.startswith("models/")}
    kept = {model.file for model in registry.models}
    wrong += [f"models/{name} is of no model that is kept" for name in sorted(models - kept - {"lock"})]
    wrong += [f"models/{name} is missing" for name in sorted(kept - models)]
    rounds = list((path / "training").glob("*"))
    if len(rounds) > 1:
        wrong.append(f"{len(rounds)} rounds left their folders in training")
    return wrong


@contextlib.contextmanager
def _warnings(into: list[str]) -> Iterator[None]:
    """What the library warns of meanwhile."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            into.append(record.getMessage())

    handler, logger = Handler(logging.WARNING), logging.getLogger("reid")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
