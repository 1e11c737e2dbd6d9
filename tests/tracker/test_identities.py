"""Claims to old numbers: made late, passed on, given up; and tracks that go over to somebody else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tracker import Detections, Tracker, TrackerConfig, TrackEvent, Tracks
from tracker.association.appearance import AppearanceModel
from tracker.identities import Identities
from tracker.memory import IdentityMemory
from tracker.table import TrackTable

DT_S = 0.04
WALK = 45  # frames
LONG = 60  # frames, after which nobody has just come


def box(x: float) -> list[float]:
    return [x, 100.0, x + 40, 200.0]


def unit(seed: int, dimension: int = 64) -> np.ndarray:
    v = np.random.default_rng(seed).normal(size=dimension)
    return v / np.linalg.norm(v)


def between(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """A unit vector whose cosine with `a` is `share`, in the plane of `a` and `b`."""
    side = b - (a @ b) * a
    return share * a + np.sqrt(1 - share**2) * side / np.linalg.norm(side)


class Stage:
    """Feeds a tracker with two people who teach it what the same and different people look like."""

    def __init__(self, config: TrackerConfig | None = None, dt_s: float = DT_S) -> None:
        self.tracker, self.dt_s = Tracker(config), dt_s
        self.frame = 0
        self.events: list[TrackEvent] = []
        self.bystanders = (unit(101), unit(102))

    def show(self, *people: tuple[float, np.ndarray], last_score: float = 1.0) -> Tracks:
        boxes = [box(900), box(1100), *(box(x) for x, _ in people)]
        vectors = np.stack([*self.bystanders, *(v for _, v in people)])
        scores = [*[1.0] * (len(boxes) - 1), last_score]
        result = self.tracker.update(Detections(boxes, scores, embeddings=vectors), time_s=self.frame * self.dt_s)
        self.frame += 1
        self.events += result.events
        return result

    def id_of(self, result: Tracks, person: int = 0) -> int | None:
        found = result.ids[result.detections == 2 + person]
        return int(found[0]) if len(found) else None

    def empty(self, frames: int) -> None:
        for _ in range(frames):
            self.show()


@pytest.mark.parametrize(("rate_hz", "withheld"), [(25, 2), (10, 1), (7, 1), (5, 1)])
def test_who_comes_back_is_known_after_the_same_time_at_any_rate_and_at_once_where_frames_are_far_apart(
    rate_hz: float, withheld: int
) -> None:
    stage, somebody = Stage(dt_s=1 / rate_hz), unit(1)
    for i in range(WALK):
        number = stage.id_of(stage.show((20.0 * i / rate_hz, somebody)))
    stage.empty(round(3 * rate_hz))
    seen = [stage.id_of(stage.show((20.0 * i / rate_hz, somebody))) for i in range(6)]
    assert seen == [None] * withheld + [number] * (6 - withheld)
    stage.empty(1)
    stranger = [stage.id_of(stage.show((500.0, unit(2)))) for _ in range(6)]
    assert stranger == [None] * withheld + [number + 1] * (6 - withheld)


def test_bad_first_crops_cost_a_number_for_a_moment_only() -> None:
    stage, somebody = Stage(), unit(1)
    half_in = between(somebody, unit(9), 0.4)  # as a crop of somebody who is only half in the picture
    for i in range(WALK):
        first = stage.show((2.0 * i, somebody))
    number = stage.id_of(first)
    stage.empty(60)
    back_s = stage.frame * DT_S
    seen = [stage.id_of(stage.show((2.0 * i, half_in if i < 5 else somebody))) for i in range(WALK)]
    assert seen.index(number) <= 25  # within a second
    assert seen[-1] == number
    assert len(set(seen) - {None, number}) == 1
    recalled = stage.events[-1]
    assert (recalled.kind, recalled.replaces) == ("recalled", next(number for number in seen if number))
    assert recalled.since_s is not None
    assert back_s <= recalled.since_s <= back_s + 5 * DT_S + 1e-6  # the bad crops may pass for somebody else's


@pytest.mark.parametrize(("settle_s", "found"), [(TrackerConfig().settle_s, True), (1.0, False)])
def test_who_is_seen_in_part_for_seconds_is_still_found_again(settle_s: float, found: bool) -> None:
    """As somebody who comes in slowly from behind a counter: until a number is final, every crop asks anew."""
    stage, somebody = Stage(TrackerConfig(settle_s=settle_s, change_evidence=1e9)), unit(1)
    for i in range(WALK):
        number = stage.id_of(stage.show((2.0 * i, somebody)))
    stage.empty(60)
    for i in range(30):
        stage.show((0.2 * i, between(somebody, unit(9), 0.4)))
    for i in range(WALK):
        seen = stage.id_of(stage.show((6 + 2.0 * i, somebody)))
    assert (seen == number) == found


class Crops:
    """Makes crops of people, which vary."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __call__(self, person: np.ndarray) -> np.ndarray:
        v = person + self.rng.normal(size=64) / 8 * 0.3
        return np.asarray(v / np.linalg.norm(v))


