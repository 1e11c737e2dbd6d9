"""The names that others may build on. A change here is a change of the interface: it goes into CHANGELOG.md."""

from __future__ import annotations

import importlib
import inspect

import pytest

from reid import Embedder
from reid.data import open_crops
from reid.online import OnlineTrainer, TrackedBoxes
from tracker import Tracker
from tracker.camera import CameraMotion
from tracker.detectors import open_detector
from tracker.pipeline import Pipeline
from tracker.refinement import History, refine
from tracker.sinks import open_sinks
from tracker.video import open_source

PUBLIC = {
    "tracker": "Detections Frame FrameResult Pipeline PipelineConfig TrackEvent Tracker TrackerConfig TrackerError "
    "Tracks",
    "tracker.camera": "CameraMotion CameraMotionConfig",
    "tracker.detectors": "FileDetector MotionDetector MotionDetectorConfig OnnxDetector OnnxDetectorConfig "
    "UltralyticsDetector open_detector",
    "tracker.evaluation": "Benchmark EvaluationReport MotTracks MotTruth Scores evaluate evaluate_files "
    "read_mot_tracks read_mot_truth score_tracks",
    "tracker.explanation": "BirthDecision Decision Explanation IdentityCandidate IdentityDecision MatchCandidate "
    "MatchDecision",
    "tracker.demo": "DemoClip DemoConfig Truth",
    "tracker.refinement": "Appearance History HistoryRecorder Refinement RefinementConfig refine",
    "tracker.sinks": "SINK_KINDS CropsSink CsvSink ExplainSink JsonlSink MotSink TrackletsSink VideoSink online_sinks "
    "open_sinks",
    "tracker.video": "StreamTimeouts open_source",
    "reid": "Calibration Card DataError DeviceError Embedder EmbedderInfo InputError MissingExtraError ModelError "
    "ReidError calibrate fit_calibration",
    "reid.data": "DIFFERENT SAME UNKNOWN Crops DataConfig detect_kind join_crops open_crops split_identities",
    "reid.tracklets": "CutConfig PieceCutter Pieces StoreSize TrackletRun TrackletWriter Tracklets is_tracklet_store "
    "measure_tracklets read_tracklets remove_tracklets tidy_tracklets",
    "reid.evaluation": "Estimate EvaluationConfig Reassociation Report evaluate",
}

ERRORS = {
    "tracker.errors": "TrackerError InputError ConfigError SourceError ModelError OutputError DisplayError "
    "MissingExtraError",
    "reid.errors": "ReidError InputError ModelError DataError DeviceError MissingExtraError",
}

SIGNATURES = {
    Tracker.__init__: "config *appearance *explain",
    Tracker.update: "detections *time_s *embed *camera_motion *include_coasted",
    Tracker.predict: "time_s *include_coasted",
    Tracker.explain: "track_id",
    Tracker.forget: "ids",
    Tracker.reset: "",
    Tracker.change_embedder: "info again",
    Embedder.__init__: "model *device *card *max_batch *threads *external_data",
    Embedder.__call__: "image boxes",
    Embedder.crops: "pixels",
    CameraMotion.__init__: "config",
    CameraMotion.update: "image boxes",
    CameraMotion.reset: "",
    History.of: "frame ids boxes *rate_hz *scores *classes *frame_size",
    refine: "history config *appearance",
    Pipeline.__init__: "source detector embedder tracker *config",
    open_detector: "name *device *conf *classes *threads *onnx *motion",
    open_source: "spec *start *end *rate_hz *timeouts",
    open_sinks: "kinds out *overwrite *rate_hz *reasons",
    open_crops: "path *kind *frames *config",
    OnlineTrainer.__init__: (
        "embedder folder config *camera *rate_hz *device *worker *least_score *tracker *on_event *wall *steady"
    ),
    OnlineTrainer.observe: "image tracks *time_s *detections *frame",
    TrackedBoxes.__init__: "*ids *boxes *scores *classes *seen *covered *renamed *broken *doubted",
}


@pytest.mark.parametrize("package", sorted(PUBLIC))
def test_packages_export_these_names(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(PUBLIC[package].split())
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("module", sorted(ERRORS))
def test_errors_form_one_small_tree(module: str) -> None:
    loaded = importlib.import_module(module)
    found = {name for name, value in vars(loaded).items() if inspect.isclass(value) and value.__module__ == module}
    base, *others = ERRORS[module].split()
    assert found == {base, *others}
    assert all(issubclass(getattr(loaded, name), getattr(loaded, base)) for name in others)


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_arguments_keep_their_names(function: object) -> None:
    parameters = list(inspect.signature(function).parameters.values())
    shown = ["*" * (p.kind is p.KEYWORD_ONLY) + p.name for p in parameters if p.name != "self"]
    assert " ".join(shown) == SIGNATURES[function]
