"""Re-identification: embedders that turn crops into unit vectors, their training and evaluation.

Importing this imports neither torch nor onnxruntime.
"""

from reid.calibration import Calibration, fit_calibration
from reid.card import Card
from reid.embedder import Embedder, EmbedderInfo
from reid.errors import DeviceError, InputError, MissingExtraError, ModelError, ReidError

__all__ = [
    "Calibration",
    "Card",
    "DeviceError",
    "Embedder",
    "EmbedderInfo",
    "InputError",
    "MissingExtraError",
    "ModelError",
    "ReidError",
    "fit_calibration",
]
