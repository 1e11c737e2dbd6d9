"""From a bare Python to a finished demo, or to passed tests: each in a virtual environment of its own.

    python3 tools/start.py demo [options of `reidtrack demo`]
    python3 tools/start.py test [options of pytest]

Needs Python 3.11 or newer (finds it beside an older `python3`) and, the first time, the network. Nothing outside the
checkout is touched, with one exception: where a bare Debian or Ubuntu Python comes without pip, the system's package
`python3-venv` is installed if that needs no password. The build of OpenCV that needs no desktop is taken where the
libraries of the usual one are missing.
"""

from __future__ import annotations  # an old Python must get as far as the message that it is too old

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
NEWER_NAMES = ("python3.13", "python3.12", "python3.11", "python3.14")  # best supported first

# job -> (environment, extras, what its Python runs)
JOBS = {
    "demo": (".venv", "cpu,eval", ("-m", "tracker.cli.main", "demo", "--out", "demo-out", "--overwrite")),
    "test": (".venv-test", "dev,train", ("-m", "pytest", "-n", "auto", "--dist", "loadfile")),
}

TORCH = "torch==2.13.0+cpu"  # the CPU build: the plain name would bring 3 GB of CUDA libraries
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


def main(words: list[str]) -> int:
    """Set up the environment of one job, unless that was done before, and run the job in it."""
    if not words or words[0] not in JOBS:
        print(__doc__)
        return 2
    if sys.version_info < OLDEST:
        return run_with_newer_python(words)
    job, *arguments = words
    folder, extras, command = JOBS[job]
    python = set_up(ROOT / folder, extras, with_torch=job == "test")
    return subprocess.run([str(python), *command, *arguments], cwd=ROOT, check=False).returncode


def run_with_newer_python(words: list[str]) -> int:
    """Hand over to a Python that is new enough, where one is installed."""
    newer = next((path for path in map(shutil.which, NEWER_NAMES) if path), None)
    if newer is None:
        have, need = "{}.{}".format(*sys.version_info), "{}.{}".format(*OLDEST)
        print(
            f"reidtrack needs Python {need} or newer, this is {have}. "
            "Install one, for example: apt-get install python3.11"
        )
        return 1
    return subprocess.run([newer, __file__, *words], check=False).returncode


def set_up(folder: Path, extras: str, *, with_torch: bool) -> Path:
    """Make the environment current with pyproject.toml; returns its Python."""
    python = folder / "bin" / "python"
    stamp = folder / "reidtrack-installed"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + extras.encode() + str(ROOT).encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"Setting up {folder.name} (once; downloads the dependencies) ...", flush=True)
    if not python.exists():
        venv.create(folder, symlinks=True, with_pip=False)
    if not has_pip(python):
        add_pip(python)
    if with_torch:
        add_torch(python)
    pip(python, "install", "--editable", f".[{extras}]")
    use_headless_opencv_if_needed(python)
    stamp.write_text(wanted)
    return python


def has_pip(python: Path) -> bool:
    """Whether the environment's Python has pip."""
    return subprocess.run([str(python), "-c", "import pip"], capture_output=True, check=False).returncode == 0


def add_pip(python: Path) -> None:
    """Install pip from Python's own copy; bare Debian leaves that out, and has it in a package of its own."""
    if importlib.util.find_spec("ensurepip") is None:
        install_python3_venv()
    code = subprocess.run([str(python), "-m", "ensurepip", "--default-pip"], check=False, stdout=subprocess.DEVNULL)
    if code.returncode:
        raise SystemExit("This Python has no pip. Install it with the system's packages: apt-get install python3-venv")


def install_python3_venv() -> None:
    """Have the system install the package that holds pip, where that needs no question."""
    if shutil.which("apt-get") is None:
        return
    admin = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if admin and shutil.which("sudo") is None:
        return
    print("Installing python3-venv, which this Python lacks ...", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-qq", "--yes", "--no-install-recommends", "python3-venv"]):
        subprocess.run([*admin, "apt-get", *words], check=False, env=environment, stdout=subprocess.DEVNULL)


def add_torch(python: Path) -> None:
    """Install the CPU build of torch from wherever pip is set up to look, else from its own index."""
    if pip(python, "install", TORCH, must=False) and pip(
        python, "install", "--index-url", TORCH_INDEX, TORCH, must=False
    ):
        print("The CPU build of torch cannot be had here: taking the usual one (several GB).", flush=True)


def use_headless_opencv_if_needed(python: Path) -> None:
    """Take the OpenCV without windows where the usual one finds no desktop libraries (libGL and others)."""
    trial = subprocess.run([str(python), "-c", "import cv2"], capture_output=True, text=True, check=False)
    if trial.returncode == 0:
        return
    if ".so" not in trial.stderr:
        raise SystemExit(f"OpenCV cannot be loaded:\n{trial.stderr}")
    print("No desktop libraries here: taking opencv-python-headless (all but --show works).", flush=True)
    pip(python, "uninstall", "--yes", "opencv-python")
    # forced: an earlier run may have left it half overwritten by the other build, which shares its folder
    pip(python, "install", "--force-reinstall", "--no-deps", "opencv-python-headless>=4.10")


def pip_environment() -> dict[str, str]:
    """The environment variables of this process, without pip's advice to upgrade itself."""
    return {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def pip(python: Path, *arguments: str, must: bool = True) -> int:
    """Run the environment's pip; where it must succeed, stop with its own message if it does not."""
    silence = None if must else subprocess.DEVNULL
    code = subprocess.run(
        [str(python), "-m", "pip", arguments[0], "--quiet", *arguments[1:]],
        cwd=ROOT,
        env=pip_environment(),
        stderr=silence,
        check=False,
    ).returncode
    if code and must:
        raise SystemExit(f"pip {' '.join(arguments)} failed; see above")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
