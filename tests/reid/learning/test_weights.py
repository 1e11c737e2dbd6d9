"""Weights from files: nothing is run, names and shapes decide, only the head may differ."""

from __future__ import annotations

import logging
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid import MissingExtraError, ModelError  # noqa: E402 after the skip
from reid.learning.backbones import OSNet, SmallBackbone  # noqa: E402
from reid.learning.embedding import EmbeddingModel, ModelConfig, build_model  # noqa: E402
from reid.learning.weights import load_weights, read_weights  # noqa: E402

pytestmark = pytest.mark.torch

SMALL = ModelConfig("small", 64, 32, dimension=8)


def same(a: Any, b: Any) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[EmbeddingModel, Path]:
    model = build_model(SMALL, seed=7)
    path = tmp_path / "checkpoint.pt"
    torch.save({"step": 3, "rng": torch.get_rng_state(), "model": model.state_dict(), "names": ["a"]}, path)
    return model, path


def test_a_checkpoint_of_ours_comes_back_whole(saved: tuple[EmbeddingModel, Path]) -> None:
    model, path = saved
    other = build_model(SMALL, seed=8)
    report = load_weights(other, path)
    assert same(model, other)
    assert (report.missing, report.unexpected, report.mismatched) == ((), (), ())
    assert report.summary() == f"{len(model.state_dict())} weights loaded"


@pytest.mark.parametrize("suffix", [".safetensors", ".weights"])
def test_safetensors_are_known_by_name_or_by_content(tmp_path: Path, suffix: str) -> None:
    numpy_writer = pytest.importorskip("safetensors.torch", reason="needs the extra [train]")
    model = build_model(SMALL, seed=7)
    path = tmp_path / f"model{suffix}"
    numpy_writer.save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
    other = build_model(SMALL, seed=8)
    load_weights(other, path)
    assert same(model, other)


def test_without_safetensors_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    with pytest.raises(MissingExtraError, match=r"model\.safetensors needs safetensors.*reidtrack\[train\]"):
        read_weights(tmp_path / "model.safetensors")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_what_parallel_and_compiled_models_add_to_names_is_taken_off(tmp_path: Path, prefix: str) -> None:
    model = build_model(SMALL, seed=7)
    torch.save({prefix + k: v for k, v in model.state_dict().items()}, tmp_path / "wrapped.pt")
    other = build_model(SMALL, seed=8)
    load_weights(other, tmp_path / "wrapped.pt")
    assert same(model, other)


def test_weights_of_a_backbone_alone_and_back(tmp_path: Path, saved: tuple[EmbeddingModel, Path]) -> None:
    model, whole = saved
    torch.save(model.backbone.state_dict(), tmp_path / "backbone.pt")
    other = build_model(SMALL, seed=8)
    load_weights(other, tmp_path / "backbone.pt")
    assert same(model, other)
    bare = SmallBackbone(8)
    load_weights(bare, whole)
    assert same(bare, model.backbone)


def test_another_dimension_leaves_the_head_as_it_was(
    saved: tuple[EmbeddingModel, Path], caplog: pytest.LogCaptureFixture
) -> None:
    model, path = saved
    other = build_model(ModelConfig("small", 64, 32, dimension=12), seed=8)
    head = other.backbone.head.weight.clone()
    with caplog.at_level(logging.WARNING):
        report = load_weights(other, path)
    assert "backbone.head.weight: (8, 1024) for (12, 1024)" in report.mismatched
    assert torch.equal(other.backbone.head.weight, head)
    assert torch.equal(other.backbone.stem[0].weight, model.backbone.stem[0].weight)
    assert "leaves the head as it was" in caplog.text


def test_pretrained_weights_are_where_a_model_begins(saved: tuple[EmbeddingModel, Path]) -> None:
    model, path = saved
    assert same(build_model(ModelConfig("small", 64, 32, dimension=8, pretrained=path), seed=1), model)


