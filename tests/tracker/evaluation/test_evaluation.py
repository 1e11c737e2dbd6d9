"""Scores of small made cases, file layouts, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.errors import InputError, MissingExtraError
from tracker.evaluation import (
    MotTracks,
    MotTruth,
    evaluate,
    evaluate_files,
    read_mot_tracks,
    read_mot_truth,
    score_tracks,
)
from tracker.evaluation.layout import TruthFile, match_tracks


def truth_of(rows: list[tuple[int, int, float]], benchmark="MOT15", considered=None, classes=None) -> MotTruth:
    """(frame, id, x) rows of boxes 10 wide and 20 high."""
    frame, identity, x = (np.array(column) for column in zip(*rows, strict=True))
    boxes = np.stack((x, np.zeros(len(x)), x + 10, np.full(len(x), 20.0)), axis=1).astype(float)
    flags = np.ones(len(x), bool) if considered is None else np.array(considered)
    kinds = np.ones(len(x), np.int64) if classes is None else np.array(classes)
    return MotTruth(frame, identity, boxes, flags, kinds, benchmark)


def tracks_of(rows: list[tuple[int, int, float]]) -> MotTracks:
    truth = truth_of(rows)
    return MotTracks(truth.frame, truth.id, truth.boxes)


ONE = [(frame, 1, 5.0 * frame) for frame in range(1, 11)]


def test_perfect_tracks():
    scores = score_tracks(truth_of(ONE), tracks_of(ONE))
    assert (scores.hota, scores.det_a, scores.ass_a, scores.idf1, scores.mota) == pytest.approx((100,) * 5)
    assert (scores.switches, scores.fragments, scores.true_boxes, scores.tracked_boxes) == (0, 0, 10, 10)


def test_an_identity_that_changes_half_way():
    scores = score_tracks(truth_of(ONE), tracks_of([(f, 1 if f <= 5 else 2, x) for f, _, x in ONE]))
    assert scores.switches == 1
    assert scores.idf1 == pytest.approx(50)
    assert scores.mota == pytest.approx(90)
    assert scores.ass_a == pytest.approx(50)
    assert scores.det_a == pytest.approx(100)
    assert scores.hota == pytest.approx(100 * np.sqrt(0.5))


def test_nothing_tracked_is_nought_and_silent(capsys):
    empty = MotTracks(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)))
    scores = score_tracks(truth_of(ONE), empty)
    assert (scores.hota, scores.idf1, scores.mota, scores.misses) == (0, 0, 0, 10)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_track_on_a_distractor_is_not_counted_and_one_on_an_ignored_person_is():
    both = [(1, 1, 0.0), (1, 2, 100.0)]
    distractor = score_tracks(truth_of(both, "MOT17", classes=[1, 8]), tracks_of(both))
    assert (distractor.false_positives, distractor.tracked_boxes) == (0, 1)
    car = score_tracks(truth_of(both, "MOT17", classes=[1, 3]), tracks_of(both))
    assert (car.false_positives, car.tracked_boxes) == (1, 2)
    ignored = score_tracks(truth_of(both, considered=[True, False]), tracks_of(both))
    assert (ignored.false_positives, ignored.true_boxes) == (1, 1)


def test_combined_counts_are_sums():
    good, bad = tracks_of(ONE), tracks_of([(f, f, x) for f, _, x in ONE])
    report = evaluate({"a": (truth_of(ONE), good, None), "b": (truth_of(ONE), bad, 20)})
    assert report.combined.switches == report.sequences["a"].switches + report.sequences["b"].switches == 9
    assert report.combined.true_boxes == 20
    assert report.combined.true_ids == 2
    assert report.sequences["b"].hota < report.combined.hota < report.sequences["a"].hota


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(1, 5)), st.integers(0, 2**31))
def test_scores_do_not_depend_on_labels_or_row_order(labels, seed):
    rng = np.random.default_rng(seed)
    rows = [(f, i, 30.0 * i + rng.normal(0, 2)) for f in range(1, 8) for i in range(1, 5) if rng.random() < 0.8]
    truth = truth_of([(f, i, 30.0 * i) for f in range(1, 8) for i in range(1, 5)])
    renamed = [(f, 100 * labels[i - 1], x) for f, i, x in rows]
    rng.shuffle(renamed)
    if rows:
        assert score_tracks(truth, tracks_of(rows)) == score_tracks(truth, tracks_of(renamed))


def test_without_trackeval_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    with pytest.raises(MissingExtraError, match=r'pip install "reidtrack\[eval\]"'):
        score_tracks(truth_of(ONE), tracks_of(ONE))


def mot(rows, extra="1,1,1") -> str:
    return "".join(f"{f},{i},{x},0,10,20,{extra}\n" for f, i, x in rows)


@pytest.fixture
def sequences(tmp_path) -> Path:
    for name in ("A", "B"):
        (tmp_path / "gt" / name / "gt").mkdir(parents=True)
        (tmp_path / "gt" / name / "gt" / "gt.txt").write_text(mot(ONE))
        (tmp_path / "gt" / name / "seqinfo.ini").write_text("[Sequence]\nseqLength=12\n")
    (tmp_path / "gt" / "notes").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("gt", "tracks"),
    [
        ("gt/A/gt/gt.txt", ["any.txt"]),
        ("gt/A", ["any.txt"]),
        ("gt/A/gt", ["any.txt"]),
        ("gt", ["A.txt", "B.txt"]),
        ("gt", ["A/tracks.txt", "B.txt"]),
        ("gt", ["results"]),
    ],
)
def test_layouts(sequences, gt, tracks):
    for name in ("any.txt", "A.txt", "B.txt", "A/tracks.txt", "results/A.txt", "results/B.txt"):
        (sequences / name).parent.mkdir(exist_ok=True)
        (sequences / name).write_text(mot(ONE, "0.9,-1,-1,-1"))
    report = evaluate_files(sequences / gt, [sequences / t for t in tracks])
    assert len(report.sequences) == (2 if gt == "gt" else 1)
    assert report.combined.hota == pytest.approx(100)


def test_sequences_without_tracks_are_left_out_and_named(sequences, caplog):
    (sequences / "B.txt").write_text(mot(ONE))
    assert list(evaluate_files(sequences / "gt", [sequences / "B.txt"]).sequences) == ["B"]
    assert "left out: A" in caplog.text


def test_blank_lines_blanks_and_a_byte_order_mark_are_read(tmp_path):
    (tmp_path / "t.txt").write_text("\ufeff1 7 0 0 10 20 1\n\n  \n2 7 1 0 10 20 1\n", encoding="utf-8")
    tracks = read_mot_tracks(tmp_path / "t.txt")
    assert tracks.frame.tolist() == [1, 2]
    assert tracks.boxes.tolist() == [[0, 0, 10, 20], [1, 0, 11, 20]]
    (tmp_path / "empty.txt").write_text("")
    assert len(read_mot_tracks(tmp_path / "empty.txt").id) == 0


BAD_ROWS = [
    ("1,1,0,0,10,20,1\n2,1,0,0,10\n", ":2: every row must have 7 columns as the first, got 5"),
    ("1,1,0,0,10,20,1\n2,1,0,zero,10,20,1\n", ":2: column 4 must be a number, got 'zero'"),
    ("1,1,0,0\n", ":1: a row must have at least 7 columns, got 4"),
    ("0,1,0,0,10,20,1\n", ":1: frame (column 1) must be 1 or more, got 0"),
    ("1.5,1,0,0,10,20,1\n", ":1: frame (column 1) must be a whole number, got 1.5"),
    ("1,1,0,0,10,20,1\n\n\n2,nan,0,0,10,20,1\n", ":4: id (column 2) must be a whole number, got nan"),
    ("1,1,0,0,10,20,1\n1,9223372036854775807,0,0,10,20,1\n", ":2: id (column 2) must be within +-(2^53 - 1), got 9.22"),
    ("9007199254740992,1,0,0,10,20,1\n", ":1: frame (column 1) must be within +-(2^53 - 1), got 9.0072e+15"),
    ("1,1,inf,0,10,20,1\n", ":1: left (column 3) must be finite, got inf"),
    ("1,1,0,0,-10,20,1\n", ":1: width (column 5) must be 0 or more, got -10"),
    ("1,1,0,0,10,-2,1\n", ":1: height (column 6) must be 0 or more, got -2"),
    ("1,1,0,0,10,20,1\n1,2,0,0,10,20,1\n1,1,5,0,10,20,1\n", ":3: id 1 must appear once a frame, but line 1 has it too"),
    ("1,-1,0,0,10,20,1\n1,-1,9,0,10,20,1\n", "(-1 marks detections, not tracks)"),
]


@pytest.mark.parametrize(("text", "message"), BAD_ROWS)
@pytest.mark.parametrize("read", [read_mot_truth, read_mot_tracks])
def test_bad_rows_are_refused_with_their_line(tmp_path, text, message, read):
    file = tmp_path / "bad.txt"
    file.write_text(text)
    if read is read_mot_tracks:
        message = message.replace("at least 7", "at least 6")
    with pytest.raises(InputError) as caught:
        read(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_bad_classes_and_benchmarks_are_refused(tmp_path):
    file = tmp_path / "gt.txt"
    file.write_text("1,1,0,0,10,20,1,14,1\n")
    with pytest.raises(InputError, match=r"gt\.txt:1: class \(column 8\) must be within 1\.\.13, got 14"):
        read_mot_truth(file, "MOT17")
    file.write_text("1,1,0,0,10,20,1\n")
    with pytest.raises(InputError, match=r"MOT20 ground truth must have a class in column 8, got 7 columns"):
        read_mot_truth(file, "MOT20")
    with pytest.raises(InputError, match=r"benchmark must be auto, MOT15, MOT16, MOT17, MOT20, got 'KITTI'"):
        read_mot_truth(file, "KITTI")  # type: ignore[arg-type]


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none\.txt: No such file"):
        read_mot_tracks(tmp_path / "none.txt")
    (tmp_path / "picture.txt").write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError, match="must be MOT text, got a file that is not text"):
        read_mot_tracks(tmp_path / "picture.txt")


@pytest.mark.parametrize(
    ("gt", "tracks", "message"),
    [
        ("nowhere", ["A.txt"], "ground truth .*nowhere does not exist"),
        ("gt/notes", ["A.txt"], "must hold gt/gt.txt, gt.txt, or folders of sequences"),
        ("gt", ["missing.txt"], "file of tracks .*missing.txt does not exist"),
        ("gt", ["C.txt"], "C.txt must be named after its sequence, or lie in a folder of its name: A, B"),
        ("gt", ["A.txt", "A/tracks.txt"], "sequence A must have one file of tracks"),
        ("gt", [], "at least one file of tracks must be given"),
        ("gt", ["gt/notes"], "folder of tracks .*notes must hold .txt files"),
        ("gt/A", ["late.txt"], r"A: frames must be within 1\.\.12, the length of the sequence, got 13"),
    ],
)
def test_layouts_that_do_not_fit_are_refused(sequences, gt, tracks, message):
    (sequences / "A").mkdir()
    for name in ("A.txt", "C.txt", "A/tracks.txt"):
        (sequences / name).write_text(mot(ONE))
    (sequences / "late.txt").write_text(mot([(13, 1, 0.0)]))
    with pytest.raises(InputError, match=message):
        evaluate_files(sequences / gt, [sequences / t for t in tracks])


def test_truth_without_a_row_to_score_is_refused():
    with pytest.raises(InputError, match="must have rows to score, all of its 10 are ignored"):
        score_tracks(truth_of(ONE, considered=[False] * 10), tracks_of(ONE))
    with pytest.raises(InputError, match="at least one sequence must be given"):
        evaluate({})


def test_a_broken_seqinfo_is_refused(sequences):
    (sequences / "gt/A/seqinfo.ini").write_text("[Sequence]\nseqLength=many\n")
    (sequences / "A.txt").write_text(mot(ONE))
    with pytest.raises(InputError, match=r"seqinfo\.ini must state seqLength, a whole number"):
        evaluate_files(sequences / "gt/A", [sequences / "A.txt"])


def test_the_refined_tracks_of_a_run_are_no_second_sequence(tmp_path, caplog):
    for name in ("tracks.txt", "tracks-refined.txt"):
        (tmp_path / "A" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "A" / name).write_text("1,1,5,5,10,20,0.9\n")
    truth = [TruthFile(name, tmp_path / "gt.txt", None) for name in ("A", "B")]
    assert match_tracks(truth, [tmp_path / "A"]) == [(truth[0], tmp_path / "A" / "tracks.txt")]
    assert "tracks-refined.txt: to score them, give each by itself" in caplog.text
    refined = tmp_path / "A" / "tracks-refined.txt"
    assert match_tracks(truth, [refined]) == [(truth[0], refined)]
