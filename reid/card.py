"""What a model file says of itself: how crops must be prepared for it, and what its cosines mean."""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from reid.calibration import Calibration
from reid.checks import is_number
from reid.errors import ModelError, ReidError

METADATA_KEY = "reidtrack.card"
"""Where an ONNX file keeps its card, as JSON."""

Layout: TypeAlias = Literal["NCHW", "NHWC"]
Colour: TypeAlias = Literal["RGB", "BGR"]
InputDtype: TypeAlias = Literal["float32", "float16", "uint8"]
Precision: TypeAlias = Literal["float32", "float16", "int8"]
Resize: TypeAlias = Literal["linear", "area"]
CropForm: TypeAlias = tuple[int, int, Resize]
"""Height and width of crops in pixels, and how they become so large."""
Channels: TypeAlias = tuple[float, float, float]

_MAX_SIDE_PX = 4096
_CHOICES = {
    "layout": ("NCHW", "NHWC"),
    "colour": ("RGB", "BGR"),
    "dtype": ("float32", "float16", "uint8"),
    "precision": ("float32", "float16", "int8"),
    "resize": ("linear", "area"),
}


@dataclass(frozen=True, slots=True)
class Source:
    """Pictures that a model was trained on."""

    name: str
    """What they are called."""
    licence: str | None = None
    """Their licence, as an SPDX expression where there is one; None where nobody stated it."""

    def __post_init__(self) -> None:
        _check_text("source.name", self.name)
        if self.licence is not None:
            _check_text("source.licence", self.licence)


@dataclass(frozen=True, slots=True)
class Score:
    """One figure that was measured with this model."""

    data: str
    """What it was measured on."""
    measure: str
    """What was measured, such as `mAP` or `rank-1`."""
    value: float
    """The figure."""
    low: float | None = None
    """Lower end of its interval over identities."""
    high: float | None = None
    """Upper end of its interval over identities."""

    def __post_init__(self) -> None:
        _check_text("score.data", self.data)
        _check_text("score.measure", self.measure)
        if not is_number(self.value):
            raise ModelError(f"score.value must be a finite number, got {self.value!r}")
        for name in ("low", "high"):
            if getattr(self, name) is not None and not is_number(getattr(self, name)):
                raise ModelError(f"score.{name} must be a finite number or null, got {getattr(self, name)!r}")


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
    architecture: str | None = None
    """The network, in a line."""
    precision: Precision = "float32"
    """What the weights are stored and multiplied in."""
    resize: Resize = "linear"
    """How crops become the model's size, both axes by themselves: `linear` interpolates between pixels, `area` takes
    the means of what falls together, which is smoother for crops that are much larger."""
    sources: tuple[Source, ...] = ()
    """The pictures that it was trained on, with their licences."""
    scores: tuple[Score, ...] = ()
    """What was measured with it."""
    date: str | None = None
    """Day of its training, `YYYY-MM-DD`."""
    weights_hash: str | None = None
    """SHA-256 of the trained weights: the same in every precision that was made of them."""

    def __post_init__(self) -> None:
        for name in ("height_px", "width_px", "dimension"):
            _check_integer(name, getattr(self, name), 65536 if name == "dimension" else _MAX_SIDE_PX)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ModelError(f"card.{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if not isinstance(self.name, str) or not self.name:
            raise ModelError(f"card.name must be a text that is not empty, got {self.name!r}")
        self._check_history()
        if not is_number(self.scale) or self.scale <= 0:
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

    def _check_history(self) -> None:
        """What says where the model comes from."""
        for name in ("licence", "training", "architecture", "date", "weights_hash"):
            if not isinstance(getattr(self, name), str | None):
                raise ModelError(f"card.{name} must be a text or null, got {getattr(self, name)!r}")
        if self.date is not None:
            _check_date(self.date)
        if self.weights_hash is not None and not re.fullmatch("[0-9a-f]{64}", self.weights_hash):
            raise ModelError(f"card.weights_hash must be 64 hexadecimal digits or null, got {self.weights_hash!r}")
        object.__setattr__(self, "sources", _check_rows("sources", self.sources, Source))
        object.__setattr__(self, "scores", _check_rows("scores", self.scores, Score))

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


def utf8_text(text: str) -> str:
    """A text for a card, which is UTF-8: names of files need not be."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


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
    """The values with `calibration`, `sources` and `scores` as objects.

    Unknown keys are refused with the nearest known one: what a newer version means by its key cannot be guessed, and a
    model that is called another way than its card says gives vectors that look right and are not.
    """
    _refuse_unknown(values, Card, what)
    out = dict(values)
    if isinstance(out.get("date"), dt.date):  # as YAML reads an unquoted day
        out["date"] = out["date"].isoformat()
    if isinstance(out.get("calibration"), Mapping):
        out["calibration"] = _as_object(out["calibration"], Calibration, f"{what}: calibration")
    for name, kind in (("sources", Source), ("scores", Score)):
        if isinstance(out.get(name), list | tuple):
            rows = enumerate(out[name])
            out[name] = tuple(
                _as_object(row, kind, f"{what}: {name}[{k}]") if isinstance(row, Mapping) else row for k, row in rows
            )
    return out


def _as_object(values: Mapping[str, Any], kind: type, what: str) -> Any:
    _refuse_unknown(values, kind, what)
    try:
        return kind(**values)
    except (TypeError, ReidError) as error:
        raise ModelError(f"{what}: {error}") from error


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
            "If it is an embedder, state its card: in a file NAME.card.json or NAME.card.yaml beside NAME.onnx, by "
            f"Embedder(card=...), or in the key {METADATA_KEY} of the file's metadata"
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
            raise ModelError(
                f"{what} has an unknown key {key!r}: {hint}. If a newer reidtrack wrote it, update this one"
            )


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ModelError(f"{name} must be a text that is not empty, got {value!r}")


def _check_date(text: str) -> None:
    try:
        valid = dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        valid = False
    if not valid:
        raise ModelError(f"card.date must be a day as YYYY-MM-DD or null, got {text!r}")


def _check_rows(name: str, value: Any, kind: type) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list) or not all(isinstance(row, kind) for row in value):
        raise ModelError(f"card.{name} must be a list, each a {kind.__name__}, got {value!r}")
    return tuple(value)


def _check_integer(name: str, value: Any, largest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise ModelError(f"card.{name} must be a whole number within 1..{largest}, got {value!r}")


def _check_channels(name: str, value: Any) -> Channels:
    if not isinstance(value, list | tuple) or len(value) != 3 or not all(map(is_number, value)):
        raise ModelError(f"card.{name} must be three finite numbers, one a channel, got {value!r}")
    return (float(value[0]), float(value[1]), float(value[2]))
