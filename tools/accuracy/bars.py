"""What accuracy is asked for, and whether it was found in the suites that ran."""

from __future__ import annotations

from typing import Any

from online.checks import Check
from peers import OURS

IDF1, HOTA = 84.0, 60.0
"""On TUD-Stadtmitte's cached input."""
BEHIND = 1.5
"""Points of IDF1 that the best peer may be ahead on one input."""
HARM = 1.0
"""Points of IDF1 that random vectors may cost."""


def bars(data: dict[str, Any], held_out: bool) -> list[Check]:
    """Read off the report's figures; a bar whose suite did not run, or whose peers did not, is left out.

    Args:
        data: of the report, by suite.
        held_out: whether the sequences are those that no setting was chosen on: of the suites motion only and
            with appearance these alone are judged beside peers.
    """
    found = _cached(data.get("cached", {}).get("standings", []))
    if held_out:
        for suite in ("motion only", "with appearance"):
            found += _means(suite, data.get(suite, {}).get("standings", []))
    for suite in ("frame rate", "clip rates"):
        found += _rates(suite, data.get(suite, {}))
    return found + _random(data.get("random vectors", {}))


def _cached(standings: list[dict[str, Any]]) -> list[Check]:
    ours, others = _parted(standings)
    if ours is None:
        return []
    idf1, hota = ours["means"]["idf1"], ours["means"]["hota"]
    faults = () if idf1 >= IDF1 and hota >= HOTA else ("too low",)
    found = [Check(f"cached: IDF1 at least {IDF1:g}, HOTA at least {HOTA:g}", f"{idf1:.1f}, {hota:.1f}", faults)]
    lowest = {}  # where each peer's interval ends
    for peer in others:
        for figure in ("idf1", "hota"):
            ahead = peer["ahead"][figure]
            half = ahead["half_width"]
            lowest[f"{peer['tracker']}, {figure.upper()}"] = float("-inf") if half is None else ahead["mean"] - half
    if lowest:
        behind = tuple(f"{who}: {value:+.1f}" for who, value in lowest.items() if not value > 0)
        least = min(lowest.values())
        found.append(Check("cached: ahead of every peer with the lower 95 % bound", f"least {least:+.1f}", behind))
    return found


def _means(suite: str, standings: list[dict[str, Any]]) -> list[Check]:
    ours, others = _parted(standings)
    if ours is None or not others:
        return []
    mine, best = ours["means"]["idf1"], max(others, key=lambda peer: peer["means"]["idf1"])
    theirs = best["means"]["idf1"]
    found = f"{mine:.1f}; {best['tracker']} {theirs:.1f}"
    ahead = Check(f"{suite}: mean IDF1 above every peer's", found, () if mine > theirs else ("not above",))
    gaps = {name: own - max(peer["by_input"][name] for peer in others) for name, own in ours["by_input"].items()}
    worst = min(gaps, key=gaps.__getitem__)
    behind = tuple(f"{name}: {gap:+.1f}" for name, gap in gaps.items() if gap < -BEHIND)
    asked = f"{suite}: on no input more than {BEHIND:g} below the best peer"
    return [ahead, Check(asked, f"{gaps[worst]:+.1f} on {worst}", behind)]


def _rates(suite: str, data: dict[str, Any]) -> list[Check]:
    """The best peer is that of the greatest IDF1 at the full rate."""
    peers = {name: rates for name, rates in data.items() if name != OURS.name}
    if OURS.name not in data or not peers:
        return []
    full, *thinned = data[OURS.name]
    best = max(peers, key=lambda name: float(peers[name][full]["idf1"]))
    found = []
    for rate in thinned:
        mine, theirs = data[OURS.name][rate]["fall"], peers[best][rate]["fall"]
        faults = () if mine <= theirs else (f"falls {mine - theirs:.1f} further",)
        asked = f"{suite}, {rate}: IDF1 falls by no more than the best peer's"
        found.append(Check(asked, f"{mine:.1f}; {best} {theirs:.1f}", faults))
    return found


def _random(data: dict[str, Any]) -> list[Check]:
    if not data:
        return []
    change = {name: row["random"] - row["without"] for name, row in data.items()}
    worst = min(change, key=change.__getitem__)
    harmed = tuple(f"{name}: {points:+.1f}" for name, points in change.items() if points < -HARM)
    asked = f"random vectors: IDF1 on every input at most {HARM:g} below that without any"
    return [Check(asked, f"{change[worst]:+.1f} on {worst}", harmed)]


def _parted(standings: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """This project's tracker, None where it has not run, and the others."""
    ours = next((s for s in standings if s["tracker"] == OURS.name), None)
    return ours, [s for s in standings if s["tracker"] != OURS.name]
