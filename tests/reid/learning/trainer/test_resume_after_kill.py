"""A process that is killed outright, or asked to stop, goes on with the losses of one that never was."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reid.learning.trainer import read_history

STEPS = 20
FLAGS = (
    "--device=cpu", "--threads=1", "--epochs=10", "--epoch-steps=2", "--log-every=1", "--model.height-px=64",
    "--model.width-px=32", "--model.dimension=16", "--sampler.identities=4", "--sampler.pictures=3",
    "--validation.every=4", "--optimizer.average-decay=0.9",
)  # fmt: skip


STOPPING = """
import os, signal, sys
from reid.learning.trainer.history import CsvHistory
from tracker.cli.main import main

add, after = CsvHistory.add, int(sys.argv[1])

def add_and_stop(self, row):
    add(self, row)
    if row.step == after:
        os.kill(os.getpid(), signal.SIGSTOP)

CsvHistory.add = add_and_stop
sys.exit(main(sys.argv[2:]))
"""
"""`reidtrack` with words, which stops itself once it has noted a step: whoever waits for that may be slow."""


def let_ctrl_c_through() -> None:
    """Where tests run in the background their children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder: Path, plates_folder: Path, *more: str, stops_after: int = 0) -> subprocess.Popen[str]:
    """`reidtrack train` in a process of its own, which stops after a step until it gets SIGCONT."""
    words = ["train", str(plates_folder), "--out", "m.onnx", *FLAGS, *more]
    return subprocess.Popen(
        [sys.executable, "-c", STOPPING, str(stops_after), *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=let_ctrl_c_through,
    )


def wait_until_it_stops(process: subprocess.Popen[str]) -> None:
    """Until it has stopped itself; it is not done before that."""
    how = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert how is not None
    assert how.si_code == os.CLD_STOPPED, process.communicate()


def ask(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to one that stopped, and let it go on."""
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)


def figures(folder: Path) -> list[tuple[object, ...]]:
    """What depends on the training alone, by step."""
    rows = read_history(folder / "m.train" / "history.csv")
    return [(r.step, r.loss, r.triplet_loss, r.identity_loss, r.gradient_norm, r.validation_map) for r in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, plates_folder: Path) -> list[tuple[object, ...]]:
    """The figures of a run that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    process = start(folder, plates_folder)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert "wrote m.onnx" in out
    return figures(folder)


def test_a_killed_run_goes_on_to_the_same_losses(
    tmp_path: Path, plates_folder: Path, whole: list[tuple[object, ...]]
) -> None:
    for step in (3, 11):  # two kills, each somewhere after a checkpoint
        process = start(tmp_path, plates_folder, *(["--resume"] if step > 3 else []), stops_after=step)
        wait_until_it_stops(process)
        process.kill()
        process.communicate()
        torch.load(tmp_path / "m.train" / "checkpoint.pt", weights_only=True)  # whole, whenever it is killed
    process = start(tmp_path, plates_folder, "--resume")
    _, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert [row[0] for row in whole] == list(range(1, STEPS + 1))
    assert figures(tmp_path) == whole
    assert not list((tmp_path / "m.train").glob(".*")), "no drafts are left behind"


def test_a_second_training_into_one_folder_is_refused_until_the_first_is_gone(
    tmp_path: Path, plates_folder: Path, whole: list[tuple[object, ...]]
) -> None:
    first = start(tmp_path, plates_folder, stops_after=3)
    wait_until_it_stops(first)
    for more in ("--resume", "--overwrite"):
        second = start(tmp_path, plates_folder, more)
        _, err = second.communicate(timeout=900)
        assert second.returncode not in (0, 130)
        assert "m.train is in use by another training that runs now" in err
        assert "Traceback" not in err
    first.kill()
    first.communicate()
    third = start(tmp_path, plates_folder, "--resume")
    _, err = third.communicate(timeout=900)
    assert third.returncode == 0, err
    assert figures(tmp_path) == whole


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(
    tmp_path: Path, plates_folder: Path, whole: list[tuple[object, ...]]
) -> None:
    process = start(tmp_path, plates_folder, stops_after=5)
    wait_until_it_stops(process)
    ask(process, signal.SIGINT)
    _, err = process.communicate(timeout=900)
    assert process.returncode == 130, err
    assert not (tmp_path / "m.onnx").exists()
    [step] = re.findall(r"stopped after step (\d+); m\.train/checkpoint\.pt has everything", err)
    [command] = re.findall(r"^  reidtrack (train .*)$", err, flags=re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-m", "tracker.cli.main", *command.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "m.onnx").is_file()
    assert 5 <= int(step) < STEPS
    assert figures(tmp_path) == whole


def test_sigterm_stops_it_like_ctrl_c(tmp_path: Path, plates_folder: Path) -> None:
    process = start(tmp_path, plates_folder, stops_after=2)
    wait_until_it_stops(process)
    ask(process, signal.SIGTERM)
    _, err = process.communicate(timeout=900)
    assert process.returncode == 130, err
    assert torch.load(tmp_path / "m.train" / "checkpoint.pt", weights_only=True)["step"] >= 2