def told_after_a_return(like: float, crop: Callable[[np.ndarray], np.ndarray]) -> tuple[int | None, list[int | None]]:
    """The number of somebody who left, and those of one who comes then and is so much like them, frame by frame."""
    one, stage = unit(1), Stage()

    def show(*people: tuple[float, np.ndarray]) -> Tracks:
        stage.bystanders = (crop(unit(101)), crop(unit(102)))
        return stage.show(*((x, crop(person)) for x, person in people))

    for i in range(WALK):
        number = stage.id_of(show((2.0 * i, one)))
    for _ in range(60):
        show()
    back = between(one, unit(2), like)
    return number, [stage.id_of(show((2.0 * i, back))) for i in range(WALK)]


@pytest.mark.parametrize("like", [0.4, 0.45, 0.5])
def test_a_look_alike_of_somebody_who_left_gets_a_number_of_their_own_once_the_crops_suffice(like: float) -> None:
    """As a crop may be by chance, and the mean of many crops of the one who left is not."""
    number, seen = told_after_a_return(like, Crops())
    assert seen[-1] not in (number, None)


def test_who_is_far_nearer_than_strangers_are_is_taken_for_the_one_who_left() -> None:
    """Another visit of the same person may look no more alike: a double has their number, and keeps it."""
    number, seen = told_after_a_return(0.8, Crops())
    assert seen[-1] == number
    assert len(set(seen) - {None}) == 1


@pytest.mark.parametrize("like", [1.0, 0.95, 0.88])
def test_who_was_found_again_stays_found_though_more_crops_are_a_little_less_alike(like: float) -> None:
    """By the light of another day, say: what the first crops left open is not turned round for so little."""
    number, seen = told_after_a_return(like, Crops())
    assert seen[5:] == [number] * (WALK - 5)


STUBBORN = TrackerConfig(appearance_limit=4.0)
"""Follows the place rather than the looks, so that a track can go over to somebody else."""


def test_a_track_that_goes_over_to_somebody_known_is_noticed_and_takes_their_number() -> None:
    stage, one, two = Stage(STUBBORN), unit(1), unit(2)
    for i in range(WALK):
        result = stage.show((2.0 * i, one), (300 + 2.0 * i, two))
    first, second = stage.id_of(result, 0), stage.id_of(result, 1)
    stage.empty(60)
    for _ in range(LONG):
        back = stage.id_of(stage.show((200.0, one)))
    over_s = stage.frame * DT_S
    for _ in range(WALK):  # `two` has stepped before `one`, in the same place
        after = stage.id_of(stage.show((200.0, two)))
    assert (back, after) == (first, second)
    assert (stage.events[-1].kind, stage.events[-1].track_id, stage.events[-1].replaces) == ("recalled", second, first)
    assert stage.events[-1].since_s == pytest.approx(over_s), "not since it was first seen"


def test_a_track_that_goes_over_to_a_stranger_gets_a_new_number() -> None:
    stage = Stage(STUBBORN)
    for _ in range(LONG):
        before = stage.id_of(stage.show((200.0, unit(1))))
    over_s = stage.frame * DT_S
    for _ in range(WALK):
        after = stage.id_of(stage.show((200.0, unit(3))))
    assert after not in (before, None)
    assert (stage.events[-1].kind, stage.events[-1].track_id, stage.events[-1].replaces) == ("corrected", after, before)
    assert stage.events[-1].since_s == pytest.approx(over_s)
    assert {event.since_s for event in stage.events if not event.corrects} == {None}
    assert [event.corrects for event in stage.events] == [False, False, False, True]


