"""The accuracy benchmark: its inputs, its statistics, its store, and a whole run without peers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

TOOLS = Path(__file__).resolve().parents[2] / "tools"
FRAMES, PEOPLE = 40, 4


def write_sequence(folder: Path, columns: int, detections: bool) -> None:
    """People side by side who walk to the right."""
    (folder / "gt").mkdir(parents=True)
    info = {"frameRate": 20, "seqLength": FRAMES, "imWidth": 1000, "imHeight": 500}
    (folder / "seqinfo.ini").write_text("[Sequence]\n" + "".join(f"{k}={v}\n" for k, v in info.items()))
    places = [(f, p, 100 * p + 2 * f) for f in range(1, FRAMES + 1) for p in range(1, PEOPLE + 1)]
    tail = ",1,1,1" if columns == 9 else ",1,-1,-1,-1"
    (folder / "gt" / "gt.txt").write_text("".join(f"{f},{p},{x},100,40,100{tail}\n" for f, p, x in places))
    if detections:
        (folder / "det").mkdir()
        (folder / "det" / "det.txt").write_text("".join(f"{f},-1,{x},100,40,100,0.9\n" for f, _, x in places))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_sequence(root / "gt_text" / "MOT15" / "Venice-2", 10, detections=True)
    write_sequence(root / "gt_text" / "MOT15" / "KITTI-13", 10, detections=True)
    write_sequence(root / "gt_text" / "MOT17" / "MOT17-09", 9, detections=False)
    real = root / "seq" / "TUD-Stadtmitte"
    write_sequence(real, 10, detections=False)
    truth = np.loadtxt(real / "gt" / "gt.txt", delimiter=",")
    boxes = np.c_[truth[:, 2:4], truth[:, 2:4] + truth[:, 4:6], np.full(len(truth), 0.9), np.zeros(len(truth))]
    vectors = np.eye(16)[truth[:, 1].astype(int)] * 3  # of no unit length: the loader sees to that
    (root / "cache").mkdir()
    cache = {"frame": truth[:, 0].astype(int), "dets": boxes.astype(np.float32), "emb": vectors.astype(np.float16)}
    np.savez(root / "cache" / "TUD-Stadtmitte.npz", frames=FRAMES, **cache)
    return root


def find(data: Path, name: str, suite: str, held_out: bool = False) -> Any:
    from accuracy.inputs import all_inputs

    return next(i for i in all_inputs(data, held_out) if i.name == name and i.suite == suite)


def test_no_sequence_is_in_both_lists() -> None:
    from accuracy.inputs import HELD_OUT, TUNED_ON

    for kind in ("MOT15", "MOT17"):
        assert not set(TUNED_ON[kind]) & set(HELD_OUT[kind])
    assert {kind: len(TUNED_ON[kind]) + len(HELD_OUT[kind]) for kind in TUNED_ON} == {"MOT15": 6, "MOT17": 7}


def test_suites_hold_what_is_there(data: Path) -> None:
    from accuracy.inputs import all_inputs

    tuned = {(i.suite, i.name) for i in all_inputs(data, held_out=False)}
    assert ("motion only", "Venice-2") in tuned
    assert ("with appearance", "MOT17-09, very hard") in tuned
    assert ("frame rate", "TUD-Stadtmitte, cached, every 4") in tuned
    assert not any(name.startswith(("KITTI-13", "ADL-Rundle-6")) for _, name in tuned)
    held_out = {i.name for i in all_inputs(data, held_out=True) if i.suite == "motion only"}
    assert held_out == {"KITTI-13"}


def test_a_seed_drops_three_percent_and_nothing_else(data: Path) -> None:
    from accuracy.inputs import load

    what = find(data, "TUD-Stadtmitte, cached", "cached")
    clean, one, again = load(what, None).seen, load(what, 5).seen, load(what, 5).seen
    keep = np.random.default_rng(5).random(FRAMES * PEOPLE) >= 0.03  # the documented perturbation, spelt out
    assert len(clean.frame) == FRAMES * PEOPLE
    assert 0 < (~keep).sum() < 15
    np.testing.assert_array_equal(one.detections, clean.detections[keep])
    np.testing.assert_array_equal(one.embeddings, again.embeddings)
    np.testing.assert_allclose(np.linalg.norm(clean.embeddings, axis=1), 1, rtol=1e-6)


def test_simulated_input_is_another_simulation_each_seed(data: Path) -> None:
    from accuracy.inputs import load

    what = find(data, "MOT17-09, easy", "with appearance")
    first, second = load(what, 0).seen, load(what, 1).seen
    assert first.detections.shape != second.detections.shape or (first.detections != second.detections).any()
    assert load(find(data, "MOT17-09", "motion only"), 0).seen.embeddings.shape[1] == 0


def test_every_second_frame_keeps_input_and_truth_together(data: Path) -> None:
    from accuracy.inputs import load

    full = load(find(data, "TUD-Stadtmitte, cached", "cached"), None)
    half = load(find(data, "TUD-Stadtmitte, cached, every 2", "frame rate"), None)
    assert (half.seen.frames, half.seen.rate_hz) == (FRAMES // 2, 10.0)
    for frame in (1, 7, FRAMES // 2):
        kept = full.truth.frame == 2 * frame - 1
        np.testing.assert_array_equal(half.truth.boxes[half.truth.frame == frame], full.truth.boxes[kept])
        seen = full.seen.frame == 2 * frame - 1
        np.testing.assert_array_equal(half.seen.detections[half.seen.frame == frame], full.seen.detections[seen])


def test_random_vectors_say_nothing_of_who_is_who(data: Path) -> None:
    from accuracy.inputs import load

    seen = load(find(data, "Venice-2, random", "random vectors"), 0).seen
    np.testing.assert_allclose(np.linalg.norm(seen.embeddings, axis=1), 1, rtol=1e-5)
    cosines = seen.embeddings @ seen.embeddings.T
    assert np.abs(cosines - np.eye(len(cosines))).max() < 0.6


def test_the_digest_follows_the_files(data: Path, tmp_path: Path) -> None:
    what = find(data, "Venice-2", "motion only")
    other = tmp_path / "Venice-2"
    write_sequence(other, 10, detections=True)
    assert replace(what, folder=other).digest() == what.digest()
    (other / "det" / "det.txt").write_text("1,-1,0,0,10,20,0.9\n")
    assert replace(what, folder=other).digest() != what.digest()


# ---- statistics ------------------------------------------------------------------------------------------------------


def runs_of(tracker: str, idf1: dict[str, list[float]]) -> list[Any]:
    """Runs whose IDF1 are given by input and seed; the other figures are the same."""
    from accuracy.runs import FIGURES, Run

    return [
        Run(name, seed, tracker, "1", "", "d", dict.fromkeys(FIGURES, value))
        for name, values in idf1.items()
        for seed, value in enumerate(values)
    ]


def test_differences_are_paired_as_scipy_pairs_them() -> None:
    from accuracy.comparison import Comparison

    ours = {"a": [80.0, 84.0, 79.0, 83.0], "b": [60.0, 62.0, 65.0, 61.0]}
    theirs = {"a": [78.0, 79.0, 78.0, 80.0], "b": [61.0, 60.0, 61.0, 62.0]}
    runs = runs_of("reidtrack", ours) + runs_of("peer", theirs)
    standings = Comparison(runs, ["a", "b"], [0, 1, 2, 3]).standings()
    assert [s.tracker for s in standings] == ["reidtrack", "peer"]
    assert standings[0].means["idf1"] == pytest.approx(71.75)
    assert standings[1].by_input == {"a": pytest.approx(78.75), "b": pytest.approx(61.0)}
    mine, other = (np.mean([v["a"], v["b"]], axis=0) for v in (ours, theirs))
    interval = stats.ttest_rel(mine, other).confidence_interval(0.95)
    ahead = standings[1].ahead["idf1"]
    assert (ahead.mean - ahead.half_width, ahead.mean + ahead.half_width) == pytest.approx(tuple(interval))
    assert str(ahead) == f"{ahead.mean:+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]"


def test_one_seed_has_no_interval() -> None:
    from accuracy.comparison import Comparison

    runs = runs_of("reidtrack", {"a": [80.0]}) + runs_of("peer", {"a": [78.0]})
    ahead = Comparison(runs, ["a"], [0]).standings()[1].ahead["idf1"]
    assert (ahead.half_width, str(ahead)) == (None, "+2.0")


def test_an_interrupted_seed_counts_for_nobody() -> None:
    from accuracy.comparison import Comparison

    runs = runs_of("reidtrack", {"a": [80.0, 90.0]}) + runs_of("peer", {"a": [78.0]}) + runs_of("late", {"b": [1.0]})
    compared = Comparison(runs, ["a"], [0, 1])
    assert compared.seeds == [0]
    assert [s.means["idf1"] for s in compared.standings()] == [80.0, 78.0]
    partly = Comparison(runs, ["a", "b"], [0, 1])
    assert partly.standings() == []
    assert set(partly.incomplete) == {"reidtrack", "peer", "late"}


def test_who_fails_is_named_and_spoils_nobody_elses_figures() -> None:
    from accuracy.comparison import Comparison
    from accuracy.runs import Run

    broken = Run("a", 0, "peer", "1", "", "d", error="ValueError: no")
    compared = Comparison([*runs_of("reidtrack", {"a": [80.0, 82.0]}), broken], ["a"], [0, 1])
    assert compared.failures == [("peer", "ValueError: no")]
    assert compared.seeds == [0, 1]
    assert [s.tracker for s in compared.standings()] == ["reidtrack"]


def test_falls_between_rates_are_paired_too(tmp_path: Path) -> None:
    from accuracy.inputs import Input
    from accuracy.report import report

    def scores(tracker: str, full: list[float], half: list[float]) -> list[Any]:
        return runs_of(tracker, {"a, 30 Hz": full, "b, 30 Hz": full, "a, 10 Hz": half, "b, 10 Hz": half})

    inputs = [Input("clip rates", s, tmp_path, rate=f"{r} Hz") for r in (30, 10) for s in ("a", "b")]
    runs = scores("reidtrack", [90.0, 92.0], [85.0, 88.0]) + scores("peer", [80.0, 81.0], [70.0, 74.0])
    text, data = report(runs, inputs, 2, [])
    ours, peer = data["clip rates"]["reidtrack"]["10 Hz"], data["clip rates"]["peer"]["10 Hz"]
    assert (ours["idf1"], ours["fall"]) == pytest.approx((86.5, 4.5))
    assert (peer["fall"], peer["falls_further"]) == pytest.approx((8.5, 4.0))  # 10 - 5 and 7 - 4 points
    interval = stats.ttest_rel([10.0, 7.0], [5.0, 4.0]).confidence_interval(0.95)
    assert peer["half_width"] == pytest.approx((interval.high - interval.low) / 2)
    assert "| **reidtrack** | 91.0 | 86.5 | 4.5 |  |" in text
    assert f"| peer | 80.5 | 72.0 | 8.5 | +4.0 [{interval.low:+.1f}, {interval.high:+.1f}] |" in text


def judged(held_out: bool = True, **suites: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    from accuracy.bars import bars

    return {check.asked: (check.found, check.met) for check in bars(suites, held_out)}


def standing_of(name: str, idf1: float, hota: float = 0, ahead: float | None = None, **by_input: float) -> Any:
    """`ahead` is the lower bound of both differences, whose intervals are 1 to either side."""
    differences = {} if ahead is None else {f: {"mean": ahead + 1, "half_width": 1.0} for f in ("idf1", "hota")}
    return {"tracker": name, "means": {"idf1": idf1, "hota": hota}, "by_input": by_input, "ahead": differences}


@pytest.mark.parametrize(
    ("idf1", "hota", "bound", "met"),
    [(84.0, 60.0, 0.1, (True, True)), (83.9, 61, 0.0, (False, False)), (90, 59.9, 3, (False, True))],
)
def test_real_detections_ask_for_two_figures_and_a_lead(
    idf1: float, hota: float, bound: float, met: tuple[bool, bool]
) -> None:
    standings = [standing_of("reidtrack", idf1, hota), standing_of("a", 78, ahead=5), standing_of("b", 70, ahead=bound)]
    found = judged(cached={"standings": standings})
    assert found == {
        "cached: IDF1 at least 84, HOTA at least 60": (f"{idf1:.1f}, {hota:.1f}", met[0]),
        "cached: ahead of every peer with the lower 95 % bound": (f"least {bound:+.1f}", met[1]),
    }


def test_one_seed_proves_no_lead() -> None:
    peer = standing_of("a", 78)
    peer["ahead"] = {f: {"mean": 5.0, "half_width": None} for f in ("idf1", "hota")}
    found = judged(cached={"standings": [standing_of("reidtrack", 85, 61), peer]})
    assert [met for _, met in found.values()] == [True, False]


@pytest.mark.parametrize(
    ("x", "y", "met"), [(70.0, 58.5, (True, True)), (70, 58.4, (True, False)), (60, 58.5, (False, False))]
)
def test_held_out_sequences_ask_for_the_best_mean_and_no_bad_loser(x: float, y: float, met: tuple[bool, bool]) -> None:
    peers = [standing_of("a", 62, x=64, y=60), standing_of("b", 61, x=65, y=57)]
    standings = [standing_of("reidtrack", (x + y) / 2, x=x, y=y), *peers]
    found = judged(**{"motion only": {"standings": standings}})
    assert tuple(met for _, met in found.values()) == met
    assert judged(held_out=False, **{"motion only": {"standings": standings}}) == {}, "settings were chosen on these"


def test_falls_are_judged_beside_the_best_peer() -> None:
    def rates(full: float, *falls: float) -> dict[str, Any]:
        return {"30 Hz": {"idf1": full}} | {f"{k} Hz": {"idf1": 0, "fall": fall} for k, fall in enumerate(falls)}

    found = judged(**{"clip rates": {"reidtrack": rates(90, 2, 2.1), "a": rates(80, 2, 2), "b": rates(70, 9, 9)}})
    assert [met for _, met in found.values()] == [True, False]
    assert judged(**{"clip rates": {"reidtrack": rates(90, 2, 3)}}) == {}


def test_noise_may_cost_one_point() -> None:
    rows = {"x": {"without": 80.0, "random": 79.0}, "y": {"without": 70.0, "random": 71.0}}
    (found,) = judged(**{"random vectors": rows}).values()
    assert found == ("-1.0 on x", True)
    rows["y"]["random"] = 68.9
    (found,) = judged(**{"random vectors": rows}).values()
    assert found == ("-1.1 on y", False)


def test_the_store_knows_what_was_done_and_only_that(tmp_path: Path) -> None:
    from accuracy.runs import Run, Store

    done = runs_of("peer", {"a": [78.0]})[0]
    failed = Run("b", 0, "peer", "1", "", "d", error="ValueError: no")
    store = Store(tmp_path / "runs.jsonl")
    store.add(done)
    store.add(failed)
    again = Store(tmp_path / "runs.jsonl")
    assert again.find(replace(done, scores={})) == done
    assert again.find(failed) is None, "what failed is tried again"
    for change in ({"version": "2"}, {"settings": "x"}, {"digest": "e"}, {"seed": 1}, {"seed": None}):
        assert again.find(replace(done, **change)) is None


def test_bars_are_as_long_as_the_scores() -> None:
    from accuracy.chart import bars

    def standing(name: str, idf1: float) -> dict[str, Any]:
        return {"tracker": name, "means": {"idf1": idf1}, "half_width": None}

    picture = bars("title", [standing("peer", 60.0), standing("reidtrack", 80.0)])
    mine, theirs = (np.all(picture == colour, axis=2).sum() for colour in ((60, 120, 30), (190, 170, 140)))
    assert mine == pytest.approx(3 * theirs, rel=0.05)  # the axis begins ten below the lowest


# ---- peers -----------------------------------------------------------------------------------------------------------


def test_peers_are_told_apart_and_chosen_by_name() -> None:
    import peers

    assert len({p.name for p in peers.PEERS}) == len(peers.PEERS)
    with pytest.raises(ValueError, match="--peers must be part of a peer's name, got 'sorty'"):
        peers.choose(["sorty"])
    with_vectors = {p.name for p in peers.PEERS if p.runs_on(with_embeddings=True)}
    without = {p.name for p in peers.PEERS if p.runs_on(with_embeddings=False)}
    assert "ultralytics BoT-SORT+emb" in with_vectors - without
    assert "ultralytics BoT-SORT" in without - with_vectors
    assert "norfair iou" in with_vectors & without


def test_who_is_absent_is_listed_with_the_command() -> None:
    import peers

    missing = peers.Peer("none such", "no-such-distribution", peers.Appearance.IGNORED, "", lambda _: None)
    assert missing.version is None
    here = {p.distribution for p in peers.PEERS if p.version is not None}
    everyone = {p.distribution for p in peers.PEERS}
    assert set(peers.absent()) == {f"pip install {name}" for name in everyone - here}


def all_trackers() -> list[str]:
    sys.path.insert(0, str(TOOLS))
    try:
        import peers

        return [p.name for p in (peers.OURS, *peers.PEERS)]
    finally:
        sys.path.remove(str(TOOLS))


@pytest.mark.filterwarnings("ignore")  # other people's
@pytest.mark.parametrize("name", all_trackers())
def test_each_tracker_follows_two_people(name: str) -> None:
    import peers

    peer = next(p for p in (peers.OURS, *peers.PEERS) if p.name == name)
    if peer.version is None:
        pytest.skip(f"pip install {peer.distribution}")
    step = peer.make(peers.Scene(25.0, (640, 480)))
    vectors = np.eye(2, 16, dtype=np.float32)[:, : 0 if peer.appearance is peers.Appearance.OFF else 16]
    last: set[int] = set()
    for frame in range(1, 13):
        left = np.array([[10 + 3 * frame, 10], [210 + 3 * frame, 10]], np.float32)
        boxes = np.c_[left, left + np.float32([50, 150]), np.float32([0.9, 0.9]), np.zeros(2, np.float32)]
        ids, places = step(peers.Seen(frame, boxes.astype(np.float32), vectors))
        if frame > 6:
            assert len(ids) == 2
            assert not last or set(ids.tolist()) == last
            np.testing.assert_allclose(np.sort(places[:, 0]), boxes[:, 0], atol=8)
            last = set(ids.tolist())


# ---- the command -----------------------------------------------------------------------------------------------------


def command(*words: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(TOOLS / "bench_accuracy.py"), *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_a_whole_run_and_what_it_need_not_do_again(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("trackeval", reason="needs the extra [eval]")
    words = [data, "--suites", "cached", "frame rate", "random vectors", "--sequences", "TUD", "Venice"]
    words += ["--no-peers", "--seeds", "2", "--jobs", "1", "--out", tmp_path / "out"]
    done = command(*words)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["cached"]["standings"][0]["means"]["idf1"] > 80
    assert report["cached"]["seeds"] == 2
    assert set(report["random vectors"]) == {"TUD-Stadtmitte", "Venice-2"}
    assert (tmp_path / "out" / "chart-cached.png").stat().st_size > 1000
    assert (tmp_path / "out" / "report.md").read_text().strip() == done.stdout.strip()
    assert "| **reidtrack** |" in done.stdout
    assert done.stdout.count(" | met |") == 2
    again = command(*words)
    assert again.stdout == done.stdout
    assert ", 0 to do" in again.stderr


@pytest.mark.parametrize(("faults", "code"), [((), 0), (("too low",), 1)])
def test_a_missed_bar_is_the_exit_code(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: tuple[str, ...], code: int
) -> None:
    import bench_accuracy
    from online.checks import Check

    monkeypatch.setattr(bench_accuracy, "bars", lambda *_: [Check("much", "little", faults)])
    words = [str(data), "--suites", "cached", "--no-peers", "--report", "--quiet", "--out", str(tmp_path / "out")]
    assert bench_accuracy.main(words) == code
    assert ("| much | little | MISSED |" in (tmp_path / "out" / "report.md").read_text()) == bool(code)


def test_rendered_clips_at_two_rates(tmp_path: Path) -> None:
    pytest.importorskip("trackeval", reason="needs the extra [eval]")
    words = [tmp_path, "--suites", "clips", "clip rates", "--clip-seeds", "100", "--clip-duration", "3", "--no-peers"]
    done = command(*words, "--seeds", "1", "--jobs", "1", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [s["tracker"] for s in report["clips"]["standings"]] == ["reidtrack"]
    assert list(report["clip rates"]["reidtrack"]) == ["30 Hz", "10 Hz", "5 Hz"]
    assert sorted(p.name for p in (tmp_path / "out" / "clips").iterdir()) == [
        f"demo-100-{rate}hz" for rate in (10, 25, 30, 5)
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "0"], "--seeds and --jobs must be at least 1, got 0"),
        (["--sequences", "nowhere"], "--sequences must be part of an input's name, got ['nowhere']; inputs are: TUD"),
        (["--peers", "sorty"], "--peers must be part of a peer's name, got 'sorty'"),
    ],
)
def test_wrong_calls_are_refused_in_one_line(data: Path, tmp_path: Path, words: list[str], said: str) -> None:
    done = command(data, *words, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_without_sequences_is_refused(tmp_path: Path) -> None:
    done = command(tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "DATA must hold gt_text/, seq/ and cache/" in done.stderr
