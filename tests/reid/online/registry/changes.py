"""What child processes of the registry's tests do to an online folder. Imports no test framework, to start quickly."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime  # noqa: F401 - so that the time of a change is not that of its first import

from reid import ModelError
from reid.online import OnlineFolder
from reid.online.registry import ModelRegistry

NAME = b"model-0000"
TEMPLATE = "template.onnx"
CYCLE = (1, 1, 1, 0, 1, 0, 0)  # 1: admit another one, 0: roll back


def variant(model: bytes, number: int) -> bytes:
    """Another file, with another name in its card; the length stays, so that it is as good a protobuf."""
    return model.replace(NAME, b"model-%04d" % number)


def candidate(folder: Path, number: int) -> Path:
    path = folder / f"candidate-{os.getpid()}.onnx"
    path.write_bytes(variant((folder / TEMPLATE).read_bytes(), number))
    return path


def admit_and_roll_back(folder: Path, first: int, count: int) -> None:
    """Changes upon changes, `count` of them."""
    registry = ModelRegistry(OnlineFolder.open(folder / "online"))
    for k in range(count):
        print("changing", flush=True)
        if CYCLE[k % len(CYCLE)]:
            registry.admit(candidate(folder, first + k))
        elif registry.current().number:
            try:
                registry.roll_back("in turn")
            except ModelError as error:  # another process was first
                assert "before" in str(error)  # noqa: PT017


def two_changes(folder: Path, calls: int) -> None:
    """One is admitted and rolled back; before the given one of the calls that change files, the process ends at once.

    With status 9, as killed; 0 where there are not so many calls.
    """
    left = iter(range(calls, -1, -1))

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if next(left, 1) == 0:
                os._exit(9)
            return real(*arguments, **options)

        return call

    for owner, name in ((os, "fsync"), (os, "write"), (Path, "replace"), (Path, "unlink"), (Path, "open")):
        setattr(owner, name, counted(getattr(owner, name)))
    registry = ModelRegistry(OnlineFolder.open(folder / "online"))
    registry.admit(candidate(folder, 5))
    registry.roll_back("in turn")
    os._exit(0)


def changes_killed_everywhere(folder: Path) -> None:
    """Kills one process after the other, each one call later; leaves folders `after-<calls>`."""
    import shutil

    for calls in range(500):
        shutil.copytree(folder / "before", folder / "online")
        process = os.fork()
        if process == 0:
            two_changes(folder, calls)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        (folder / "online").rename(folder / f"after-{calls:03d}")
        if status == 0:
            return
        assert status == 9, status
    raise AssertionError("it never came to an end")


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))
