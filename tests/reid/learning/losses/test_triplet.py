"""TripletLoss against its definition written as loops: values and gradients, labels and relations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid import InputError  # noqa: E402 after the skip
from reid.learning.distances import DISTANCES  # noqa: E402
from reid.learning.losses import (  # noqa: E402
    TripletLoss,
    indexed_triplet_loss,
    triplet_margin_loss,
)
from reid.learning.mining import MINING, BatchHard, EasyPositive, SemiHard, Triplets  # noqa: E402

pytestmark = pytest.mark.torch

EXACT = [name for name in MINING if name not in ("random", "distance_weighted")]  # those that draw: see tests of mining
QUICK = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def value_and_gradient(loss: Any, embeddings: Any) -> tuple[float, Any]:
    (gradient,) = torch.autograd.grad(loss, embeddings)
    return float(loss.detach()), gradient


def agree(ours: Any, theirs: Any, embeddings: Any) -> None:
    value, gradient = value_and_gradient(ours, embeddings)
    expected, expected_gradient = value_and_gradient(theirs, embeddings)
    assert value == pytest.approx(expected, abs=1e-9)
    torch.testing.assert_close(gradient, expected_gradient, atol=1e-8, rtol=1e-7)


@pytest.mark.parametrize("margin", [0.3, 2.0, "soft"])
@pytest.mark.parametrize("mining", EXACT)
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 12), unknown=st.sampled_from([0.0, 0.3]))
@QUICK
def test_it_is_its_definition(
    mining: Any, margin: Any, seed: int, rows: int, unknown: float, draw: Any, loops: Any
) -> None:
    embeddings, _, relations = draw(seed, rows, unknown=unknown)
    ours = TripletLoss(margin, mining)(embeddings, relations=relations)
    agree(
        ours, loops.triplet_loss(embeddings, relations, mining=mining, margin=margin, distance="euclidean"), embeddings
    )


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("reduction", ["mean", "nonzero"])
@pytest.mark.parametrize("mining", EXACT)
def test_every_distance_and_reduction(mining: Any, distance: Any, reduction: Any, draw: Any, loops: Any) -> None:
    embeddings, labels, relations = draw(3, 24, names=6)
    ours = TripletLoss(0.5, mining, distance, reduction)(embeddings, labels)
    theirs = loops.triplet_loss(
        embeddings, relations, mining=mining, margin=0.5, distance=distance, reduction=reduction
    )
    agree(ours, theirs, embeddings)


@pytest.mark.parametrize("fallback", ["none", "hardest", "farthest"])
def test_what_semi_hard_does_without_a_negative_in_the_band(fallback: Any, draw: Any, loops: Any) -> None:
    embeddings, labels, relations = draw(5, 20, names=5)
    d = loops.table(embeddings, "euclidean")
    losses = []
    for a in range(20):
        positives, negatives = loops.partners(relations, a)
        for p in positives:
            band = [n for n in negatives if d[a][p] < d[a][n] < d[a][p] + 0.1]
            if not band and fallback != "none":
                band = [
                    min(negatives, key=lambda n: d[a][n])
                    if fallback == "hardest"
                    else max(negatives, key=lambda n: d[a][n])
                ]
            losses += [torch.relu(d[a][p] - min(d[a][n] for n in band) + 0.1)] if band else []
    ours = TripletLoss(0.1, SemiHard(margin=0.1, fallback=fallback))(embeddings, labels)
    agree(ours, sum(losses) / len(losses), embeddings)


def test_an_easy_positive_may_go_with_a_semi_hard_negative(draw: Any, loops: Any) -> None:
    embeddings, labels, relations = draw(6, 16, names=4)
    d = loops.table(embeddings, "euclidean")
    losses = []
    for a in range(16):
        positives, negatives = loops.partners(relations, a)
        near = min(d[a][p] for p in positives)
        beyond = [d[a][n] for n in negatives if d[a][n] > near]
        losses += [torch.relu(near - min(beyond) + 0.3)] if beyond else []
    ours = TripletLoss(0.3, EasyPositive(negative="semi_hard"))(embeddings, labels)
    agree(ours, sum(losses) / len(losses), embeddings)


def test_a_margin_of_its_own_for_the_band(draw: Any, loops: Any) -> None:
    embeddings, labels, relations = draw(7, 18)
    d = loops.table(embeddings, "euclidean")
    chosen = loops.select("semi_hard", d, relations, 0.2)
    expected = sum(torch.relu(d[a][p] - d[a][n] + 0.9) for a, p, n in chosen) / len(chosen)
    agree(TripletLoss(0.9, SemiHard(margin=0.2))(embeddings, labels), expected, embeddings)


def test_any_callable_can_mine(draw: Any) -> None:
    embeddings, labels, _ = draw(8, 6)

    def first_and_last(pairs: Any) -> Triplets:
        columns = torch.tensor([[1, 5]]).expand(6, 2)
        return Triplets(columns, columns.flip(1), pairs.same.gather(1, columns))

    loss = TripletLoss(0.3, first_and_last)(embeddings, labels)
    d = torch.cdist(embeddings, embeddings)
    terms = [
        torch.relu(d[a, p] - d[a, 6 - p] + 0.3) for a in range(6) for p in (1, 5) if a != p and labels[a] == labels[p]
    ]
    assert float(loss.detach()) == pytest.approx(float(sum(terms).detach()) / len(terms), abs=1e-9)


@pytest.mark.parametrize("margin", [0.3, "soft"])
@pytest.mark.parametrize("mining", ["batch_hard", "batch_all", "semi_hard", "all_positives_hard_negative"])
def test_a_reference_stands_for_the_columns(mining: Any, margin: Any, draw: Any, loops: Any) -> None:
    embeddings, _, relations = draw(9, 14, unknown=0.1)
    relations.fill_diagonal_(-1)
    whole = TripletLoss(margin, mining)(embeddings, relations=relations)
    split = TripletLoss(margin, mining)(embeddings, relations=relations, reference=embeddings)
    agree(split, whole, embeddings)


@pytest.mark.parametrize("mining", ["batch_all", "hard"])
def test_a_promise_about_positives_changes_nothing_but_time(mining: Any, draw: Any) -> None:
    embeddings, _, _ = draw(10, 24)
    labels = torch.arange(24) // 4
    plain = TripletLoss("soft", mining)(embeddings, labels)
    agree(TripletLoss("soft", mining, most_positives=3)(embeddings, labels), plain, embeddings)


def test_a_soft_margin_walks_no_more_slots_than_there_are_positives(draw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from reid.learning.losses import all_triplets

    walked: list[int] = []
    tile = all_triplets._soft_tile
    monkeypatch.setattr(all_triplets, "_soft_tile", lambda *given: (walked.append(given[4]), tile(*given))[1])
    embeddings, _, _ = draw(10, 24)
    for labels in (torch.arange(24) // 4, torch.arange(24), torch.tensor([0] * 9 + list(range(1, 16)))):
        TripletLoss("soft", "batch_all")(embeddings, labels)
    assert walked == [3, 0, 8]


def test_a_broken_promise_about_positives_is_refused(draw: Any) -> None:
    embeddings, _, _ = draw(11, 8)
    with pytest.raises(RuntimeError, match="more positives than most_positives = 2"):
        TripletLoss("soft", "batch_all", most_positives=2)(embeddings, torch.arange(8) // 4)


def test_the_tiles_of_a_soft_margin_do_not_show(draw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from reid.learning.losses import all_triplets

    embeddings, labels, _ = draw(12, 20)
    whole = TripletLoss("soft", "batch_all")(embeddings, labels)
    monkeypatch.setattr(all_triplets, "_TILE", 3 * 20 * 20)  # 3 anchors at once, and 2 at the end
    agree(TripletLoss("soft", "batch_all")(embeddings, labels), whole, embeddings)


@pytest.mark.parametrize("margin", [0.4, "soft"])
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("reduction", ["mean", "nonzero"])
def test_three_tensors(distance: Any, margin: Any, reduction: Any, draw: Any, loops: Any) -> None:
    embeddings, _, _ = draw(13, 21)
    losses = [
        loops.penalty(loops.measure(a, p, distance) - loops.measure(a, n, distance), margin)
        for a, p, n in zip(*embeddings.split(7), strict=True)
    ]
    if reduction == "nonzero":
        losses = [x for x in losses if x > 0]
    ours = triplet_margin_loss(*embeddings.split(7), margin=margin, distance=distance, reduction=reduction)
    agree(ours, sum(losses) / len(losses), embeddings)


def test_three_tensors_agree_with_torch(draw: Any) -> None:
    embeddings, _, _ = draw(14, 30)
    # torch adds 1e-6 to every difference of coordinates, which ours does not
    expected = torch.nn.functional.triplet_margin_loss(*embeddings.split(10), margin=0.3)
    assert float(triplet_margin_loss(*embeddings.split(10)).detach()) == pytest.approx(
        float(expected.detach()), abs=1e-5
    )


def test_places_in_a_batch_form_triplets_too(draw: Any) -> None:
    embeddings, _, _ = draw(15, 9)
    places = torch.tensor([[0, 1, 2], [3, 1, 8], [3, 3, 0]])
    expected = triplet_margin_loss(embeddings[places[:, 0]], embeddings[places[:, 1]], embeddings[places[:, 2]])
    agree(indexed_triplet_loss(embeddings, places), expected, embeddings)


def test_no_triplets_at_all_give_zero_with_a_gradient_path() -> None:
    none = torch.zeros(0, 4, requires_grad=True)
    loss = triplet_margin_loss(none, none, none)
    loss.backward()
    assert float(loss.detach()) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"margin": 0.0}, 'margin must be "soft" or a finite number above 0, got 0.0'),
        ({"margin": "hard"}, 'margin must be "soft"'),
        ({"margin": float("nan")}, 'margin must be "soft"'),
        ({"mining": "hardest"}, "mining must be a miner or one of batch_hard, batch_all, .*, got 'hardest'"),
        ({"mining": BatchHard}, "mining must be a miner or one of"),
        ({"distance": "manhattan"}, "distance must be one of euclidean, squared_euclidean, cosine, got 'manhattan'"),
        ({"reduction": "sum"}, "reduction must be mean or nonzero, got 'sum'"),
        ({"most_positives": 0}, "most_positives must be at least 1, got 0"),
    ],
)
def test_bad_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TripletLoss(**arguments)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((4,), {"labels": torch.zeros(4)}, r"embeddings must be \(B, D\)"),
        ((0, 4), {"labels": torch.zeros(0)}, r"with B at least 1, got \(0, 4\)"),
        ((4, 2), {"labels": torch.zeros(3)}, r"labels \(B,\), got \(4, 2\) and \(3,\)"),
        ((4, 2), {}, "exactly one of labels and relations, got neither"),
        ((2, 2), {"labels": torch.zeros(2), "relations": torch.zeros(2, 2)}, "got both"),
        (
            (2, 2),
            {"relations": torch.zeros(2, 2)},
            r"relations must be \(2, 2\) of int8 .* got \(2, 2\) of torch.float32",
        ),
        ((2, 2), {"relations": torch.zeros(2, 2, dtype=torch.bool)}, "of torch.bool"),
        ((2, 2), {"relations": torch.zeros(2, 3, dtype=torch.int8)}, r"got \(2, 3\)"),
        ((2, 2), {"labels": torch.zeros(2), "reference": torch.zeros(3, 2)}, "with a reference"),
        ((2, 2), {"relations": torch.zeros(2, 3, dtype=torch.int8), "reference": torch.zeros(3, 4)}, r"\(C, 2\)"),
    ],
)
def test_bad_batches_are_refused(shape: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TripletLoss()(torch.zeros(shape), **arguments)


def test_bad_triplets_are_refused() -> None:
    with pytest.raises(InputError, match=r"must be \(T, D\) alike, got \(2, 3\), \(2, 3\) and \(1, 3\)"):
        triplet_margin_loss(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(1, 3))
    with pytest.raises(InputError, match=r"triplets must be \(T, 3\) of int64, got \(2, 2\)"):
        indexed_triplet_loss(torch.zeros(2, 3), torch.zeros(2, 2, dtype=torch.int64))
