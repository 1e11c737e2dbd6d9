"""How an evaluation is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reid.checks import check_number, check_whole, is_number
from reid.errors import InputError


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """Settings of `evaluate`; docs/evaluation.md defines the measures."""

    protocol: Literal["auto", "cross_camera", "single"] = "auto"
    """Who counts as a match: `cross_camera` only crops of the identity from other cameras (Market-1501: those of the
    query's own camera are left out); `single` all its other crops; `auto` is cross_camera where an identity is known
    to be seen by two cameras."""
    queries: Literal["auto", "every_crop", "one_per_camera"] = "auto"
    """Which crops query: `every_crop` in turn all the others; `one_per_camera` one crop of each identity in each
    camera, drawn by the seed, and the gallery is the rest, which has one crop at least of everybody; `auto` is
    one_per_camera across cameras, else every_crop."""
    min_gap_s: float = 0.0
    """Single protocol, where times are known: crops of the query's identity nearer in time than this are left out,
    since neighbouring frames are near copies."""
    later_s: tuple[float, ...] = (1.0, 2.0, 5.0)
    """Re-association: how much later, in seconds, the object is to be found again; needs times."""
    window_s: float = 0.25
    """Re-association: an object is present at a moment if it has a crop within this many seconds of it."""
    rerank: bool = False
    """Re-rank by k-reciprocal neighbours (Zhong 2017): better ranks on galleries with several crops an identity, for
    more time. Changes mAP, rank-k and mINP alone."""
    replicates: int = 1000
    """Bootstrap replicates behind the 95 % intervals; 0 for none."""
    seed: int = 0
    """Of everything that is drawn: queries, identities of the replicates, corruptions."""

    def __post_init__(self) -> None:
        _check_choice("protocol", self.protocol, ("auto", "cross_camera", "single"))
        _check_choice("queries", self.queries, ("auto", "every_crop", "one_per_camera"))
        for name in ("min_gap_s", "window_s"):
            check_number(name, getattr(self, name), least=0)
        if not all(is_number(value) and value > 0 for value in self.later_s):
            raise InputError(f"later_s must be finite numbers above 0, got {list(self.later_s)}")
        for name in ("replicates", "seed"):
            check_whole(name, getattr(self, name), 0)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
