"""Two processes (gloo, on a CPU) do what one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import filelock
import pytest
import torch

from reid.errors import InputError
from reid.learning.trainer import read_history
from reid.learning.trainer.distributed import Processes

STEP = Path(__file__).with_name("one_step.py")


FLAGS = (
    "--device=cpu", "--threads=1", "--epochs=2", "--epoch-steps=3", "--log-every=1", "--model.height-px=64",
    "--model.width-px=32", "--model.dimension=16", "--sampler.identities=4", "--sampler.pictures=3",
    "--validation.every=1", "--loss.kind=hierarchical", "--loss.refresh-epochs=1",  # all look at everybody
)  # fmt: skip


def run_step(folder: Path, loss: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """What each of `count` processes saved."""
    # here, as torchrun has it: a port that was free a moment ago may be taken by the time that a child wants it
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    target = folder / f"{count}"
    own = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True",
        "WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    running = [
        subprocess.Popen(
            [sys.executable, str(STEP), str(target), json.dumps(loss)],
            env={**os.environ, **own, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    for process in running:
        _, err = process.communicate(timeout=900)
        assert process.returncode == 0, err
    return [torch.load(f"{target}.{rank}", weights_only=True) for rank in range(count)]


@pytest.mark.parametrize(
    "loss",
    [
        {"mining": "batch_hard"},
        {"mining": "distance_weighted"},  # it draws
        {"kind": "contrastive", "memory_batches": 1},
    ],
    ids=str,
)
def test_loss_gradients_and_weights_are_those_of_one_process(tmp_path: Path, loss: dict[str, Any]) -> None:
    [alone] = run_step(tmp_path, loss, 1)
    both = run_step(tmp_path, loss, 2)
    assert bool(alone["memory"]) == ("memory_batches" in loss)
    assert [saved["count"] for saved in both] == [2, 2]
    for saved in both:
        torch.testing.assert_close(saved["loss"], alone["loss"], atol=1e-5, rtol=1e-5)
        assert saved["gradients"].keys() == alone["gradients"].keys()
        for name, gradient in alone["gradients"].items():
            torch.testing.assert_close(saved["gradients"][name], gradient, atol=1e-5, rtol=1e-5)
        for name, remembered in alone["memory"].items():
            torch.testing.assert_close(saved["memory"][name], remembered, atol=1e-5, rtol=1e-5)
    for name, weight in both[0]["weights"].items():
        assert torch.equal(weight, both[1]["weights"][name]), "processes must not drift apart"


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    assert Processes(1, 3).part(12) == slice(4, 8)
    with pytest.raises(InputError, match="a batch of 12 pictures must be a multiple of the 5 processes"):
        Processes(0, 5).part(12)


def test_torchrun_trains_validates_resumes_and_exports(tmp_path: Path, plates_folder: Path) -> None:
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    command = [*words, "tracker.cli.main", "train", str(plates_folder), "--out", "m.onnx", *FLAGS]
    (tmp_path / "m.train").mkdir()
    with filelock.FileLock(tmp_path / "m.train" / "lock"):  # as a training holds it that runs now
        refused = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
            timeout=900, check=False,
        )  # fmt: skip
    assert refused.returncode != 0
    assert "is in use by another training" in refused.stderr, refused.stderr
    for more in ([], ["--resume"]):  # the second finds everything done, and exports again
        done = subprocess.run(
            [*command, *more],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("wrote m.onnx") == 1, "one process speaks for all"
        rows = read_history(tmp_path / "m.train" / "history.csv")
        assert [row.step for row in rows] == [1, 2, 3, 4, 5, 6]
        assert [row.step for row in rows if row.validation_map is not None] == [3, 6]
