"""Identity switches put into a tracklet store: what a tracker's mistakes would do to who learns from it.

They are put into what was harvested, where all of them are learned from. Where numbers are exchanged before the harvest
sees them, it cuts most tracks there: with 40 % of a clip's tracks exchanged, each pair where it was nearest, 7 % of the
tracklets were of two people, at any moment 3 %, as many as without.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from reid.tracklets import Tracklets, read_tracklets
from reid.tracklets.records import RECORDS, picture_path


def corrupt(folder: Path, share: float, seed: int, out: Path) -> Path:
    """A copy of a store in which `share` of the tracklets of two crops or more go over to somebody else.

    Two tracklets that are seen at the same time exchange their crops from a random moment on, as after a crossing that
    a tracker got wrong. What was noted of who was seen together stays, and is wrong from then on. Fewer are corrupted
    where there are not enough that have somebody to change places with.
    """
    if (out / "done").is_file():
        return out
    shutil.rmtree(out, ignore_errors=True)
    store = read_tracklets(folder)
    moved = _exchange(store, share, np.random.default_rng((seed, 52)))
    identity = dict(zip(store.tracklet.tolist(), store.identity.tolist(), strict=True))
    known = set(zip(store.tracklet.tolist(), store.frame.tolist(), strict=True))
    out.mkdir(parents=True)
    with (folder / RECORDS).open(encoding="utf-8") as old, (out / RECORDS).open("w", encoding="utf-8") as new:
        for line in old:
            record = json.loads(line)
            if record.get("kind") == "crop":
                if (record["tracklet"], record["frame"]) not in known:
                    continue  # in doubt: nobody reads it, and what moves may need its place
                record = _moved(record, moved, identity, folder, out)
            new.write(json.dumps(record, separators=(",", ":")) + "\n")
    (out / "done").touch()
    return out


def all_different(folder: Path, out: Path) -> Path:
    """A copy of a store that says of any two tracklets that they were seen together: nothing is unknown any more."""
    if (out / "done").is_file():
        return out
    shutil.rmtree(out, ignore_errors=True)
    store = read_tracklets(folder)
    shutil.copytree(folder, out, copy_function=_link, ignore=shutil.ignore_patterns("done"))
    tracklets = np.unique(store.tracklet).tolist()
    pairs = list(itertools.combinations(tracklets, 2))
    records = (folder / RECORDS).read_text(encoding="utf-8")
    (out / RECORDS).unlink()
    together = {"kind": "together", "run": int(store.run[0]), "frame": int(store.frame[0]), "pairs": pairs}
    (out / RECORDS).write_text(records + json.dumps(together, separators=(",", ":")) + "\n", encoding="utf-8")
    (out / "done").touch()
    return out


def switched(store: Tracklets, share: float, seed: int) -> set[int]:
    """The tracklets that `corrupt` would change."""
    moved = _exchange(store, share, np.random.default_rng((seed, 52)))
    return {tracklet for tracklet, _ in moved}


def _exchange(store: Tracklets, share: float, rng: np.random.Generator) -> dict[tuple[int, int], int]:
    """(tracklet, frame) of each crop that moves, and the tracklet it moves to."""
    rows = {t: np.flatnonzero(store.tracklet == t) for t in np.unique(store.tracklet).tolist()}
    rows = {t: r[np.argsort(store.time_s[r])] for t, r in rows.items() if len(r) >= 2}
    wanted, taken, moved = round(share * len(rows)), set[int](), dict[tuple[int, int], int]()
    for first in rng.permutation(sorted(rows)).tolist():
        if len(taken) >= wanted:
            break
        spans = {t: (store.time_s[r[0]], store.time_s[r[-1]]) for t, r in rows.items() if t not in taken}
        if first not in spans:
            continue
        partners = [t for t in sorted(spans) if t != first and _moment(spans[first], spans[t]) is not None]
        if not partners:
            continue
        second = partners[int(rng.integers(len(partners)))]
        low, high = _moment(spans[first], spans[second]) or (0.0, 0.0)
        at_s = float(rng.uniform(low, high))
        for one, other in ((first, second), (second, first)):
            late = rows[one][store.time_s[rows[one]] > at_s]
            moved |= {(one, int(store.frame[row])): other for row in late}
        taken |= {first, second}
    return moved


def _moment(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float] | None:
    """The time that two spans share; None where they share none."""
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low < high else None


def _moved(
    record: dict[str, Any], moved: dict[tuple[int, int], int], identity: dict[int, int], folder: Path, out: Path
) -> dict[str, Any]:
    """The record of a crop in the new store, its picture beside it."""
    key = (record["tracklet"], record["frame"])
    target = moved.get(key, key[0])
    place = picture_path(out, target, key[1])
    place.parent.mkdir(parents=True, exist_ok=True)
    _link(picture_path(folder, *key), place)
    if target == key[0]:
        return record
    return record | {"tracklet": target, "identity": identity[target]}


def _link(source: str | Path, place: str | Path) -> None:
    """The same file under another name; a copy where there are no links."""
    try:
        os.link(source, place)
    except FileExistsError:  # a copy would be written into a picture of the store itself
        raise
    except OSError:
        shutil.copyfile(source, place)
