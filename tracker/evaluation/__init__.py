"""Tracks against ground truth: MOTChallenge files in, HOTA, IDF1, MOTA and counts out (needs the extra `eval`)."""

from tracker.evaluation.mot import Benchmark, MotTracks, MotTruth, read_mot_tracks, read_mot_truth
from tracker.evaluation.scoring import EvaluationReport, Scores, evaluate, evaluate_files, score_tracks

__all__ = [
    "Benchmark",
    "EvaluationReport",
    "MotTracks",
    "MotTruth",
    "Scores",
    "evaluate",
    "evaluate_files",
    "read_mot_tracks",
    "read_mot_truth",
    "score_tracks",
]
