"""The device grammar `auto | cpu | cuda[:N] | tensorrt[:N]`, and what onnxruntime is installed to serve it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import logging
import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from reid.errors import DeviceError, MissingExtraError

DeviceKind: TypeAlias = Literal["auto", "cpu", "cuda", "tensorrt"]

# Every distribution that brings a package called `onnxruntime`; pip lets two of them overwrite each other.
RUNTIME_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"
TENSORRT_PROVIDER = "TensorrtExecutionProvider"

_GRAMMAR = re.compile(r"(auto|cpu)|(cuda|tensorrt)(?::(\d{1,3}))?")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Device:
    """One device that a model may be asked to run on."""

    kind: DeviceKind
    """`auto` takes CUDA where the session really gets it, else the CPU; all others are taken or refused."""
    index: int = 0
    """Which GPU, from 0."""

    @classmethod
    def parse(cls, text: str) -> Device:
        """Read `auto`, `cpu`, `cuda`, `cuda:N`, `tensorrt` or `tensorrt:N`.

        Raises:
            DeviceError: it is none of these.
        """
        match = _GRAMMAR.fullmatch(text.strip().lower()) if isinstance(text, str) else None
        if match is None:
            raise DeviceError(f"device must be auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N, got {text!r}")
        kind: Any = match[1] or match[2]
        return cls(kind, int(match[3] or 0))

    def __str__(self) -> str:
        return self.kind if self.kind in ("auto", "cpu") else f"{self.kind}:{self.index}"

    @property
    def required_providers(self) -> tuple[str, ...]:
        """Execution providers that the session must have got, most wanted first (onnxruntime adds the CPU itself)."""
        if self.kind == "cuda":
            return (CUDA_PROVIDER,)
        if self.kind == "tensorrt":  # operators that TensorRT lacks go to CUDA: its declared second, never the CPU
            return (TENSORRT_PROVIDER, CUDA_PROVIDER)
        return (CPU_PROVIDER,)

    def provider_arguments(self) -> list[Any]:
        """The `providers=` argument of an onnxruntime session."""
        options = {"device_id": str(self.index)}
        gpu = [(name, dict(options)) for name in self.required_providers if name != CPU_PROVIDER]
        return [*gpu, CPU_PROVIDER]  # shape arithmetic stays on the CPU with every provider


def installed_runtimes() -> dict[str, str]:
    """Installed distributions that bring `onnxruntime`, with their versions."""
    found = {}
    for name in RUNTIME_DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def conflicting_runtimes_message(runtimes: dict[str, str]) -> str | None:
    """What is wrong and how to mend it where two distributions overwrite each other's `onnxruntime`, else None."""
    if len(runtimes) < 2:
        return None
    names = " and ".join(f"{name} {version}" for name, version in runtimes.items())
    extra = "gpu" if "onnxruntime-gpu" in runtimes else "cpu"
    return (
        f"{names} are installed at once and overwrite each other's files, so which one runs is chance: "
        f'pip uninstall -y {" ".join(runtimes)} && pip install "reidtrack[{extra}]"'
    )


def import_onnxruntime() -> Any:
    """The `onnxruntime` module, imported on the first call.

    Raises:
        MissingExtraError: it is not installed; names both extras.
        DeviceError: two builds of it are installed at once.
    """
    message = conflicting_runtimes_message(installed_runtimes())
    if message is not None:
        raise DeviceError(message)
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        purpose = f"running an ONNX model ({error})" if installed_runtimes() else "running an ONNX model"
        raise MissingExtraError("onnxruntime", ("cpu", "gpu"), purpose) from error


def preload_gpu_libraries(ort: Any) -> str:
    """Load CUDA and cuDNN from their pip wheels, where this build has that function; returns what it complained of.

    onnxruntime prints its complaints; they are caught here, because a library does not write to its user's output.
    """
    preload = getattr(ort, "preload_dlls", None)
    if preload is None or CUDA_PROVIDER not in ort.get_available_providers():
        return ""
    spoken = io.StringIO()
    with contextlib.redirect_stdout(spoken), contextlib.redirect_stderr(spoken):
        preload()
    text = " ".join(spoken.getvalue().split())
    if text:
        _logger.debug("onnxruntime.preload_dlls: %s", text)
    return text


def missing_provider_message(device: Device, ort: Any) -> str | None:
    """Why this build of onnxruntime cannot serve `device` at all, with the cure; None where it may."""
    available = list(ort.get_available_providers())
    missing = [name for name in device.required_providers if name not in available]
    if not missing:
        return None
    cpu_only = CUDA_PROVIDER not in available
    build = f"this onnxruntime {ort.__version__} is {'a CPU-only' if cpu_only else 'a GPU'} build"
    cure = (
        'pip uninstall -y onnxruntime && pip install "reidtrack[gpu]"'
        if cpu_only
        else f"install a build of onnxruntime with {missing[0]}"
    )
    return (
        f"device {device} cannot be used: {build} that offers {', '.join(available)} and not {', '.join(missing)}. "
        f"Cure: {cure}; or ask for device cpu"
    )
