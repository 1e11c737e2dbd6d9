from __future__ import annotations

from pathlib import Path

import pytest

from tracker.cli.checks import existing_results
from tracker.cli.track import _folder_name


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
