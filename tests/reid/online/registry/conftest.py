"""Models to admit, and a registry to admit them to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from reid import Card
from reid.card import METADATA_KEY
from reid.online.registry import ModelRegistry

sys.path.insert(0, str(Path(__file__).parent))  # for what lies beside the tests
pytest.register_assert_rewrite("registries")  # which must come before it is imported

from changes import NAME, variant  # noqa: E402
from registries import MakeModels, folder_of  # noqa: E402


@pytest.fixture
def model(make_model: Any, tmp_path: Path) -> MakeModels:
    """`model(number)` is a sound model; each number is another one."""
    card = Card(NAME.decode(), 8, 4, 3, weights_hash=None)
    data = make_model(metadata={METADATA_KEY: card.to_json()}, name="template.onnx").read_bytes()

    def make(number: int) -> Path:
        path = tmp_path / f"candidate-{number}.onnx"
        path.write_bytes(variant(data, number))
        return path

    return make


@pytest.fixture
def registry(model: MakeModels, tmp_path: Path) -> ModelRegistry:
    base = model(0)
    made = ModelRegistry(folder_of(tmp_path / "online", base), base=base)
    base.unlink()  # the registry must live on its own copy
    return made
