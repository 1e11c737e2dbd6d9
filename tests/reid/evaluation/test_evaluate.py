"""The whole evaluation: against the measures on whole matrices, in tiles, on degenerate data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

import reid.evaluation.pairs as pairs_module
import reid.evaluation.similarity as similarity_module
from reid.errors import InputError
from reid.evaluation import EvaluationConfig, evaluate
from reid.evaluation.bootstrap import Estimate, Resampling
from reid.evaluation.metrics import auc, cmc, mean_average_precision, minp, tpr_at_fpr

PLAIN = EvaluationConfig(replicates=0)


def people(seed: int, crops: int, identities: int, noise: float = 1.5) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit vectors that scatter about a centre an identity."""
    rng = np.random.default_rng(seed)
    identity = rng.integers(0, identities, crops)
    vectors = rng.normal(size=(identities, 16))[identity] + noise * rng.normal(size=(crops, 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), identity


def test_figures_are_those_of_the_measures_on_the_whole_matrix() -> None:
    vectors, identity = people(0, 120, 9)
    report = evaluate(vectors, identity, config=PLAIN)
    cosine = np.round(vectors @ vectors.T * 2**19) / 2**19
    match = identity[:, None] == identity
    itself = np.eye(120, dtype=np.bool_)
    assert report.mean_average_precision.value == pytest.approx(mean_average_precision(cosine, match, itself))
    assert report.mean_inverse_penalty.value == pytest.approx(minp(cosine, match, itself))
    ranks = (report.rank_1.value, report.rank_5.value, report.rank_10.value)
    assert ranks == pytest.approx(cmc(cosine, match, itself))
    up = np.triu_indices(120, 1)
    assert report.auc is not None
    assert report.auc.value == pytest.approx(auc(cosine[up], match[up]), abs=1e-9)
    assert report.pairs_same == int(match[up].sum())
    assert report.pairs_same + report.pairs_different == len(up[0])
    assert report.tpr_at_fpr_1e3 is None, "7000 pairs are too few to say"
    assert report.reassociation == ()
    assert (report.crops, report.identities, report.queries, report.gallery) == (120, 9, 120, 120)


def test_tpr_is_that_of_all_pairs_where_there_are_enough() -> None:
    vectors, identity = people(1, 300, 20)
    report = evaluate(vectors, identity, config=PLAIN)
    cosine = np.round(vectors @ vectors.T * 2**19) / 2**19
    up = np.triu_indices(300, 1)
    assert report.tpr_at_fpr_1e3 is not None
    assert report.tpr_at_fpr_1e3.value == tpr_at_fpr(cosine[up], (identity[:, None] == identity)[up])


def test_tiles_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, identity = people(2, 90, 8)
    camera, time_s = np.arange(90) % 3, np.arange(90.0) % 11
    whole = evaluate(vectors, identity, camera, time_s)
    monkeypatch.setattr(similarity_module, "_TILE_VALUES", 100)
    done: list[tuple[int, int]] = []
    tiled = evaluate(vectors, identity, camera, time_s, progress=lambda *step: done.append(step))
    assert tiled.to_dict() == whole.to_dict()
    assert len(done) > 10
    assert done[-1][0] == done[-1][1]


def test_equal_seeds_give_equal_reports_and_others_other_intervals() -> None:
    vectors, identity = people(3, 80, 10)
    first, again, other = (evaluate(vectors, identity, config=EvaluationConfig(seed=s)) for s in (0, 0, 1))
    assert first.to_dict() == again.to_dict()
    assert first.rank_1.value == other.rank_1.value
    assert first.mean_average_precision.low != other.mean_average_precision.low


def test_perfect_vectors_score_one_and_collapsed_ones_as_chance() -> None:
    identity = np.repeat(np.arange(6), 5)
    perfect = evaluate(np.eye(6)[identity], identity, config=PLAIN)
    assert (perfect.mean_average_precision.value, perfect.rank_1.value, perfect.mean_inverse_penalty.value) == (1, 1, 1)
    assert perfect.auc is not None
    assert perfect.auc.value == 1
    collapsed = evaluate(np.tile(np.eye(4)[:1], (30, 1)), identity, config=PLAIN)
    assert collapsed.mean_average_precision.value == pytest.approx(4 / 29)
    assert collapsed.rank_1.value == 0
    assert collapsed.auc is not None
    assert collapsed.auc.value == 0.5


def test_cross_camera_and_a_given_split_are_honoured() -> None:
    vectors = np.eye(4)[[0, 0, 1, 1, 0, 1]]
    identity, camera = [0, 0, 1, 1, 0, 1], [1, 1, 1, 1, 2, 2]
    split = np.array([True, False, True, False, False, False])
    report = evaluate(vectors, identity, camera, query=split, config=PLAIN)
    assert (report.queries, report.gallery, report.pairs_same, report.pairs_different) == (2, 4, 2, 4)
    assert report.mean_average_precision.value == 1


def test_pairs_that_nobody_knows_of_are_left_out() -> None:
    vectors, identity = people(4, 40, 4)

    def unknown(rows: NDArray[np.int64], gallery: NDArray[np.int64]) -> NDArray[np.bool_]:
        a, b = identity[rows][:, None], identity[gallery]
        return (a != b) & (a + b != 1)  # identities 0 and 1 were seen together

    report = evaluate(vectors, identity, unknown=unknown, config=PLAIN)
    zero, one = (identity == 0).sum(), (identity == 1).sum()
    assert report.pairs_different == zero * one


def test_what_cannot_be_measured_is_refused_with_a_reason() -> None:
    vectors, identity = people(5, 10, 3)
    with pytest.raises(InputError, match="at least two identities, got 1"):
        evaluate(vectors, np.zeros(10, np.int64))
    with pytest.raises(InputError, match="at least two identities, got 0"):
        evaluate(vectors[:0], np.zeros(0, np.int64))
    with pytest.raises(InputError, match="none of 10 queries has a match"):
        evaluate(vectors, np.arange(10))
    with pytest.raises(InputError, match="min_gap_s"):
        evaluate(vectors, identity, time_s=np.zeros(10), config=EvaluationConfig(min_gap_s=5))
    with pytest.raises(InputError, match=r"vectors\[0\] must be of unit length, got length 2"):
        evaluate(vectors * 2, identity)
    with pytest.raises(InputError, match=r"vectors\[3\] must be of unit length, got length nan"):
        evaluate(np.where(np.arange(10)[:, None] == 3, np.nan, vectors), identity)
    with pytest.raises(InputError, match=r"vectors must be \(10, D\) floats"):
        evaluate(vectors[:9], identity)


def test_two_crops_of_two_identities_each_are_enough() -> None:
    report = evaluate(np.eye(2)[[0, 0, 1, 1]], [0, 0, 1, 1])
    assert report.rank_1.value == 1
    assert report.to_dict()["measures"]["auc"]["value"] == 1


def test_distractors_lower_the_ranks_and_are_no_identity() -> None:
    vectors, identity = people(6, 60, 6)
    without = evaluate(vectors, identity, config=PLAIN)
    crowd = people(7, 200, 200)[0]
    crowded = evaluate(np.r_[vectors, crowd], np.r_[identity, np.full(200, -1)], config=EvaluationConfig(replicates=20))
    assert crowded.mean_average_precision.value < without.mean_average_precision.value
    assert (crowded.identities, crowded.queries, crowded.gallery) == (6, 60, 260)
    assert crowded.pairs_same == without.pairs_same
    assert crowded.pairs_different == without.pairs_different + 60 * 200, (
        "a query and a distractor are different people"
    )


def test_the_report_is_plain_json() -> None:
    vectors, identity = people(8, 50, 5)
    report = evaluate(vectors, identity, time_s=np.arange(50.0) % 7)
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["measures"]["mean_average_precision"]["value"] == report.mean_average_precision.value
    assert values["measures"]["tpr_at_fpr_1e3"] is None
    assert [part["later_s"] for part in values["reassociation"]] == [1.0, 2.0, 5.0]


def test_intervals_hold_their_figure_and_a_paired_difference_is_narrower_than_its_parts() -> None:
    vectors, identity = people(9, 400, 25)
    noise = np.random.default_rng(0).normal(size=vectors.shape).astype(np.float32)
    worse = vectors + 0.05 * noise
    worse /= np.linalg.norm(worse, axis=1, keepdims=True)
    config = EvaluationConfig(replicates=200)
    good, bad = (evaluate(given, identity, config=config) for given in (vectors, worse))
    for report in (good, bad):
        for name, value in report.to_dict()["measures"].items():
            assert value["low"] <= value["value"] <= value["high"], name
    gain = good.minus(bad)["mean_average_precision"]
    alone = good.mean_average_precision
    assert gain.value == pytest.approx(alone.value - bad.mean_average_precision.value)
    assert None not in (gain.low, gain.high, alone.low, alone.high)
    assert gain.high - gain.low < (alone.high - alone.low) / 2
    same = good.minus(good)
    assert all((d.value, d.low, d.high) == (0, 0, 0) for d in same.values())
    with pytest.raises(InputError, match="same crops and settings"):
        good.minus(evaluate(vectors[:300], identity[:300]))


def test_the_bootstrap_of_a_mean_is_that_of_identities_drawn_one_by_one() -> None:
    rng = np.random.default_rng(0)
    identity, values = rng.integers(0, 5, 30), rng.random(30)
    values[3] = np.nan
    resampling = Resampling(5, 50, seed=1)
    estimate = resampling.mean(values, identity)
    assert estimate.value == pytest.approx(np.nanmean(values))
    assert resampling.counts.sum(axis=1).tolist() == [5] * 50
    for counts, replicate in zip(resampling.counts, estimate.replicates, strict=True):
        drawn = np.concatenate([values[identity == who] for who in range(5) for _ in range(counts[who])])
        assert replicate == pytest.approx(np.nanmean(drawn))


def test_the_bootstrap_of_auc_is_that_of_identities_drawn_one_by_one() -> None:
    vectors, identity = people(10, 60, 6)
    report = evaluate(vectors, identity, config=EvaluationConfig(replicates=25))
    assert report.auc is not None
    cosine = np.round(vectors @ vectors.T * 2**19) / 2**19
    for counts, replicate in zip(Resampling(6, 25, 0).counts, report.auc.replicates, strict=True):
        same, different = [], []
        for a in range(6):
            for b in range(6):
                block = cosine[np.ix_(identity == a, identity == b)]
                if a == b:
                    same += [*block[~np.eye(len(block), dtype=np.bool_)]] * int(counts[a])
                else:
                    different += [*block.ravel()] * int(counts[a] * counts[b])
        kinds = np.repeat((True, False), (len(same), len(different)))
        assert replicate == pytest.approx(auc(np.r_[same, different], kinds), abs=1e-6)


def test_intervals_from_a_sample_of_pairs_are_near_those_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, identity = people(11, 500, 30)
    config = EvaluationConfig(replicates=300)
    whole = evaluate(vectors, identity, config=config).auc
    monkeypatch.setattr(pairs_module, "_SAMPLE", 5000)
    sampled = evaluate(vectors, identity, config=config).auc
    assert whole is not None
    assert sampled is not None
    assert sampled.value == whole.value
    assert (sampled.low, sampled.high) == pytest.approx((whole.low, whole.high), abs=0.01)


def test_no_replicates_give_no_interval() -> None:
    vectors, identity = people(12, 300, 20)
    report = evaluate(vectors, identity, config=PLAIN)
    values = report.to_dict()["measures"].values()
    assert all((value["low"], value["high"]) == (None, None) for value in values)
    assert report.minus(report)["auc"] == Estimate(0.0)
    with pytest.raises(InputError, match="same replicates, got 0 and 5"):
        report.rank_1.minus(evaluate(vectors, identity, config=EvaluationConfig(replicates=5)).rank_1)
