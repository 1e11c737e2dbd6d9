"""`reidtrack eval`: tracks against ground truth, a row a sequence and one for all of them together."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.checks import require_path
from tracker.cli.context import Context
from tracker.cli.flags import parse_arguments
from tracker.cli.schema import flag_only

if TYPE_CHECKING:
    from tracker.evaluation import EvaluationReport

_SUMMARY = "Score MOT tracks against ground truth with TrackEval (MOT15, 16, 17 and 20 files; needs the extra [eval])."
_EXAMPLES = """\
  reidtrack eval --gt MOT17-02/gt/gt.txt --tracks runs/MOT17-02/tracks.txt
  reidtrack eval --gt MOT17/train --tracks results/*.txt --json scores.json"""


@dataclass(frozen=True, slots=True)
class EvalSettings:
    """Settings of `reidtrack eval`."""

    gt: Path = field(metadata=flag_only("GT"))
    """Ground truth: a gt.txt, the folder of a sequence, or a folder of sequences."""
    tracks: tuple[Path, ...] = field(metadata=flag_only("FILE", many=True))
    """Files of tracks in MOT format; several are matched to the sequences by name."""
    json: Path | None = field(default=None, metadata=flag_only("FILE"))
    """Also write the scores as JSON; - for the standard output, in place of the table."""


def run(argv: Sequence[str], context: Context) -> int:
    """Print the scores; 0."""
    settings = parse_arguments(EvalSettings, argv, command="eval", summary=_SUMMARY, examples=_EXAMPLES)
    from tracker.cli.tables import print_scores
    from tracker.evaluation import evaluate_files

    require_path("--gt", settings.gt)
    for path in settings.tracks:
        require_path("--tracks", path)
    report = evaluate_files(settings.gt, settings.tracks)
    to_stdout = str(settings.json) == "-"
    if to_stdout:
        sys.stdout.write(_as_json(report) + "\n")
    elif settings.json is not None:
        settings.json.write_text(_as_json(report) + "\n", encoding="utf-8")
    if not to_stdout and not context.quiet:
        print_scores(report)
    return 0


def _as_json(report: EvaluationReport) -> str:
    sequences = {name: asdict(scores) for name, scores in report.sequences.items()}
    return json.dumps({"sequences": sequences, "combined": asdict(report.combined)}, indent=2)
