"""Trained weights back into the file that they came from."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from reid.card import METADATA_KEY, Card
from reid.errors import ModelError
from reid.learning.export import check_same, weights_hash
from reid.learning.graph.network import OnnxGraph


def write_graph(network: OnnxGraph, card: Card, path: str | Path, *, seed: int = 0) -> Path:
    """Write the graph that `network` was made of with its weights of now and this card; returns the path.

    Nothing else in the graph changes, so that it costs what it cost before. The file is moved to its place only after
    the ONNX checker has passed and onnxruntime agrees with torch at batches of 1, 2, 3, 17 and 64.

    Raises:
        ModelError: the card is of another size or dimension, or the vectors differ.
    """
    import onnx

    if dataclasses.replace(card, **{name: getattr(network.card, name) for name in _HISTORY}) != network.card:
        raise ModelError("the card of a trained graph must call it as the one before: size, colours, scale, dimension")
    target = Path(path)
    card = dataclasses.replace(card, weights_hash=weights_hash(network))
    proto = onnx.ModelProto.FromString(network.file)
    weights = network.weights_in_file()
    for item in proto.graph.initializer:
        if item.name in weights:
            item.CopyFrom(onnx.numpy_helper.from_array(weights.pop(item.name).contiguous().numpy(), item.name))
    for node in proto.graph.node:
        if node.op_type == "Constant" and node.output[0] in weights:
            value = onnx.numpy_helper.from_array(weights.pop(node.output[0]).contiguous().numpy())
            node.attribute[0].CopyFrom(onnx.helper.make_attribute("value", value))
    assert not weights, "every weight was read from there"
    onnx.helper.set_model_props(proto, _properties(proto) | {METADATA_KEY: card.to_json()})
    onnx.checker.check_model(proto, full_check=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
        draft = Path(folder) / "model.onnx"
        onnx.save(proto, draft)
        check_same(network.eval(), card, draft, seed=seed)
        draft.replace(target)
    return target


_HISTORY = ("name", "calibration", "licence", "training", "architecture", "sources", "scores", "date", "weights_hash")
"""What a card says beside how the model is called."""


def _properties(proto: object) -> dict[str, str]:
    return {item.key: item.value for item in proto.metadata_props}  # type: ignore[attr-defined]
