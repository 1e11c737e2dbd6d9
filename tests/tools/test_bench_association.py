"""The association benchmark: its crowd, its identity F1, its turns and bars, and the profile."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tracker import Detections, Tracker
from tracker.evaluation import MotTracks, MotTruth, score_tracks


@pytest.fixture
def bench() -> ModuleType:
    import bench_association

    return bench_association


def crowd(objects: int, seed: int = 0, **options: Any) -> Any:
    from crowd import Crowd, CrowdModel

    return Crowd(CrowdModel(objects, **options), seed)


def test_the_same_seed_gives_the_same_crowd() -> None:
    one, again, other = crowd(30), crowd(30), crowd(30, seed=1)
    for _ in range(5):
        a, b, c = one.step(), again.step(), other.step()
        np.testing.assert_array_equal(a.detections, b.detections)
        np.testing.assert_array_equal(a.embeddings, b.embeddings)
        assert a.detections.shape != c.detections.shape or (a.detections != c.detections).any()


def test_vectors_are_as_alike_as_said() -> None:
    stream = crowd(200, miss_rate=0.0)
    frames = [stream.step(), stream.step()]
    same = np.einsum("nd,nd->n", frames[0].embeddings, frames[1].embeddings)
    assert same.mean() == pytest.approx(1 / (1 + 0.7**2), abs=0.02)
    different = frames[0].embeddings @ frames[0].embeddings.T
    assert abs(different[~np.eye(200, dtype=bool)].mean()) < 0.02


def test_who_leaves_never_comes_back() -> None:
    stream = crowd(40, lifetime_frames=20.0)
    last_seen: dict[int, int] = {}
    for frame in range(300):
        for who in stream.step().identities.tolist():
            assert frame - last_seen.get(who, frame) < 10, "missed for ten frames at 5 %: it must be somebody else"
            last_seen[who] = frame
    assert len(last_seen) > 400


def test_occlusions_hide_for_a_while() -> None:
    free, hidden = crowd(300), crowd(300, occlusion_rate=0.02)
    seen = [(len(free.step().identities), len(hidden.step().identities)) for _ in range(100)][50:]
    mean = np.mean(seen, axis=0)
    assert mean[0] == pytest.approx(0.95 * 300, rel=0.02)
    # away for 22.5 frames on average, at a chance of 0.02 a frame while not away for 24.5
    assert mean[1] == pytest.approx(0.95 * 300 * (1 - 22.5 / (50 + 24.5)), rel=0.1)


def test_identity_f1_is_that_of_trackeval() -> None:
    pytest.importorskip("trackeval", reason="needs the extra [eval]")
    from association.identity import Counts

    rng = np.random.default_rng(0)
    counts, truth, found = Counts(), [], []
    for frame in range(1, 31):
        ids = np.arange(8)
        left = np.c_[100.0 * ids + frame, np.full(8, 50.0)]
        boxes = np.c_[left, left + np.array([40, 90])]
        told = np.flatnonzero(rng.random(8) > 0.2)
        numbers = np.where(frame > 15, (told + 3) % 8, told) + 1  # everybody is renamed half-way
        moved = boxes[told] + rng.normal(0, 6, (len(told), 1))
        counts.add(ids, boxes.astype(np.float32), numbers, moved)
        truth.append(np.c_[np.full(8, frame), ids, boxes])
        found.append(np.c_[np.full(len(told), frame), numbers, moved])
    t, f = np.concatenate(truth), np.concatenate(found)
    flags, classes = np.ones(len(t), bool), np.ones(len(t), np.int64)
    expected = score_tracks(
        MotTruth(t[:, 0].astype(int), t[:, 1].astype(int), t[:, 2:], flags, classes, "MOT15"),
        MotTracks(f[:, 0].astype(int), f[:, 1].astype(int), f[:, 2:]),
    )
    assert 30 < expected.idf1 < 70
    assert 100 * counts.idf1 == pytest.approx(expected.idf1)


def test_nothing_reported_is_no_identity() -> None:
    from association.identity import Counts

    counts = Counts()
    assert counts.idf1 == 0
    counts.add(np.arange(2), np.zeros((2, 4), np.float32), np.zeros(0, np.int64), np.zeros((0, 4)))
    assert counts.idf1 == 0


# ---- turns, failures, bars -------------------------------------------------------------------------------------------


def fake(name: str, calls: list[tuple[str, int]], fails_at: int = 0, spoils: bool = False) -> Any:
    """A tracker that writes down when it is asked, and reports what it sees under the rows' numbers."""
    from peers import Appearance, Peer

    def make(_: object) -> Any:
        def step(seen: Any) -> Any:
            calls.append((name, seen.frame))
            if seen.frame == fails_at:
                raise RuntimeError("no more")
            boxes = seen.detections[:, :4].astype(float)
            if spoils:
                seen.detections[:] = 0
            return np.arange(len(boxes)) + 1, boxes

        return step

    return Peer(name, "numpy", Appearance.IGNORED, "", make)


