"""The Markdown report and its JSON twin."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from peers import OURS, Peer, absent, settings_table

from accuracy.comparison import Comparison, Standing, difference
from accuracy.inputs import DROPPED, SUITES, Input
from accuracy.runs import Run

TITLES = {
    "cached": "TUD-Stadtmitte: cached detections and embeddings (reporting only)",
    "frame rate": "TUD-Stadtmitte at every frame, every 2nd and every 4th",
    "clips": "Rendered clips: the default detector and embedder",
    "clip rates": "Rendered clips at other rates",
    "motion only": "Motion only",
    "with appearance": "With appearance",
    "random vectors": "Random unit vectors in place of embeddings",
}
_HEAD = (
    "| tracker | HOTA | AssA | IDF1 | MOTA | switches | reidtrack ahead, IDF1 | reidtrack ahead, HOTA |\n"
    "|---|---|---|---|---|---|---|---|"
)


def report(runs: list[Run], inputs: list[Input], seeds: int, peers: list[Peer]) -> tuple[str, dict[str, Any]]:
    """Markdown, and the same figures for machines."""
    parts, data = [f"# Accuracy over {seeds} seeded inputs", _how(seeds), settings_table([OURS, *peers])], {}
    if missing := absent():
        parts.append("Not installed, not compared: " + "; ".join(f"`{line}`" for line in missing) + ".")
    for suite in SUITES:
        chosen = [i for i in inputs if i.suite == suite]
        if not chosen:
            continue
        parts.append(f"## {TITLES[suite]}")
        text, data[suite] = _SECTIONS.get(suite, _table)(runs, chosen, seeds)
        parts.append(text)
    return "\n\n".join(parts) + "\n", data


def _how(seeds: int) -> str:
    return (
        f"Every tracker gets the same detections and embeddings. Each seed drops another {DROPPED:.0%} of the "
        "detections (and simulates detector and embedder anew, where they are simulated). Figures are means over "
        "inputs and seeds, by TrackEval; `reidtrack ahead` is the paired difference, with its 95 % interval over "
        f"seeds{' (too few for one here)' if seeds < 2 else ''}."
    )


def _table(runs: list[Run], inputs: list[Input], seeds: int) -> tuple[str, dict[str, Any]]:
    """Standings, the comparison input by input, and the clean input where it was run."""
    names = [i.name for i in inputs]
    compared = Comparison(runs, names, list(range(seeds)))
    found = compared.standings()
    if not found:
        return "Not run.", {}
    text = [_standings(found), _notes(compared, seeds)]
    if len(names) > 1:
        text.append(_by_input(found, names))
    clean = Comparison(runs, names, [None]).standings()
    if clean:
        text.append("Clean input, nothing dropped:\n\n" + _standings(clean))
    data = {
        "seeds": len(compared.seeds),
        "standings": [asdict(s) for s in found],
        "clean": [asdict(s) for s in clean],
        "failures": compared.failures,
    }
    return "\n\n".join(part for part in text if part), data


def _standings(found: list[Standing]) -> str:
    lines = [_HEAD]
    for s in found:
        name = f"**{s.tracker}**" if s.tracker == OURS.name else s.tracker
        m = s.means
        figures = f"{m['hota']:.1f} | {m['ass_a']:.1f} | {m['idf1']:.1f} | {m['mota']:.1f} | {m['switches']:.1f}"
        lines.append(f"| {name} | {figures} | {s.ahead.get('idf1', '')} | {s.ahead.get('hota', '')} |")
    return "\n".join(lines)


def _notes(compared: Comparison, seeds: int) -> str:
    lines = [f"{who} failed: {error}." for who, error in compared.failures]
    if len(compared.seeds) < seeds:
        lines.append(f"Interrupted: {len(compared.seeds)} of {seeds} seeds.")
    if compared.incomplete:
        lines.append(f"Not run on every input, left out: {', '.join(compared.incomplete)}.")
    return "\n".join(lines)


def _by_input(found: list[Standing], names: list[str]) -> str:
    """Ours against the best peer of each input, by IDF1."""
    ours, peers = found[0], found[1:]
    if not peers or ours.tracker != OURS.name:
        rows = [f"| {n} | {found[0].by_input[n]:.1f} |" for n in names]
        return "\n".join(["| input | IDF1 |", "|---|---|", *rows])
    lines = ["| input | reidtrack, IDF1 | best peer | its IDF1 | reidtrack ahead |", "|---|---|---|---|---|"]
    for name in names:
        best = max(peers, key=lambda s: s.by_input[name])
        mine, theirs = ours.by_input[name], best.by_input[name]
        lines.append(f"| {name} | {mine:.1f} | {best.tracker} | {theirs:.1f} | {mine - theirs:+.1f} |")
    return "\n".join(lines)


def _rates(runs: list[Run], inputs: list[Input], seeds: int) -> tuple[str, dict[str, Any]]:
    """IDF1 at each rate, how far it falls from the full one, and how much further that of a peer falls."""
    compared = Comparison(runs, [i.name for i in inputs], list(range(seeds)))
    found = compared.standings()
    if not found:
        return "Not run.", {}
    at: dict[str, list[str]] = {}  # names of inputs by rate, the full one first
    for i in inputs:
        at.setdefault(i.rate or ("every frame" if i.every == 1 else f"every {i.every}"), []).append(i.name)
    full, *thinned = at
    lines = ["| tracker | " + " | ".join([full, *(f"{n} | fall | falls further" for n in thinned)]) + " |"]
    lines.append("|---" * (2 + 3 * len(thinned)) + "|")
    data: dict[str, Any] = {}
    for s in sorted(found, key=lambda s: (s.tracker != OURS.name, -_mean(s, at[full]))):
        row = data[s.tracker] = {rate: {"idf1": _mean(s, names)} for rate, names in at.items()}
        cells = [f"{row[full]['idf1']:.1f}"]
        for rate in thinned:
            fall = compared.falls(s.tracker, at[full], at[rate])
            row[rate]["fall"] = float(fall.mean())
            cells.append(f"{row[rate]['idf1']:.1f} | {fall.mean():.1f}")
            further = ""
            if s.tracker != OURS.name and OURS.name in data:
                paired = difference(fall - compared.falls(OURS.name, at[full], at[rate]))
                row[rate] |= {"falls_further": paired.mean, "half_width": paired.half_width}
                further = str(paired)
            cells.append(further)
        name = f"**{s.tracker}**" if s.tracker == OURS.name else s.tracker
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n\n".join(part for part in ("\n".join(lines), _notes(compared, seeds)) if part), data


def _mean(standing: Standing, names: list[str]) -> float:
    """IDF1 over some of the inputs."""
    return sum(standing.by_input[n] for n in names) / len(names)


def _random(runs: list[Run], inputs: list[Input], seeds: int) -> tuple[str, dict[str, Any]]:
    """Ours with noise for embeddings, against ours without any."""
    names = [i.name for i in inputs]
    ours = [r for r in runs if r.tracker == OURS.name]
    lines = ["| input | IDF1 without embeddings | with random ones | change |", "|---|---|---|---|"]
    data = {}
    for name in (n for n in names if f"{n}, random" in names):
        pair = [Comparison(ours, [n], list(range(seeds))).standings() for n in (name, f"{name}, random")]
        if all(pair):
            without, noise = (s[0].means["idf1"] for s in pair)
            data[name] = {"without": without, "random": noise}
            lines.append(f"| {name} | {without:.1f} | {noise:.1f} | {noise - without:+.1f} |")
    return "\n".join(lines), data


_SECTIONS = {"frame rate": _rates, "clip rates": _rates, "random vectors": _random}
