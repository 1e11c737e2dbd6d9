"""A disk that is full: a small one where the system lets us have it, else a limit on what must stay free."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from online.commands import Commands, ended
from online.soundness import examine, quietly
from reid.online import OnlineFolder

_DISK_MB = 24
_LEFT_BYTES = 600_000
"""What others leave of it: enough to begin, too little for a run."""


def fill_the_disk(commands: Commands) -> list[str]:
    """Tracking goes on, harvesting pauses and a round is refused; all goes on once there is room."""
    disk = commands.work / "disk"
    with _small_disk(disk) as real:
        site = disk / "site"
        # as after a long time: nothing that could be thinned out makes room
        shutil.copytree(commands.site, site, ignore=shutil.ignore_patterns("harvest", "replay"))
        settings = commands.settings("disk.yaml", gate={"enabled": False}, store=_store(real))
        wrong = [f"before it was full: {line}" for line in _run(commands, site, settings)] if real else []
        others = disk / "others"
        _take(others, shutil.disk_usage(disk).free - _LEFT_BYTES if real else 0)
        since = commands.log_path.stat().st_size
        wrong += [f"while it was full: {line}" for line in _run(commands, site, settings)]
        if not re.search(r"[1-9]\d* lost to a slow or full disk|harvesting waits: ", commands.said(since)):
            wrong.append("nobody was told that harvesting paused")
        ended(commands.worker(settings, once=True, site=site))  # what it comes to is not asked: there may be no room
        code, said = quietly("online", "status", str(site))
        if code:
            wrong.append(f"status ended with {code} while it was full: {said}")
        others.unlink()
        settings = commands.settings("disk.yaml", gate={"enabled": False}, store={"least_free_mb": 0})
        wrong += [f"with room again: {line}" for line in _run(commands, site, settings)]
        if code := ended(commands.worker(settings, once=True, site=site)):
            last = OnlineFolder.open(site).history.read()[-1]
            wrong.append(f"with room again: a round ended with {code}: {last.get('reason')}")
        wrong += [fault for faults in examine(site).values() for fault in faults]
    return wrong


def _store(real: bool) -> dict[str, int]:
    return {"least_free_mb": 0 if real else 10**9}


def _run(commands: Commands, site: Path, settings: Path) -> list[str]:
    code = ended(commands.track(settings, site=site))
    commands.all_gone_s()
    return [f"a run of the tracker ended with {code}"] if code else []


def _take(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(max(size, 0) // 65536):
            file.write(bytes(65536))


@contextlib.contextmanager
def _small_disk(path: Path) -> Iterator[bool]:
    """A folder with a small disk; False where it is an ordinary folder, since we may not mount one."""
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(path)]
    real = shutil.which("mount") is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0
    try:
        yield real
    finally:
        if real:
            subprocess.run(["umount", "-l", str(path)], check=True)
        shutil.rmtree(path)
