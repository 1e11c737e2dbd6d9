"""From a path to crops to measure on, with the queries that a data set brings along."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reid.data import DataConfig, detect_kind, open_crops
from reid.data.market import PARTS
from reid.evaluation.collection import Collection
from reid.evaluation.config import EvaluationConfig
from reid.evaluation.report import Report
from reid.evaluation.scoring import Progress, evaluate

Kind = Literal["auto", "folders", "market", "mot", "tracklets"]


@dataclass(frozen=True, slots=True)
class MeasuredData(DataConfig):
    """Which crops of a data set are measured on."""

    part: Literal["train", "query", "gallery"] = field(default="gallery", init=False)
    """Of a whole Market-1501-style data set: the gallery, beside its queries."""
    distractors: bool = True
    """Of a Market-1501-style gallery: also take the pictures of number 0000, which show nobody in particular, as the
    standard protocol does. They are searched, never query, and are no identity of the intervals."""


def open_collection(
    path: Path,
    *,
    query: Path | None = None,
    kind: Kind = "auto",
    frames: Callable[[Path], Iterable[tuple[int, NDArray[np.uint8]]]] | None = None,
    config: MeasuredData | None = None,
) -> Collection:
    """Open data of any kind that `reid.data.open_crops` reads.

    Args:
        path: the data, or the gallery where `query` is given. A whole Market-1501-style data set, with the folders
            `query` and `bounding_box_test`, brings its split along.
        query: data whose crops query; identities are matched by name, cameras by number.
        kind: of both; `auto` looks.
        frames: reads a video; see `reid.data.open_crops`.
        config: which crops to take.

    Raises:
        DataError: nothing that can be read lies there.
        InputError: queries and gallery have no identity in common.
    """
    settings = config or MeasuredData()
    gallery = open_crops(path, kind=kind, frames=frames, config=settings)
    if query is not None:
        return Collection.of(gallery, open_crops(query, kind=kind, frames=frames, config=settings))
    if path.is_dir() and _has_split(path) and (kind == "market" or (kind == "auto" and detect_kind(path) == "market")):
        no_distractors = replace(settings, distractors=False)
        return Collection.of(gallery, open_crops(path / PARTS["query"], kind="market", config=no_distractors))
    return Collection.of(gallery)


def evaluate_collection(
    collection: Collection,
    vectors: NDArray[np.float32],
    *,
    config: EvaluationConfig | None = None,
    progress: Progress | None = None,
) -> Report:
    """`evaluate` for the crops of a collection and their vectors (N, D)."""
    return evaluate(
        vectors,
        collection.identity,
        collection.camera,
        collection.time_s,
        group=collection.group,
        query=collection.query,
        unknown=collection.unknown(),
        config=config,
        progress=progress,
    )


def _has_split(path: Path) -> bool:
    return all((path / PARTS[part]).is_dir() for part in ("query", "gallery"))
