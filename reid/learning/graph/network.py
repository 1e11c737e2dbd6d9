"""The graph of an ONNX file as a network of torch."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from reid.card import Card, CropForm
from reid.card_lookup import CardArgument
from reid.embedder import DEFAULT_MODEL, Embedder
from reid.errors import MissingExtraError, ModelError
from reid.learning.graph.operations import OPERATIONS, Attributes

_WEIGHED = {
    "Conv": (1, 2), "Gemm": (1, 2), "MatMul": (1,), "PRelu": (1,), "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2), "BatchNormalization": (1, 2),
}  # fmt: skip
"""Operations that have weights, and which of their inputs these are."""
_LEAST_COSINE = 0.9999
_CHECKED_CROPS = 17


class _BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Of pictures and of rows alike; `fixed` where crops are seen one by one, so that there is no batch to measure."""

    fixed = False

    def train(self, mode: bool = True) -> _BatchNorm:
        """As every module, unless it is fixed."""
        return super().train(mode and not self.fixed)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's name
        """Any number of axes."""


@dataclass(frozen=True, slots=True)
class _Node:
    """One operation with the names of what goes in and comes out."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Attributes


class OnnxGraph(nn.Module):
    """An ONNX embedder whose weights can be trained; `reid.learning.graph.write_graph` writes them into its file again.

    Weights are those of convolutions, linear layers and norms, under the names that they have in the file with `/` for
    each dot. All else in the file is constant. Statistics of batch norms that are still there are buffers; where an
    exporter folded them into convolutions they are gone, and their effect is a weight like any other.

    Args:
        path: the file, or `default`.
        card: as for `reid.Embedder`.

    Raises:
        ModelError: it is no embedder, has operations that are not known here, is made for a fixed number of crops, is
            not in float32, or torch does not find the vectors that onnxruntime finds.
        MissingExtraError: onnx is not installed.
    """

    def __init__(self, path: str | Path, *, card: CardArgument = None) -> None:
        super().__init__()
        try:
            import onnx
        except ImportError as error:
            raise MissingExtraError("onnx", "train", "training an ONNX model") from error
        self.path = DEFAULT_MODEL if str(path) == "default" else Path(path)
        """The file that it was made of."""
        embedder = Embedder(path, device="cpu", card=card, threads=1)
        self.card: Card = embedder.card
        """What the file says of itself."""
        self.form: CropForm = (self.card.height_px, self.card.width_px, self.card.resize)
        """Height and width of the crops that it takes, and how crops are resized to them."""
        proto = onnx.load(self.path)
        self.file: bytes = proto.SerializeToString()  # bytes: copies of the network share them
        """The ONNX file as it was."""
        self._read(onnx, proto)
        self._check(embedder)

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the crops that it takes."""
        return self.form[:2]

    def layers(self) -> list[tuple[str, ...]]:
        """Names of the weights of each layer that has some, from the picture to the vector."""
        found: list[tuple[str, ...]] = []
        for node in self._nodes:
            if node.kind == "BatchNormalization":
                names: tuple[str, ...] = (
                    f"norms.{_key(node.outputs[0])}.weight",
                    f"norms.{_key(node.outputs[0])}.bias",
                )
            else:
                names = tuple(f"weights.{_key(name)}" for name in node.inputs if _key(name) in self.weights)
            if names:
                found.append(names)
        return found

    def all_but_last(self, share: float) -> tuple[str, ...]:
        """Patterns of the names of all weights but those of the last layers, so large a share of them, one at least."""
        layers = self.layers()
        first = min(round(len(layers) * (1 - share)), len(layers) - 1)
        last = {name for layer in layers[first:] for name in layer}
        return tuple(glob.escape(name) for layer in layers[:first] for name in layer if name not in last)

    def weights_in_file(self) -> dict[str, Tensor]:
        """All that training may have changed, under the names of the file."""
        changed = {name: self.weights[_key(name)] for name in self._weight_names}
        for node in self._nodes:
            if node.kind == "BatchNormalization":
                norm = self.norms[_key(node.outputs[0])]
                values = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
                changed |= dict(zip(node.inputs[1:5], values, strict=True))
        return {name: value.detach().cpu() for name, value in changed.items()}

    def features(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, h, w, 3) uint8 BGR -> (B, D) as the graph gives them, twice: it has no neck that is known of."""
        prepared = self._prepared(pixels)
        # a graph that is made for one crop is run for each, all at once; else it takes them as they are
        vectors = torch.vmap(self._run)(prepared[:, None]) if self._for_one else self._run(prepared)
        vectors = vectors.reshape(len(pixels), -1)
        return vectors, vectors

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, h, w, 3) uint8 BGR -> (B, D) of unit length."""
        return functional.normalize(self.features(pixels)[1], dim=1)

    def _run(self, prepared: Tensor) -> Tensor:
        """What the graph gives for its input."""
        values: dict[str, Any] = {"": None, self._input: prepared} | self._whole_numbers
        values |= {name: getattr(self, f"constant_{k}") for k, name in enumerate(self._constant_names)}
        values |= {name: self.weights[_key(name)] for name in self._weight_names}
        for node in self._nodes:
            if node.kind == "BatchNormalization":
                values[node.outputs[0]] = self.norms[_key(node.outputs[0])](values[node.inputs[0]])
                continue
            out = OPERATIONS[node.kind]([values[name] for name in node.inputs], node.attributes)
            values |= zip(node.outputs, (out,) if isinstance(out, Tensor) else out, strict=True)
        return values[self._output]  # type: ignore[no-any-return]

    def _prepared(self, pixels: Tensor) -> Tensor:
        """(B, h, w, 3) uint8 BGR -> what the graph takes, as the card says."""
        card = self.card
        if card.colour == "RGB":
            pixels = pixels.flip(3)
        if card.dtype != "uint8":
            mean, std = (torch.tensor(values, device=pixels.device) for values in (card.mean, card.std))
            pixels = (pixels.float() * card.scale - mean) / std
        return pixels.permute(0, 3, 1, 2) if card.layout == "NCHW" else pixels

    def _read(self, onnx: Any, proto: Any) -> None:
        """Nodes, weights and constants."""
        graph = proto.graph
        values = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
        self._nodes: list[_Node] = []
        for item in graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in item.attribute}
            if item.op_type == "Constant":
                values[item.output[0]] = _constant(onnx, attributes)
                continue
            if "value" in attributes and item.op_type == "ConstantOfShape":
                attributes["value"] = torch.from_numpy(onnx.numpy_helper.to_array(attributes["value"]).copy())
            if item.op_type == "Split":
                attributes["outputs"] = len(item.output)
            kept = item.output[:1] if item.op_type in ("BatchNormalization", "Dropout", "MaxPool") else item.output
            self._nodes.append(_Node(item.op_type, tuple(item.input), tuple(kept), attributes))
        self._refuse_unknown()
        self._input = next(item.name for item in graph.input if item.name not in values)
        self._output = graph.output[0].name
        size = next(item for item in graph.input if item.name == self._input).type.tensor_type.shape.dim[0]
        self._for_one = size.HasField("dim_value") and size.dim_value == 1
        self._take_weights(values)
        self._take_constants(values)
        for norm in self.norms.values():
            norm.fixed = self._for_one

    def _refuse_unknown(self) -> None:
        known = {*OPERATIONS, "BatchNormalization"}
        unknown = sorted({node.kind for node in self._nodes} - known)
        if unknown:
            raise ModelError(
                f"{self.path} cannot be trained: its operations {', '.join(unknown)} are not known to "
                "reid.learning.graph. Take an embedder in float32 made of convolutions and linear layers"
            )

    def _take_weights(self, values: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self.weights = nn.ParameterDict()
        self.norms = nn.ModuleDict()
        self._weight_names: list[str] = []
        for node in self._nodes:
            if node.kind == "BatchNormalization":
                if not all(name in values for name in node.inputs[1:5]):
                    raise ModelError(f"{self.path} cannot be trained: a batch norm of it has no weights of its own")
                self.norms[_key(node.outputs[0])] = _norm([values[name] for name in node.inputs[1:5]], node.attributes)
                continue
            for place in _WEIGHED.get(node.kind, ()):
                name = node.inputs[place] if len(node.inputs) > place else ""
                # a single number is a constant of a formula
                if name in values and values[name].dtype == np.float32 and values[name].size > 1:
                    if name not in self._weight_names:
                        self._weight_names.append(name)
                    self.weights[_key(name)] = nn.Parameter(torch.from_numpy(values[name].copy()))
        if not self._weight_names:
            raise ModelError(f"{self.path} cannot be trained: it has no weights in float32")

    def _take_constants(self, values: Mapping[str, np.ndarray[Any, Any]]) -> None:
        used = {name for node in self._nodes for name in node.inputs} - set(self._weight_names)
        self._constant_names: list[str] = []
        self._whole_numbers: dict[str, Tensor] = {}
        for name in sorted(used & set(values)):
            tensor = torch.from_numpy(values[name].copy())
            if not tensor.is_floating_point():
                self._whole_numbers[name] = tensor
                continue
            self.register_buffer(f"constant_{len(self._constant_names)}", tensor, persistent=False)
            self._constant_names.append(name)

    @torch.no_grad()
    def _check(self, embedder: Embedder) -> None:
        """Refuse a graph for which torch does not find what onnxruntime finds."""
        crops = np.random.default_rng(0).integers(0, 256, (_CHECKED_CROPS, *self.size_px, 3), np.uint8)
        self.eval()
        try:
            found = self(torch.from_numpy(crops)).numpy()
        except (RuntimeError, NotImplementedError, IndexError, ValueError, TypeError) as error:
            raise ModelError(
                f"{self.path} cannot be trained: torch fails on {_CHECKED_CROPS} crops at once ({error}). A graph that "
                "is made for one crop must be exported with a dynamic batch"
            ) from error
        worst = float((found * embedder.crops(crops)).sum(axis=1).min())
        if not worst >= _LEAST_COSINE:  # also catches NaN
            raise ModelError(
                f"{self.path} cannot be trained: torch's vectors must agree with onnxruntime's to cosine "
                f"{_LEAST_COSINE}, got {worst:.6f}"
            )


def _key(name: str) -> str:
    """A name of the file as torch allows it."""
    return name.replace(".", "/")


def _constant(onnx: Any, attributes: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """The value of a node that is a constant."""
    name, value = next(iter(attributes.items()))
    if name == "value":
        return np.asarray(onnx.numpy_helper.to_array(value))
    return np.asarray(value, np.int64 if name.startswith("value_int") else np.float32)


def _norm(values: Sequence[np.ndarray[Any, Any]], attributes: Attributes) -> _BatchNorm:
    """A batch norm with weight, bias, mean and variance (C,) each."""
    norm = _BatchNorm(len(values[0]), eps=attributes.get("epsilon", 1e-5), momentum=1 - attributes.get("momentum", 0.9))
    names = ("weight", "bias", "running_mean", "running_var")
    norm.load_state_dict(
        {name: torch.from_numpy(value.copy()) for name, value in zip(names, values, strict=True)}, strict=False
    )
    return norm
