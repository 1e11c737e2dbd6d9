"""Small ONNX models whose outputs are known, because they are constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MakeModel = Callable[..., Path]

_TYPES = {"float32": 1, "uint8": 2, "int64": 7, "float16": 10, "float64": 11}


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """`make_model(outputs, input_shape=..., ...)` writes a model that returns these arrays, whatever it is shown."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import helper, numpy_helper

    def make(
        outputs: Mapping[str, Any],
        input_shape: tuple[int | str, ...] = (1, 3, 64, 64),
        *,
        dtype: str = "float32",
        second_input: tuple[str, tuple[int | str, ...]] | None = None,
        metadata: Mapping[str, str] | None = None,
        name: str = "model.onnx",
    ) -> Path:
        nodes, declared = [], []
        for output, array in outputs.items():
            array = np.asarray(array)
            nodes.append(helper.make_node("Constant", [], [output], value=numpy_helper.from_array(array)))
            declared.append(helper.make_tensor_value_info(output, _TYPES[array.dtype.name], array.shape))
        inputs = [helper.make_tensor_value_info("images", _TYPES[dtype], input_shape)]
        if second_input:
            inputs.append(helper.make_tensor_value_info(second_input[0], _TYPES["int64"], second_input[1]))
        graph = helper.make_graph(nodes, "constants", inputs, declared)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        for key, value in (metadata or {}).items():
            model.metadata_props.add(key=key, value=value)
        path = tmp_path / name
        onnx.save(model, str(path))
        return path

    return make
