"""Everything that a training needs to go on as if it had never stopped, in one file that is whole or not there."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from reid.atomic import sync_folder
from reid.card_lookup import card_file_beside
from reid.data import Crops
from reid.data.fingerprint import fingerprint
from reid.embedder import DEFAULT_MODEL
from reid.errors import ModelError
from reid.learning.model_config import ONNX

VERSION = 1
_SHOWN = 5
_DATA = ("training data", "held-out data")
_CONTENT = "the content of "  # and the option that names the model
_COMPARED = "pictures compared by"  # before this was written down: by parts of files above 64 KiB


def save_atomically(content: Mapping[str, Any], path: Path) -> None:
    """Write tensors and plain values so that `path` holds the old content or the new, whatever happens meanwhile."""
    draft = path.with_name(f".{path.name}-draft")  # always the same: what a kill leaves is overwritten next time
    try:
        with draft.open("wb") as file:
            _save(content, file)
            file.flush()
            os.fsync(file.fileno())  # the bytes are on the disk before the name says so
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _save(content: Mapping[str, Any], file: BinaryIO) -> None:
    try:
        torch.save(dict(content), file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):  # torch's writer says only where in the file it was
            raise error.__context__ from None
        raise


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of a training; no code in it is run.

    Raises:
        ModelError: it is missing, broken, or no checkpoint of a training.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"there is no checkpoint {path} to resume from") from error
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError, KeyError) as error:
        raise ModelError(f"checkpoint {path} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or "step" not in content or "model" not in content:
        raise ModelError(f"checkpoint {path} must be one of a training, with weights and a step; it has neither")
    if content.get("version") != VERSION:
        raise ModelError(f"checkpoint {path} must have version {VERSION}, got {content.get('version')!r}")
    return content


def describe_run(config: Any, crops: Crops, validation: Crops | None, processes: int) -> dict[str, str]:
    """What a run depends on, as texts by name, so that a resumed one can be compared with the one it goes on with.

    Raises:
        DataError: a picture cannot be read.
    """
    described = {f"--{name.replace('_', '-')}": value for name, value in _flat(dataclasses.asdict(config), "").items()}
    # Where it computes, what it says while it runs and what the card says do not change what is learned.
    kept = {
        name: value
        for name, value in described.items()
        if not name.startswith("--card.") and name not in ("--device", "--tensorboard")
    }
    held_out = "none" if validation is None else fingerprint(validation)
    return {
        **kept,
        **_models(config),
        _DATA[0]: fingerprint(crops),
        _DATA[1]: held_out,
        _COMPARED: "all their bytes",
        "processes": str(processes),
    }


def _models(config: Any) -> dict[str, str]:
    """What the model files hold that a resumed run reads again: a teacher, and an embedder whose graph is trained."""
    read = {"--loss.teacher": config.loss.teacher}
    if config.model.backbone == ONNX:
        read["--model.pretrained"] = config.model.pretrained
    return {f"{_CONTENT}{name}": _content(model) for name, model in read.items() if model is not None}


def _content(model: Path) -> str:
    """A hash of a model file and of the card beside it; whoever opens the model says if it is missing."""
    path = DEFAULT_MODEL if str(model) == "default" else model
    files = [file for file in (path, card_file_beside(path)) if file is not None and file.is_file()]
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:12]


def check_same_run(then: Mapping[str, str], now: Mapping[str, str], path: Path) -> None:
    """Refuse to go on with other settings or data than the checkpoint was made with.

    What an older version did not write down of its run is not compared.

    Raises:
        ModelError: something differs; the message names it.
    """
    unknown = {name for name in now if name not in then and (name == _COMPARED or name.startswith(_CONTENT))}
    names = sorted(name for name in {*then, *now} - unknown if then.get(name) != now.get(name))
    if not names:
        return
    shown = ", ".join(f"{name} was {then.get(name)}, is {now.get(name)}" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    if _COMPARED in unknown and not set(names).isdisjoint(_DATA):
        more += " (an older version began it, which compared pictures otherwise: they may be the same)"
    raise ModelError(
        f"{path} cannot be resumed: {shown}{more}. Give what it was begun with; or begin anew, with "
        "--model.pretrained to start from its weights"
    )


def _flat(values: Mapping[str, Any], prefix: str) -> dict[str, str]:
    out: dict[str, str] = {}
    for name, value in values.items():
        out |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": str(value)}
    return out
