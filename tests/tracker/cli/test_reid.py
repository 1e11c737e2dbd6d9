"""`reidtrack reid eval`, `verify` and `search` from end to end, with the shipped embedder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.cli.main import main

COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (40, 200, 200), (200, 60, 200))


def cut_out(identity: int, seed: int) -> np.ndarray:
    """(96, 48, 3): a shirt and trousers of the identity's colours, in noise."""
    rng = np.random.default_rng((identity, seed))
    picture = rng.integers(90, 130, (96, 48, 3))
    picture[10:50, 8:40] = np.array(COLOURS[identity]) + rng.integers(-30, 31, (40, 32, 3))
    picture[50:92, 12:36] = np.array(COLOURS[(identity + 2) % 5]) + rng.integers(-30, 31, (42, 24, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`people` with a folder an identity, a model without a calibration, and files that are not what they seem."""
    monkeypatch.chdir(tmp_path)
    for identity in range(5):
        place = tmp_path / "people" / f"person{identity}"
        place.mkdir(parents=True)
        for number in range(4):
            cv2.imwrite(str(place / f"{number}.png"), cut_out(identity, number))
    (tmp_path / "fake.onnx").write_bytes(b"not a model")
    (tmp_path / "fake.png").write_bytes(b"not a picture")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.fixture
def uncalibrated(folder: Path) -> str:
    """A model of mean colours whose file says nothing of itself."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["crops"], ["floats"], to=kinds.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["vectors"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("crops", kinds.UINT8, ["n", 32, 16, 3])],
        [helper.make_tensor_value_info("vectors", kinds.FLOAT, ["n", 3])],
        [helper.make_tensor("axes", kinds.INT64, [2], [1, 2])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), "means.onnx")
    return "means.onnx"


def test_an_evaluation_from_end_to_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "reid",
        "eval",
        "people",
        "--replicates",
        "50",
        "--json",
        "s.json",
        "--csv",
        "s.csv",
        "--examples",
        "e.png",
    ]
    assert main(words) == 0
    said = capsys.readouterr().out
    for text in ("20 crops of 5 identities", "mAP", "rank-10", "mINP", "AUC", "TPR at FPR 1e-3", "low resolution"):
        assert text in said
    assert "needs 10,000 pairs of different identities, there are 160" in said
    values = json.loads((folder / "s.json").read_text())
    assert values["measures"]["rank_1"]["value"] == 1
    assert values["settings"]["data"] == "people"
    assert values["model"]["name"] == "reidtrack-default"
    assert {fall["kind"] for fall in values["robustness"]} >= {"shadow", "occlusion"}
    rows = list(csv.DictReader((folder / "s.csv").read_text().splitlines()))
    by_name = {row["measure"]: row for row in rows}
    assert float(by_name["mean_average_precision"]["value"]) == pytest.approx(
        values["measures"]["mean_average_precision"]["value"], abs=1e-5
    )
    assert by_name["tpr_at_fpr_1e3"]["value"] == ""
    assert by_name["light.fall_of_rank_1"]["low"] != ""
    assert cv2.imread(str(folder / "e.png")).shape[2] == 3


