"""Of a harvest that is too large to be looked at as a whole, what is taken still says who is who."""

from __future__ import annotations

import numpy as np
import pytest

from reid.data import Crops
from reid.data.pictures import MemoryPictures
from reid.online.gate import GateConfig, judge
from reid.online.groups import draw_groups
from reid.online.slices import accompanied


def site(pieces: int, each: int, *, beside: int = 4) -> Crops:
    """Groups of pieces one after the other, two crops a second; the last piece of all was seen beside nobody."""
    pictures = MemoryPictures(1)
    for number in range(pieces * each):
        pictures.add(np.zeros((1, 1, 3), np.uint8), str(number))
    group = np.arange(pieces) // beside
    pairs = [(a, b) for b in range(pieces - 1) for a in range(group[b] * beside, b)]
    return Crops(
        pictures,
        np.repeat(np.arange(pieces), each),
        [str(number) for number in range(pieces)],
        labelled=False,
        time_s=np.tile(np.arange(each) / 2, pieces) + np.repeat(group * (each + 5.0), each),
        group=np.zeros(pieces * each, np.int64),
        together=pairs,
    )


def test_what_fits_is_taken_but_for_those_who_were_alone() -> None:
    crops = site(8, 12)
    assert draw_groups(crops, 84, each=8, seed=0).tolist() == list(range(84))


def test_long_pieces_give_less_before_others_go() -> None:
    crops = site(9, 12)
    rows = draw_groups(crops, 64, each=8, seed=0)
    taken = crops.subset(rows)
    assert np.unique(taken.identity, return_counts=True)[1].tolist() == [8] * 8
    for piece in range(8):
        time_s = taken.time_s[taken.identity == piece]
        assert np.ptp(time_s) >= 4.5
        assert np.diff(time_s).max() <= 1.0


@pytest.mark.parametrize("each", [4, 12])
def test_pieces_are_whole_and_have_company_and_are_from_all_over_the_time(each: int) -> None:
    crops = site(2001, each)
    taken = crops.subset(draw_groups(crops, 400, each=8, seed=0))
    pieces, count = np.unique(taken.identity, return_counts=True)
    assert 390 <= len(taken) <= 400
    assert set(count.tolist()) == {min(each, 8)}
    assert np.array_equal(accompanied(taken), pieces)
    place = pieces / 2001
    assert place.min() < 0.2
    assert place.max() > 0.8
    assert 0.3 < place.mean() < 0.7
    other = crops.subset(draw_groups(crops, 400, each=8, seed=1))
    assert set(other.identities.tolist()) != set(pieces.tolist())


def test_of_a_crowd_as_many_are_taken_as_fit() -> None:
    crops = site(101, 4, beside=100)
    taken = crops.subset(draw_groups(crops, 82, each=8, seed=0))
    assert len(taken.identities) == 20
    assert np.array_equal(accompanied(taken), taken.identities)


def test_nobody_is_taken_for_whom_there_is_no_room_with_somebody_beside() -> None:
    taken = site(41, 4, beside=2)
    for seed in range(10):
        rows = draw_groups(taken, 84, each=8, seed=seed)
        assert len(rows) == 80, "ten pairs; of another one nobody, though one of the two would fit"
        assert np.array_equal(accompanied(taken.subset(rows)), np.unique(taken.identity[rows]))


def test_the_gate_goes_on_measuring_however_much_there_is() -> None:
    crops = site(2001, 4)
    rows = draw_groups(crops, 400, each=8, seed=0)
    rng = np.random.default_rng(0)
    means = rng.normal(size=(2001, 16))[crops.identity]

    def vectors(noise: float) -> np.ndarray:
        found = means + noise * rng.normal(size=means.shape)
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)[rows]

    canary = np.repeat(np.eye(10, dtype=np.float32), 2, axis=0)
    who = np.repeat(np.arange(10), 2)
    verdict = judge(vectors(2.0), vectors(0.7), crops.subset(rows), (canary, canary, who), GateConfig(replicates=100))
    assert verdict.admitted, verdict.reason
