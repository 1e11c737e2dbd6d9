"""Tables for people: the summary of a run and the scores of an evaluation, on stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tracker.cli.progress import RunProgress
    from tracker.counting import EmbeddedCount
    from tracker.demo.run import DemoReport
    from tracker.evaluation import EvaluationReport, Scores
    from tracker.pipeline import Pipeline
    from tracker.refinement import Refinement
    from tracker.stages import StageTimes

# heading -> field of Scores; percentages first, counts after
_PERCENTAGES = {"HOTA": "hota", "DetA": "det_a", "AssA": "ass_a", "IDF1": "idf1", "MOTA": "mota"}
_COUNTS = {"switches": "switches", "fragments": "fragments"}


def print_summary(
    progress: RunProgress, pipeline: Pipeline, outputs: Sequence[Path], refinement: Refinement | None = None
) -> None:
    """What a run amounted to: frames, identities, what appearance and the refinement did, time a stage, outputs."""
    console = Console(highlight=False)
    rate = f", {progress.frames / progress.elapsed_s:.1f} frames/s" if progress.elapsed_s > 0 else ""
    dropped = f", {pipeline.dropped} dropped" if pipeline.dropped else ""
    console.print(
        f"{progress.frames} frames in {progress.elapsed_s:.1f} s{rate}{dropped}; {progress.identities} identities"
    )
    if progress.matches.total:
        console.print(f"{progress.matches.total} matches, {progress.matches.by_appearance} decided by appearance")
    if progress.embedded.embedded:
        console.print(_embedded(progress.embedded))
    if refinement is not None:
        console.print(
            f"refined: {refinement.identities} identities; {refinement.linked} tracklets linked, "
            f"{refinement.parted} returns undone, {refinement.interpolated} boxes interpolated"
        )
    print_stages(console, pipeline.stages)
    print_outputs(console, outputs)


def print_demo(report: DemoReport) -> None:
    """What a demo amounted to: scores, time a stage, outputs."""
    console = Console(highlight=False)
    summary = report.summary
    console.print(
        f"{summary.frames} frames in {summary.wall_s:.1f} s, {summary.frames / summary.wall_s:.1f} frames/s; "
        f"{summary.identities} identities"
    )
    if summary.embedded.embedded:
        console.print(_embedded(summary.embedded))
    print_stages(console, summary.stages, {"decode": "render"})
    if report.scores is None:
        console.print('scores against the truth need TrackEval: pip install "reidtrack[eval]"', markup=False)
    else:
        console.print(scores_table({"against the truth": report.scores}))
        console.print(f"{report.scores.true_ids} people, {report.scores.tracked_ids} identities")
    print_outputs(console, report.paths)


def _embedded(count: EmbeddedCount) -> str:
    return f"{count.share:.0%} of {count.total} detections of high score embedded"


def print_stages(console: Console, stages: StageTimes, names: Mapping[str, str] = MappingProxyType({})) -> None:
    """Time at work of each stage; they overlap, so that the sum may exceed the whole."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("stage")
    for heading in ("seconds", "calls", "ms a call"):
        table.add_column(heading, justify="right")
    for name, stage in stages.items():
        table.add_row(names.get(name, name), f"{stage.seconds:.2f}", str(stage.calls), f"{stage.mean_ms:.1f}")
    console.print(table)


def print_outputs(console: Console, outputs: Sequence[Path]) -> None:
    """Where the results are, one a line, so that they can be copied."""
    for path in outputs:
        console.print(f"wrote {path}" + ("/" if path.is_dir() else ""), soft_wrap=True, markup=False)


def print_scores(report: EvaluationReport) -> None:
    """A row a sequence, and one for all of them where there are several."""
    rows: dict[str, Scores] = dict(report.sequences)
    if len(rows) > 1:
        rows["combined"] = report.combined
    Console(highlight=False).print(scores_table(rows))


def scores_table(rows: Mapping[str, Scores]) -> Table:
    """Scores side by side."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for heading in (*_PERCENTAGES, *_COUNTS):
        table.add_column(heading, justify="right")
    for name, scores in rows.items():
        shares = [f"{getattr(scores, field):.1f}" for field in _PERCENTAGES.values()]
        counts = [str(getattr(scores, field)) for field in _COUNTS.values()]
        table.add_row(name, *shares, *counts)
    return table
