"""The walk over an ONNX file: what it finds anywhere in it, and what it makes of broken ones."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reid import ModelError
from reid.embedder import DEFAULT_MODEL
from reid.onnx_file import external_paths, read_contents

onnx = pytest.importorskip("onnx", reason="tests build models with onnx")
helper, types = onnx.helper, onnx.TensorProto


def outside(name: str, location: str) -> Any:
    """A tensor whose numbers are in another file."""
    tensor = helper.make_tensor(name, types.FLOAT, [1], [1.0])
    tensor.ClearField("float_data")
    tensor.data_location = types.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def write(folder: Path, nodes: list[Any], initializers: Any = (), functions: Any = (), sparse: Any = ()) -> Path:
    value = helper.make_tensor_value_info("x", types.FLOAT, [1])
    graph = helper.make_graph(nodes, "g", [value], [value], list(initializers), sparse_initializer=list(sparse))
    path = folder / "model.onnx"
    path.write_bytes(helper.make_model(graph, functions=list(functions)).SerializeToString())
    return path


def test_plain_models_name_nothing(make_model: Any) -> None:
    for path in (make_model(), DEFAULT_MODEL):
        contents = read_contents(path)
        assert (contents.external_files, contents.custom_operators) == (set(), set())


def test_real_models_name_nothing(shared_data: Path) -> None:
    for path in sorted((shared_data / "models").glob("*.onnx")):
        contents = read_contents(path)
        assert (contents.external_files, contents.custom_operators) == (set(), set()), path.name


def test_external_files_are_found_wherever_a_tensor_may_be(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("y", types.FLOAT, [1])
    inner = helper.make_graph([], "inner", [], [value], [outside("deep", "deep.bin")])
    sparse = helper.make_sparse_tensor(
        outside("values", "values.bin"), helper.make_tensor("i", types.INT64, [1], [0]), [1]
    )
    nodes = [
        helper.make_node("Constant", [], ["c"], value=outside("c", "constant.bin")),
        helper.make_node("If", ["x"], ["d"], then_branch=inner, else_branch=inner),
    ]
    function = helper.make_function(
        "own.ops", "F", ["a"], ["b"],
        [helper.make_node("Constant", [], ["b"], value=outside("b", "function.bin"))],
        [helper.make_opsetid("", 18)],
    )  # fmt: skip
    path = write(tmp_path, nodes, [outside("w", "weights.bin")], [function], [sparse])
    assert read_contents(path).external_files == {
        "constant.bin", "deep.bin", "function.bin", "values.bin", "weights.bin",
    }  # fmt: skip


def test_operators_are_custom_unless_the_runtime_or_the_file_defines_them(tmp_path: Path) -> None:
    inner = helper.make_graph([helper.make_node("Deep", [], ["d"], domain="own.ops")], "inner", [], [])
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Gelu", ["a"], ["b"], domain="com.microsoft"),
        helper.make_node("F", ["b"], ["c"], domain="own.ops"),
        helper.make_node("Sparkle", ["c"], ["e"], domain="own.ops"),
        helper.make_node("If", ["x"], ["f"], then_branch=inner, else_branch=inner),
    ]
    body = [helper.make_node("Inner", ["a"], ["b"], domain="others")]
    function = helper.make_function("own.ops", "F", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    found = read_contents(write(tmp_path, nodes, functions=[function])).custom_operators
    assert found == {"own.ops::Sparkle", "own.ops::Deep", "others::Inner"}


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.onnx"
    path.write_bytes(content)
    with contextlib.suppress(ModelError):  # nothing else may come out
        read_contents(path)


def test_every_cut_of_a_model_is_read_or_refused(make_model: Any, tmp_path: Path) -> None:
    content = make_model().read_bytes()
    path = tmp_path / "cut.onnx"
    refused = 0
    for size in range(1, len(content)):
        path.write_bytes(content[:size])
        try:
            read_contents(path)
        except ModelError:
            refused += 1
    assert refused > len(content) // 2


def test_graphs_nested_without_end_are_refused(tmp_path: Path) -> None:
    message = b""
    for _ in range(200):  # a graph of a node of an attribute of a graph ...
        for number in (6, 5, 1):
            message = bytes([number << 3 | 2]) + _size(len(message)) + message
    (tmp_path / "deep.onnx").write_bytes(bytes([7 << 3 | 2]) + _size(len(message)) + message)
    with pytest.raises(ModelError, match="is not an ONNX file"):
        read_contents(tmp_path / "deep.onnx")


def _size(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../secret.bin", "must keep its weights beside itself"),
        ("/etc/hostname", "must keep its weights beside itself"),
        ("C:\\weights.bin", "must keep its weights beside itself"),
        ("link.bin", "must keep its weights beside itself"),
        ("none.bin", "there is no such file"),
        ("", "there is no such file"),
        ("*/_ORT_MEM_ADDR_/*", "there is no such file"),  # onnxruntime's mark of an address in memory
    ],
)
def test_external_files_lie_beside_the_model(tmp_path: Path, name: str, message: str) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.bin").touch()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(ModelError, match=message):
        external_paths(folder / "model.onnx", {name})
    (folder / "weights.bin").touch()
    assert external_paths(folder / "model.onnx", {"weights.bin"}) == (folder / "weights.bin",)
