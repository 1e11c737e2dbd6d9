"""The benchmark of moving cameras runs, its table says what it should, and it judges by its bars."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trackeval", reason="needs the extra [eval]")

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench_camera.py"


def run(*words: str) -> tuple[int, list[list[str]], list[str]]:
    """Exit code, cells of the table's rows, and the lines below."""
    line = [sys.executable, str(SCRIPT), "--seeds", "100", "--rates", "5", *words]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    table, _, below = done.stdout.partition("\n\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return done.returncode, rows, below.splitlines()


def test_it_prints_a_row_for_each_camera_and_judges() -> None:
    code, rows, below = run("--duration", "12", "--width", "480")
    assert [row[:2] for row in rows] == [["static", "5"], ["pan", "5"], ["shake", "5"]]
    missed = []
    for kind, _, off, estimated, true, of_static, ms, share in rows:
        scores = [float(value) for value in (off, estimated, true)]
        assert all(0 < score <= 100 for score in scores)
        assert float(ms) > 0
        assert 0 < float(share.rstrip("%")) < 100
        if kind == "static":
            assert off == estimated == true  # the estimate says that it stands, in every frame
            assert of_static == "100.0%"
            # what is printed as 5.0 may be a little less
            late = any("static" in line for line in below) if share == "5.0%" else float(share.rstrip("%")) >= 5
            missed += [kind] if late else []
        else:
            assert float(estimated) > 0.9 * float(true)
            missed += [kind] if float(of_static.rstrip("%")) < 90 else []
    assert code == bool(missed)
    assert [line.split()[1] for line in below] == (missed or ["met"])


def test_one_camera_alone_has_nothing_to_be_compared_with() -> None:
    code, rows, below = run("--duration", "4", "--width", "320", "--cameras", "pan")
    assert [row[0] for row in rows] == ["pan"]
    assert rows[0][5] == ""
    assert (code, below) == (0, ["bars met"])


@pytest.mark.parametrize(
    ("camera", "of_static", "share", "missed"),
    [
        ("static", 1.0, 0.049, ""),
        ("static", 1.0, 0.05, "static at 10 Hz: the estimate takes 5.0% of the time, 5% allowed"),
        ("pan", 0.9, 0.3, ""),
        ("shake", 0.899, 0.3, "shake at 10 Hz: 89.9% of static, 90% demanded"),
        ("shake", None, 0.3, ""),
    ],
)
def test_the_bars(camera: str, of_static: float | None, share: float, missed: str) -> None:
    from bench_camera import Row

    idf1 = dict.fromkeys(("off", "estimated", "true"), 80.0)
    assert Row(camera, 10.0, idf1, of_static, 0.3, share).missed == missed
