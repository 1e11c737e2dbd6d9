"""What `reidtrack doctor` looks at: each check returns findings, changes nothing and never raises."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from reid.device import CUDA_PROVIDER, conflicting_runtimes_message, installed_runtimes
from reid.errors import ReidError
from tracker.errors import OutputError

State: TypeAlias = Literal["ok", "note", "missing", "broken"]

# extra -> (the distribution that shows whether it is there, what it is for)
EXTRAS: dict[str, tuple[str, str]] = {
    "eval": ("trackeval", "reidtrack eval, and the scores of reidtrack demo"),
    "yolo": ("ultralytics", "Ultralytics detectors by name or .pt file (AGPL-3.0)"),
    "train": ("torch", "training embedders"),
}
_OPENCV_BUILDS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    """What was looked at."""
    state: State
    """`ok`; `note`: worth knowing; `missing`: optional and absent; `broken`: the main job cannot run."""
    text: str
    """What was found."""
    cure: str = ""
    """The command or action that helps, empty where nothing is needed."""


def examine() -> list[Finding]:
    """Everything, in the order in which it is printed."""
    return [*_versions(), *_opencv(), *_runtime(), *_gpu(), *_default_embedder(), *_extras()]


def can_run(findings: list[Finding]) -> bool:
    """Whether the main job can run: nothing is broken."""
    return all(finding.state != "broken" for finding in findings)


def _versions() -> list[Finding]:
    found = [Finding("python", "ok", f"{platform.python_version()} ({sys.executable}), {platform.platform()}")]
    for name in ("reidtrack", "numpy", "scipy", "PyYAML", "rich"):
        version = _version(name)
        state: State = "ok" if version else "broken"
        found.append(Finding(name, state, version or "not installed", "" if version else f"pip install {name}"))
    return found


def _opencv() -> list[Finding]:
    builds = {name: version for name in _OPENCV_BUILDS if (version := _version(name))}
    names = ", ".join(f"{name} {version}" for name, version in builds.items()) or "unknown distribution"
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        cure = "apt-get install libgl1 libglib2.0-0 libxcb1, or pip install opencv-python-headless in its place"
        return [Finding("OpenCV", "broken", f"cannot be loaded: {error}", cure)]
    found = [Finding("OpenCV", "ok", f"{cv2.__version__} ({names})")]
    if len(builds) > 1:
        cure = f"pip uninstall -y {' '.join(builds)} && pip install opencv-python"
        found.append(Finding("OpenCV builds", "note", "several overwrite each other's files", cure))
    registry = cv2.videoio_registry
    backends = dict.fromkeys(registry.getBackendName(backend) for backend in registry.getBackends())  # each once
    found.append(Finding("video backends", "ok" if backends else "broken", ", ".join(backends) or "none"))
    return [*found, _video_writer()]


def _video_writer() -> Finding:
    from tracker.video.writer import probe_codec  # loads OpenCV, so only after its own check

    try:
        codec = probe_codec()
    except OutputError as error:
        return Finding("annotated video", "note", str(error))
    why = "" if codec.suffix == ".mp4" else "; this build of OpenCV has no H.264 encoder"
    return Finding("annotated video", "ok", f"{codec.name} in {codec.suffix}{why}")


def _runtime() -> list[Finding]:
    runtimes = installed_runtimes()
    conflict = conflicting_runtimes_message(runtimes)
    if conflict is not None:
        problem, _, cure = conflict.rpartition(": ")
        return [Finding("onnxruntime", "broken", problem, cure)]
    if not runtimes:
        cure = 'pip install "reidtrack[cpu]", or "reidtrack[gpu]" for NVIDIA GPUs'
        return [Finding("onnxruntime", "broken", "not installed", cure)]
    try:
        ort = importlib.import_module("onnxruntime")
        providers = ", ".join(ort.get_available_providers())
    except Exception as error:  # noqa: BLE001 a broken installation may raise anything
        return [Finding("onnxruntime", "broken", f"installed, but cannot be loaded: {error}", "install it again")]
    names = ", ".join(f"{name} {version}" for name, version in runtimes.items())
    return [Finding("onnxruntime", "ok", names), Finding("execution providers", "ok", providers)]


def _gpu() -> list[Finding]:
    """Whether a session really runs on CUDA, and if not, why: by opening one."""
    if len(installed_runtimes()) != 1:
        return []
    driver = _driver()
    listed = False
    with contextlib.suppress(Exception):  # reported by the check of the runtime
        listed = CUDA_PROVIDER in importlib.import_module("onnxruntime").get_available_providers()
    if not listed:
        text = f"not usable: a CPU-only build of onnxruntime is installed; {driver or 'no NVIDIA driver is loaded'}"
        cure = 'pip uninstall -y onnxruntime && pip install "reidtrack[gpu]"' if driver else ""
        return [Finding("GPU", "note", text, cure)]
    from reid.embedder import Embedder

    try:
        device = Embedder(device="cuda").device
    except ReidError as error:
        return [Finding("GPU", "note", f"not usable: {error}" + ("" if driver else " (no NVIDIA driver is loaded)"))]
    return [Finding("GPU", "ok", f"a session runs on {device}; {driver or 'driver version unknown'}")]


def _driver() -> str | None:
    with contextlib.suppress(OSError):
        return _NVIDIA_DRIVER.read_text(encoding="utf-8").splitlines()[0]
    return None


def _default_embedder() -> list[Finding]:
    try:
        import numpy as np

        from reid.embedder import Embedder

        embedder = Embedder(device="cpu")
        vectors = embedder(np.full((64, 32, 3), 127, np.uint8), np.array([[0, 0, 32, 64]], np.float32))
    except (ImportError, ReidError) as error:
        return [Finding("default embedder", "broken", str(error))]
    text = f"{embedder.info.name}, {vectors.shape[1]} dimensions, {embedder.info.model_hash[:12]}"
    return [Finding("default embedder", "ok", text)]


def _extras() -> list[Finding]:
    found = []
    for extra, (distribution, purpose) in EXTRAS.items():
        version = _version(distribution)
        if version:
            found.append(Finding(f"extra [{extra}]", "ok", f"{distribution} {version}: {purpose}"))
        else:
            cure = f'pip install "reidtrack[{extra}]"'
            found.append(Finding(f"extra [{extra}]", "missing", f"for {purpose}", cure))
    return found


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
