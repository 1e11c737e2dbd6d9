"""`reidtrack reid eval`: how well an embedder tells the identities of a data set apart."""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reid.evaluation.config import EvaluationConfig
from reid.evaluation.opening import MeasuredData
from tracker.cli.checks import open_model, require_folder_of, require_path
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.reid_progress import WorkProgress
from tracker.cli.schema import argument, flag_only, part_of

if TYPE_CHECKING:
    from reid import Embedder
    from reid.evaluation.collection import Collection
    from reid.evaluation.robustness import Fall
    from tracker.cli.reid_tables import Scored

_SUMMARY = """\
Score an embedder on crops of known identities: mAP, rank-1/5/10, mINP, AUC, TPR at FPR 1e-3, re-association, and how
far it falls under shadow, motion blur, changed light, occlusion and low resolution; each with a 95 % bootstrap interval
over identities. DATA is a folder an identity, Market-1501-style pictures, MOT sequences or a tracklet store.
docs/evaluation.md defines the measures."""
_EXAMPLES = """\
  reidtrack reid eval people/
  reidtrack reid eval Market-1501/ --model own.onnx --json scores.json --examples found.png
  reidtrack reid eval TUD-Stadtmitte/ --min-gap-s 0.8 --against osnet.onnx       # two models, paired
  reidtrack reid eval gallery/ --query queries/ --rerank --no-robustness"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReidEvalSettings(EvaluationConfig):
    """Settings of `reidtrack reid eval`."""

    source: Path = field(metadata=argument("DATA"))
    """The crops; with --query, those that are searched."""
    model: str = field(default="default", metadata=flag_only("FILE"))
    """The embedder: `default` (shipped) or an .onnx file."""
    against: str | None = field(default=None, metadata=flag_only("FILE"))
    """A second embedder, `default` or an .onnx file: shows what `model` gains over it, paired over identities."""
    query: Path | None = field(default=None, metadata=flag_only("DATA"))
    """Crops that query, of the same identities (by name); without it the protocol chooses queries from DATA."""
    kind: Literal["auto", "folders", "market", "mot", "tracklets"] = "auto"
    """What kind of data it is; `auto` looks."""
    data: MeasuredData = field(default_factory=MeasuredData)
    robustness: bool = True
    """Also embed corrupted queries, five times, and show how far mAP and rank-1 fall."""
    robustness_queries: int = 1000
    """Of more queries, that many are corrupted."""
    examples: Path | None = field(default=None, metadata=flag_only("PNG"))
    """Draw rankings from the worst to the best, hits and misses framed."""
    json: Path | None = field(default=None, metadata=flag_only("FILE"))
    """Also write everything as JSON; - for the standard output, in place of the tables."""
    csv: Path | None = field(default=None, metadata=flag_only("FILE"))
    """Also write a row a figure as CSV; - for the standard output, in place of the tables."""
    device: str = "auto"
    """Where the embedder runs: auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N."""

    def __post_init__(self) -> None:
        EvaluationConfig.__post_init__(self)
        if self.robustness_queries < 1:
            raise ValueError(f"robustness_queries must be 1 or more, got {self.robustness_queries}")
        if str(self.json) == "-" and str(self.csv) == "-":
            raise ValueError("json and csv cannot both be -, the standard output")

    @property
    def config(self) -> EvaluationConfig:
        """What the library is told."""
        return part_of(self, EvaluationConfig)


def run(argv: Sequence[str], context: Context) -> int:
    """Embed, score, show; 0."""
    settings = parse_arguments(ReidEvalSettings, argv, command="reid eval", summary=_SUMMARY, examples=_EXAMPLES)
    require_path("DATA", settings.source)
    if settings.query is not None:
        require_path("--query", settings.query)
    for flag, path in (("--examples", settings.examples), ("--json", settings.json), ("--csv", settings.csv)):
        require_folder_of(flag, path)
    if settings.examples is not None and settings.examples.suffix.lower() != ".png":
        raise UsageError(f"--examples must be a .png file, got {settings.examples}")
    embedder = open_model("--model", settings.model, settings.device)
    other = None if settings.against is None else open_model("--against", settings.against, settings.device)

    from reid.evaluation.opening import open_collection

    context.say(f"reading {settings.source} ...")
    collection = open_collection(settings.source, query=settings.query, kind=settings.kind, config=settings.data)
    with WorkProgress(context, "crops") as progress:
        scored = _score(embedder, collection, settings, progress)
        compared = None if other is None else _score(other, collection, settings, progress, comparison=True)
    _write(scored, compared, settings, context)
    return 0


def _score(
    embedder: Embedder,
    collection: Collection,
    settings: ReidEvalSettings,
    progress: WorkProgress,
    *,
    comparison: bool = False,
) -> Scored:
    """Embed every crop once and score; corruptions and examples are of the first model alone."""
    from reid.evaluation.collection import embed
    from reid.evaluation.examples import ranked_examples
    from reid.evaluation.opening import evaluate_collection
    from reid.evaluation.picture import draw_rankings, write_picture
    from reid.evaluation.robustness import robustness
    from tracker.cli.reid_tables import Scored

    name, config = embedder.info.name, settings.config
    stage = f"embedding with {name}"
    vectors = embed(embedder, collection, range(len(collection)), progress=functools.partial(progress, stage))
    report = evaluate_collection(
        collection, vectors, config=config, progress=functools.partial(progress, "ranking queries")
    )
    if comparison:
        return Scored(embedder.info, report, ())
    falls: tuple[Fall, ...] = ()
    if settings.robustness:
        falls = robustness(
            embedder,
            collection,
            vectors,
            config=config,
            most_queries=settings.robustness_queries,
            progress=lambda kind, done, total: progress(f"embedding under {kind.replace('_', ' ')}", done, total),
        )
    if settings.examples is not None:
        rankings = ranked_examples(collection, vectors, report, config=config)
        title = f"{name} on {settings.source}: mAP {report.mean_average_precision.value:.3f}"
        write_picture(draw_rankings(rankings, f"{title}; queries from the worst to the best"), settings.examples)
    return Scored(embedder.info, report, falls)


def _write(scored: Scored, compared: Scored | None, settings: ReidEvalSettings, context: Context) -> None:
    from tracker.cli.reid_tables import as_csv, as_dict, print_report

    outputs = []
    if settings.json is not None:
        values = as_dict(scored, compared) | {"settings": _plain(settings)}
        outputs.append((settings.json, json.dumps(values, indent=2, ensure_ascii=False)))
    if settings.csv is not None:
        outputs.append((settings.csv, as_csv(scored, compared).rstrip("\n")))
    for path, text in outputs:
        if str(path) == "-":
            sys.stdout.write(text + "\n")
        else:
            path.write_text(text + "\n", encoding="utf-8")
    written = [path for path, _ in outputs if str(path) != "-"]
    if settings.examples is not None:
        written.append(settings.examples)
    if len(written) - (settings.examples is not None) == len(outputs) and not context.quiet:
        print_report(scored, compared, settings.config, written)


def _plain(settings: ReidEvalSettings) -> dict[str, object]:
    """What was asked for, as JSON can hold it."""
    config = dataclasses.asdict(settings.config)
    return {"data": str(settings.source), "query": None if settings.query is None else str(settings.query)} | config
