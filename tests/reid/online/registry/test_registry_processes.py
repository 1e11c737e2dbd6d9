"""Which model is live, whatever happens to the processes that change it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from changes import TEMPLATE
from registries import MakeModels, again, check_whole, numbers

from reid.online import OnlineFolder
from reid.online.registry import ModelRegistry


def child(call: str, folder: Path, *arguments: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).with_name("changes.py")), call, str(folder), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def shelf(registry: ModelRegistry, model: MakeModels, tmp_path: Path) -> Path:
    """A folder in which child processes find their models and the online folder."""
    shutil.copy(model(0), tmp_path / TEMPLATE)
    return tmp_path


def test_killed_at_random_moments_twenty_times(registry: ModelRegistry, shelf: Path) -> None:
    rng = np.random.default_rng(5)
    for k in range(20):
        with child("admit_and_roll_back", shelf, 1 + 400 * k, 400) as process:
            assert process.stdout is not None
            for _ in range(rng.integers(1, 5)):
                assert process.stdout.readline() == "changing\n"
            time.sleep(rng.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
        registry = again(registry)
        check_whole(registry)
    assert len(numbers(registry)) > 20  # much has happened
    assert not [event for event in registry.folder.history.read() if event["event"] == "fell_back"]


def test_killed_before_every_call_that_changes_a_file(registry: ModelRegistry, model: MakeModels, shelf: Path) -> None:
    registry.admit(model(1))
    registry.folder.path.rename(shelf / "before")
    with child("changes_killed_everywhere", shelf) as process:
        process.communicate()
    assert process.returncode == 0
    seen = []
    for path in sorted(shelf.glob("after-*")):
        found = ModelRegistry(OnlineFolder.open(path))
        check_whole(found)
        seen.append((len(found.history), found.current().number))
    assert len(seen) > 20
    assert seen == sorted(seen)  # the later it was killed, the more had happened, and nothing by half
    assert set(seen) == {(2, 1), (3, 2), (4, 1)}


def test_two_processes_take_turns(registry: ModelRegistry, shelf: Path) -> None:
    both = [child("admit_and_roll_back", shelf, first, 40) for first in (1, 101)]
    for process in both:
        process.communicate()
    assert [process.returncode for process in both] == [0, 0]
    check_whole(again(registry))
    admitted = [e["model"]["number"] for e in registry.folder.history.read() if e["event"] == "admitted"]
    assert admitted == list(range(1, len(admitted) + 1))
    assert len(admitted) > 40
