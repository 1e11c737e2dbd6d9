"""The mining benchmark runs, and its verdict follows its bars."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("pytorch_metric_learning", reason="needs the extra [dev]")

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench_mining.py"


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_mining", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_mining"] = module
    spec.loader.exec_module(module)
    return module


def test_it_prints_a_line_for_each_batch() -> None:
    kinds = ["batch_hard", "batch_all_soft"]
    words = ["--kinds", *kinds, "--batches", "16", "--repeats", "3", "--dimension", "8", "--threads", "1"]
    command = [sys.executable, str(SCRIPT), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[2:]
    assert [line.split()[0] for line in lines] == kinds
    assert all(line.endswith("x") for line in lines)


def test_bars_are_judged(bench: Any) -> None:
    def row(kind: str, batch: int, ratio: float | None, mb: float = 10) -> Any:
        return bench.Row(kind, batch, 1.0, mb, 2.0, 20.0, ratio)

    fine = [row("batch_hard", 128, 0.5), row("batch_hard", 256, 2.0), row("batch_all", 2048, None, 299.0)]
    assert bench.misses(fine) == []
    slow = [row("batch_hard", 256, 1.9), row("semi_hard", 512, 4.9), row("batch_all", 2048, 9.0, 300.0)]
    assert [miss.split(":")[0] for miss in bench.misses(slow)] == [
        "batch_hard at B=256",
        "semi_hard at B=512",
        "batch_all at B=2048",
    ]


def test_what_the_other_would_need_is_foretold(bench: Any) -> None:
    half = bench.Row("batch_all", 512, 1.0, 10.0, 500.0, 100.0, 9.0)
    assert bench.why_not(1024, half, 40.0) == ""
    assert bench.why_not(1024, None, 40.0) == ""
    large = bench.Row("batch_all", 512, 1.0, 10.0, 500.0, 9000.0, 9.0)
    assert "took 9000 MB at B=512" in bench.why_not(1024, large, 40.0)
    slow = bench.Row("batch_all", 512, 1.0, 10.0, 5000.0, 100.0, 9.0)
    assert "took 5.0 s a step at B=512" in bench.why_not(1024, slow, 40.0)
    left_out = bench.Row("batch_all", 1024, 1.0, 10.0, reason="pytorch-metric-learning left out: so")
    assert bench.why_not(2048, left_out, 40.0) == left_out.reason
