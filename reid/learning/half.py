"""float16 inside, float32 outside: the network's part of a graph in half precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from reid.learning.regions import find_regions

_FLOAT, _HALF = 1, 10  # TensorProto.DataType
_KEPT_INPUTS = {"Resize": (1, 2, 3), "Upsample": (1,)}  # inputs that ONNX wants in float32 (or whole numbers) always
_SUFFIX = "_float16"


def halve(model: Any) -> Any:
    """A copy of an ONNX model whose network computes in float16; input, preparation and unit length stay float32.

    Lengths are taken in float32, because squares of features above 255 are beyond float16 (largest 65504).
    """
    import onnx

    out = onnx.ModelProto()
    out.CopyFrom(model)
    graph = out.graph
    typed = onnx.shape_inference.infer_shapes(out).graph
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*typed.value_info, *typed.input, *typed.output)}
    kinds |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    _Halving(onnx, graph, {name for name, kind in kinds.items() if kind == _FLOAT}).apply()
    del graph.value_info[:]
    return out


class _Halving:
    """One pass over the nodes of a graph; every float32 value of the network gets a float16 twin by another name."""

    def __init__(self, onnx: Any, graph: Any, floats: set[str]) -> None:
        self._onnx, self._graph, self._floats = onnx, graph, floats
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._inside = find_regions(graph).network
        self._halved: set[str] = set()
        self._nodes: list[Any] = []
        self._tensors: list[Any] = []

    def apply(self) -> None:
        """Rewrite the graph in place; the order of its nodes stays sound."""
        wanted = self._read_outside()
        for place, node in enumerate(self._graph.node):
            if place in self._inside:
                self._halve_node(node, wanted)
            else:
                self._nodes.append(node)
        kept = [t for t in self._graph.initializer if t.name in wanted]
        nodes = list(self._nodes)
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        kept += self._tensors
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)

    def _read_outside(self) -> set[str]:
        """Values that somebody reads in float32: nodes outside, and the caller."""
        names = {value.name for value in self._graph.output}
        for place, node in enumerate(self._graph.node):
            kept = _KEPT_INPUTS.get(node.op_type, ()) if place in self._inside else range(len(node.input))
            names |= {name for k, name in enumerate(node.input) if k in kept or name not in self._floats}
        return names

    def _halve_node(self, node: Any, wanted: set[str]) -> None:
        for k, name in enumerate(node.input):
            if name in self._floats and k not in _KEPT_INPUTS.get(node.op_type, ()):
                self._provide(name)
                node.input[k] = name + _SUFFIX
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == _FLOAT:
                attribute.i = _HALF
        self._nodes.append(node)
        for k, name in enumerate(node.output):
            if name in self._floats:
                node.output[k] = name + _SUFFIX
                self._halved.add(name)
                if name in wanted:
                    self._nodes.append(self._cast(name + _SUFFIX, name, _FLOAT))

    def _provide(self, name: str) -> None:
        """Have the float16 twin of a value before the node that is about to read it."""
        if name in self._halved:
            return
        self._halved.add(name)
        if name in self._constants:
            helper = self._onnx.numpy_helper
            with np.errstate(over="ignore"):  # what becomes infinite shows in the vectors, which the caller compares
                values = helper.to_array(self._constants[name]).astype(np.float16)
            self._tensors.append(helper.from_array(values, name + _SUFFIX))
        else:
            self._nodes.append(self._cast(name, name + _SUFFIX, _HALF))

    def _cast(self, source: str, target: str, kind: int) -> Any:
        return self._onnx.helper.make_node("Cast", [source], [target], name=f"cast_{target}", to=kind)
