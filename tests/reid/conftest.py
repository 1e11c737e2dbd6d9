"""Small ONNX models, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

onnx = pytest.importorskip("onnx", reason="tests build models with onnx")

MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """`make(shape, dtype=..., metadata=...)` writes an embedder that gives the mean of each channel of its input."""

    def make(
        shape: Sequence[int | str | None] = (None, 3, 8, 4),
        *,
        dtype: str = "float32",
        output_shape: Sequence[int | str | None] = (None, 3),
        metadata: dict[str, str] | None = None,
        channels_last: bool = False,
        gain: float = 1.0,
        name: str = "model.onnx",
    ) -> Path:
        helper, types = onnx.helper, onnx.TensorProto
        kind = {"float32": types.FLOAT, "float16": types.FLOAT16, "uint8": types.UINT8, "int64": types.INT64}[dtype]
        inner = types.FLOAT16 if dtype == "float16" else types.FLOAT
        axes = [1, 2] if channels_last else [2, 3]
        nodes = [
            helper.make_node("Cast", ["pictures"], ["float"], to=inner),
            helper.make_node("ReduceMean", ["float", "axes"], ["means"], keepdims=0),
            helper.make_node("Mul", ["means", "gain"], ["vectors"]),
        ]
        constants = [
            helper.make_tensor("axes", types.INT64, [2], axes),
            helper.make_tensor("gain", inner, [1], [gain]),
        ]
        graph = helper.make_graph(
            nodes,
            "means",
            [helper.make_tensor_value_info("pictures", kind, list(shape))],
            [helper.make_tensor_value_info("vectors", inner, list(output_shape))],
            constants,
        )
        return save(graph, metadata, name)

    def save(graph: Any, metadata: dict[str, str] | None, name: str) -> Path:
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
        if metadata:
            onnx.helper.set_model_props(model, metadata)
        path = tmp_path / name
        onnx.save(model, path)
        return path

    return make
