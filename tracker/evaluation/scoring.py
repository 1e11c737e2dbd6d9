"""HOTA, CLEAR and identity scores by TrackEval (Luiten and Hoffhues, MIT), on MOTChallenge rows.

The metrics are TrackEval's own classes; what MOTChallenge does before (distractors, ignored rows) is done here by the
same rules as its `MotChallenge2DBox`, and tested against it.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from tracker.boxes import iou
from tracker.errors import InputError, MissingExtraError
from tracker.evaluation.layout import find_truth, match_tracks
from tracker.evaluation.mot import PEDESTRIAN, MotTracks, MotTruth, read_mot_tracks, read_mot_truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tracker.types import BoolArray, DoubleArray, IntArray

# of MOT16 and MOT17: person on vehicle, static person, distractor, reflection; MOT20 adds the non-motor vehicle
_DISTRACTORS, _MOT20_DISTRACTORS = (2, 7, 8, 12), (2, 6, 7, 8, 12)
_MATCH_IOU = 0.5  # a track is taken for a distractor from this overlap on


@dataclass(frozen=True, slots=True)
class Scores:
    """How well tracks agree with ground truth. Shares are percentages; `mota` may be negative."""

    hota: float
    """Higher order tracking accuracy (Luiten 2021), the mean over IoU thresholds .05 to .95."""
    det_a: float
    """Detection accuracy, a factor of HOTA."""
    ass_a: float
    """Association accuracy, a factor of HOTA."""
    idf1: float
    """Identity F1 (Ristani 2016) at IoU .5."""
    id_precision: float
    """Share of the tracked boxes that carry the right identity."""
    id_recall: float
    """Share of the true boxes that were given the right identity."""
    mota: float
    """Multiple object tracking accuracy (Bernardin 2008) at IoU .5."""
    switches: int
    """How often the identity that a true object is given changes."""
    fragments: int
    """How often a true object is lost and found again."""
    misses: int
    """True boxes without a tracked one."""
    false_positives: int
    """Tracked boxes without a true one."""
    true_boxes: int
    """Boxes of the ground truth that are scored."""
    tracked_boxes: int
    """Tracked boxes that are scored: those on distractors are not."""
    true_ids: int
    """Identities in the ground truth."""
    tracked_ids: int
    """Identities among the tracks."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Scores of several sequences."""

    sequences: dict[str, Scores]
    """By the sequence's name."""
    combined: Scores
    """Of all sequences as one: counts are summed before shares are taken, as TrackEval does."""


@contextmanager
def _quiet() -> Iterator[None]:
    """TrackEval divides by zero on purpose and uses names that newer numpy calls deprecated."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _metrics() -> dict[str, Any]:
    try:
        with _quiet():
            from trackeval.metrics import CLEAR, HOTA, Identity
    except ImportError as error:
        raise MissingExtraError("trackeval", "eval", "scoring against ground truth") from error
    silent = {"PRINT_CONFIG": False}
    return {"hota": HOTA(), "clear": CLEAR(silent), "identity": Identity(silent)}


def _on_distractor(similarity: DoubleArray, classes: IntArray, distractors: Sequence[int]) -> IntArray:
    """(truths, tracks) IoU -> columns matched to a distractor when all classes compete for the tracks."""
    gated = np.where(similarity >= _MATCH_IOU - np.finfo(float).eps, similarity, 0.0)
    rows, columns = linear_sum_assignment(-gated)
    matched = gated[rows, columns] > np.finfo(float).eps
    rows, columns = rows[matched], columns[matched]
    result: IntArray = columns[np.isin(classes[rows], distractors)]
    return result


def _relabel(ids: list[IntArray]) -> tuple[list[IntArray], int]:
    """Identities of each frame as 0, 1, ... without gaps, and how many there are."""
    joined = np.concatenate(ids) if ids else np.zeros(0, np.int64)
    known, labels = np.unique(joined, return_inverse=True)
    ends = np.cumsum([len(i) for i in ids])
    return [labels[end - len(i) : end] for i, end in zip(ids, ends.tolist(), strict=True)], len(known)


def _rows_by_frame(frame: IntArray, frames: int) -> list[IntArray]:
    """Rows of each frame 1..frames, in file order."""
    order = np.argsort(frame, kind="stable")
    cuts = np.searchsorted(frame[order], np.arange(1, frames + 2))
    return [order[a:b] for a, b in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)]


def _prepare(truth: MotTruth, tracks: MotTracks, frames: int) -> dict[str, Any]:
    """What TrackEval's metrics take: per frame identities from 0 and IoU, distractors and ignored rows removed."""
    distractors = _MOT20_DISTRACTORS if truth.benchmark == "MOT20" else _DISTRACTORS
    scored: BoolArray = truth.considered & (truth.classes == PEDESTRIAN)
    true_ids, tracked_ids, similarities = [], [], []
    for t, p in zip(_rows_by_frame(truth.frame, frames), _rows_by_frame(tracks.frame, frames), strict=True):
        similarity = iou(truth.boxes[t], tracks.boxes[p])  # (truths, tracks)
        if truth.benchmark != "MOT15":
            gone = _on_distractor(similarity, truth.classes[t], distractors)
            similarity, p = np.delete(similarity, gone, axis=1), np.delete(p, gone)
        keep = scored[t]
        true_ids.append(truth.id[t[keep]])
        tracked_ids.append(tracks.id[p])
        similarities.append(similarity[keep])
    true_labels, true_count = _relabel(true_ids)
    tracked_labels, tracked_count = _relabel(tracked_ids)
    return {
        "num_timesteps": frames,
        "gt_ids": true_labels,
        "tracker_ids": tracked_labels,
        "similarity_scores": similarities,
        "num_gt_dets": sum(map(len, true_ids)),
        "num_tracker_dets": sum(map(len, tracked_ids)),
        "num_gt_ids": true_count,
        "num_tracker_ids": tracked_count,
    }


