"""`reidtrack reid verify`: two pictures, one identity or two."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tracker.cli.checks import open_model, require_folder_of, require_path
from tracker.cli.context import Context
from tracker.cli.flags import parse_arguments
from tracker.cli.schema import argument, flag_only

if TYPE_CHECKING:
    from reid.evaluation.verification import Verification

EXIT_SAME, EXIT_DIFFERENT, EXIT_NO_VERDICT = 0, 3, 4

_SUMMARY = """\
Compare two pictures, each filled by its object: cosine of their vectors, probability that they show one identity (by
the calibration on the model's card), and a verdict.

exit codes: 0 same, 3 different, 4 no verdict (the card has no calibration and no --threshold was given),
1 failed, 2 called wrongly."""
_EXAMPLES = """\
  reidtrack reid verify door.png street.png
  reidtrack reid verify a.jpg b.jpg --model own.onnx --threshold 0.62
  reidtrack -q reid verify a.jpg b.jpg && echo same"""


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """Settings of `reidtrack reid verify`."""

    first: Path = field(metadata=argument("A"))
    """A picture."""
    second: Path = field(metadata=argument("B"))
    """Another picture."""
    model: str = field(default="default", metadata=flag_only("FILE"))
    """The embedder: `default` (shipped) or an .onnx file."""
    threshold: float | Literal["auto", "even", "fpr_1e2", "fpr_1e3"] = "auto"
    """From which cosine on they count as the same: a cosine, or from the card: `fpr_1e3` and `fpr_1e2` let 1 in 1000 or
    100 pairs of strangers pass in the data that the card was fitted on, whatever the prior; `even` is where the
    probability is one half; `auto` is `even` where a prior is given, else the first of these that it has."""
    prior: float | None = None
    """How probable one identity is before looking, above 0 and below 1; none for one half, and a verdict without it."""
    json: Path | None = field(default=None, metadata=flag_only("FILE"))
    """Also write the result as JSON; - for the standard output, in place of the text."""
    device: str = "auto"
    """Where the embedder runs: auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N."""

    def __post_init__(self) -> None:
        if self.prior is not None and not 0 < self.prior < 1:
            raise ValueError(f"prior must be above 0 and below 1, got {self.prior}")
        if not isinstance(self.threshold, str) and not -1 <= self.threshold <= 1:
            raise ValueError(f"threshold must be a cosine within -1..1, got {self.threshold}")


def run(argv: Sequence[str], context: Context) -> int:
    """Compare and say; 0 same, 3 different, 4 no verdict."""
    settings = parse_arguments(VerifySettings, argv, command="reid verify", summary=_SUMMARY, examples=_EXAMPLES)
    for name, path in (("A", settings.first), ("B", settings.second)):
        require_path(name, path)
    require_folder_of("--json", settings.json)
    embedder = open_model("--model", settings.model, settings.device)

    from reid.evaluation.search import read_picture
    from reid.evaluation.verification import verify

    pictures = [read_picture(path) for path in (settings.first, settings.second)]
    result = verify(embedder, *pictures, threshold=settings.threshold, prior=settings.prior)
    to_stdout = str(settings.json) == "-"
    if settings.json is not None:
        text = json.dumps(asdict(result) | {"model": embedder.info.name, "hash": embedder.info.model_hash}, indent=2)
        if to_stdout:
            sys.stdout.write(text + "\n")
        else:
            settings.json.write_text(text + "\n", encoding="utf-8")
    if not to_stdout:
        for line in _lines(result):
            context.result(line)
    return EXIT_NO_VERDICT if result.same is None else EXIT_SAME if result.same else EXIT_DIFFERENT


def _lines(result: Verification) -> list[str]:
    lines = ["no verdict" if result.same is None else "same" if result.same else "different"]
    lines.append(f"cosine       {result.cosine:.4f}")
    if result.probability is not None:
        lines.append(f"probability  {result.probability:.4f}")
    if result.threshold is None:
        lines.append(f"threshold    none: {result.threshold_is}; give --threshold COSINE for a verdict")
    else:
        lines.append(f"threshold    {result.threshold:.4f} ({result.threshold_is})")
    if result.caution is not None:
        lines.append(f"caution      {result.caution}")
    return lines
