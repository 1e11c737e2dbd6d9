"""int8 by static quantization: scales of activations from real crops, of weights by output channel."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.batching import CropBuffers
from reid.card import Card
from reid.learning.regions import find_regions

_BATCH = 16
_LEAST_OPSET = 13  # the first in which one layer may have a scale for each channel


def quantize(model: Any, card: Card, crops: NDArray[np.uint8], folder: Path) -> Any:
    """An ONNX model whose layers with weights multiply whole numbers of 8 bits.

    Quantize and dequantize nodes stand around each of these layers (the QDQ form); `crops` (n, h, w, 3) of the card's
    size say which values occur. `folder` holds drafts and may be deleted afterwards.

    Activations are unsigned and weights use 7 bits of 8: on processors without VNNI the sum of two products may
    overflow 16 bits otherwise, silently (onnxruntime's documentation of quantization, "reduce_range").
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    opset = max(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    if opset < _LEAST_OPSET:
        model = onnx.version_converter.convert_version(model, _LEAST_OPSET)
    graph = model.graph
    for place, node in enumerate(graph.node):
        node.name = f"node_{place}"  # they are chosen by name, and some have none
    chosen = [graph.node[place] for place in sorted(find_regions(graph).weighted)]
    draft, result = folder / "named.onnx", folder / "quantized.onnx"
    onnx.save(model, draft)
    with _root_logger_left_alone():
        quantize_static(
            str(draft),
            str(result),
            _crops_reader(graph, card, crops),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=[node.name for node in chosen],
            op_types_to_quantize=sorted({node.op_type for node in chosen}),
        )
    return onnx.load(result)


def _crops_reader(graph: Any, card: Card, crops: NDArray[np.uint8]) -> Any:
    """What onnxruntime asks for batches of the model's input, until there is none."""
    from onnxruntime.quantization import CalibrationDataReader

    tensor = graph.input[0]
    batch = tensor.type.tensor_type.shape.dim[0].dim_value or _BATCH

    class Reader(CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
        def __init__(self) -> None:
            self._starts = iter(range(0, len(crops), batch))

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            start = next(self._starts, None)
            if start is None:
                return None
            rows = np.arange(start, start + batch) % len(crops)  # a fixed batch is filled up from the beginning
            buffers = CropBuffers(card)  # memory of its own: onnxruntime keeps what it was given
            buffers.pixels(batch)[:] = crops[rows]
            return {tensor.name: buffers.prepare(batch)}

    return Reader()


@contextmanager
def _root_logger_left_alone() -> Iterator[None]:
    """The quantizer of onnxruntime logs by the root logger: that would print, and add a handler where there is none."""
    root, handler = logging.getLogger(), logging.NullHandler()
    before = root.handlers[:]
    root.handlers[:] = [handler]
    try:
        yield
    finally:
        root.handlers[:] = before
