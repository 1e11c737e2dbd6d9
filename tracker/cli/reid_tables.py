"""Tables, CSV and JSON of an evaluation of embedders."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reid import EmbedderInfo
from reid.evaluation import Estimate, EvaluationConfig, Report
from reid.evaluation.pairs import FPR, LEAST_PASSING
from reid.evaluation.report import MEASURES, estimate_dict
from reid.evaluation.robustness import Fall
from tracker.cli.tables import print_outputs

_FEW_IDENTITIES = 20
_HEADINGS = ("model", "95 %", "other", "gain", "95 %")


@dataclass(frozen=True, slots=True)
class Scored:
    """One model's results."""

    info: EmbedderInfo
    """Which model."""
    report: Report
    """What it scored."""
    falls: tuple[Fall, ...]
    """A row a corruption; empty where nobody asked."""


def print_report(scored: Scored, compared: Scored | None, config: EvaluationConfig, outputs: Sequence[Path]) -> None:
    """Everything for people, on stdout."""
    console, report = Console(highlight=False), scored.report
    model = scored.info.name if compared is None else f"{scored.info.name} against {compared.info.name}"
    console.print(
        f"{model}: {report.crops} crops of {report.identities} identities, "
        f"{report.queries} queries, {report.gallery} in the gallery",
        markup=False,
        soft_wrap=True,
    )
    console.print(f"{report.rule}{'; re-ranked' if config.rerank else ''}\n", markup=False, soft_wrap=True)
    gains = {} if compared is None else report.minus(compared.report)
    table = _table(["", *_HEADINGS[: 2 if compared is None else 5]])
    for name, label in MEASURES.items():
        other = None if compared is None else getattr(compared.report, name)
        table.add_row(label, *_cells(getattr(report, name), other, gains.get(name), compared is not None))
    console.print(table)
    if report.reassociation:
        console.print()
        console.print(_reassociation(report, None if compared is None else compared.report, gains))
    if scored.falls:
        console.print()
        console.print(_robustness(scored.falls))
    for note in _notes(report, config):
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    print_outputs(console, outputs)


def _reassociation(report: Report, compared: Report | None, gains: Mapping[str, Estimate]) -> Table:
    headings = ("found again after", "times", "chance", *_HEADINGS[: 2 if compared is None else 5])
    table = _table(headings)
    others = {} if compared is None else {part.later_s: part.rank_1 for part in compared.reassociation}
    for part in report.reassociation:
        gain = gains.get(f"reassociation_{part.later_s:g}s")
        cells = _cells(part.rank_1, others.get(part.later_s), gain, compared is not None)
        table.add_row(f"{part.later_s:g} s", str(part.queries), f"{part.chance:.3f}", *cells)
    return table


def _cells(estimate: Estimate | None, other: Estimate | None, gain: Estimate | None, compared: bool) -> list[str]:
    cells = [_value(estimate), _interval(estimate)]
    if compared:
        cells += [_value(other), "-" if gain is None else f"{gain.value:+.3f}", _interval(gain, sign="+")]
    return cells


def _figures(report: Report) -> Iterator[tuple[str, Estimate | None]]:
    """Name and figure of every measure."""
    for name in MEASURES:
        yield name, getattr(report, name)
    for part in report.reassociation:
        yield f"reassociation_{part.later_s:g}s", part.rank_1


def _robustness(falls: Sequence[Fall]) -> Table:
    table = _table(["queries under", "mAP", "fall", "95 %", "rank-1", "fall", "95 %"])
    for fall in falls:
        cells = [_value(fall.mean_average_precision), _value(fall.fall_of_map), _interval(fall.fall_of_map)]
        cells += [_value(fall.rank_1), _value(fall.fall_of_rank_1), _interval(fall.fall_of_rank_1)]
        table.add_row(fall.kind.replace("_", " "), *cells)
    return table


def _notes(report: Report, config: EvaluationConfig) -> Iterator[str]:
    if report.queries_without_match:
        yield f"queries left out, since they have no match in the gallery: {report.queries_without_match}"
    if report.tpr_at_fpr_1e3 is None:
        yield (
            f"TPR at FPR 1e-3 needs {LEAST_PASSING / FPR:,.0f} pairs of different identities, "
            f"there are {report.pairs_different:,}"
        )
    near_s = report.nearest_match_s
    if report.finds_near_copies and not config.min_gap_s:
        yield f"the nearest match is {near_s:.2f} s away (median): --min-gap-s 1 leaves out near copies of the query"
    if near_s is not None and config.later_s and not report.reassociation:
        yield "nobody is seen again among others after the times of --later-s: no re-association"
    if report.identities < _FEW_IDENTITIES:
        yield f"intervals over {report.identities} identities are rough, and rather too narrow"


def as_dict(scored: Scored, compared: Scored | None) -> dict[str, Any]:
    """Plain values for JSON."""
    values = {"model": _model(scored.info)} | scored.report.to_dict()
    values["robustness"] = [fall.to_dict() for fall in scored.falls]
    if compared is not None:
        gains = scored.report.minus(compared.report)
        values["against"] = (
            {"model": _model(compared.info)}
            | compared.report.to_dict()
            | {"gains": {name: estimate_dict(gain) for name, gain in gains.items()}}
        )
    return values


def as_csv(scored: Scored, compared: Scored | None) -> str:
    """A header, and a row a figure: model, measure, value, low, high; nothing where there is no number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("model", "measure", "value", "low", "high"))
    rows: list[tuple[str, str, Estimate | None]] = []
    for part in (scored, compared):
        if part is not None:
            rows += [(part.info.name, name, estimate) for name, estimate in _figures(part.report)]
    for fall in scored.falls:
        names = ("mean_average_precision", "rank_1", "fall_of_map", "fall_of_rank_1")
        rows += [(scored.info.name, f"{fall.kind}.{name}", getattr(fall, name)) for name in names]
    if compared is not None:
        gains = scored.report.minus(compared.report)
        rows += [(f"{scored.info.name} - {compared.info.name}", name, gain) for name, gain in gains.items()]
    for model, name, estimate in rows:
        numbers = (None,) * 3 if estimate is None else (estimate.value, estimate.low, estimate.high)
        writer.writerow((model, name, *("" if number is None else f"{number:.6g}" for number in numbers)))
    return text.getvalue()


def _model(info: EmbedderInfo) -> dict[str, Any]:
    return {"name": info.name, "hash": info.model_hash, "dimension": info.dimension}


def _table(headings: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(headings[0], no_wrap=True)
    for heading in headings[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _value(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.3f}"


def _interval(estimate: Estimate | None, sign: str = "") -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return "-"
    return f"{estimate.low:{sign}.3f}..{estimate.high:{sign}.3f}"
