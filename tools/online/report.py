"""What the runs amount to: a report in Markdown, and which bars are missed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from online.runs import ABLATIONS, OPEN, PRODUCT, STRESSED, STRESSED_OPEN, Outcome

LEAST_GAIN = 10.0
"""Points of re-association mAP that the foreign start must gain on each kind of video."""
LEAST_ADMITTED = 0.8
"""Share of the clean runs from the foreign start that must be admitted."""
MOST_HARM = 0.5
"""Points of mAP that an admitted model may lose on hidden labels."""
_REPORTED = ("rank-1", "TPR at FPR 1e-3", "AssA", "IDF1")


@dataclass(frozen=True)
class Bar:
    """One requirement."""

    name: str
    found: str
    met: bool


def mean_interval(values: Sequence[float]) -> str:
    """Mean with its 95 % interval over seeds (Student's t)."""
    if len(values) < 2:
        return f"{values[0]:+.1f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    mean = float(np.mean(values))
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


def groups(outcomes: Iterable[Outcome]) -> dict[tuple[str, str, float, str], list[Outcome]]:
    """By kind of video, start, share corrupted and variant."""
    found: dict[tuple[str, str, float, str], list[Outcome]] = {}
    for one in outcomes:
        plan = one.plan
        found.setdefault((plan.clip.kind, plan.start, plan.share, plan.variant), []).append(one)
    return found


def bars(outcomes: Sequence[Outcome]) -> list[Bar]:
    """Those of which there are runs."""
    found = []
    for (kind, start, share, variant), runs in groups(outcomes).items():
        if variant != PRODUCT:
            continue
        gains = [run.gain[0] for run in runs]
        where = f"{kind}, {start}"
        if share == 0 and start == "foreign" and kind != "tud":
            mean, admitted = float(np.mean(gains)), float(np.mean([run.admitted for run in runs]))
            found.append(Bar(f"{where}: gains {LEAST_GAIN:g} points or more", f"{mean:+.1f}", mean >= LEAST_GAIN))
            met = admitted >= LEAST_ADMITTED
            found.append(Bar(f"{where}: admitted in {LEAST_ADMITTED:.0%} of the runs", f"{admitted:.0%}", met))
        elif share == 0:
            least = min(gains)
            found.append(Bar(f"{where}: worse in no run", f"worst {least:+.1f}", least >= 0))
        found.append(_harmless(f"{where}, {share:.0%} corrupted", runs))
    return found + _stress_bars(outcomes)


def _harmless(where: str, runs: Sequence[Outcome]) -> Bar:
    worst = min([run.gain[0] for run in runs if run.admitted], default=0.0)
    name = f"{where}: nothing admitted loses more than {MOST_HARM:g}"
    return Bar(name, f"worst {worst:+.1f}", worst >= -MOST_HARM)


def _stress_bars(outcomes: Sequence[Outcome]) -> list[Bar]:
    """What a gate holds back says something only where there is harm to be held back."""
    found = [
        _harmless(f"{kind}, {start}, stressed", runs)
        for (kind, start, _, variant), runs in groups(outcomes).items()
        if variant == STRESSED
    ]
    naked = [run.gain[0] for run in outcomes if run.plan.variant == STRESSED_OPEN]
    if naked:
        name = f"stressed, gate off: some lesson loses more than {MOST_HARM:g}"
        found.append(Bar(name, f"worst {min(naked):+.1f}", min(naked) < -MOST_HARM))
    return found


def markdown(outcomes: Sequence[Outcome]) -> str:
    """All tables."""
    parts = [
        "# Online adaptation, judged by hidden truth", _adaptations(outcomes), _corrupted(outcomes),
        _stressed(outcomes), _ablated(outcomes), _stores(outcomes), _single(outcomes), _bars(outcomes),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return f"## {title}\n\n" + "\n".join(lines)


def _adaptations(outcomes: Sequence[Outcome]) -> str:
    rows = []
    for (kind, start, share, variant), runs in groups(outcomes).items():
        if share > 0 or variant != PRODUCT:
            continue
        cells = [_cell(runs, name) for name in ("mAP", *_REPORTED)]
        gains = mean_interval([run.gain[0] for run in runs])
        rows.append([kind, start, f"{sum(run.admitted for run in runs)} of {len(runs)}", gains, *cells])
    head = ["video", "start", "admitted", "mAP gained [95 % over seeds]", "mAP", *_REPORTED]
    return _table("Clean runs: start -> live afterwards, on the hidden second part", head, rows)


def _cell(runs: Sequence[Outcome], name: str) -> str:
    pairs = [(run.before[name], run.after[name]) for run in runs if name in run.before and name in run.after]
    if not pairs:
        return "-"
    before, after = np.mean(pairs, axis=0)
    return f"{before:.1f} -> {after:.1f}"


def _corrupted(outcomes: Sequence[Outcome]) -> str:
    return _gated("Injected identity switches, with the gate and without", outcomes, PRODUCT, OPEN)


def _stressed(outcomes: Sequence[Outcome]) -> str:
    title = "A lesson that only the gate holds back (large steps, nothing kept in mind), with the gate and without"
    return _gated(title, outcomes, STRESSED, STRESSED_OPEN)


def _gated(title: str, outcomes: Sequence[Outcome], gated: str, ungated: str) -> str:
    found, rows = groups(outcomes), []
    for (kind, start, share, variant), runs in found.items():
        if variant != gated:
            continue
        open_runs = found.get((kind, start, share, ungated), [])
        gains, naked = [run.gain[0] for run in runs], [run.gain[0] for run in open_runs]
        without = ["-", "-"] if not naked else [mean_interval(naked), f"{min(naked):+.1f}"]
        admitted = f"{sum(run.admitted for run in runs)} of {len(runs)}"
        rows.append([kind, start, f"{share:.0%}", admitted, mean_interval(gains), f"{min(gains):+.1f}", *without])
    head = ["video", "start", "corrupted", "admitted", "mAP gained", "worst", "gate off: gained", "gate off: worst"]
    return _table(title, head, rows)


def _ablated(outcomes: Sequence[Outcome]) -> str:
    found, rows = groups(outcomes), []
    for (kind, start, share, variant), runs in found.items():
        whole = found.get((kind, start, share, OPEN), [])
        if variant not in ABLATIONS or not whole:
            continue
        full = {run.plan.seed: run.gain[0] for run in whole}
        change = [run.gain[0] - full[run.plan.seed] for run in runs if run.plan.seed in full]
        gains = mean_interval([run.gain[0] for run in runs])
        kept = [run.gate["canary mAP"] for run in runs if "canary mAP" in run.gate]
        canary = f"{100 * float(np.mean(kept)):+.1f}" if kept else "-"
        rows.append([kind, start, f"{share:.0%}", variant, gains, mean_interval(change), canary])
    head = ["video", "start", "corrupted", "variant", "mAP gained", "against the whole", "canary mAP"]
    return _table("Ablations, gate off", head, rows)


def _stores(outcomes: Sequence[Outcome]) -> str:
    rows = []
    for (kind, start, share, variant), runs in groups(outcomes).items():
        if variant != PRODUCT:
            continue
        seen = [run.purity for run in runs]
        sizes = [f"{np.mean([getattr(p, name) for p in seen]):.0f}" for name in ("crops", "tracklets", "people")]
        names = ("mixed_tracklets", "wrong_crops", "false_pairs", "mixed_pairs")
        shares = [f"{np.mean([getattr(p, name) for p in seen]):.1%}" for name in names]
        rows.append([kind, start, f"{share:.0%}", *sizes, *shares])
    head = ["video", "tracked with", "corrupted", "crops", "tracklets", "people"]
    head += ["mixed tracklets", "wrong crops", "pairs that are one person", "pairs that share somebody"]
    return _table("What was learned from, by hidden truth", head, rows)


def _single(outcomes: Sequence[Outcome]) -> str:
    rows = []
    for one in outcomes:
        plan, (gain, low, high) = one.plan, one.gain
        figure = f"{one.before['mAP']:.1f}"
        what = [plan.clip.folder.name, plan.start, f"{plan.share:.0%}", str(plan.seed), plan.variant, figure]
        rows.append([*what, f"{gain:+.1f} [{low:+.1f}, {high:+.1f}]", one.reason.replace("|", "/")])
    head = ["video", "start", "corrupted", "seed", "variant", "mAP before", "gained [95 % over identities]", "reason"]
    return _table("Every run", head, rows)


def _bars(outcomes: Sequence[Outcome]) -> str:
    rows = [[bar.name, bar.found, "met" if bar.met else "MISSED"] for bar in bars(outcomes)]
    return _table("Bars", ["bar", "found", ""], rows)
