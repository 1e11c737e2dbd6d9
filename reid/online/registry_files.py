"""The files behind `reid.online.registry`: each is whole under its name, or not there."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from reid.card_lookup import CARD_SUFFIXES, card_file_beside
from reid.errors import DataError, ModelError
from reid.online.files import sync_folder, write_whole
from reid.online.folder import OnlineFolder
from reid.online.locks import FileLock
from reid.online.registry_state import ModelRecord, RegistryState, state_from_history

_MODEL = re.compile(r"(\d+)-([0-9a-f]{12})\.onnx")
_OURS = re.compile(r"(\d+-[0-9a-f]{12}|draft)\.(onnx|card\.json|card\.yaml)")
_DRAFT = "draft.onnx"
_PATIENCE_S = 60.0
"""Whoever changes anything opens models meanwhile, which takes a second on a machine that is busy."""
_logger = logging.getLogger(__name__)


class RegistryFiles:
    """Files of one online folder. What changes them is called under `locked`."""

    def __init__(self, folder: OnlineFolder) -> None:
        self._folder = folder
        folder.models.mkdir(parents=True, exist_ok=True)

    def path(self, model: ModelRecord) -> Path:
        """Of the file of a model."""
        return self._folder.models / model.file

    def stamp(self) -> tuple[int, int, int]:
        """Of `current.json`: changes with it."""
        try:
            about = self._folder.current.stat()
        except OSError:
            return (0, 0, 0)
        return (about.st_mtime_ns, about.st_ino, about.st_size)

    def read(self) -> tuple[RegistryState | None, str]:
        """What is known, None where nothing is; and what is wrong with `current.json`, nothing where all is well."""
        try:
            return RegistryState.from_json(self._folder.current.read_text(encoding="utf-8")), ""
        except FileNotFoundError:
            damage = "current.json is missing"
        except (OSError, UnicodeDecodeError, ModelError) as error:
            damage = f"current.json cannot be read: {error}"
        state = state_from_history(self._folder.history.read())
        if state is not None and state.model(0) is None and (base := self.found().get(0)) is not None:
            # so long ago that the history has forgotten it
            first = ModelRecord(0, sha256_of(base), card_sha256_of(base))
            state = replace(state, models=(first, *state.models))
        return state, damage

    def write(self, state: RegistryState) -> None:
        """Replace `current.json`: the moment in which a change happens."""
        write_whole(self._folder.current, state.to_json().encode())

    def make_good(self, state: RegistryState, *, changed_now: bool = False) -> None:
        """What comes after a change: its line in the history, and the end of files that are not kept."""
        history = self._folder.history
        try:
            if changed_now or all(event.get("change") != state.change for event in history.read()):
                history.append(**state.event)
        except (OSError, DataError) as error:
            _logger.warning("%s cannot be written, which the next change tries again: %s", history.path, error)
        kept = {self.path(model).stem for model in state.models}
        for entry in self._folder.models.iterdir():
            if _OURS.fullmatch(entry.name) and entry.name.partition(".")[0] not in kept:
                with contextlib.suppress(OSError):
                    entry.unlink()

    def damage(self, model: ModelRecord) -> str:
        """What is wrong with the file of a model; nothing where it has the bytes that it was admitted with."""
        path = self.path(model)
        try:
            if sha256_of(path) != model.sha256:
                return f"{path.name} has other bytes than it was admitted with"
            if card_sha256_of(path) != model.card_sha256:
                return f"the card beside {path.name} is not the one that it was admitted with"
        except (OSError, ModelError) as error:
            return f"{path.name} cannot be read: {error}"
        return ""

    @contextlib.contextmanager
    def draft(self, source: Path) -> Iterator[Path]:
        """A copy of a model, and of the card beside it, that has no number yet.

        Raises:
            ModelError: there is no such file.
            OSError: it cannot be read or copied.
        """
        path = self._folder.models / _DRAFT
        try:
            if not source.is_file():
                raise ModelError(f"model {source} must be an ONNX file, and there is none")
            _copy_whole(source, path)
            if (card := card_file_beside(source)) is not None:
                _copy_whole(card, _beside(path, card))
            yield path
        finally:
            for each in (path, *(path.with_suffix(suffix) for suffix in CARD_SUFFIXES)):
                each.unlink(missing_ok=True)

    def settle(self, draft: Path, model: ModelRecord) -> None:
        """Give a draft its name."""
        path = self.path(model)
        if (card := card_file_beside(draft)) is not None:
            card.replace(_beside(path, card))
        draft.replace(path)
        sync_folder(self._folder.models)

    def found(self) -> dict[int, Path]:
        """Files that have the name of a model, by number, where the name agrees with the bytes."""
        named = ((_MODEL.fullmatch(entry.name), entry) for entry in sorted(self._folder.models.iterdir()))
        return {int(m[1]): path for m, path in named if m is not None and sha256_of(path).startswith(m[2])}

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing anything.

        Raises:
            DataError: another one does not let go.
        """
        path = self._folder.models / "lock"
        lock = FileLock.attempt(path, wait_s=_PATIENCE_S)
        if lock is None:
            raise DataError(f"{path} has been locked by another process for {_PATIENCE_S:g} s: end it if it hangs")
        with lock:
            yield


def sha256_of(path: Path) -> str:
    """Of the bytes of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def card_sha256_of(model: Path) -> str | None:
    """Of the card beside a model; None where there is none."""
    card = card_file_beside(model)
    return None if card is None else sha256_of(card)


def _beside(model: Path, card: Path) -> Path:
    """What the card of a model is called beside it."""
    return model.with_suffix("".join(card.suffixes[-2:]))


def _copy_whole(source: Path, path: Path) -> None:
    with source.open("rb") as read, path.open("wb") as written:
        shutil.copyfileobj(read, written)
        written.flush()
        os.fsync(written.fileno())
