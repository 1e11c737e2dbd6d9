"""What several commands check or open before anything is written."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.errors import UsageError

if TYPE_CHECKING:
    from reid import Embedder


def require_path(flag: str, path: Path) -> None:
    """Refuse a path that does not exist.

    Raises:
        UsageError: there is neither a file nor a folder.
    """
    if not path.exists():
        raise UsageError(f"{flag}: there is no file or folder {path}")


def require_folder_of(flag: str, path: Path | None) -> None:
    """Refuse a file whose folder does not exist; - is the standard output.

    Raises:
        UsageError: there is no such folder.
    """
    if path is not None and str(path) != "-" and not path.parent.is_dir():
        raise UsageError(f"{flag}: there is no folder {path.parent}")


def require_new_model(out: Path, *, replace: bool) -> None:
    """Refuse an `--out` that cannot be a model file, or is one already that nobody wants replaced.

    Raises:
        UsageError: it is no .onnx file, or it is there.
    """
    if out.suffix.lower() != ".onnx":
        raise UsageError(f"--out must be an .onnx file, got {out}")
    if out.exists() and not replace:
        raise UsageError(f"--out: {out} is there already: give another file, or --overwrite")


def require_training(what: str) -> None:
    """Refuse before anything is done what could only fail later for want of a package.

    Raises:
        MissingExtraError: torch or onnx is not installed.
    """
    from reid.errors import MissingExtraError

    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("onnx") is None:
        raise MissingExtraError("torch and onnx", "train", what)


def check_device(device: str) -> None:
    """Refuse the name of a device that means nothing; whether it can be used is known when a model is opened.

    Raises:
        UsageError: it is no such name.
    """
    from reid.device import Device
    from reid.errors import DeviceError

    try:
        Device.parse(device)
    except DeviceError as error:
        raise UsageError(f"--device: {error}") from error


def open_embedder(name: str, device: str) -> Embedder | None:
    """The embedder of `--embedder`: `default`, an .onnx file, or None for `none`. Raises as `open_model`."""
    return None if name == "none" else open_model("--embedder", name, device, choices="default, none or an .onnx file")


def open_model(flag: str, name: str, device: str, *, choices: str = "default or an .onnx file") -> Embedder:
    """The embedder that a flag names: `default` or an .onnx file.

    Raises:
        UsageError: there is no such file, or the device is none.
        ReidError: the model or the device cannot be used.
    """
    if name != "default" and not Path(name).is_file():
        raise UsageError(f"{flag} must be {choices}, and there is no file {name}")
    check_device(device)
    from reid import Embedder  # loads OpenCV

    return Embedder(name, device=device)


def existing_results(paths: Sequence[Path]) -> str:
    """The names of results that are there already, with any suffix (a video's is known only once it is opened)."""
    found = {path.name for name in paths for path in (name, *name.parent.glob(f"{name.name}.*")) if path.exists()}
    return ", ".join(sorted(found))