def looks_change(stage: Stage, *beside: tuple[float, np.ndarray], last_score: float = 1.0) -> bool:
    """Somebody comes; others are there in one frame; then the crops show another one. Whether the number is the same.

    Also whether nothing was corrected.
    """
    own = -200.0
    for _ in range(10):
        before = stage.id_of(stage.show((own, unit(1))))
    stage.show((own, unit(1)), *beside, last_score=last_score)
    for _ in range(WALK):
        after = stage.id_of(stage.show((own, unit(3))))
    goes_on = before is not None and after == before
    assert ("corrected" in {event.kind for event in stage.events}) is not goes_on
    return goes_on


def test_who_just_came_alone_may_look_unlike_before() -> None:
    """As one who comes in is seen in part."""
    stage = Stage(STUBBORN)
    stage.empty(1)
    assert looks_change(stage)


@pytest.mark.parametrize(
    ("x", "score", "goes_on"), [(-90.0, 1.0, False), (-90.0, 0.4, False), (-90.0, 0.05, True), (200.0, 1.0, True)]
)
def test_who_came_near_to_another_may_have_gone_over_to_them(x: float, score: float, goes_on: bool) -> None:
    stage = Stage(STUBBORN)
    stage.empty(1)
    assert looks_change(stage, (x, unit(2)), last_score=score) is goes_on


def test_who_was_not_seen_for_a_moment_may_be_another_one() -> None:
    stage = Stage(STUBBORN)
    stage.empty(1)
    for _ in range(10):
        before = stage.id_of(stage.show((-200.0, unit(1))))
    stage.empty(1)
    for _ in range(WALK):
        after = stage.id_of(stage.show((-200.0, unit(3))))
    assert after not in (before, None)


def test_who_comes_where_another_was_lost_may_be_that_one() -> None:
    stage = Stage(STUBBORN)
    for _ in range(10):
        stage.show((-90.0, unit(2)))
    assert not looks_change(stage)


def test_who_was_there_in_the_first_frame_did_not_just_come() -> None:
    assert not looks_change(Stage(STUBBORN))


def test_a_number_that_is_claimed_is_doubted_though_nobody_is_near() -> None:
    """Whoever looks like one who left, at first, must not be taught to be that one."""
    stage, mine = Stage(STUBBORN), unit(1)
    for _ in range(WALK):
        number = stage.id_of(stage.show((-200.0, mine)))
    stage.empty(80)
    for _ in range(WALK - 10):
        back = stage.id_of(stage.show((-200.0, mine)))
    over_s = stage.frame * DT_S
    for _ in range(WALK):
        after = stage.id_of(stage.show((-200.0, unit(3))))
    assert back == number
    assert after not in (number, None)
    (corrected,) = (event for event in stage.events if event.kind == "corrected")
    assert corrected.since_s == pytest.approx(over_s)


def test_two_who_swap_in_passing_get_their_numbers_back_by_one_correction_each() -> None:
    stage, one, two = Stage(STUBBORN), unit(1), unit(2)
    for _ in range(WALK):
        before = stage.show((200.0, one), (260.0, two))
    first, second = stage.id_of(before, 0), stage.id_of(before, 1)
    swapped_s, stage.events = stage.frame * DT_S, []
    numbers = []
    for _ in range(WALK):  # each goes on in the box of the other
        result = stage.show((200.0, two), (260.0, one))
        numbers.append((stage.id_of(result, 0), stage.id_of(result, 1)))
    assert numbers[-1] == (second, first)
    assert numbers.index((second, first)) <= 3
    assert [(e.kind, e.track_id, e.replaces) for e in sorted(stage.events, key=lambda e: e.track_id)] == [
        ("recalled", first, second),
        ("recalled", second, first),
    ]
    assert [e.since_s for e in stage.events] == pytest.approx([swapped_s, swapped_s])
    assert all(e.corrects for e in stage.events)


