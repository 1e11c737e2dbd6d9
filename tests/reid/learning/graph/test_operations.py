"""Each operation alone in a graph: torch must find what onnxruntime finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx", reason="needs the extra [train]")
torch = pytest.importorskip("torch", reason="needs the extra [train]")

import onnxruntime  # noqa: E402

from reid.learning.graph.operations import OPERATIONS  # noqa: E402

RNG = np.random.default_rng(0)
PICTURE = RNG.normal(size=(2, 6, 8, 5)).astype(np.float32)
ROWS = RNG.normal(size=(3, 6)).astype(np.float32)
WIDE = RNG.normal(size=(4, 6, 3, 3)).astype(np.float32)
GAIN, SHIFT = RNG.uniform(0.5, 2, 6).astype(np.float32), RNG.normal(size=6).astype(np.float32)
Array = NDArray[Any]
Case = tuple[str, Sequence[Array | None], dict[str, Any]]


def whole(*values: int) -> Array:
    return np.array(values, np.int64)


def one(value: float) -> Array:
    return np.array(value, np.float32)


UNARY: list[Case] = [
    (kind, [np.abs(ROWS) + 0.1 if kind in ("Log", "Sqrt") else ROWS], {})
    for kind in (
        "Abs", "Dropout", "Elu", "Erf", "Exp", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Neg",
        "Reciprocal", "Relu", "Sigmoid", "Softplus", "Sqrt", "Tanh", "Gelu",
    )
]  # fmt: skip
BINARY: list[Case] = [
    (kind, [PICTURE, SHIFT[:, None, None]], {})
    for kind in ("Add", "Div", "Equal", "Greater", "Less", "Max", "Min", "Mul", "PRelu", "Sub", "Sum")
]
REDUCED: list[Case] = [
    (kind, [PICTURE, *axes], {"keepdims": keep})
    for kind in ("ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum")
    for axes, keep in (((whole(2, 3),), 0), ((whole(1),), 1), ((), 1))
]
OTHERS: list[Case] = [
    ("AveragePool", [PICTURE], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("AveragePool", [PICTURE], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("AveragePool", [PICTURE], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    ("Cast", [ROWS], {"to": 7}),
    ("Clip", [ROWS, one(-0.5), one(0.5)], {}),
    ("Clip", [ROWS, None, one(0.5)], {}),
    ("Concat", [PICTURE, PICTURE[:, :2]], {"axis": 1}),
    ("ConstantOfShape", [whole(2, 3)], {}),
    ("Conv", [PICTURE, WIDE], {"pads": [1, 1, 1, 1], "strides": [2, 1]}),
    ("Conv", [PICTURE, WIDE, SHIFT[:4]], {"pads": [0, 1, 2, 0], "dilations": [1, 1]}),
    ("Conv", [PICTURE, WIDE[:, :3], SHIFT[:4]], {"group": 2}),
    ("Conv", [PICTURE[:, :, 0], WIDE[:, :, 0]], {}),
    ("Div", [whole(7, -7), whole(2, 2)], {}),
    ("Expand", [SHIFT[:, None], whole(2, 6, 4)], {}),
    ("Flatten", [PICTURE], {"axis": 2}),
    ("Gather", [PICTURE, whole(3, -1, 0)], {"axis": 1}),
    ("Gather", [PICTURE, np.array(2)], {"axis": 2}),
    ("Gemm", [ROWS, RNG.normal(size=(4, 6)).astype(np.float32), SHIFT[:4]], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", [ROWS, RNG.normal(size=(3, 4)).astype(np.float32)], {"transA": 1}),
    ("GlobalAveragePool", [PICTURE], {}),
    ("GlobalMaxPool", [PICTURE], {}),
    ("InstanceNormalization", [PICTURE, GAIN, SHIFT], {"epsilon": 0.01}),
    ("LayerNormalization", [ROWS, GAIN, SHIFT], {"epsilon": 0.01}),
    ("LpNormalization", [ROWS], {"axis": 1, "p": 2}),
    ("MatMul", [ROWS, RNG.normal(size=(6, 4)).astype(np.float32)], {}),
    ("MaxPool", [PICTURE], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    ("MaxPool", [PICTURE], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("Pad", [PICTURE, whole(0, 0, 1, 2, 0, 0, 2, 1), one(3.0)], {}),
    ("Pad", [PICTURE, whole(0, 0, 1, 2, 0, 0, 2, 1)], {"mode": "reflect"}),
    ("Pad", [PICTURE, whole(0, 0, 1, 2, 0, 0, 2, 1)], {"mode": "edge"}),
    ("Pow", [np.abs(ROWS), one(1.5)], {}),
    ("Reshape", [PICTURE, whole(0, -1, 5)], {}),
    ("Shape", [PICTURE], {"start": 1, "end": 3}),
    ("Slice", [PICTURE, whole(1, -3), whole(6, 2**40), whole(1, 2), whole(2, 1)], {}),
    ("Slice", [PICTURE, whole(-1), whole(-(2**63)), whole(2), whole(-1)], {}),
    ("Softmax", [PICTURE], {"axis": 1}),
    ("Split", [PICTURE, whole(2, 4)], {"axis": 1, "outputs": 2}),
    ("Squeeze", [PICTURE[:1, :, :1], whole(0, 2)], {}),
    ("Squeeze", [PICTURE[:1, :, :1]], {}),
    ("Sum", [ROWS, ROWS, ROWS], {}),
    ("Tile", [ROWS, whole(2, 1)], {}),
    ("Transpose", [PICTURE], {"perm": [0, 3, 1, 2]}),
    ("Transpose", [ROWS], {}),
    ("Unsqueeze", [ROWS, whole(0, -1)], {}),
    ("Where", [ROWS > 0, ROWS, one(0.0)], {}),
]  # fmt: skip
CASES = [*UNARY, *BINARY, *REDUCED, *OTHERS]


def by_onnxruntime(kind: str, inputs: Sequence[Array | None], attributes: dict[str, Any]) -> list[Array]:
    given = {f"x{k}": value for k, value in enumerate(inputs) if value is not None}
    outputs = [f"y{k}" for k in range(attributes.get("outputs", 1))]
    real = {name: value for name, value in attributes.items() if name != "outputs"}
    names = ["" if value is None else f"x{k}" for k, value in enumerate(inputs)]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(kind, names, outputs, **real)],
        kind,
        [
            onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            for name, value in given.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, given)  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)])
def test_torch_finds_what_onnxruntime_finds(case: Case) -> None:
    kind, inputs, attributes = case
    given = [None if value is None else torch.from_numpy(value.copy()) for value in inputs]
    # as onnx hands attributes over: texts are bytes
    plain = {name: value.encode() if isinstance(value, str) else value for name, value in attributes.items()}
    out = OPERATIONS[kind](given, plain)
    found = [out] if isinstance(out, torch.Tensor) else list(out)
    expected = by_onnxruntime(kind, inputs, attributes)
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.numpy().dtype == theirs.dtype
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=2e-5, atol=2e-5)


def test_every_operation_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(OPERATIONS)


@pytest.mark.parametrize(
    "case",
    [
        ("Conv", [PICTURE, WIDE], {"auto_pad": b"SAME_UPPER"}),
        ("AveragePool", [PICTURE], {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1]}),
    ],
    ids=["auto_pad", "uneven-average"],
)
def test_what_would_come_out_wrong_is_refused(case: Case) -> None:
    kind, inputs, attributes = case
    with pytest.raises(NotImplementedError, match=r"SAME_UPPER|pads two sides"):
        OPERATIONS[kind]([torch.from_numpy(np.asarray(value)) for value in inputs], attributes)
