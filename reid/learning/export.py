"""One ONNX file that says what it is, written only after it has proved equal to the network that it came from."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from reid.card import METADATA_KEY, Card
from reid.card_lookup import refuse_card_beside
from reid.embedder import Embedder
from reid.errors import MissingExtraError, ModelError
from reid.learning.embedding import EmbeddingModel

_OPSET = 18
_CHECKED_BATCHES = (1, 2, 3, 17, 64)
_LEAST_COSINE = 0.9999
_logger = logging.getLogger(__name__)


def export_onnx(model: nn.Module, card: Card, path: str | Path, *, seed: int = 0) -> Path:
    """Write `model` with its card in the metadata; returns the path.

    `model` takes (B, h, w, 3) uint8 BGR of the card's size and gives (B, D) of unit length. The file is moved to its
    place only after the ONNX checker has passed and onnxruntime agrees with torch at batches of 1, 2, 3, 17 and 64.
    Where the card has no `weights_hash`, that of the model is written (see `weights_hash`).

    Raises:
        ModelError: the card does not describe such a model, the exported graph differs from the network, a colour
            projection of it was never fitted, or a file beside `path` states another card.
        MissingExtraError: onnx or onnxscript is not installed.
    """
    if (card.dtype, card.layout, card.colour) != ("uint8", "NHWC", "BGR"):
        raise ModelError(
            f"card must say uint8, NHWC and BGR for an exported model, got {card.dtype}, {card.layout}, {card.colour}"
        )
    try:
        import onnx
        import onnxscript  # noqa: F401 torch.onnx needs it and says so less clearly
    except ImportError as error:
        raise MissingExtraError("onnx and onnxscript", "train", "exporting a model") from error
    target = Path(path)
    refuse_card_beside(target)
    model = model.eval()
    if isinstance(model, EmbeddingModel):
        model.check_complete()
    if card.weights_hash is None:
        card = replace(card, weights_hash=weights_hash(model))
    _check_dimension(model, card)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
        draft = Path(folder) / "model.onnx"
        _write_graph(model, card, draft)
        graph = onnx.load(draft)
        _strip_traces(graph)
        onnx.helper.set_model_props(graph, {METADATA_KEY: card.to_json()})
        onnx.checker.check_model(graph, full_check=True)
        onnx.save(graph, draft)
        worst = check_same(model, card, draft, seed=seed)
        draft.replace(target)
    _logger.info("wrote %s, %d bytes, cosine to torch at least %.7f", target, target.stat().st_size, worst)
    return target


def weights_hash(model: nn.Module) -> str:
    """SHA-256 of the names, shapes, dtypes and values of all weights and statistics, in hexadecimal.

    Two networks of equal weights have the same one, whatever file, device or precision of the export they are in.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tuple(values.shape)} {values.dtype} ".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _check_dimension(model: nn.Module, card: Card) -> None:
    """Refuse a card of another dimension before the graph is traced, which takes a while."""
    with torch.no_grad():
        shape = tuple(model(torch.zeros((1, card.height_px, card.width_px, 3), dtype=torch.uint8)).shape)
    if shape != (1, card.dimension):
        raise ModelError(f"the card says (1, {card.dimension}) for one crop, and the model gives {shape}")


def _write_graph(model: nn.Module, card: Card, path: Path) -> None:
    example = torch.zeros((2, card.height_px, card.width_px, 3), dtype=torch.uint8)
    with _quiet_exporter():
        torch.onnx.export(
            model,
            (example,),
            str(path),
            input_names=["crops"],
            output_names=["vectors"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=65536)},),
            opset_version=_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Nothing of its deprecated internals, nor that torchvision is not there: no model here needs it."""
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registration.level
    registration.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        registration.setLevel(level)


def _strip_traces(model: Any) -> None:
    """Drop the notes that the exporter leaves on every node: source lines and paths of this machine."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        item.ClearField("doc_string")
        item.ClearField("metadata_props")


@torch.no_grad()
def check_same(model: nn.Module, card: Card, path: Path, *, seed: int) -> float:
    """The smallest cosine between torch's and onnxruntime's vectors of the same random crops, in several batches.

    Args:
        model: (B, h, w, 3) uint8 BGR -> (B, D) of unit length, in evaluation mode.
        card: what the file must say of itself.
        path: the file.
        seed: of the crops.

    Raises:
        ModelError: the card is another one, the file gives no vectors of its dimension, or the cosine is below 0.9999.
    """
    embedder = Embedder(path, device="cpu", threads=1)
    if embedder.card != card:
        raise ModelError("the card must come back from the written file as it went in")
    rng = np.random.default_rng(seed)
    worst = 1.0
    for batch in _CHECKED_BATCHES:
        crops = rng.integers(0, 256, (batch, card.height_px, card.width_px, 3), np.uint8)
        expected = model(torch.from_numpy(crops)).numpy()  # (batch, D)
        worst = min(worst, float((expected * embedder.crops(crops)).sum(axis=1, dtype=np.float64).min()))
    if not worst >= _LEAST_COSINE:  # also catches NaN
        raise ModelError(f"the written graph must agree with the network to cosine {_LEAST_COSINE}, got {worst:.6f}")
    return worst