def test_who_is_lost_in_doubt_is_found_where_they_stood_already() -> None:
    """The box of `one` shows both for a moment, while `one` alone is in that of `two` already."""
    stage, one, two = Stage(), unit(1), unit(2)
    for _ in range(WALK):
        before = stage.show((200.0, one), (250.0, two))
    first, second = stage.id_of(before, 0), stage.id_of(before, 1)
    mixed = stage.show((200.0, between(one, two, 0.6)), (250.0, one))
    assert (stage.id_of(mixed, 0), stage.id_of(mixed, 1)) == (first, None)
    for _ in range(5):
        after = stage.show((200.0, two), (250.0, one))
    assert (stage.id_of(after, 0), stage.id_of(after, 1)) == (second, first)


def test_whose_number_may_still_change_is_asked_for_now_and_then_and_not_in_every_frame() -> None:
    tracker, people, asked_s = Tracker(explain=True), np.stack([unit(1), unit(2)]), []
    for i in range(50):  # one of them leaves, the other is new
        time_s, there = i * 0.02, people[:2] if i < 10 else people[1:]
        boxes = [box(100.0), box(400.0)] if i < 10 else [box(400.0)]
        result = tracker.update(Detections(boxes, embeddings=there), time_s=time_s)
        assert result.explanation is not None
        if i >= 10 and result.explanation.identities:
            asked_s.append(time_s)
    assert len(asked_s) > 5
    assert np.diff(asked_s) == pytest.approx(0.1)


@pytest.mark.parametrize("seed", [2, 4])
def test_a_number_that_was_given_back_does_not_flicker_between_look_alikes(seed: int) -> None:
    """Somebody between two who left and look much alike: noisy crops speak now for one of them, now for neither."""
    rng = np.random.default_rng(seed)

    def crop(person: np.ndarray) -> np.ndarray:
        v = person + rng.normal(size=64) / 8 * 0.7
        return np.asarray(v / np.linalg.norm(v))

    def show(*people: tuple[float, np.ndarray]) -> None:
        stage.bystanders = crop(unit(101)), crop(unit(102))
        stage.show(*((x, crop(person)) for x, person in people))

    stage, one = Stage(TrackerConfig(max_lost_s=0.2)), unit(1)
    twin = between(one, unit(2), 0.85)
    for i in range(4 * WALK):
        show((1.0 * i, one), (500 - 1.0 * i, twin))
    for _ in range(20):
        show()
    stage.events, newcomer = [], 0.55 * one + 0.45 * twin
    for _ in range(30):
        show((200.0, newcomer / np.linalg.norm(newcomer)))
    assert [event.kind for event in stage.events] == ["recalled"]


