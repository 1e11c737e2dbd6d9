"""What the tests of the registry ask of one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from reid.online import BaseModel, OnlineFolder
from reid.online.registry import ModelRegistry

MakeModels = Callable[[int], Path]


def folder_of(path: Path, base: Path) -> OnlineFolder:
    return OnlineFolder.make(path, BaseModel("base", hashlib.sha256(base.read_bytes()).hexdigest()))


def files(registry: ModelRegistry) -> list[str]:
    return sorted(path.name for path in registry.folder.models.iterdir() if path.name != "lock")


def numbers(registry: ModelRegistry) -> list[int]:
    return [period.number for period in registry.history]


def again(registry: ModelRegistry) -> ModelRegistry:
    """As another process finds it."""
    return ModelRegistry(OnlineFolder.open(registry.folder.path), config=registry.config)


def check_whole(registry: ModelRegistry) -> None:
    """What must hold at every moment at which somebody looks."""
    current, state = registry.current(), registry._state()
    assert hashlib.sha256(current.path.read_bytes()).hexdigest() == current.sha256
    assert numbers(registry)[-1] == current.number == state.number
    assert {record.number for record in registry.models} >= {0, current.number}
    bad = {each.number for each in registry.quarantined}
    assert current.number not in bad
    assert state.next_number > max(numbers(registry))
    changes = [event["change"] for event in registry.folder.history.read()]
    assert changes == list(range(1, state.change + 1))
    kept = {registry.path(record.number).stem for record in registry.models}
    assert {name.partition(".")[0] for name in files(registry)} == kept
