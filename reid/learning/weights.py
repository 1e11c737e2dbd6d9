"""Weights from files: read without running code, compared name by name, refused where they are another network's."""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reid.errors import MissingExtraError, ModelError
from reid.learning.backbones import Backbone

_CONTAINERS = ("model", "state_dict", "model_state_dict", "backbone")  # where a checkpoint keeps them; ours: the first
_WRAPPERS = ("module.", "_orig_mod.")  # what DistributedDataParallel and torch.compile put before every name
_SHOWN = 4
_SAFETENSORS_HEADER = 8  # bytes: the length of the JSON that follows, which begins with {
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of each weight of a file, and of each of the network."""

    loaded: tuple[str, ...]
    """Names in the network that now hold values of the file."""
    missing: tuple[str, ...]
    """Names in the network that the file lacks: left as they were."""
    unexpected: tuple[str, ...]
    """Names in the file (as translated) that the network lacks: left out."""
    mismatched: tuple[str, ...]
    """`name: (shape in the file) for (shape in the network)`: left as they were."""

    def summary(self) -> str:
        """One line for a log."""
        parts = [f"{len(self.loaded)} weights loaded"]
        for name in ("missing", "unexpected", "mismatched"):
            names = getattr(self, name)
            if names:
                parts.append(f"{name} {_some(names)}")
        return "; ".join(parts)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Names and tensors (on the CPU) of a checkpoint of ours, a file of a state dict, or a safetensors file.

    A pickle may hold tensors and plain values alone (torch's `weights_only`): nothing in it is ever run.

    Raises:
        ModelError: the file is missing, broken, holds no weights, or holds objects that would have to run code.
        MissingExtraError: it is a safetensors file, and that package is not installed.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelError(f"weights {file} must be a file of PyTorch or safetensors weights, got nothing there")
    content = _read_safetensors(file) if _is_safetensors(file) else _read_torch(file)
    state = _find_state(content)
    if not state:
        raise ModelError(f"weights {file} must hold named tensors (under {', '.join(_CONTAINERS)} or bare), got none")
    return state


def load_weights(model: nn.Module, path: str | Path) -> LoadReport:
    """Load a file into `model`: a whole `EmbeddingModel`, or a backbone.

    Into a whole model go a checkpoint of one, or the weights of its backbone alone, by our names or those of their
    publisher (`Backbone.translate`). The head (linear layer, neck, colour projection, classifiers) may be missing or of
    another dimension, and stays as it was; every other difference is refused, before anything is changed.

    Raises:
        ModelError: as in `read_weights`, or the file is another network's; the message names the weights.
        MissingExtraError: as in `read_weights`.
    """
    state = _fit_names(model, read_weights(path))
    own = model.state_dict()
    matching = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    report = LoadReport(
        loaded=tuple(matching),
        missing=tuple(k for k in own if k not in state and not k.endswith("num_batches_tracked")),
        unexpected=tuple(k for k in state if k not in own),
        mismatched=tuple(
            f"{k}: {tuple(v.shape)} for {tuple(own[k].shape)}"
            for k, v in state.items()
            if k in own and v.shape != own[k].shape
        ),
    )
    _refuse_other_networks(report, _head_keys(model), Path(path))
    model.load_state_dict(matching, strict=False)
    _logger.info("%s: %s", path, report.summary())
    if report.missing or report.mismatched:
        _logger.warning("%s leaves the head as it was: %s", path, report.summary())
    return report


def _refuse_other_networks(report: LoadReport, head: tuple[str, ...], path: Path) -> None:
    complaints = []
    for name in ("missing", "unexpected", "mismatched"):
        wrong = [key for key in getattr(report, name) if not key.startswith(head)]
        if wrong:
            complaints.append(f"{name} {_some(wrong)}")
    if complaints or not report.loaded:
        raise ModelError(
            f"weights {path} must be those of this network, got {'; '.join(complaints) or 'none of its names'} "
            f"({len(report.loaded)} fit). Choose the backbone, width and size that the file was made with"
        )


def _head_keys(model: nn.Module) -> tuple[str, ...]:
    """Where the names of weights begin that belong to one training set."""
    classifiers = ("classifier.", "fc.", "identity.", "logits.")
    backbone = model if isinstance(model, Backbone) else getattr(model, "backbone", None)
    inner = backbone.head_keys if isinstance(backbone, Backbone) else ()
    prefix = "" if backbone is model else "backbone."
    return (*(prefix + key for key in (*inner, *classifiers)), *classifiers, "projection")


def _fit_names(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of the file as the model has them."""
    backbone = getattr(model, "backbone", None)
    if isinstance(model, Backbone):
        bare = any(name.startswith("backbone.") for name in state)
        mine = {k.removeprefix("backbone."): v for k, v in state.items()} if bare else state
        return model.translate(mine)
    if isinstance(backbone, Backbone) and not any(name.startswith("backbone.") for name in state):
        return {f"backbone.{name}": value for name, value in backbone.translate(state).items()}
    return state


def _find_state(content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    for name in _CONTAINERS:  # first these: a checkpoint may hold other tensors beside them
        found = _find_state(content.get(name))
        if found:
            return found
    return _unwrap({str(k): v for k, v in content.items() if isinstance(v, Tensor)})


def _unwrap(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _WRAPPERS:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _read_torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's doubts about a pickle of another protocol: it is read or refused
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"weights {path} must hold tensors and plain values alone, got objects that would have to run code, or a "
            "broken file. Save model.state_dict(), or convert the file to safetensors"
        ) from error
    except (RuntimeError, ValueError, EOFError, OSError, KeyError) as error:
        raise ModelError(f"weights {path} cannot be read as PyTorch weights: {_first_line(error)}") from error


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".safetensors" or file.read(_SAFETENSORS_HEADER + 1)[_SAFETENSORS_HEADER:] == b"{"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingExtraError("safetensors", "train", f"reading {path.name}") from error
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"weights {path} cannot be read as safetensors: {_first_line(error)}") from error
    return tensors


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