@pytest.mark.parametrize("interleaved", [True, False])
def test_trackers_take_turns(interleaved: bool) -> None:
    from association.timing import run

    calls: list[tuple[str, int]] = []
    stream = crowd(5, miss_rate=0.0)
    frames = [stream.step() for _ in range(3)]
    peers = [fake("a", calls, spoils=True), fake("b", calls)]
    contests = run(peers, frames, (1920, 1080), interleaved=interleaved, budget_s=100)
    together = [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3)]
    assert calls == (together if interleaved else sorted(together))
    assert [c.counts.idf1 for c in contests] == [1.0, 1.0], "one tracker must not spoil another's input"


def test_who_fails_or_is_slow_stops_and_the_others_go_on() -> None:
    from association.timing import run

    calls: list[tuple[str, int]] = []
    stream = crowd(5)
    frames = [stream.step() for _ in range(6)]
    bad, good = run([fake("bad", calls, 2), fake("good", calls)], frames, (9, 9), interleaved=True, budget_s=100)
    assert (len(bad.ms), bad.error) == (1, "RuntimeError: no more")
    assert (len(good.ms), good.error) == (6, "")
    slow = run([fake("slow", calls)], frames, (9, 9), interleaved=True, budget_s=1e-9)[0]
    assert len(slow.ms) == 1


def contest(name: str, ms: float, idf1: float) -> Any:
    from association.timing import Contest

    class Known:
        pass

    known = Contest(fake(name, []), [ms] * 10)
    known.counts = Known()  # type: ignore[assignment]
    known.counts.idf1 = idf1  # type: ignore[misc]
    return known


def test_bars_are_judged(bench: ModuleType) -> None:
    rival = contest(bench.RIVAL, 8.0, 0.9)
    fast, slow = contest("reidtrack", 1.0, 0.9), contest("reidtrack", 1.1, 0.8)
    assert [met for met, _ in bench.verdicts(50, [fast, rival], "alone")] == [True, True]
    assert [met for met, _ in bench.verdicts(50, [slow, rival], "alone")] == [False, False]
    assert bench.verdicts(50, [fast], "alone") == []
    assert bench.verdicts(77, [fast, rival], "alone") == []


@pytest.mark.parametrize("how", ["alone", "interleaved"])
def test_a_verdict_on_speed_says_how_it_was_timed(bench: ModuleType, how: str) -> None:
    speed, _ = bench.verdicts(50, [contest("reidtrack", 1.0, 0.9), contest(bench.RIVAL, 8.0, 0.9)], how)
    assert f"N = 50, {how}: 8.0x faster" in speed[1]


def test_a_whole_run(bench: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["--objects", "5", "12", "--frames", "20", "--occlusion", "0.02", "--no-peers", "--json"]
    assert bench.main([*words, str(tmp_path / "rows.json")]) == 0
    said = capsys.readouterr().out
    assert "interleaved, frame by frame" in said
    assert "## 12 objects, occlusions 0.02" in said
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [(r["tracker"], r["objects"], r["frames"]) for r in rows] == [("reidtrack", 5, 20), ("reidtrack", 12, 20)]
    assert all(r["idf1"] > 0.5 for r in rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--objects", "0"], "--objects, --frames, --dimension and --budget-s must be above 0"),
        (["--occlusion", "1.5"], "--occlusion must be at least 0 and below 1, got [1.5]"),
        (["--peers", "sorty"], "--peers must be part of a peer's name, got 'sorty'"),
    ],
)
def test_wrong_calls_are_refused(
    bench: ModuleType, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert bench.main(words) == 2
    assert said in capsys.readouterr().err


# ---- profile ---------------------------------------------------------------------------------------------------------


def tracked() -> list[list[int]]:
    stream, tracker = crowd(8, occlusion_rate=0.02), Tracker()
    frames = [stream.step() for _ in range(40)]
    seen = [Detections(f.detections[:, :4], f.detections[:, 4], None, f.embeddings) for f in frames]
    return [tracker.update(s, time_s=k / 30).ids.tolist() for k, s in enumerate(seen)]


def test_the_profile_changes_nothing_and_leaves_no_trace() -> None:
    from association.steps import step_clock

    before, update = tracked(), Tracker.update
    with step_clock() as clock:
        assert Tracker.update is not update
        assert tracked() == before
    assert Tracker.update is update
    assert clock.updates == 40
    assert tracked() == before
    assert clock.updates == 40


def test_steps_add_up_to_no_more_than_the_update() -> None:
    from association.steps import step_clock

    with step_clock() as clock:
        tracked()
    total = clock.seconds[("update",)]
    steps = {path[1]: s for path, s in clock.seconds.items() if len(path) == 2}
    assert len(steps) >= 4
    assert 0.5 * total < sum(steps.values()) <= total
    table = clock.table().splitlines()
    assert table[2].startswith("| `update` |")
    assert table[2].endswith("| 100% |")
