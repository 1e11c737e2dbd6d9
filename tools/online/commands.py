"""An online folder, and `reidtrack` as the processes that use it: how they are started, found and killed. Linux alone.

WORK/
site/            the online folder
tmp/             what the commands take for the folder of temporary files
commands.log     what they said
*.yaml           settings that make rounds short, with the gate and without
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from online.clips import Clip

PATIENCE_S = 180.0
"""A command that is not done by then hangs: the machine may be a busy one."""
HARVEST_MB = 6
"""All that is kept of the harvest: so little that it is thinned out in every run after the first few."""
BURSTS_MB = 4
"""All that is kept of bursts."""
_MARK = "REIDTRACK_SOAK"  # in the environment of all that is started, and of what these start
_SHORT: dict[str, Any] = {
    "purity": {"least_crops": 2},
    "slices": {"least_trained": 2, "least_held_out": 2},
    "lesson": {
        "steps": 50,
        "identities": 4,
        "pictures": 2,
        "trained_share": 0.1,
        "memory_weight": 0.0,
        "most_figure_loss": 1.0,
    },
    "gate": {"replicates": 100},
    "cycle": {"least_new_crops": 0, "wait_s": 0.2},
    "harvest": {"retry_s": 1.0},
    "store": {"most_mb": HARVEST_MB, "least_free_mb": 50},
    "live": {"poll_s": 0.2},
    "bursts": {"first_s": 1.0, "every_s": 4.0, "length_s": 3.0, "least_s": 1.0, "bursts": 3, "most_mb": BURSTS_MB},
    "watch": {"before_s": 12.0, "after_s": 10.0, "settle_s": 0.5, "block_s": 1.0},
}


class Commands:
    """Commands in a working folder. Use as a context manager: what is still running at its end is killed.

    Args:
        work: a folder that is there.
        clip: what is tracked.
    """

    def __init__(self, work: Path, clip: Clip) -> None:
        self.work, self.clip = work, clip
        self.site, self.temp = work / "site", work / "tmp"
        self.temp.mkdir(exist_ok=True)
        self._mark = f"{os.getpid()}-{id(self)}"
        self.log_path = work / "commands.log"
        self.log = self.log_path.open("ab")
        self.gated = self.settings("gated.yaml")
        """Settings that make rounds short."""
        self.open = self.settings("open.yaml", gate={"enabled": False})
        """The same with the gate off: every round makes another model live."""

    def __enter__(self) -> Commands:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.running():
            kill(process)
        self.log.close()

    def settings(self, name: str, *, defaults: bool = False, **more: Mapping[str, Any]) -> Path:
        """A file of settings that make rounds short, or else of the defaults, and of more by section."""
        short = {} if defaults else _SHORT
        merged = {section: {**short.get(section, {}), **more.get(section, {})} for section in {*short, *more}}
        path = self.work / name
        path.write_text(yaml.safe_dump(merged), encoding="utf-8")
        return path

    def start(self, *words: str | Path, site: Path | None = None) -> subprocess.Popen[bytes]:
        """`reidtrack` with these words; `DIR` among them stands for the online folder."""
        given = [str(site or self.site) if word == "DIR" else str(word) for word in words]
        self.log.write(f"\n$ reidtrack {' '.join(given)}\n".encode())
        self.log.flush()
        return subprocess.Popen(
            [sys.executable, "-m", "tracker.cli.main", *given],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.work, start_new_session=True,
            env={**os.environ, _MARK: self._mark, "TMPDIR": str(self.temp), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def track(self, settings: Path, *, site: Path | None = None, out: str = "out") -> subprocess.Popen[bytes]:
        """`reidtrack track --online`, with a worker beside it."""
        return self.start(
            "track", self.clip.video, "--detector", self.clip.detections, "--save", "mot", "--out", self.work / out,
            "--overwrite", "--online", "DIR", "--online-config", settings, site=site,
        )  # fmt: skip

    def worker(self, settings: Path, *, once: bool = False, site: Path | None = None) -> subprocess.Popen[bytes]:
        """`reidtrack online worker`."""
        return self.start("online", "worker", "DIR", "--config", settings, *(["--once"] if once else []), site=site)

    def said(self, since: int) -> str:
        """What commands said, and how they were called, from a byte of the log on."""
        with self.log_path.open("rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def running(self) -> list[int]:
        """Processes that are left of all that was started, and of all that these started."""
        wanted = f"{_MARK}={self._mark}".encode()
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _holds(path, wanted)]

    def all_gone_s(self) -> float:
        """How long it takes until nothing is running any more; infinite where it does not end."""
        began = time.monotonic()
        while self.running():
            if time.monotonic() - began > PATIENCE_S:
                return float("inf")
            time.sleep(0.05)
        return time.monotonic() - began


def worker_of(tracker: subprocess.Popen[bytes]) -> int | None:
    """The process of the worker beside a tracker; None where there is none."""
    try:
        children = Path(f"/proc/{tracker.pid}/task/{tracker.pid}/children").read_text(encoding="ascii").split()
        workers = [int(child) for child in children if b"worker" in Path(f"/proc/{child}/cmdline").read_bytes()]
    except OSError:
        return None
    return workers[0] if workers else None


def kill(process: int) -> bool:
    """Send SIGKILL; whether it was there."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def is_alive(process: int) -> bool:
    """Whether it is there, and not a dead one whose parent has not looked."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def ended(process: subprocess.Popen[bytes]) -> int | None:
    """The exit code of a command; None where it hangs, and is killed."""
    try:
        return process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _holds(path: Path, wanted: bytes) -> bool:
    try:
        return wanted in (path / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
