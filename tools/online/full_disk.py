"""A disk that is full: a small one where the system lets us have it, else a limit on what must stay free."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from online.commands import Commands, ended
from online.soundness import examine, quietly
from reid.online import OnlineFolder

_DISK_MB = 16
_LEFT_BYTES = 600_000
"""What others leave of it: enough to begin, too little for a run."""


def fill_the_disk(commands: Commands) -> list[str]:
    """Tracking goes on, harvesting pauses and a round is refused; all goes on once there is room."""
    disk = commands.work / "disk"
    with _small_disk(disk) as real:
        site = disk / "site"
        shutil.copytree(commands.site, site)
        shutil.rmtree(site / "harvest")  # as after a long time: nothing that could be thinned out makes room
        settings = commands.settings("disk.yaml", gate={"enabled": False}, store=_store(real))
        wrong = [f"before it was full: {line}" for line in _run(commands, site, settings)] if real else []
        others = disk / "others"
        _take(others, shutil.disk_usage(disk).free - _LEFT_BYTES if real else 0)
        wrong += [f"while it was full: {line}" for line in _run(commands, site, settings)]
        ended(commands.worker(settings, once=True, site=site))  # what it comes to is not asked: there may be no room
        code, said = quietly("online", "status", str(site))
        if code:
            wrong.append(f"status ended with {code} while it was full: {said}")
        if not _paused(site, real):
            wrong.append("harvesting did not pause")
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


def _paused(site: Path, real: bool) -> bool:
    """Whether the harvest said so; on a disk that is really full there may be no room for that line."""
    said = [event for event in OnlineFolder.open(site).history.read() if event["event"] == "paused"]
    return bool(said) or real


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
