from __future__ import annotations

import importlib
import importlib.metadata
import sys
from types import SimpleNamespace
from typing import Any

import pytest

import reid.embedder
from reid.errors import DeviceError
from tracker.cli import diagnosis
from tracker.cli.diagnosis import Finding, can_run, examine
from tracker.cli.main import main


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Change what seems to be installed: a version, or None for absent."""
    changed: dict[str, str | None] = {}
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name in changed:
            found = changed[name]
            if found is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return found
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    return changed


def test_a_complete_installation_can_run() -> None:
    findings = examine()
    assert can_run(findings), [finding for finding in findings if finding.state == "broken"]
    found = by_subject(findings)
    assert {"python", "reidtrack", "numpy", "scipy", "OpenCV", "video backends", "annotated video", "onnxruntime",
            "execution providers", "GPU", "default embedder", "extra [eval]", "extra [yolo]"} <= set(found)  # fmt: skip
    assert "FFMPEG" in found["video backends"].text
    assert "CPUExecutionProvider" in found["execution providers"].text


def test_both_runtimes_at_once_are_refused_with_the_cure(installed: dict[str, str | None]) -> None:
    installed["onnxruntime-gpu"] = "1.20.0"
    finding = by_subject(examine())["onnxruntime"]
    assert finding.state == "broken"
    assert "installed at once" in finding.text
    assert finding.cure == ('pip uninstall -y onnxruntime onnxruntime-gpu && pip install "reidtrack[gpu]"')


def test_a_missing_runtime_names_both_extras(
    installed: dict[str, str | None], capsys: pytest.CaptureFixture[str]
) -> None:
    installed["onnxruntime"] = None
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert 'pip install "reidtrack[cpu]"' in said
    assert '"reidtrack[gpu]"' in said
    assert "Tracking cannot run here" in said


@pytest.mark.parametrize("extra", sorted(diagnosis.EXTRAS))
def test_a_missing_extra_is_no_failure_and_comes_with_its_command(extra: str, installed: dict[str, str | None]) -> None:
    installed[diagnosis.EXTRAS[extra][0]] = None
    findings = examine()
    finding = by_subject(findings)[f"extra [{extra}]"]
    assert (finding.state, finding.cure) == ("missing", f'pip install "reidtrack[{extra}]"')
    assert can_run(findings)


def test_an_opencv_that_cannot_be_loaded_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def fail(name: str) -> Any:
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name)

    monkeypatch.setattr(importlib, "import_module", fail)
    finding = by_subject(examine())["OpenCV"]
    assert finding.state == "broken"
    assert "libGL.so.1" in finding.text
    assert "apt-get install libgl1" in finding.cure


def test_a_cpu_build_says_why_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_driver", lambda: "NVRM version: 550")
    finding = by_subject(examine())["GPU"]
    assert "CPU-only build of onnxruntime is installed; NVRM version: 550" in finding.text
    assert "reidtrack[gpu]" in finding.cure


def with_cuda_listed(monkeypatch: pytest.MonkeyPatch, device: object) -> Finding:
    """The finding where onnxruntime lists CUDA and opening a session on it gives `device` or raises it."""
    fake = SimpleNamespace(get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)

    def open_embedder(*, device: str) -> object:
        assert device == "cuda"
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(device=answer)

    answer = device
    monkeypatch.setattr(reid.embedder, "Embedder", open_embedder)
    [finding] = diagnosis._gpu()
    return finding


def test_a_working_gpu_is_shown_by_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = with_cuda_listed(monkeypatch, "cuda:0")
    assert finding.state == "ok"
    assert "a session runs on cuda:0" in finding.text


def test_a_listed_gpu_that_does_not_work_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = with_cuda_listed(monkeypatch, DeviceError("libcudnn.so.9 is missing"))
    assert finding.state == "note"
    assert "not usable: libcudnn.so.9 is missing" in finding.text