def test_published_names_of_osnet_are_read_and_its_classifier_left_out(tmp_path: Path) -> None:
    network = OSNet(16, width=0.25)
    theirs = {_published(k): v for k, v in network.state_dict().items() if not k.startswith(("head", "neck"))}
    theirs |= {"fc.0.weight": torch.zeros(512, 128), "classifier.weight": torch.zeros(751, 512)}
    assert "conv2.0.conv2b.1.conv2.weight" in theirs
    torch.save({"state_dict": theirs, "epoch": 150}, tmp_path / "osnet.pth.tar")
    model = build_model(ModelConfig("osnet_x0_25", 64, 32, dimension=24))
    report = load_weights(model, tmp_path / "osnet.pth.tar")
    assert {name.split(".")[1] for name in report.unexpected} == {"fc", "classifier"}
    assert {name.split(".")[1] for name in report.missing} == {"head", "neck"}
    loaded = model.backbone.state_dict()
    assert all(torch.equal(loaded[k], v) for k, v in network.state_dict().items() if not k.startswith(("head", "neck")))


def _published(name: str) -> str:
    """Our name of a weight of OSNet -> the one under which it is published, written out the other way round."""
    parts = name.split(".")
    if parts[0] in ("stem", "last"):
        return ".".join(
            ["conv1" if parts[0] == "stem" else "conv5", "bn" if parts[1] == "norm" else "conv", *parts[2:]]
        )
    stage, index, rest = int(parts[1]) + 2, parts[2], parts[3:]
    rest = ["bn" if p == "norm" else p for p in rest]
    if index == "2":
        return ".".join([f"conv{stage}", "2", "0", *rest])
    if rest[0] == "streams":
        letter, layer = "abcd"[int(rest[1])], rest[2]
        inner = {"pointwise": "conv1", "depthwise": "conv2"}.get(rest[3], rest[3])
        middle = [f"conv2{letter}"] + ([] if letter == "a" else [layer])
        return ".".join([f"conv{stage}", index, *middle, inner, *rest[4:]])
    first = {"reduce": "conv1", "expand": "conv3", "shortcut": "downsample"}.get(rest[0], rest[0])
    rest = [{"squeeze": "fc1", "excite": "fc2"}.get(p, p) for p in rest[1:]]
    return ".".join([f"conv{stage}", index, first, *rest])


def test_another_network_is_refused_before_anything_changes(saved: tuple[EmbeddingModel, Path]) -> None:
    _, path = saved
    model = build_model(ModelConfig("osnet_x0_25", 64, 32, dimension=8))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ModelError, match=r"must be those of this network, got missing backbone\.stem.* and \d+ more"):
        load_weights(model, path)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_another_width_is_refused_by_its_shapes(tmp_path: Path) -> None:
    torch.save(OSNet(8, width=0.5).state_dict(), tmp_path / "wide.pt")
    with pytest.raises(ModelError, match=r"mismatched stem.conv.weight: \(32, 3, 7, 7\) for \(16, 3, 7, 7\)"):
        load_weights(OSNet(8, width=0.25), tmp_path / "wide.pt")


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran-anyway"),))


def write_bad(folder: Path, case: str) -> Path:
    path = folder / "weights.pt"
    if case == "pickle":
        path.write_bytes(pickle.dumps({"model": Evil()}))
    elif case == "checkpoint":
        torch.save({"model": Evil()}, path)
    elif case == "text":
        path.write_text("no weights at all")
    elif case == "empty":
        path.touch()
    elif case == "safetensors":
        path.with_suffix(".safetensors").write_bytes(b"\xff" * 40)
        return path.with_suffix(".safetensors")
    elif case == "no tensors":
        torch.save({"model": {"a": 1}}, path)
    return path


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("missing", "got nothing there"),
        ("pickle", "must hold tensors and plain values alone"),
        ("checkpoint", "must hold tensors and plain values alone"),
        ("text", "must hold tensors and plain values alone, got .* or a broken file|cannot be read as PyTorch"),
        ("empty", "cannot be read as PyTorch weights"),
        ("safetensors", "cannot be read as safetensors"),
        ("no tensors", "must hold named tensors"),
    ],
)
def test_bad_files_are_refused_and_nothing_in_them_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, message: str
) -> None:
    if case == "safetensors":
        pytest.importorskip("safetensors", reason="needs the extra [train]")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=message):
        read_weights(write_bad(tmp_path, case))
    assert not (tmp_path / "ran-anyway").exists()
