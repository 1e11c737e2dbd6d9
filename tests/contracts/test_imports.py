"""What importing loads, each in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "ultralytics", "onnxruntime", "supervision", "trackeval", "rich")


def modules_after(code: str) -> set[str]:
    """Top-level modules that are loaded once `code` has run."""
    script = f"import sys\n{code}\nprint('\\n'.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import tracker",
        "import reid",
        "import tracker, reid, tracker.detectors, tracker.video, tracker.sinks, tracker.pipeline",
        "import tracker.demo, tracker.evaluation",
        "import reid.evaluation, reid.evaluation.opening, reid.evaluation.robustness, reid.evaluation.search",
        "import reid.data, reid.tracklets, reid.learning.sampling, reid.learning.augment_config, reid.online",
    ],
)
def test_the_library_loads_nothing_heavy(code: str) -> None:
    assert modules_after(code).isdisjoint(HEAVY)


def test_the_tracker_core_needs_no_opencv() -> None:
    assert "cv2" not in modules_after("from tracker import Detections, Tracker")


def test_help_is_shown_at_once() -> None:
    loaded = modules_after(
        "import contextlib, io\nfrom tracker.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n    assert main(['--help']) == 0"
    )
    assert loaded.isdisjoint((*HEAVY, "cv2", "numpy", "scipy", "yaml"))


def test_no_seed_is_set_and_no_log_handler_added_by_importing() -> None:
    code = (
        "import logging, random\nbefore = random.getstate()\nimport tracker, reid, tracker.pipeline\n"
        "assert random.getstate() == before\nassert not logging.getLogger().handlers\n"
        "assert all(not logging.getLogger(n).handlers for n in ('tracker', 'reid'))"
    )
    assert "tracker" in modules_after(code)