def test_json_alone_goes_to_stdout_and_two_models_are_compared(
    folder: Path, uncalibrated: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "reid",
        "eval",
        "people",
        "--against",
        uncalibrated,
        "--no-robustness",
        "--replicates",
        "20",
        "--json",
        "-",
    ]
    assert main(words) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["robustness"] == []
    gain = values["against"]["gains"]["mean_average_precision"]
    ours, theirs = (part["measures"]["mean_average_precision"]["value"] for part in (values, values["against"]))
    assert gain["value"] == pytest.approx(ours - theirs)
    assert main([*words[:-2], "--rerank", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_the_table_of_two_models(folder: Path, uncalibrated: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reid", "eval", "people", "--against", uncalibrated, "--no-robustness", "--replicates", "20"]) == 0
    said = capsys.readouterr().out
    assert "reidtrack-default against means" in said
    assert "gain" in said


def test_a_mot_sequence_brings_re_association(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(shared_data / "seq/TUD-Stadtmitte")
    words = ["reid", "eval", data, "--no-robustness", "--data.most-crops", "12", "--min-gap-s", "0.8", "--json", "-"]
    assert main([*words, "--replicates", "30"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["data"]["identities"] == 10
    assert values["data"]["rule"] == "crops of the query's identity within 0.8 s are left out"
    assert 0.5 < values["measures"]["mean_average_precision"]["value"] < 1
    later = {part["later_s"]: part for part in values["reassociation"]}
    assert later[1.0]["rank_1"]["value"] > 2 * later[1.0]["chance"]


def test_verify_says_it_by_its_exit_code(folder: Path, uncalibrated: str, capsys: pytest.CaptureFixture[str]) -> None:
    same = ["reid", "verify", "people/person0/0.png", "people/person0/1.png"]
    different = ["reid", "verify", "people/person0/0.png", "people/person1/0.png"]
    assert main([*same, "--threshold", "even"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("same\ncosine ")
    assert "probability  0.9" in said
    assert main(different) == 3
    said = capsys.readouterr().out
    assert said.startswith("different\n")
    assert "1 in 1000 pairs of strangers passes in crops of 300 rendered figures" in said
    assert "\ncaution      rendered figures are no photographs" in said
    assert main([*same, "--model", uncalibrated]) == 4
    said = capsys.readouterr().out
    assert said.startswith("no verdict\n")
    assert "the model's card has no calibration; give --threshold COSINE" in said
    assert main([*same, "--model", uncalibrated, "--threshold", "0.9", "--json", "-"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["same"], values["probability"], values["model"]) == (True, None, "means")
    assert values["caution"] is None
    assert main([*different, "--quiet", "--json", "v.json"]) == 3
    assert capsys.readouterr().out == ""
    assert json.loads((folder / "v.json").read_text())["same"] is False


def test_search_ranks_a_folder(folder: Path, uncalibrated: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["reid", "search", "people/person2/0.png", "people", "--top", "4"]
    assert main([*words, "--out", "found.png", "--json", "found.json"]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert "reidtrack: caution: rendered figures are no photographs" in said.err
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"]
    assert all("person2" in line for line in lines[:3]), "its other pictures, and not itself"
    assert cv2.imread("found.png") is not None
    values = json.loads((folder / "found.json").read_text())
    assert (values["searched"], len(values["found"])) == (19, 4)
    assert values["caution"].startswith("rendered figures are no photographs")
    assert main([*words, "--model", uncalibrated]) == 0
    assert "caution" not in capsys.readouterr().err
    (folder / "people" / "broken.png").write_bytes(b"no picture")
    assert main([*words, "--json", "-"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["searched"], again["found"]) == (19, values["found"])


def test_the_group_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reid", "--help"]) == 0
    assert "verify" in capsys.readouterr().out
    assert main(["reid"]) == 2
    assert "search" in capsys.readouterr().err
    assert main(["reid", "serch"]) == 2
    assert "unknown command 'reid serch'; did you mean search?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["eval", "verify", "search"])
def test_help_says_what_it_does_and_every_flag_has_a_text(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reid", command, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"reidtrack reid {command}" in said
    assert "examples:" in said
    if command == "verify":
        assert "0 same, 3 different, 4 no verdict" in said


USAGE = [
    (["eval"], "the following arguments are required: DATA"),
    (["eval", "nothing"], "DATA: there is no file or folder nothing"),
    (["eval", "people", "--query", "nothing"], "--query: there is no file or folder nothing"),
    (["eval", "people", "--model", "nothing.onnx"], "--model must be default or an .onnx file, and there is no file"),
    (
        ["eval", "people", "--against", "no.onnx"],
        "--against must be default or an .onnx file, and there is no file no.",
    ),
    (["eval", "people", "--replicates", "-1"], "replicates must be a whole number of at least 0, got -1"),
    (["eval", "people", "--later-s", "0"], "later_s must be finite numbers above 0"),
    (["eval", "people", "--protocol", "market"], "argument --protocol: must be one of auto, cross_camera, single"),
    (["eval", "people", "--robustness-queries", "0"], "robustness_queries must be 1 or more"),
    (["eval", "people", "--examples", "x.jpg"], "--examples must be a .png file, got x.jpg"),
    (["eval", "people", "--json", "no/s.json"], "--json: there is no folder no"),
    (["eval", "people", "--json", "-", "--csv", "-"], "json and csv cannot both be -"),
    (
        ["eval", "people", "--data.least-height-px", "0"],
        "data.least_height_px must be a whole number of at least 1, got 0",
    ),
    (["verify", "people/person0/0.png"], "the following arguments are required: B"),
    (["verify", "people/person0/0.png", "nothing.png"], "B: there is no file or folder nothing.png"),
    (["verify", "fake.png", "fake.png", "--prior", "1"], "prior must be above 0 and below 1"),
    (["verify", "fake.png", "fake.png", "--threshold", "2"], "threshold must be a cosine within -1..1"),
    (["verify", "fake.png", "fake.png", "--threshold", "low"], "argument --threshold: must be a number or one of auto"),
    (["search", "nothing.png", "people"], "QUERY: there is no file or folder nothing.png"),
    (["search", "fake.png", "fake.png"], "GALLERY_DIR: there is no folder fake.png"),
    (["search", "fake.png", "people", "--top", "0"], "top must be 1 or more, got 0"),
    (["search", "fake.png", "people", "--out", "x.jpg"], "--out must be a .png file"),
]

FAILED = [
    (["eval", "empty"], "empty holds no data of a known kind"),
    (["eval", "people", "--model", "fake.onnx"], "fake.onnx"),
    (["eval", "people", "--protocol", "cross_camera", "--no-robustness"], "needs identities that are seen by two"),
    (["verify", "fake.png", "people/person0/0.png"], "fake.png cannot be decoded"),
    (["verify", "empty", "people/person0/0.png"], "empty cannot be read"),
    (["search", "fake.png", "people"], "fake.png cannot be decoded"),
    (["search", "people/person0/0.png", "empty"], "empty must hold pictures"),
]


@pytest.mark.parametrize(("words", "message"), USAGE)
def test_a_wrong_call_is_refused_before_anything_is_written(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert main(["reid", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1, "one clear line"
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(("words", "message"), FAILED)
def test_what_cannot_work_fails_with_its_reason(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reid", *words]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
