"""The examples of docs/training.md that need no data, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid.learning import distances, losses, mining, sampling  # noqa: E402 after the skip

pytestmark = pytest.mark.torch

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "open_crops" not in text]
PARTS = {"losses": losses, "mining": mining, "sampling": sampling, "distances": distances}


def test_the_examples_run_and_learn() -> None:
    torch.manual_seed(0)
    known: dict[str, Any] = {}
    values = []
    for text in EXAMPLES:
        exec(compile(text, "docs/training.md", "exec"), known)
        values.append(float(known["value"].detach()))
    assert len(values) == 2
    assert all(value > 0 for value in values)
    with torch.no_grad():
        own = mining.pairs_of(known["embed"](), known["labels"])
    assert own.distances[own.same].mean() < 0.5 * own.distances[own.different].mean()


def test_the_table_names_what_there_is() -> None:
    rows = re.findall(r"^\| (`(?:losses|mining|sampling|distances)\..*?) \|", PAGE, re.MULTILINE)
    assert len(rows) == 10
    named: set[str] = set()
    for row in rows:
        part = PARTS[row[1:].partition(".")[0]]
        names = [name.rpartition(".")[2] for name in re.findall(r"`([\w.]+)`", row)]
        assert [name for name in names if not hasattr(part, name)] == []
        named.update(names)
    functions = {name for name in losses.__all__ if name.islower() or name.endswith("Loss")}
    assert functions - named == {"ReferenceLoss"}, "a loss that the page does not name"
