"""The files in configs/, the defaults, and the generated reference."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import pytest
import yaml

from reid.online.config import OnlineConfig
from tracker import TrackerConfig
from tracker.cli.adapt_settings import AdaptSettings
from tracker.cli.config_file import load_config
from tracker.cli.flags import parse_arguments
from tracker.cli.schema import build, keys
from tracker.cli.settings import TrackSettings
from tracker.cli.train_settings import TrainSettings
from tracker.detectors import MotionDetectorConfig, OnnxDetectorConfig
from tracker.pipeline import PipelineConfig

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SOURCE = {("source",): "x"}
OF_OTHERS: dict[str, type] = {"train": TrainSettings, "adapt": AdaptSettings, "online": OnlineConfig}
"""Files of others than `track`."""
REQUIRED: dict[type, dict[str, Any]] = {AdaptSettings: {"source": (Path("x"),)}, OnlineConfig: {}}
"""What no file can give, where it is not `SOURCE`."""


def parse(*words: str) -> TrackSettings:
    return parse_arguments(TrackSettings, words, command="track", summary="", examples="", config=True)


def test_there_is_a_file_a_use() -> None:
    assert {path.stem for path in CONFIGS} >= {"track", "crowd", "webcam", "stream"}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_file_loads_and_is_commented(path: Path) -> None:
    settings = OF_OTHERS.get(path.stem, TrackSettings)
    values = load_config(path, settings)
    assert values
    given = {(name,): value for name, value in REQUIRED.get(settings, {"source": "x"}).items()}
    assert isinstance(build(settings, {**given, **values}), settings)
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_vehicles_are_given_old_numbers_more_seldom_than_others() -> None:
    values = load_config(ROOT / "configs" / "vehicles.yaml", TrackSettings)
    assert values["tracker", "recall_evidence"] > TrackerConfig().recall_evidence


@pytest.mark.parametrize(("name", "settings"), [("track", TrackSettings), *OF_OTHERS.items()])
def test_the_default_file_is_the_defaults_and_has_every_key(name: str, settings: type) -> None:
    values = load_config(ROOT / "configs" / f"{name}.yaml", settings)
    required = REQUIRED.get(settings, {"source": "x"})
    assert build(settings, {**{(name,): value for name, value in required.items()}, **values}) == settings(**required)
    assert set(values) == {key.path for key in keys(settings) if key.in_file}


def test_the_command_has_the_defaults_of_the_library() -> None:
    settings = parse("x")
    assert settings.tracker == TrackerConfig()
    assert settings.motion == MotionDetectorConfig()
    assert settings.onnx == OnnxDetectorConfig()
    pipeline = PipelineConfig()
    assert (settings.every, settings.include_coasted) == (pipeline.every, pipeline.include_coasted)


@pytest.mark.parametrize("settings", [TrackSettings, TrainSettings, OnlineConfig])
def test_every_key_is_documented_has_a_default_and_a_flag(settings: type) -> None:
    for key in keys(settings):
        assert len(key.doc) > 10, f"{key.name} has no documentation"
        assert key.default is not MISSING or key.metadata.get("positional"), key.name
        assert key.flag.startswith("--")


def test_flags_override_the_file_and_the_file_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump({"every": 3, "conf": 0.4, "tracker": {"memory_s": 5, "max_lost_s": 7}}))
    settings = parse("x", "--config", str(path), "--conf", "0.2", "--tracker.memory-s", "9")
    assert (settings.every, settings.conf) == (3, 0.2)
    assert (settings.tracker.memory_s, settings.tracker.max_lost_s) == (9.0, 7.0)


def test_a_check_that_needs_both_sees_both(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("tracker: {low_score: 0.3}\n")
    settings = parse("x", "--config", str(path), "--tracker.high-score", "0.4")
    assert (settings.tracker.low_score, settings.tracker.high_score) == (0.3, 0.4)


def test_lists_are_separated_by_commas() -> None:
    settings = parse("x", "--save", "mot,jsonl", "--classes", "person,car", "--onnx.mean", "1,2,3")
    assert settings.save == ("mot", "jsonl")
    assert settings.classes == ("person", "car")
    assert settings.onnx.mean == (1.0, 2.0, 3.0)


def test_every_key_in_a_file_is_shown_by_help_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help-all")
    text = capsys.readouterr().out
    assert all(key.flag in text for key in keys(TrackSettings) if key.in_file)


def test_the_generated_reference_is_current() -> None:
    script = ROOT / "tools" / "write_reference.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
