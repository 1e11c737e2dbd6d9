"""The card of a model file: what the caller says, else a file beside it, its metadata, its graph."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from reid.card import METADATA_KEY, Card, check_card_keys, complete_card, parse_card_keys, read_card_file
from reid.errors import ModelError
from reid.runtime import OnnxSession, TensorInfo

CardArgument: TypeAlias = Card | Mapping[str, Any] | str | Path | None
"""A card, some of its keys, or a JSON or YAML file of them."""

# Of pixels scaled to 0..1, in RGB: torchvision's constants, which nearly every converted PyTorch model expects.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CARD_SUFFIXES = (".card.json", ".card.yaml")
"""In the place of `.onnx`: the name of a file beside a model that states its card."""

_logger = logging.getLogger(__name__)


def card_of(session: OnnxSession, given: CardArgument) -> Card:
    """The card by which `session` is called.

    A `given` card wins over a file beside the model (`osnet.card.json` or `osnet.card.yaml` for `osnet.onnx`), and that
    over the metadata key `reidtrack.card`. Keys that are not stated there are read off the graph, and where that is a
    guess (colour order and normalisation), a warning says what was assumed.

    Raises:
        ModelError: the model is no embedder, the card is wrong, or card and graph contradict each other.
    """
    tensor = _image_input(session)
    assumed = _assumptions(session, tensor)
    what, values = _stated(session, given)
    card = complete_card(values, assumed, what)
    _refuse_contradiction(card, tensor, session)
    guessed = [name for name in ("colour", "scale", "mean", "std") if name not in values]
    if guessed and card.dtype != "uint8":
        _logger.warning(
            "%s states no %s: assuming %s pixels, (pixel * %.6g - %s) / %s. If that is wrong, give a card",
            session.path.name, ", ".join(guessed), card.colour, card.scale, list(card.mean), list(card.std),
        )  # fmt: skip
    return card


def card_file_beside(model: Path) -> Path | None:
    """The file in which the user states the card of a model that has none inside; None where there is no such file."""
    names = [model.with_suffix(suffix) for suffix in CARD_SUFFIXES]
    found = [path for path in names if path.is_file()]
    if len(found) > 1:
        raise ModelError(f"model {model} must have one card beside it, got {' and '.join(p.name for p in found)}")
    return found[0] if found else None


def refuse_card_beside(model: Path) -> None:
    """Refuse to write a model whose own card would be overruled by a file that lies beside it already.

    Raises:
        ModelError: there is such a file.
    """
    beside = card_file_beside(model)
    if beside is not None:
        raise ModelError(
            f"{beside} states a card for {model.name}, and would overrule the one inside: delete it, or write to "
            "another file"
        )


def _stated(session: OnnxSession, given: CardArgument) -> tuple[str, dict[str, Any]]:
    """What states the card, for messages, and the keys that it states."""
    if isinstance(given, Card):
        return "card", {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
    if isinstance(given, Mapping):
        return "card", check_card_keys(given, "card")
    if isinstance(given, str | Path):
        return f"card {given}", read_card_file(Path(given))
    if given is not None:
        raise ModelError(f"card must be a Card, a mapping, a path or None, got {type(given).__name__}")
    beside = card_file_beside(session.path)
    if beside is not None:
        return f"card {beside}", read_card_file(beside)
    what = f"card of {session.path.name}"
    text = session.metadata.get(METADATA_KEY)
    return what, parse_card_keys(text, what) if text is not None else {}


def _image_input(session: OnnxSession) -> TensorInfo:
    if len(session.inputs) != 1:
        names = [tensor.name for tensor in session.inputs]
        raise ModelError(f"model {session.path} must have one input to be an embedder, got {names}")
    tensor = session.inputs[0]
    if len(tensor.shape) != 4 or tensor.dtype not in ("float32", "float16", "uint8"):
        raise ModelError(
            f"model {session.path} must take pictures of 4 axes in float32, float16 or uint8 to be an embedder, "
            f"got {tensor.shape} in {tensor.dtype}"
        )
    return tensor


def _assumptions(session: OnnxSession, tensor: TensorInfo) -> dict[str, Any]:
    """Every key of a card that the graph tells or suggests."""
    shape = tensor.shape
    # channels last where only that fits, or where pixels come as they are, which are stored so
    nhwc = shape[3] == 3 and (shape[1] != 3 or tensor.dtype == "uint8")
    height_px, width_px = (shape[1], shape[2]) if nhwc else (shape[2], shape[3])
    values: dict[str, Any] = {"name": session.path.stem, "dtype": tensor.dtype, "layout": "NHWC" if nhwc else "NCHW"}
    if height_px is not None and width_px is not None:
        values |= {"height_px": height_px, "width_px": width_px}
    sizes = [size for size in session.outputs[0].shape[1:] if size != 1]
    if len(sizes) == 1 and sizes[0] is not None:
        values["dimension"] = sizes[0]
    if nhwc or tensor.dtype == "uint8":
        return values | {"colour": "BGR"}  # as the Open Model Zoo has it: OpenCV's pixels, unscaled
    return values | {"colour": "RGB", "scale": 1 / 255, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}


def _refuse_contradiction(card: Card, tensor: TensorInfo, session: OnnxSession) -> None:
    picture = (card.height_px, card.width_px)
    wanted = (3, *picture) if card.layout == "NCHW" else (*picture, 3)
    if any(has is not None and has != want for has, want in zip(tensor.shape[1:], wanted, strict=True)):
        raise ModelError(
            f"card says that {session.path} takes (N, {', '.join(map(str, wanted))}), it takes {tensor.shape}"
        )
    if card.dtype != tensor.dtype:
        raise ModelError(f"card says that {session.path} takes {card.dtype}, it takes {tensor.dtype}")
