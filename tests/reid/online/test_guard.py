"""Who is worse is rolled back from, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from reid.online.guard import SwapGuard
from reid.online.watch import WatchConfig

CONFIG = WatchConfig(before_s=1200, after_s=1200, block_s=20)


class Embedder:
    """Notes what it is told."""

    def __init__(self, model: str = "one") -> None:
        self.info = SimpleNamespace(model_hash=model)
        self.reasons: list[str] = []
        self.left: list[str] = []
        self.kept_harvest: list[bool] = []
        self.doubts: list[tuple[str, str]] = []
        self.trusted: list[tuple[str, str]] = []
        self.disk_is_full = False
        self.quarantined: set[str] = set()
        self.jobs: list[Callable[[], object]] = []

    def roll_back(self, reason: str, model_hash: str, *, keep_harvest: bool) -> None:
        self.reasons.append(reason)
        self.left.append(model_hash)
        self.kept_harvest.append(keep_harvest)

    def doubt(self, reason: str, model_hash: str, camera: str, then: Callable[[], object]) -> None:
        assert not reason or "the light, or the embedder" in reason
        (self.doubts if reason else self.trusted).append((model_hash, camera))
        if self.disk_is_full:
            return
        then()

    def is_quarantined(self, model_hash: str) -> bool:
        return model_hash in self.quarantined

    def run_beside(self, job: Callable[[], object]) -> None:
        self.jobs.append(job)

    def do_jobs(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()


class Run:
    """One start of a tracker after the other."""

    def __init__(self, record: Path | None = None) -> None:
        self.record, self.time_s = record, 0.0
        self.start("one")

    def start(self, model: str, camera: str = "door") -> None:
        self.embedder = Embedder(model)
        self.guard = SwapGuard(self.embedder, CONFIG, record=self.record, camera=camera)  # type: ignore[arg-type]

    def go_on(self, seconds: float, model: str | None, births: int, margin: float | None = None) -> str:
        phases = set()
        for k in range(round(seconds / 2)):
            self.time_s += 2.0
            born = births if k % 5 == 0 else 0
            # who is lost more often is told from others less well
            margins = (0.9 - 0.02 * (births - 1) if margin is None else margin,)
            verdict = self.guard.update(self.time_s, model, objects=10, births=born, breaks=born, margins=margins)
            self.embedder.do_jobs()
            phases.add(verdict.phase)
        return verdict.phase


def test_a_worse_model_is_rolled_back_from_once_and_the_one_before_is_not_watched() -> None:
    run = Run()
    assert run.go_on(1300, "one", 1) == "calm"
    assert run.go_on(1300, "two", 4) == "worse"
    (reason,) = run.embedder.reasons
    assert "new identities: 36 before" in reason
    assert run.go_on(1300, "one", 1) == "calm"
    assert run.go_on(1300, "three", 4) == "worse"
    assert len(run.embedder.reasons) == 2
    assert run.embedder.left == ["two", "three"]


def test_margins_that_fall_alone_are_told_once_and_their_hours_are_kept(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    run.go_on(1300, "one", 1)
    run.go_on(600, "two", 1, margin=0.8)
    assert run.embedder.doubts == [("two", "door")]
    run.start("two")
    assert run.go_on(1300, "two", 1, margin=0.8) == "kept"
    assert (run.embedder.doubts, run.embedder.left) == ([], []), "that was told before"
    run.go_on(600, "three", 1, margin=0.72)
    assert run.embedder.doubts == [("three", "door")]
    assert run.go_on(1300, "four", 1, margin=0.4) == "worse"
    assert run.go_on(1300, "five", 4, margin=0.4) == "worse"
    assert (run.embedder.left, run.embedder.kept_harvest) == (["four", "five"], [True, False])


def test_a_doubt_that_the_sun_disperses_is_taken_back_once(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    run.go_on(1300, "one", 1)
    assert run.go_on(240, "two", 1, margin=0.8) == "watching"
    assert run.embedder.doubts == [("two", "door")]
    run.start("two")
    assert run.go_on(1300, "two", 1) == "kept"
    assert (run.embedder.doubts, run.embedder.trusted) == ([], [("two", "door")])
    run.start("two")
    run.go_on(1300, "two", 1)
    run.go_on(1300, "three", 1)
    assert (run.embedder.doubts, run.embedder.trusted) == ([], []), "of the third nothing was said"


def test_a_word_that_did_not_reach_the_disk_is_said_by_the_next_process(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    run.go_on(1300, "one", 1)
    for full in (True, False):
        run.embedder.disk_is_full = full
        assert run.go_on(240, "two", 1, margin=0.8) == "watching"
        assert run.embedder.doubts == [("two", "door")]
        run.start("two")
    run.embedder.disk_is_full = True
    assert run.go_on(1300, "two", 1) == "kept"
    assert run.embedder.doubts == [], "it was told"
    assert run.embedder.trusted == [("two", "door")]
    run.start("two")
    run.go_on(60, "two", 1)
    assert run.embedder.trusted == [("two", "door")], "that was lost"
    run.start("two")
    run.go_on(60, "two", 1)
    assert run.embedder.trusted == []


def test_a_model_that_is_live_again_is_in_doubt_as_it_was(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    run.go_on(1300, "one", 1)
    assert run.go_on(1300, "two", 1, margin=0.8) == "kept"
    assert run.go_on(1300, "three", 4, margin=0.4) == "worse"
    run.go_on(300, "two", 1, margin=0.8)
    for start in ("two", "three", "two"):
        run.start(start)
        run.go_on(60, start, 1, margin=0.8)
        assert run.embedder.trusted == [], "nothing speaks for it that did not before"
        assert run.embedder.doubts == [], "that was told before"


def test_a_model_that_is_live_again_and_kept_without_a_doubt_is_in_doubt_no_more(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    run.go_on(1300, "one", 1)
    assert run.go_on(600, "two", 1, margin=0.8) == "watching"
    run.go_on(60, "three", 1)
    run.start("three")
    run.go_on(60, "three", 1)
    assert run.go_on(1300, "two", 1) == "kept"
    assert (run.embedder.doubts, run.embedder.trusted) == ([], [("two", "door")])


def test_of_the_sixteen_models_that_were_live_last_it_is_known_what_was_said(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    for number in range(20):
        run.go_on(60, f"model {number}", 1)
    saved = json.loads((tmp_path / "watch.json").read_text())["cameras"]["door"]["doubts"]
    assert list(saved) == [f"model {number}" for number in range(4, 20)]


def test_what_an_earlier_version_knew_of_the_model_that_was_live_is_taken_up(tmp_path: Path) -> None:
    record = tmp_path / "watch.json"
    run = Run(record)
    run.go_on(1300, "one", 1)
    run.go_on(600, "two", 1, margin=0.8)
    saved = json.loads(record.read_text())
    here = saved["cameras"]["door"]
    here["doubt"], here["doubted"] = here.pop("doubts")["two"]
    record.write_text(json.dumps(saved))
    run.start("two")
    assert run.go_on(60, "two", 1, margin=0.8) == "watching", "what was seen as well"
    assert (run.embedder.doubts, run.embedder.trusted) == ([], [])
    run.go_on(1300, "two", 1)
    assert run.embedder.trusted == [("two", "door")]


def test_the_model_that_was_judged_is_left_though_another_is_live_by_now() -> None:
    run = Run()
    run.go_on(1300, "one", 1)
    assert run.go_on(60, "two", 4) == "watching"
    run.embedder.info.model_hash = "three"  # the tracking is ahead: results of the second still wait
    assert run.go_on(1240, "two", 4) == "worse"
    assert run.embedder.left == ["two"]
    assert run.go_on(1300, "three", 1) == "kept"
    assert run.embedder.left == ["two"]


def test_a_good_model_is_kept_and_frames_without_a_model_change_nothing() -> None:
    run = Run()
    run.go_on(1300, "one", 2)
    assert run.go_on(600, "two", 2) == "watching"
    run.go_on(20, None, 2)
    assert run.go_on(1300, "two", 2) == "kept"
    assert run.embedder.reasons == []


def test_a_model_that_another_took_the_place_of_unwatched_is_no_measure() -> None:
    run = Run()
    run.go_on(1300, "one", 1)
    assert run.go_on(60, "two", 4) == "watching"
    assert run.go_on(1300, "three", 4) == "worse"
    assert run.embedder.reasons
    # back to the second, of which nobody knows yet
    assert run.go_on(1300, "two", 4) == "worse"
    assert len(run.embedder.reasons) == 2
    assert run.go_on(60, "one", 1) == "calm"


def test_a_model_admitted_at_the_moment_of_a_rollback_is_watched() -> None:
    run = Run()
    run.go_on(1300, "one", 1)
    assert run.go_on(1300, "two", 4) == "worse"
    assert run.go_on(60, "three", 1) == "watching"
    assert run.go_on(1300, "three", 1) == "kept"


def test_the_end_of_the_process_ends_no_watching(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    run.go_on(1300, "one", 1)
    run.start("two")  # it went live while no tracker ran
    assert run.go_on(60, "two", 4) == "watching"
    run.start("two")
    assert run.go_on(1300, "two", 4) == "worse"
    assert "new identities: 36 before" in run.embedder.reasons[0]
    run.start("two")  # and ended before it was rolled back
    assert run.go_on(2, "two", 1) == "worse"
    assert run.embedder.reasons
    run.start("one")
    assert run.go_on(60, "one", 1) == "calm"
    assert not run.embedder.reasons


def test_another_camera_is_no_measure(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    run.go_on(1300, "one", 1)
    run.start("two", camera="yard")
    assert run.go_on(2600, "two", 4) == "calm"
    assert run.go_on(1300, "three", 8) == "worse"
    assert run.embedder.left == ["three"]


def test_a_model_that_met_another_camera_is_judged_by_the_one_that_knew_the_model_before(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    run.go_on(1300, "one", 1)
    assert run.go_on(60, "two", 4) == "watching"
    run.start("two", camera="yard")
    run.go_on(1300, "two", 4)
    run.start("two")
    assert run.go_on(20, "two", 4) == "watching"
    assert run.go_on(300, "two", 4) == "worse"
    assert "36 before" in run.embedder.reasons[0]
    assert run.embedder.left == ["two"]


def test_a_model_that_came_too_early_to_be_judged_is_what_the_next_one_is_judged_by(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    run.go_on(100, "one", 1)
    assert run.go_on(1300, "two", 4) == "calm"
    assert run.go_on(60, "one", 4) == "watching", "it is not the measure any more"
    run.start("three")
    assert run.go_on(1300, "three", 4) == "kept"
    assert run.go_on(1300, "four", 8) == "worse"
    assert run.embedder.left == ["four"]


def test_a_model_that_somebody_rolled_back_from_is_no_measure_for_the_one_before() -> None:
    run = Run()
    assert run.go_on(1300, "one", 2) == "calm"
    assert run.go_on(1300, "two", 1) == "kept"
    run.embedder.quarantined.add("two")
    assert run.go_on(1300, "one", 4) == "calm"
    assert run.go_on(1300, "three", 8) == "worse"
    assert run.embedder.left == ["three"]


def test_the_sixteen_cameras_that_ran_last_are_remembered(tmp_path: Path) -> None:
    record = tmp_path / "watch.json"
    run = Run(record)
    for number in range(20):
        run.start("one", camera=f"night {number}")
        run.go_on(60, "one", 1)
        run.start("one", camera="door")
        run.go_on(60, "one", 1)
    assert list(json.loads(record.read_text())["cameras"]) == [*(f"night {number}" for number in range(5, 20)), "door"]


def test_a_record_that_is_damaged_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record = tmp_path / "watch.json"
    wrong = '{"model": "two", "good": "one", "watch": {"phase": 3}}'
    cameras = ("3", "{}", '{"door": {}}', f'{{"door": {wrong}}}')
    for content in ("{half", wrong, *(f'{{"cameras": {each}}}' for each in cameras)):
        record.write_text(content)
        run = Run(record)
        assert run.go_on(60, "one", 1) == "calm"
        assert json.loads(record.read_text())["cameras"]["door"]["model"] == "one"
    assert "what was seen of earlier models is not used" in caplog.text


def test_what_could_not_be_written_is_written_as_it_is_by_then(tmp_path: Path) -> None:
    run = Run(tmp_path / "watch.json")
    run.embedder.do_jobs = lambda: None  # type: ignore[method-assign]
    run.go_on(1300, "one", 1)
    assert len(run.embedder.jobs) == 1
    run.embedder.jobs[0]()
    assert len(json.loads((tmp_path / "watch.json").read_text())["cameras"]["door"]["watch"]["before"]) == 60


def test_a_record_that_was_given_up_once_is_written_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, value: object) -> None:
        raise RuntimeError

    run = Run(tmp_path / "watch.json")
    run.embedder.do_jobs = lambda: None  # type: ignore[method-assign]
    run.go_on(1300, "one", 1)
    with monkeypatch.context() as patch:
        patch.setattr("reid.online.guard.write_json", fail)
        with pytest.raises(RuntimeError):
            run.embedder.jobs.pop()()
    run.go_on(60, "one", 1)
    run.embedder.jobs.pop()()
    assert (tmp_path / "watch.json").exists()
