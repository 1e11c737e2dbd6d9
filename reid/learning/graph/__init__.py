"""An ONNX embedder, whoever made it, as a network whose weights can be trained and written back into the same file."""

from reid.learning.graph.network import OnnxGraph
from reid.learning.graph.writing import write_graph

__all__ = ["OnnxGraph", "write_graph"]
