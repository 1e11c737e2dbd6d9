"""Which nodes of an exported graph are the network itself: the part that another precision may compute."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True)
class Regions:
    """Positions of nodes in `graph.node`."""

    network: frozenset[int]
    """From the first convolution to the last layer with weights: what lies between two layers with weights, and they
    themselves. Without the preparation of pixels, a colour histogram beside it, and the scaling to unit length."""
    weighted: frozenset[int]
    """The layers with weights among them."""


def find_regions(graph: Any) -> Regions:
    """The network is what descends from a convolution (or, in a graph without any, from a linear layer)."""
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    readers: dict[str, list[int]] = defaultdict(list)
    writer: dict[str, int] = {}
    for place, node in enumerate(graph.node):
        for name in node.input:
            readers[name].append(place)
        for name in node.output:
            writer[name] = place
    heavy = {
        place
        for place, node in enumerate(graph.node)
        if node.op_type in WEIGHTED and len(node.input) > 1 and node.input[1] in constants
    }
    first = {place for place in heavy if "Conv" in graph.node[place].op_type} or heavy
    below = _closure(first, lambda place: [p for name in graph.node[place].output for p in readers[name]])
    weighted = heavy & below
    above = _closure(weighted, lambda place: [writer[name] for name in graph.node[place].input if name in writer])
    return Regions(frozenset(below & above), frozenset(weighted))


def _closure(start: set[int], neighbours: Any) -> set[int]:
    """Everything that can be reached from `start`, with it."""
    found, queue = set(start), list(start)
    while queue:
        for place in neighbours(queue.pop()):
            if place not in found:
                found.add(place)
                queue.append(place)
    return found