def _scores(results: Mapping[str, Mapping[str, Any]], true_ids: int, tracked_ids: int) -> Scores:
    hota, clear, identity = results["hota"], results["clear"], results["identity"]

    def percent(value: Any) -> float:
        return 100 * float(np.mean(value))

    return Scores(
        hota=percent(hota["HOTA"]),
        det_a=percent(hota["DetA"]),
        ass_a=percent(hota["AssA"]),
        idf1=percent(identity["IDF1"]),
        id_precision=percent(identity["IDP"]),
        id_recall=percent(identity["IDR"]),
        mota=percent(clear["MOTA"]),
        switches=int(clear["IDSW"]),
        fragments=int(clear["Frag"]),
        misses=int(clear["CLR_FN"]),
        false_positives=int(clear["CLR_FP"]),
        true_boxes=int(clear["CLR_TP"] + clear["CLR_FN"]),
        tracked_boxes=int(clear["CLR_TP"] + clear["CLR_FP"]),
        true_ids=true_ids,
        tracked_ids=tracked_ids,
    )


def evaluate(sequences: Mapping[str, tuple[MotTruth, MotTracks, int | None]]) -> EvaluationReport:
    """Score sequences: for each name its truth, its tracks, and its length in frames (None: up to the last row).

    Raises:
        InputError: there is no sequence, a row lies beyond the stated length, or nothing of the truth is to be scored.
        MissingExtraError: TrackEval is not installed.
    """
    if not sequences:
        raise InputError("at least one sequence must be given, got none")
    metrics = _metrics()
    raw: dict[str, dict[str, Any]] = {}
    single: dict[str, Scores] = {}
    for name, (truth, tracks, stated) in sequences.items():
        last = max(int(rows.max()) if len(rows) else 1 for rows in (truth.frame, tracks.frame))
        if stated is not None and last > stated:
            raise InputError(f"{name}: frames must be within 1..{stated}, the length of the sequence, got {last}")
        data = _prepare(truth, tracks, stated or last)
        if data["num_gt_dets"] == 0:
            raise InputError(
                f"{name}: the ground truth must have rows to score, all of its {len(truth.id)} are ignored"
            )
        with _quiet():
            raw[name] = {key: metric.eval_sequence(data) for key, metric in metrics.items()}
        single[name] = _scores(raw[name], data["num_gt_ids"], data["num_tracker_ids"])
    with _quiet():
        joined = {key: m.combine_sequences({n: r[key] for n, r in raw.items()}) for key, m in metrics.items()}
    total = _scores(joined, sum(s.true_ids for s in single.values()), sum(s.tracked_ids for s in single.values()))
    return EvaluationReport(single, total)


def score_tracks(truth: MotTruth, tracks: MotTracks, frames: int | None = None) -> Scores:
    """Score one sequence that is in memory; see `evaluate` for the errors."""
    return evaluate({"sequence": (truth, tracks, frames)}).combined


def evaluate_files(gt: Path, tracks: Sequence[Path]) -> EvaluationReport:
    """Score files of tracks against ground truth on disk; see `find_truth` and `match_tracks` for the layouts.

    Raises:
        InputError: a file is missing, malformed or belongs to no sequence.
        MissingExtraError: TrackEval is not installed.
    """
    pairs = match_tracks(find_truth(gt), tracks)
    return evaluate({t.name: (read_mot_truth(t.path), read_mot_tracks(path), t.frames) for t, path in pairs})
