"""Tables, CSV and JSON of an evaluation of embedders."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
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

_NEAR_COPIES_S = 0.5  # matches nearer in time than this say little of recognising somebody again
_FEW_IDENTITIES = 20


@dataclass(frozen=True, slots=True)
class Scored:
    """One model's results."""

    info: EmbedderInfo
    report: Report
    falls: tuple[Fall, ...]


def print_report(scored: Scored, compared: Scored | None, config: EvaluationConfig, outputs: Sequence[Path]) -> None:
    """Everything for people, on stdout."""
    console, report = Console(highlight=False), scored.report
    console.print(
        f"{scored.info.name}: {report.crops} crops of {report.identities} identities, "
        f"{report.queries} queries, {report.gallery} in the gallery",
        markup=False,
    )
    console.print(f"{report.rule}{'; re-ranked' if config.rerank else ''}\n", markup=False)
    console.print(_measures(scored, compared))
    if scored.falls:
        console.print()
        console.print(_robustness(scored.falls))
    for note in _notes(report, config):
        console.print(f"note: {note}", markup=False)
    print_outputs(console, outputs)


def _measures(scored: Scored, compared: Scored | None) -> Table:
    headings = ["", scored.info.name, "95 %"]
    gains: dict[str, Estimate] = {}
    others: dict[str, Estimate | None] = {}
    if compared is not None:
        headings += [compared.info.name, "gain", "95 %"]
        gains = scored.report.minus(compared.report)
        others = {name: estimate for name, _, estimate in _figures(compared.report)}
    table = _table(headings)
    for name, label, estimate in _figures(scored.report):
        cells = [_value(estimate), _interval(estimate)]
        if compared is not None:
            gain = gains.get(name)
            cells += [
                _value(others.get(name)),
                "-" if gain is None else f"{gain.value:+.3f}",
                _interval(gain, sign="+"),
            ]
        table.add_row(label, *cells)
    return table


def _figures(report: Report) -> Iterator[tuple[str, str, Estimate | None]]:
    """Name, label and figure of every measure."""
    for name, label in MEASURES.items():
        yield name, label, getattr(report, name)
    for part in report.reassociation:
        label = f"found again {part.later_s:g} s later ({part.queries} times, chance {part.chance:.3f})"
        yield f"reassociation_{part.later_s:g}s", label, part.rank_1


def _robustness(falls: Sequence[Fall]) -> Table:
    table = _table(["queries under", "mAP", "falls by", "95 %", "rank-1", "falls by", "95 %"])
    for fall in falls:
        cells = [_value(fall.mean_average_precision), _value(fall.fall_of_map), _interval(fall.fall_of_map)]
        cells += [_value(fall.rank_1), _value(fall.fall_of_rank_1), _interval(fall.fall_of_rank_1)]
        table.add_row(fall.kind.replace("_", " "), *cells)
    return table


def _notes(report: Report, config: EvaluationConfig) -> Iterator[str]:
    if report.queries_without_match:
        yield f"{report.queries_without_match} queries have no match in the gallery and are left out"
    if report.tpr_at_fpr_1e3 is None:
        yield (
            f"TPR at FPR 1e-3 needs {LEAST_PASSING / FPR:,.0f} pairs of different identities, "
            f"there are {report.pairs_different:,}"
        )
    near_s = report.nearest_match_s
    if near_s is not None and near_s < _NEAR_COPIES_S and not config.min_gap_s:
        yield f"the nearest match is {near_s:.2f} s away (median): --min-gap-s 1 leaves out near copies of the query"
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
            rows += [(part.info.name, name, estimate) for name, _, estimate in _figures(part.report)]
    for fall in scored.falls:
        for name in ("mean_average_precision", "rank_1", "fall_of_map", "fall_of_rank_1"):
            rows.append((scored.info.name, f"{fall.kind}.{name}", getattr(fall, name)))
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
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(headings[0])
    for heading in headings[1:]:
        table.add_column(heading, justify="right")
    return table


def _value(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.3f}"


def _interval(estimate: Estimate | None, sign: str = "") -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return "-"
    return f"{estimate.low:{sign}.3f} .. {estimate.high:{sign}.3f}"
