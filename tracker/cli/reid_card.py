"""`reidtrack reid card`: what a model file says of itself, as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracker.cli.checks import open_model
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.schema import argument, flag_only

_SUMMARY = """\
Show the card of an embedder as JSON: size, colours, normalisation, dimension, training data and licences, scores, and
the calibration. For a model without a card it shows what is assumed; corrected and put beside the model
(osnet.card.json for osnet.onnx), it is what every command goes by."""
_EXAMPLES = """\
  reidtrack reid card default
  reidtrack reid card osnet.onnx --out osnet.card.json"""


@dataclass(frozen=True, slots=True)
class ReidCardSettings:
    """Settings of `reidtrack reid card`."""

    model: str = field(metadata=argument("MODEL"))
    """The embedder: `default` (shipped) or an .onnx file."""
    out: Path | None = field(default=None, metadata=flag_only("FILE"))
    """Write the card to this file, which must not exist, in place of the standard output."""


def run(argv: Sequence[str], context: Context) -> int:
    """Show or write the card; 0."""
    settings = parse_arguments(ReidCardSettings, argv, command="reid card", summary=_SUMMARY, examples=_EXAMPLES)
    if settings.out is not None and settings.out.exists():
        raise UsageError(f"--out: {settings.out} is there already: remove it, or choose another name")
    text = open_model("MODEL", settings.model, "cpu").card.to_json() + "\n"
    if settings.out is None:
        sys.stdout.write(text)
    else:
        settings.out.write_text(text, encoding="utf-8")
        context.say(f"wrote {settings.out}")
    return 0
