"""Who queries, who is searched, and what counts."""

from __future__ import annotations

import numpy as np
import pytest

from reid.errors import InputError
from reid.evaluation import EvaluationConfig
from reid.evaluation.protocol import Plan, make_plan
from reid.evaluation.sightings import Sightings

IDENTITY = [0, 0, 0, 1, 1, 2]
CAMERA = [1, 1, 2, 1, 3, 2]


def plan(config: EvaluationConfig | None = None, **given: object) -> Plan:
    query = given.pop("query", None)
    sightings = Sightings.of(**({"identity": IDENTITY} | given))  # type: ignore[arg-type]
    return make_plan(sightings, config or EvaluationConfig(), query=query)  # type: ignore[arg-type]


def masks_of(made: Plan, row: int) -> tuple[list[int], list[int]]:
    """Gallery rows that are matches, and those that are ignored."""
    match, ignored = made.masks(np.array([row]))
    return made.gallery[match[0]].tolist(), made.gallery[ignored[0]].tolist()


def test_without_cameras_every_crop_queries_all_others() -> None:
    made = plan()
    assert made.queries.tolist() == made.gallery.tolist() == list(range(6))
    assert masks_of(made, 0) == ([1, 2], [0])
    assert masks_of(made, 5) == ([], [5])


def test_across_cameras_the_identitys_own_camera_is_left_out_as_in_market_1501() -> None:
    made = plan(EvaluationConfig(queries="every_crop"), camera=CAMERA)
    assert made.cross_camera
    assert masks_of(made, 0) == ([2], [0, 1])  # 1: the same identity in the same camera; 3 and 5 stay as distractors
    assert masks_of(made, 3) == ([4], [3])


def test_a_crop_of_an_unknown_camera_is_neither_match_nor_miss_across_cameras() -> None:
    made = plan(EvaluationConfig(queries="every_crop"), camera=[1, -1, 2, 1, 3, 2])
    assert masks_of(made, 0) == ([2], [0, 1])
    assert masks_of(made, 1) == ([], [0, 1, 2])


def test_across_cameras_one_crop_an_identity_and_camera_queries_and_the_rest_is_the_gallery() -> None:
    camera = [1, 1, 2, 2, 1, 1, 2, 2, 1, 1]
    made = plan(identity=[0] * 4 + [1] * 4 + [2] * 2, camera=camera)
    assert len(made.queries) == 4, "identity 2 is seen by one camera alone: it has no match"
    assert sorted(set(made.queries.tolist()) & {8, 9}) == []
    assert sorted([*made.queries.tolist(), *made.gallery.tolist()]) == list(range(10))
    pairs = {(int(made.sightings.identity[q]), camera[q]) for q in made.queries}
    assert pairs == {(0, 1), (0, 2), (1, 1), (1, 2)}


def test_where_each_camera_has_one_crop_of_everybody_the_last_one_is_searched() -> None:
    made = plan(identity=[0, 0, 1, 1, 2, 2, 2], camera=[4, 1, 1, 4, 1, 4, 4])  # as VIPeR, but for one crop more
    assert made.queries.tolist()[:2] == [1, 2]
    assert made.gallery.tolist()[:2] == [0, 3]
    assert [int((made.sightings.identity[rows] == 2).sum()) for rows in (made.queries, made.gallery)] == [2, 1]
    assert masks_of(made, 1)[0] == [0]


def test_the_seed_draws_the_queries() -> None:
    camera = np.tile([1, 2], 30)
    drawn = [
        plan(EvaluationConfig(seed=seed), identity=np.repeat(np.arange(6), 10), camera=camera).queries
        for seed in (0, 0, 1)
    ]
    assert drawn[0].tolist() == drawn[1].tolist() != drawn[2].tolist()


def test_an_identity_in_two_cameras_is_what_makes_it_cross_camera() -> None:
    assert not plan(camera=[1, 1, 1, 2, 2, 2]).cross_camera
    assert not plan(EvaluationConfig(protocol="single"), camera=CAMERA).cross_camera
    with pytest.raises(InputError, match="two known cameras"):
        plan(EvaluationConfig(protocol="cross_camera"), camera=[1, 1, 1, 2, 2, 2])


def test_crops_of_the_identity_that_are_near_in_time_are_left_out_inside_one_group() -> None:
    time_s = [0.0, 0.5, 2.0, 0.1, 0.2, np.nan]
    made = plan(EvaluationConfig(min_gap_s=1), time_s=time_s)
    assert masks_of(made, 0) == ([2], [0, 1])
    other_video = plan(EvaluationConfig(min_gap_s=1), time_s=time_s, group=[0, 1, 0, 0, 0, 0])
    assert masks_of(other_video, 0) == ([1, 2], [0])
    no_clock = plan(EvaluationConfig(min_gap_s=1), time_s=time_s, group=[-1] * 6)
    assert masks_of(no_clock, 0) == ([1, 2], [0])
    unknown_time = plan(EvaluationConfig(min_gap_s=1), identity=[0, 0, 1, 1, 2, 2], time_s=[np.nan, 0.1, 0, 0, 0, 0])
    assert masks_of(unknown_time, 0) == ([1], [0])


def test_distractors_are_searched_and_never_query() -> None:
    made = plan(identity=[0, 0, -1, -5, 1, 1])
    assert made.queries.tolist() == [0, 1, 4, 5]
    assert made.gallery.tolist() == list(range(6))
    assert masks_of(made, 0) == ([1], [0])


def test_a_given_split_is_kept() -> None:
    made = plan(query=np.array([True, False, False, True, False, False]), camera=CAMERA)
    assert (made.queries.tolist(), made.gallery.tolist()) == ([0, 3], [1, 2, 4, 5])
    assert masks_of(made, 0) == ([2], [1])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (np.ones(6, np.bool_), "got 6 queries and 0 others"),
        (np.zeros(6, np.bool_), "got 0 queries"),
        (np.ones(5, np.bool_), r"bool of shape \(6,\)"),
        ([1, 0, 0, 0, 0, 0], "must be bool"),
    ],
)
def test_a_split_that_cannot_work_is_refused(query: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(query=query)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"identity": [0.5, 1.0]}, "identity must be whole numbers"),
        ({"identity": [[0]]}, r"identity must be whole numbers of shape \(N,\)"),
        ({"camera": [1]}, r"camera must have shape \(6,\)"),
        ({"time_s": [0, 1, 2, 3, 4, np.inf]}, r"time_s\[5\] must be finite"),
        ({"group": [0.0] * 6}, "group must be whole numbers"),
    ],
)
def test_columns_that_do_not_fit_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"protocol": "market"}, "protocol must be one of"),
        ({"queries": "some"}, "queries must be one of"),
        ({"min_gap_s": -1}, "min_gap_s must be a finite number"),
        ({"window_s": float("nan")}, "window_s must be a finite number"),
        ({"later_s": (0.0,)}, "later_s must be finite numbers above 0"),
        ({"replicates": -1}, "replicates must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
    ],
)
def test_settings_out_of_range_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EvaluationConfig(**given)  # type: ignore[arg-type]
