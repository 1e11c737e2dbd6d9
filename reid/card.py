"""What a model file says of itself: how crops must be prepared for it, and what its cosines mean."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from reid.calibration import Calibration
from reid.errors import ModelError, ReidError

METADATA_KEY = "reidtrack.card"
"""Where an ONNX file keeps its card, as JSON."""

Layout: TypeAlias = Literal["NCHW", "NHWC"]
Colour: TypeAlias = Literal["RGB", "BGR"]
InputDtype: TypeAlias = Literal["float32", "float16", "uint8"]
Channels: TypeAlias = tuple[float, float, float]

_MAX_SIDE_PX = 4096
_CHOICES = {"layout": ("NCHW", "NHWC"), "colour": ("RGB", "BGR"), "dtype": ("float32", "float16", "uint8")}


@dataclass(frozen=True, slots=True)
class Card:
    """How to call an embedder, and what is known of it. Pixels become `(pixel * scale - mean) / std`."""

    name: str
    """A short name for messages and reports."""
    height_px: int
    """Height of the crops that the model takes."""
    width_px: int
    """Width of the crops that the model takes."""
    dimension: int
    """Length of the vectors."""
    layout: Layout = "NCHW"
    """Order of the input's axes."""
    colour: Colour = "RGB"
    """Order of the input's channels."""
    dtype: InputDtype = "float32"
    """Input's dtype; uint8 models take pixels as they are and normalise inside."""
    scale: float = 1.0
    """What a pixel value 0..255 is multiplied with."""
    mean: Channels = (0.0, 0.0, 0.0)
    """Subtracted after scaling, in the order of `colour`."""
    std: Channels = (1.0, 1.0, 1.0)
    """Divided by after that, in the order of `colour`."""
    calibration: Calibration | None = None
    """What its cosines mean; None where nobody measured it."""
    licence: str | None = None
    """Licence of the weights, as an SPDX expression where there is one."""
    training: str | None = None
    """What it was trained on and how, in a sentence or two."""

    def __post_init__(self) -> None:
        for name in ("height_px", "width_px", "dimension"):
            _check_integer(name, getattr(self, name), 65536 if name == "dimension" else _MAX_SIDE_PX)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ModelError(f"card.{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if not isinstance(self.name, str) or not self.name:
            raise ModelError(f"card.name must be a text that is not empty, got {self.name!r}")
        for name in ("licence", "training"):
            if not isinstance(getattr(self, name), str | None):
                raise ModelError(f"card.{name} must be a text or null, got {getattr(self, name)!r}")
        if not _is_number(self.scale) or self.scale <= 0:
            raise ModelError(f"card.scale must be a finite number above 0, got {self.scale!r}")
        for name in ("mean", "std"):
            object.__setattr__(self, name, _check_channels(name, getattr(self, name)))
        if min(self.std) <= 0:
            raise ModelError(f"card.std must be three numbers above 0, got {list(self.std)}")
        if not isinstance(self.calibration, Calibration | None):
            raise ModelError(f"card.calibration must be a Calibration or null, got {self.calibration!r}")
        plain = (self.scale, self.mean, self.std) == (1, (0, 0, 0), (1, 1, 1))
        if self.dtype == "uint8" and not plain:
            raise ModelError("card: a uint8 model takes pixels as they are, so scale, mean and std must be left out")

    def to_json(self) -> str:
        """As JSON, one key a field; `from_json` reads it back to an equal card."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read what `to_json` wrote.

        Raises:
            ModelError: no JSON object, an unknown or missing key, or a value out of its range.
        """
        return complete_card(parse_card_keys(text, "card"), {}, "card")


def read_card_file(path: Path) -> dict[str, Any]:
    """Keys of a JSON or YAML file; some may be left out (see `complete_card`).

    Raises:
        ModelError: the file cannot be read, is no mapping, or has an unknown key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"card {path} cannot be read: {error}") from error
    return parse_card_keys(text, f"card {path}")


def parse_card_keys(text: str, what: str) -> dict[str, Any]:
    """Keys and values of a card in JSON or YAML; unknown keys are refused."""
    try:
        values = _load(text)
    except yaml.YAMLError as error:
        raise ModelError(f"{what} must be JSON or YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{what} must be a mapping of keys to values, got {type(values).__name__}")
    return check_card_keys(values, what)


def _load(text: str) -> Any:
    try:
        return json.loads(text)  # not by YAML, to which JSON's 1e-05 is a text
    except ValueError:
        return yaml.safe_load(text)


def check_card_keys(values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The values with `calibration` as an object; unknown keys are refused with the nearest known one."""
    _refuse_unknown(values, Card, what)
    out = dict(values)
    if isinstance(out.get("calibration"), Mapping):
        inner = out["calibration"]
        _refuse_unknown(inner, Calibration, f"{what}: calibration")
        try:
            out["calibration"] = Calibration(**inner)
        except (TypeError, ReidError) as error:
            raise ModelError(f"{what}: {error}") from error
    return out


def complete_card(values: Mapping[str, Any], assumed: Mapping[str, Any], what: str) -> Card:
    """The card of `values`, and of `assumed` where a key was left out.

    Raises:
        ModelError: a key is in neither, or a value is out of its range.
    """
    merged = {**assumed, **values}
    required = [f.name for f in dataclasses.fields(Card) if f.default is dataclasses.MISSING]
    missing = [name for name in required if name not in merged]
    if missing:
        raise ModelError(
            f"{what} must state {', '.join(missing)}: the model itself does not tell. "
            f"If it is an embedder, give a card: Embedder(card=...), or the key {METADATA_KEY} in the file's metadata"
        )
    try:
        return Card(**merged)
    except ModelError as error:
        raise ModelError(f"{what}: {error}") from error


def _refuse_unknown(values: Mapping[str, Any], kind: type, what: str) -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ModelError(f"{what} has an unknown key {key!r}: {hint}")


def _check_integer(name: str, value: Any, largest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise ModelError(f"card.{name} must be a whole number within 1..{largest}, got {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_channels(name: str, value: Any) -> Channels:
    if not isinstance(value, list | tuple) or len(value) != 3 or not all(map(_is_number, value)):
        raise ModelError(f"card.{name} must be three finite numbers, one a channel, got {value!r}")
    return (float(value[0]), float(value[1]), float(value[2]))