def test_no_two_objects_are_reported_under_one_number() -> None:
    stage, somebody = Stage(), unit(1)
    for i in range(WALK):
        stage.show((2.0 * i, somebody))
    stage.empty(60)
    for i in range(WALK):  # two who look exactly like the one who left
        result = stage.show((2.0 * i, somebody), (500 - 2.0 * i, somebody))
        assert len(set(result.ids.tolist())) == len(result)


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory = IdentityMemory(size=2, age_s=10.0)
    memory.put(np.array([1, 2, 3]), np.eye(3), np.ones(3), np.array([0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(memory.ids, [2, 3])
    memory.put(np.array([2]), np.array([[0.0, 0.0, 1.0]]), np.array([5.0]), np.array([3.0]))
    known, means, vectors = memory.look_up(np.array([2, 9]))
    assert known.tolist() == [True, False]
    np.testing.assert_array_equal(means[0], [0, 0, 1])
    assert vectors[0] == 5
    memory.forget_old(12.5)
    np.testing.assert_array_equal(memory.ids, [2])
    memory.take(np.array([2]))
    assert len(memory) == 0


def test_who_settles_takes_along_at_most_three_times_as_much_of_before() -> None:
    """Or hours of yesterday's light would outweigh what somebody looks like now."""
    tracks, identities = TrackTable.zeros(1, 2), Identities(TrackerConfig(), AppearanceModel(None))
    tracks.ids[:], tracks.vectors[:], tracks.mean[:] = 7, 2, [0, 1]
    identities.memory.put(np.array([7]), np.array([[1.0, 0.0]]), np.array([1000.0]), np.array([0.0]))
    identities.retire(tracks, np.array([0]), now=1.0)
    _, means, vectors = identities.memory.look_up(np.array([7]))
    np.testing.assert_allclose(means, [np.array([6, 2]) / np.sqrt(40)], rtol=1e-6)
    assert vectors.tolist() == [1002]


def test_who_changes_by_and_by_is_known_by_what_they_look_like_now() -> None:
    """As somebody who walks out of the shade: what they looked like then has faded when they come back."""
    stage, numbers = Stage(TrackerConfig(appearance_memory_s=1.0)), set()
    for angle in np.r_[np.zeros(250), np.linspace(0, np.pi / 2, 250), np.full(125, np.pi / 2)]:
        person = between(unit(1), unit(2), float(np.cos(angle)))
        numbers.add(stage.id_of(stage.show((200.0, person))))
    (number,) = numbers
    stage.empty(60)
    for _ in range(6):
        back = stage.id_of(stage.show((200.0, person)))
    assert back == number


@pytest.mark.parametrize(("beside", "recalled"), [(4, True), (6, True), (8, False)])  # frames; .2 s lie between 6
@pytest.mark.parametrize("later", range(5))
def test_nobody_takes_the_number_of_somebody_they_were_seen_beside_for_more_than_a_moment(
    beside: int, recalled: bool, later: int
) -> None:
    """Whenever that is: the times of frames are no round numbers."""
    stage, look = Stage(TrackerConfig(max_lost_s=0.2), 1 / 25), unit(1)
    for _ in range(WALK + later):
        number = stage.id_of(stage.show((200.0, look)))
    for _ in range(beside):
        stage.show((200.0, look), (500.0, look))
    for _ in range(WALK):
        after = stage.id_of(stage.show((500.0, look)))
    assert (after == number) == recalled


def test_nobody_takes_the_number_of_a_lost_one_they_were_seen_beside() -> None:
    """Also while somebody else, who came later, might be the lost one but for the distance."""
    stage, look = Stage(), unit(1)
    for _ in range(WALK):
        lost = stage.id_of(stage.show((200.0, look)))
    for _ in range(8):
        stage.show((200.0, look), (250.0, look))
    for i in range(25):
        people = [(250.0, look)] if i < 3 else [(250.0, look), (650.0, look)]
        assert stage.id_of(stage.show(*people)) not in (lost, None)


@pytest.mark.parametrize(("missed", "same"), [(0, False), (25, True)])  # frames
def test_after_a_while_unseen_the_same_object_may_look_less_alike(missed: int, same: bool) -> None:
    stage, look = Stage(), unit(1)
    for _ in range(WALK):
        number = stage.id_of(stage.show((200.0, look)))
    stage.empty(missed)
    assert stage.id_of(stage.show((200.0, between(look, unit(9), 0.3)))) == (number if same else None)


def test_who_left_in_doubt_is_remembered_as_seen_until_the_doubt_began() -> None:
    """From then on the track may have been on somebody else, and they elsewhere already."""
    for leave in (lambda i, t: i.retire(t, np.arange(2), now=9.0), lambda i, t: i.part(t, np.arange(2))):
        tracks, identities = TrackTable.zeros(2, 2), Identities(TrackerConfig(), AppearanceModel(None))
        tracks.ids[:], tracks.settled[:], tracks.vectors[:], tracks.mean[:] = [7, 8], True, 5, [0, 1]
        tracks.mean_s[:], tracks.doubted_s[:], tracks.seen_s[:], tracks.doubt[:] = 3.0, 4.0, 5.0, [-2.0, 0.0]
        leave(identities, tracks)
        assert identities.memory.seen_s.tolist() == [4.0, 5.0]


def test_the_first_crops_of_a_track_are_never_foreign_to_it() -> None:
    """One crop is no measure of an object: it may be the one that is wrong."""
    stage, somebody = Stage(STUBBORN), unit(1)
    stage.empty(WALK)
    stage.show((10.0, unit(9)))
    for i in range(1, WALK):
        stage.show((10.0 + 2.0 * i, somebody))
    assert [event.kind for event in stage.events] == ["born"] * 3
