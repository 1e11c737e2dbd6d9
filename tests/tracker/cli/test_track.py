from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from reid.errors import ModelError
from tracker.cli.checks import existing_results
from tracker.cli.context import Context
from tracker.cli.progress import RunProgress
from tracker.cli.settings import TrackSettings
from tracker.cli.track import _folder_name, _follow
from tracker.cli.track_parts import open_detector_of
from tracker.detectors import FileDetector
from tracker.errors import ConfigError
from tracker.types import SourceInfo


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("street.mp4", "street"),
        ("MOT17-09-FRCNN", "MOT17-09-FRCNN"),
        ("camera 0", "camera-0"),
        ("rtsp://192.168.0.17/live", "rtsp-192.168.0.17-live"),
        ("192.168.0.17", "192.168.0.17"),
        ("../..", "source"),
        ("été à la plage.webm", "été-à-la-plage"),
    ],
)
def test_results_are_named_after_the_source(name: str, folder: str) -> None:
    assert _folder_name(name) == folder


def test_earlier_results_are_found_with_any_suffix(tmp_path: Path) -> None:
    (tmp_path / "annotated.webm").touch()
    (tmp_path / "tracks.txt").touch()
    (tmp_path / "other.txt").touch()
    names = [tmp_path / name for name in ("annotated", "tracks.txt", "tracks.jsonl", "crops")]
    assert existing_results(names) == "annotated.webm, tracks.txt"
    assert existing_results([tmp_path / "crops"]) == ""


def test_the_device_is_the_embedders_where_detections_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "DET.TXT"
    path.write_text("1,-1,5,5,10,20,0.9\n")
    assert isinstance(open_detector_of(TrackSettings("x.mp4", detector=str(path), device="cpu")), FileDetector)
    with pytest.raises(ConfigError, match="device cannot be honoured"):
        open_detector_of(TrackSettings("x.mp4", detector=str(path), device="cpu", embedder="none"))


def test_an_embedder_that_fails_on_the_way_leaves_word_of_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = RunProgress(SourceInfo("x", 8, 6, 25.0, None, live=False), Context())

    def run(sinks: object, on_result: object) -> None:
        progress.frames = 3
        raise ModelError("the model failed")

    with pytest.raises(ModelError):
        _follow(progress, SimpleNamespace(run=run), [], tmp_path, Context())
    assert f"stopped after 3 frames; what was written up to there is in {tmp_path}" in capsys.readouterr().err
