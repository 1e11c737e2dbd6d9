"""The set-up script's own decisions; that it really installs is shown by CI and by every user."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "start.py"


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, with an empty checkout; programs are recorded in `ran` and succeed."""
    spec = importlib.util.spec_from_file_location("start_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    module.ROOT = tmp_path
    module.ran = []
    module.fail = lambda words: False
    module.said = ""

    def run(words: list[str], **_: object) -> SimpleNamespace:
        module.ran.append(" ".join(words))
        failed = module.fail(words)
        return SimpleNamespace(returncode=int(failed), stderr=module.said if failed else "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(module.venv, "create", lambda folder, **_: make_python(folder))
    return module


def make_python(folder: Path) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("")


def test_it_speaks_the_python_of_old_machines() -> None:
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_without_a_job_it_explains_itself(start: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main([]) == start.main(["build"]) == 2
    assert "python3 tools/start.py demo" in capsys.readouterr().out
    assert start.ran == []


def test_the_demo_installs_no_torch_and_runs(start: ModuleType, tmp_path: Path) -> None:
    assert start.main(["demo", "--seed", "3"]) == 0
    python = tmp_path / ".venv" / "bin" / "python"
    assert f"{python} -m pip install --quiet --editable .[cpu,eval]" in start.ran
    assert start.ran[-1] == f"{python} -m tracker.cli.main demo --out demo-out --overwrite --seed 3"
    assert not any("torch" in line for line in start.ran)


def test_the_tests_take_the_cpu_build_of_torch(start: ModuleType, tmp_path: Path) -> None:
    assert start.main(["test", "-k", "boxes"]) == 0
    python = tmp_path / ".venv-test" / "bin" / "python"
    assert f"{python} -m pip install --quiet {start.TORCH}" in start.ran
    assert f"{python} -m pip install --quiet --editable .[dev,train]" in start.ran
    assert start.ran[-1] == f"{python} -m pytest -n auto --dist loadfile -k boxes"


def test_torch_comes_from_its_own_index_where_pip_knows_none(start: ModuleType) -> None:
    start.fail = lambda words: start.TORCH in words and "--index-url" not in words
    assert start.main(["test"]) == 0
    assert any(f"--index-url {start.TORCH_INDEX} {start.TORCH}" in line for line in start.ran)


def test_the_second_time_nothing_is_installed(start: ModuleType, tmp_path: Path) -> None:
    start.main(["demo"])
    start.ran.clear()
    start.main(["demo"])
    assert len(start.ran) == 1
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'changed'\n")
    start.main(["demo"])
    assert any("install" in line for line in start.ran), "a changed pyproject is installed again"


def test_a_failed_installation_is_not_taken_for_a_finished_one(start: ModuleType, tmp_path: Path) -> None:
    start.fail = lambda words: "--editable" in words
    with pytest.raises(SystemExit, match=r"pip install --editable .* failed"):
        start.main(["demo"])
    assert not (tmp_path / ".venv" / "reidtrack-installed").exists()


def test_without_desktop_libraries_the_headless_opencv_is_taken(start: ModuleType) -> None:
    start.fail = lambda words: words[-1] == "import cv2"
    start.said = "ImportError: libGL.so.1: cannot open shared object file"
    assert start.main(["demo"]) == 0
    assert any("uninstall --quiet --yes opencv-python" in line for line in start.ran)
    assert any("opencv-python-headless" in line for line in start.ran)


def test_another_failure_of_opencv_is_shown(start: ModuleType) -> None:
    start.fail = lambda words: words[-1] == "import cv2"
    start.said = "ImportError: numpy is too old"
    with pytest.raises(SystemExit, match="numpy is too old"):
        start.main(["demo"])


def bare(start: ModuleType, monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    """A Python without pip and ensurepip, on a machine with apt-get and sudo."""
    start.fail = lambda words: words[-1] == "import pip"
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(start.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(start.os, "geteuid", lambda: user)


@pytest.mark.parametrize(("user", "prefix"), [(0, ""), (1000, "sudo -n ")])
def test_a_bare_python_gets_pip_from_the_system(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, user: int, prefix: str
) -> None:
    bare(start, monkeypatch, user)
    assert start.main(["demo"]) == 0
    assert f"{prefix}apt-get install -qq --yes --no-install-recommends python3-venv" in start.ran
    assert any(line.endswith("-m ensurepip --default-pip") for line in start.ran)


def test_where_that_fails_the_system_package_is_named(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    bare(start, monkeypatch, 1000)
    start.fail = lambda words: words[-1] in ("import pip", "--default-pip", "python3-venv")
    with pytest.raises(SystemExit, match="apt-get install python3-venv"):
        start.main(["demo"])
