"""A tracker goes on with the vectors of another embedder: numbers stay, and nothing of the old one is left."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from reid import Calibration
from tracker import Detections, Tracker, TrackerConfig, Tracks
from tracker.errors import InputError

DT_S = 0.04
OLD, NEW = 37, 29  # dimensions that nothing else has
PEOPLE, FRAMES = 8, 120


@dataclass(frozen=True)
class Info:
    dimension: int
    model_hash: str = "ab" * 32
    calibration: Any = None


@dataclass(frozen=True)
class Model:
    """An embedder that sees who somebody is, with some noise."""

    dimension: int
    noise: float = 0.3

    @property
    def info(self) -> Info:
        return Info(self.dimension, f"{self.dimension:064x}", Calibration(35.0, -28.0))

    def look(self, person: int, time_s: float) -> np.ndarray:
        own = np.random.default_rng((self.dimension, person)).normal(size=self.dimension)
        seen = own + np.random.default_rng((person, round(1000 * time_s))).normal(0, self.noise, self.dimension)
        return (seen / np.linalg.norm(seen)).astype(np.float32)


class Crops:
    """Who was seen under which number, and when: what a swappable embedder remembers."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float, int]] = []
        self.asked: tuple[np.ndarray, ...] | None = None

    def note(self, tracks: Tracks, people: list[int]) -> None:
        for event in tracks.events:
            if event.replaces is not None and event.since_s is not None:
                since = event.since_s
                self.seen = [
                    (event.track_id if number == event.replaces and time_s >= since else number, time_s, who)
                    for number, time_s, who in self.seen
                ]
        self.seen += [
            (number, tracks.time_s, people[row])
            for number, row in zip(tracks.ids.tolist(), tracks.detections.tolist(), strict=True)
            if row >= 0
        ]

    def again(self, model: Model) -> Any:
        def remake(ids: np.ndarray, until_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            self.asked = (ids, until_s)
            vectors, counts = np.zeros((len(ids), model.dimension), np.float32), np.zeros(len(ids))
            for k, (number, until) in enumerate(zip(ids, until_s, strict=True)):
                looks = [model.look(p, t) for n, t, p in self.seen if n == number and t <= until][-6:]
                if looks:
                    total = np.sum(looks, axis=0)
                    vectors[k], counts[k] = total / np.linalg.norm(total), len(looks)
            return vectors, counts

        return remake


def box(x: float, y: float = 100.0) -> list[float]:
    return [x, y, x + 40, y + 100]


class Walk:
    """A tracker that is fed with people at places, seen by one model or another."""

    def __init__(self, model: Model, **options: Any) -> None:
        self.tracker = Tracker(TrackerConfig(**options.pop("config", {})), appearance=model.info, **options)
        self.model, self.crops, self.time_s = model, Crops(), 0.0

    def step(self, places: dict[int, float]) -> Tracks:
        """`places`: person -> x."""
        people = list(places)
        seen = Detections(
            [box(x) for x in places.values()],
            embeddings=[self.model.look(p, self.time_s) for p in people] if people else None,
        )
        tracks = self.tracker.update(seen, time_s=self.time_s)
        self.crops.note(tracks, people)
        self.time_s += DT_S
        return tracks

    def steps(self, count: int, *places: dict[int, float], speed: float = 0.0) -> list[Tracks]:
        return [self.step({p: x + speed * k for each in places for p, x in each.items()}) for k in range(count)]

    def change(self, model: Model, *, blind: bool = False) -> None:
        self.tracker.change_embedder(model.info, None if blind else self.crops.again(model))
        self.model = model


def crossing(walk: Walk, change_at: int | None = None, to: Model | None = None, *, blind: bool = False) -> list[Tracks]:
    """People who come and go for FRAMES frames, past each other and behind each other."""
    out = []
    for frame in range(FRAMES):
        if frame == change_at:
            walk.change(to or Model(NEW), blind=blind)
        places = {p: 100.0 * p + (3 if p % 2 else -3) * frame for p in range(PEOPLE) if (frame + 17 * p) % 90 > 35}
        out.append(walk.step(places))
    return out


def digest(results: list[Tracks]) -> str:
    told = hashlib.sha256()
    for tracks in results:
        for array in (tracks.ids, tracks.boxes, tracks.scores, tracks.classes, tracks.detections):
            told.update(array.tobytes())
        told.update(repr(tracks.events).encode())
    return told.hexdigest()


def numbers(results: list[Tracks]) -> list[list[int]]:
    return [tracks.ids.tolist() for tracks in results]


def test_the_stream_is_worth_testing_on() -> None:
    results = crossing(Walk(Model(OLD)))
    assert {e.kind for tracks in results for e in tracks.events} >= {"born", "ended", "recalled"}
    assert max(i for tracks in results for i in tracks.ids) <= PEOPLE + 2


def test_numbers_go_on_as_if_nothing_had_happened() -> None:
    """Here both models tell everybody apart, so that only the exchange itself could make a difference.

    Who has just come in, and has no number yet, may be reported some frames earlier or later.
    """
    expected = numbers(crossing(Walk(Model(OLD))))
    for change_at in range(2, FRAMES, 13):
        results = numbers(crossing(Walk(Model(OLD)), change_at))
        late = range(change_at, change_at + 8)
        for frame in range(FRAMES):
            if frame not in late:
                assert sorted(results[frame]) == sorted(expected[frame]), (change_at, frame)
        for frame in late[: FRAMES - change_at]:
            assert len(set(results[frame]) ^ set(expected[frame])) <= 1, (change_at, frame)


@pytest.mark.parametrize("dimension", [OLD, NEW])
def test_who_left_before_the_change_comes_back_after_it(dimension: int) -> None:
    walk = Walk(Model(OLD))
    before = walk.steps(30, {1: 0, 2: 300}, speed=2)
    walk.steps(60, {3: 600})
    walk.change(Model(dimension, noise=0.31))
    back = walk.steps(30, {3: 600, 2: 100})
    assert before[-1].ids.tolist() == [1, 2]
    assert sorted(back[-1].ids.tolist()) == [2, 3]
    assert [e.kind for tracks in back for e in tracks.events] == ["recalled"]


def test_who_is_lost_for_a_moment_is_recovered_by_the_new_model() -> None:
    walk = Walk(Model(OLD))
    walk.steps(40, {1: 100, 2: 600})
    walk.steps(10, {2: 600})
    walk.change(Model(NEW))
    back = walk.steps(12, {1: 240, 2: 600})
    assert sorted(back[-1].ids.tolist()) == [1, 2]
    assert "recovered" in [e.kind for tracks in back for e in tracks.events]


def test_without_new_vectors_tracks_go_on_and_those_who_left_cannot_come_back() -> None:
    walk = Walk(Model(OLD))
    walk.steps(30, {1: 0, 2: 300})
    walk.steps(60, {1: 0})
    assert walk.tracker.known_ids.tolist() == [1, 2]
    walk.change(Model(NEW), blind=True)
    assert walk.tracker.known_ids.tolist() == [1]
    results = walk.steps(60, {1: 0, 2: 300})
    assert [1 in tracks.ids for tracks in results] == [True] * 60
    assert results[-1].ids.tolist() == [1, 3]
    walk.steps(60, {1: 0})  # 3 leaves
    assert sorted(walk.steps(30, {1: 0, 2: 100})[-1].ids.tolist()) == [1, 3]  # and is known to the new model


def arrays(thing: Any) -> list[np.ndarray]:
    """All arrays that can be reached from an object of ours."""
    found, todo, seen = [], [thing], {id(thing): thing}  # holding them, so that no other object gets the same id
    while todo:
        each = todo.pop()
        inner: list[Any] = []
        if isinstance(each, np.ndarray):
            found.append(each)
            inner = [each.base]
        elif isinstance(each, dict):
            inner = list(each.values())
        elif isinstance(each, list | tuple | set):
            inner = list(each)
        elif type(each).__module__.startswith("tracker"):
            slots = [name for kind in type(each).__mro__ for name in getattr(kind, "__slots__", ())]
            inner = [getattr(each, name) for name in slots if hasattr(each, name)]
            inner += getattr(each, "__dict__", {}).values()
        fresh = [other for other in inner if id(other) not in seen]
        seen.update((id(other), other) for other in fresh)
        todo += fresh
    return found


@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("blind", [False, True])
def test_nothing_of_the_old_model_is_left(blind: bool, explain: bool) -> None:
    walk = Walk(Model(OLD), explain=explain)
    crossing(walk)
    old = arrays(walk.tracker)
    assert sum(OLD in array.shape for array in old) >= 3  # means, doubts and the memory
    walk.change(Model(NEW), blind=blind)
    left = arrays(walk.tracker)
    assert not [array.shape for array in left if OLD in array.shape]
    assert walk.tracker.appearance == Model(NEW).info
    fresh = Tracker(appearance=Model(NEW).info)
    for name in ("_appearance",):  # what cosines are worth
        state, expected = (vars(getattr(t, name)) for t in (walk.tracker, fresh))
        assert state.keys() == expected.keys()
        assert vars(state["_stream"]).keys() == vars(expected["_stream"]).keys()
        cosines = np.linspace(-1, 1, 50)
        one, other = getattr(walk.tracker, name), getattr(fresh, name)
        np.testing.assert_array_equal(one.evidence(cosines, 0.5), other.evidence(cosines, 0.5))
        np.testing.assert_array_equal(one.doubt(cosines), other.doubt(cosines))
    assert walk.tracker._identities._appearance is walk.tracker._appearance
    assert not walk.tracker._tracks.doubt.any()
    if explain:
        with pytest.raises(InputError, match="nothing was decided"):
            walk.tracker.explain(1)


def test_who_was_found_again_a_moment_ago_is_held_for_that_one() -> None:
    """The evidence of a model that has seen little would take the number away, and give it back a moment later."""
    walk = Walk(Model(OLD), config={"settle_s": 2.0})
    walk.steps(30, {1: 0, 2: 400})
    walk.steps(60, {1: 0})
    assert walk.steps(8, {1: 0, 2: 400})[-1].ids.tolist() == [1, 2]
    walk.change(Model(NEW))
    assert walk.crops.asked is not None
    assert walk.crops.asked[0].tolist() == [1, 2]
    after = walk.steps(60, {1: 0, 2: 400})
    assert not [event for tracks in after for event in tracks.events]
    assert after[-1].ids.tolist() == [1, 2]


def test_a_newcomer_may_still_turn_out_to_be_known() -> None:
    walk = Walk(Model(OLD), config={"identify_s": 0.1, "identify_vectors": 8, "identify_span_s": 1.0})
    walk.steps(30, {1: 0, 2: 400})
    walk.steps(60, {1: 0})
    assert walk.steps(5, {1: 0, 2: 400})[-1].ids.tolist() == [1, 3]
    walk.change(Model(NEW))
    after = walk.steps(20, {1: 0, 2: 400})
    assert [(e.kind, e.track_id, e.replaces) for tracks in after for e in tracks.events] == [("recalled", 2, 3)]


def test_crops_that_speak_against_a_track_are_not_asked_for() -> None:
    walk = Walk(Model(OLD), config={"change_evidence": 1e6, "appearance_limit": 2.0})
    walk.steps(60, {1: 0, 2: 300})
    walk.steps(10, {1: 0, 7: 300})  # 7 stands where 2 was
    walk.change(Model(NEW))
    assert walk.crops.asked is not None
    _, until_s = walk.crops.asked
    assert until_s[0] == np.inf
    assert 59.5 * DT_S < until_s[1] < 60.5 * DT_S
    assert until_s[1] < walk.tracker._tracks.doubted_s[1]


def bad(**wrong: Any) -> Any:
    def again(ids: np.ndarray, until_s: np.ndarray) -> Any:
        vectors = np.zeros((len(ids), NEW), np.float32)
        vectors[:, 0] = 1
        given = {"vectors": vectors, "counts": np.ones(len(ids))}
        given |= {name: change(given[name]) for name, change in wrong.items()}
        return given["vectors"], given["counts"]

    return again


BAD = {
    "other dimension": bad(vectors=lambda v: v[:, 1:]),
    "too few": bad(vectors=lambda v: v[1:], counts=lambda c: c[1:]),
    "counts of another length": bad(counts=lambda c: c[1:]),
    "not of unit length": bad(vectors=lambda v: 2 * v),
    "not a number": bad(vectors=lambda v: v * np.nan),
    "negative count": bad(counts=lambda c: -c),
    "infinite count": bad(counts=lambda c: c * np.inf),
}


@pytest.mark.parametrize("kind", [*BAD, "raises"])
def test_an_exception_leaves_the_tracker_as_it_was(kind: str) -> None:
    def fails(*asked: Any) -> Any:
        raise RuntimeError("the model fell over")

    expected = digest(crossing(Walk(Model(OLD), explain=True)))
    walk = Walk(Model(OLD), explain=True)
    step = walk.step

    def failing(places: dict[int, float]) -> Tracks:
        if walk.time_s > 1:
            error = RuntimeError if kind == "raises" else InputError
            with pytest.raises(error, match=r"again must|fell over"):
                walk.tracker.change_embedder(Model(NEW).info, BAD.get(kind, fails))
        return step(places)

    walk.step = failing  # type: ignore[method-assign]
    assert digest(crossing(walk)) == expected
    assert walk.tracker.appearance == Model(OLD).info


def test_the_same_change_gives_the_same_again_and_changes_nothing_that_was_given() -> None:
    results = [digest(crossing(Walk(Model(OLD)), 60)) for _ in range(2)]
    assert results[0] == results[1]
    walk = Walk(Model(OLD))
    walk.steps(20, {1: 0})
    given = np.eye(1, NEW, dtype=np.float32), np.array([4.0])
    walk.tracker.change_embedder(Model(NEW).info, lambda *asked: given)
    walk.model = Model(NEW)
    walk.steps(20, {1: 0})
    np.testing.assert_array_equal(given[0], np.eye(1, NEW, dtype=np.float32))


def test_changes_at_any_frame_lose_none() -> None:
    walk, models = Walk(Model(OLD)), [Model(NEW), Model(OLD), Model(5)]
    for k in range(60):
        walk.change(models[k % 3])
        tracks = walk.step({1: 2.0 * k, 2: 500 - 2.0 * k})
        assert len(set(tracks.ids.tolist())) == len(tracks.ids)
        if k > 4:
            assert sorted(tracks.ids.tolist()) == [1, 2]


def test_a_tracker_that_has_seen_nothing_or_knew_no_embedder_takes_one() -> None:
    fresh = Tracker()
    fresh.change_embedder(Model(NEW).info, lambda *asked: pytest.fail("there is nobody to ask for"))
    assert fresh.appearance == Model(NEW).info
    assert fresh.known_ids.tolist() == []
    plain = Tracker()
    for k in range(10):
        plain.update(Detections([box(4.0 * k)]), time_s=k * DT_S)
    plain.change_embedder(Model(NEW).info)
    look = Model(NEW).look(1, 0.0)
    assert plain.update(Detections([box(40.0)], embeddings=[look]), time_s=0.4).ids.tolist() == [1]
    with pytest.raises(InputError, match="must have 29 dimensions"):
        plain.update(Detections([box(44.0)], embeddings=[Model(OLD).look(1, 0.0)]), time_s=0.44)


def test_reset_begins_with_the_embedder_that_is_live() -> None:
    walk = Walk(Model(OLD))
    walk.steps(10, {1: 0})
    walk.change(Model(NEW))
    walk.tracker.reset()
    assert walk.tracker.appearance == Model(NEW).info
    assert walk.tracker.known_ids.tolist() == []
    walk.time_s = 0
    assert walk.steps(10, {1: 0})[-1].ids.tolist() == [1]


def test_in_the_mode_auto_everybody_is_looked_at_again() -> None:
    """What is known of everybody's looks is little, after an exchange for few crops."""
    tracker = Tracker(TrackerConfig(embed="auto"), appearance=Model(OLD).info)
    model, asked = Model(OLD), []

    def embed(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return np.stack([model.look(int(row), 0.04 * k) for row in rows])

    for k in range(80):
        if k == 60:
            model = Model(NEW)
            tracker.change_embedder(model.info)
        tracker.update(Detections([box(0), box(400), box(800)]), time_s=k * DT_S, embed=embed)
        asked += [0] * (k + 1 - len(asked))
    assert max(asked[50:60]) < 3
    assert asked[60] == 3
