"""Re-identification: embedders that turn crops into unit vectors, their training and evaluation.

Importing this imports neither torch nor onnxruntime.
"""

from reid.calibration import Calibration, fit_calibration
from reid.calibration_fit import calibrate
from reid.card import Card
from reid.embedder import Embedder, EmbedderInfo
from reid.errors import DataError, DeviceError, InputError, MissingExtraError, ModelError, ReidError

__all__ = [
    "Calibration",
    "Card",
    "DataError",
    "DeviceError",
    "Embedder",
    "EmbedderInfo",
    "InputError",
    "MissingExtraError",
    "ModelError",
    "ReidError",
    "calibrate",
    "fit_calibration",
]
