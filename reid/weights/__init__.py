"""The default embedder: `default.onnx`, and CARD.md that says how it was made."""
