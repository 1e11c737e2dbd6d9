"""What can be trained: a network of ours, or the graph of an ONNX embedder."""

from __future__ import annotations

from typing import TypeAlias

from reid.learning.embedding import EmbeddingModel, build_model
from reid.learning.graph import OnnxGraph
from reid.learning.model_config import ONNX, ModelConfig

Network: TypeAlias = EmbeddingModel | OnnxGraph
"""Takes (B, h, w, 3) uint8 BGR of its `size_px`, resized as its `form` says; gives features before and after a neck,
and unit vectors."""


def build_network(config: ModelConfig, *, seed: int = 0) -> Network:
    """The network that `config` describes, on the CPU.

    Raises:
        ModelError, MissingExtraError, InputError: as `build_model` and `OnnxGraph`.
    """
    if config.backbone == ONNX:
        assert config.pretrained is not None, "checked by the configuration"
        return OnnxGraph(config.pretrained)
    return build_model(config, seed=seed)
