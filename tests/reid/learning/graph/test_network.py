"""An ONNX embedder as a network that is trained, and as a file again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra [train]")
torch = pytest.importorskip("torch", reason="needs the extra [train]")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from reid import Embedder, InputError, ModelError  # noqa: E402
from reid.card import METADATA_KEY  # noqa: E402
from reid.data import Crops  # noqa: E402
from reid.data.pictures import MemoryPictures  # noqa: E402
from reid.learning.graph import OnnxGraph, write_graph  # noqa: E402
from reid.learning.model_config import ModelConfig  # noqa: E402
from reid.learning.sampling import SamplerConfig  # noqa: E402
from reid.learning.trainer import LossConfig, OptimizerConfig, TrainConfig, ValidationConfig, train  # noqa: E402

HEIGHT_PX, WIDTH_PX = 32, 16
CROPS = np.random.default_rng(1).integers(0, 256, (5, HEIGHT_PX, WIDTH_PX, 3), np.uint8)


def tiny(
    path: Path, *, batch: int | str = "batch", pooling: str = "GlobalAveragePool", dtype: Any = np.float32
) -> Path:
    """Convolution, batch norm, pooling and a linear layer, on float pixels of NCHW, as other people's exporters do."""
    rng = np.random.default_rng(0)
    values = {
        "conv.weight": rng.normal(size=(8, 3, 3, 3)) * 0.3,
        "norm.weight": rng.uniform(0.5, 1.5, 8),
        "norm.bias": rng.normal(size=8) * 0.1,
        "norm.mean": rng.normal(size=8) * 0.1,
        "norm.var": rng.uniform(0.5, 2, 8),
        "linear.weight": rng.normal(size=(8, 6)),
    }
    kept = [numpy_helper.from_array(value.astype(dtype), name) for name, value in values.items()]
    rows = 1 if batch == 1 else -1
    kept.append(numpy_helper.from_array(np.array([rows, 8]), "flat"))
    nodes = [
        helper.make_node("Conv", ["pictures", "conv.weight"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "norm.weight", "norm.bias", "norm.mean", "norm.var"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node(pooling, ["r"], ["p"]),
        helper.make_node("Reshape", ["p", "flat"], ["f"]),
        helper.make_node("MatMul", ["f", "linear.weight"], ["vectors"]),
    ]
    kind = TensorProto.FLOAT if dtype == np.float32 else TensorProto.FLOAT16
    picture = helper.make_tensor_value_info("pictures", kind, [batch, 3, HEIGHT_PX, WIDTH_PX])
    vectors = helper.make_tensor_value_info("vectors", kind, [batch, 6])
    graph = helper.make_graph(nodes, "tiny", [picture], [vectors], kept)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize("batch", ["batch", 1], ids=["any", "one by one"])
def test_it_finds_what_the_embedder_finds_and_its_weights_get_gradients(tmp_path: Path, batch: int | str) -> None:
    path = tiny(tmp_path / "tiny.onnx", batch=batch)
    network = OnnxGraph(path)
    np.testing.assert_allclose(
        network(torch.from_numpy(CROPS)).detach().numpy(), Embedder(path, device="cpu").crops(CROPS), atol=1e-5
    )
    vectors = network(torch.from_numpy(CROPS))
    (vectors @ vectors.T).sum().backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None and bool(weight.grad.abs().sum() > 0) for weight in network.parameters())
    assert network.layers() == [
        ("weights.conv/weight",), ("norms.n.weight", "norms.n.bias"), ("weights.linear/weight",)
    ]  # fmt: skip


def test_statistics_of_batch_norms_move_in_training_only_where_there_is_a_batch(tmp_path: Path) -> None:
    for batch, moves in (("batch", True), (1, False)):
        network = OnnxGraph(tiny(tmp_path / f"{batch}.onnx", batch=batch))  # type: ignore[arg-type]
        before = network.weights_in_file()["norm.mean"].clone()
        network.train()(torch.from_numpy(CROPS))
        assert bool((network.weights_in_file()["norm.mean"] != before).any()) == moves


@pytest.mark.parametrize("batch", ["batch", 1], ids=["any", "one by one"])
def test_written_back_it_is_the_same_graph_with_other_weights(tmp_path: Path, batch: int | str) -> None:
    path = tiny(tmp_path / "tiny.onnx", batch=batch)
    network = OnnxGraph(path)
    before = network(torch.from_numpy(CROPS)).detach().numpy()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1 + 0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(2)))
    card = dataclasses.replace(network.card, name="taught", licence="Apache-2.0")
    written = write_graph(network, card, tmp_path / "taught.onnx")
    embedder = Embedder(written, device="cpu")
    assert (embedder.card.name, embedder.card.licence) == ("taught", "Apache-2.0")
    found = embedder.crops(CROPS)
    np.testing.assert_allclose(found, network(torch.from_numpy(CROPS)).detach().numpy(), atol=1e-5)
    assert float((found * before).sum(axis=1).max()) < 0.999
    old, new = onnx.load(path), onnx.load(written)
    assert [node.SerializeToString() for node in new.graph.node] == [n.SerializeToString() for n in old.graph.node]
    # what was written can be trained further, from where it stands
    np.testing.assert_allclose(OnnxGraph(written)(torch.from_numpy(CROPS)).detach().numpy(), found, atol=1e-5)


def test_a_card_that_calls_it_otherwise_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    network = OnnxGraph(tiny(tmp_path / "tiny.onnx"))
    other = dataclasses.replace(network.card, colour="BGR")
    with pytest.raises(ModelError, match="must call it as the one before"):
        write_graph(network, other, tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [({"pooling": "GlobalLpPool"}, "operations GlobalLpPool are not known"), ({"dtype": np.float16}, "float32")],
    ids=["operation", "float16"],
)
def test_what_cannot_be_trained_is_refused(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    path = tiny(tmp_path / "tiny.onnx", **options)
    with pytest.raises(ModelError, match=says):
        OnnxGraph(path)


def test_the_shipped_embedder_can_be_trained() -> None:
    network = OnnxGraph("default")
    crops = np.random.default_rng(3).integers(0, 256, (4, *network.size_px, 3), np.uint8)
    expected = Embedder("default", device="cpu").crops(crops)
    np.testing.assert_allclose(network(torch.from_numpy(crops)).detach().numpy(), expected, atol=1e-4)
    assert sum(weight.numel() for weight in network.parameters()) > 100_000


def plates(identities: int, seed: int) -> Crops:
    """Six pictures of each identity: two colours, in noise."""
    rng = np.random.default_rng(seed)
    source = MemoryPictures(1 << 24)
    for identity in range(identities):
        colours = rng.integers(0, 256, (2, 3))
        for number in range(6):
            picture = np.repeat(colours, 16, axis=0)[:, None].repeat(16, axis=1) + rng.normal(0, 25, (32, 16, 3))
            source.add(np.clip(picture, 0, 255).astype(np.uint8), f"{identity}/{number}.png")
    names = [str(number) for number in range(identities)]
    return Crops(source, np.repeat(np.arange(identities), 6), names)


def further(path: Path, **settings: Any) -> TrainConfig:
    """A training of the graph at `path`."""
    return TrainConfig(threads=1, device="cpu", model=ModelConfig("onnx", pretrained=path), **settings)


def test_a_training_prepares_crops_as_the_embedder_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny(tmp_path / "tiny.onnx")
    model = onnx.load(path)
    card = dataclasses.replace(Embedder(path, device="cpu").card, resize="area")
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, path)
    asked: list[tuple[object, ...]] = []
    pixels = Crops.pixels
    monkeypatch.setattr(Crops, "pixels", lambda crops, rows, *form: asked.append(form) or pixels(crops, rows, *form))
    config = further(
        path, epochs=1, epoch_steps=2, loss=LossConfig(teacher=path), sampler=SamplerConfig(identities=4, pictures=3)
    )
    train(config, plates(6, 0), plates(4, 1), tmp_path / "area.onnx")
    assert set(asked) == {(HEIGHT_PX, WIDTH_PX, "area")}


def test_the_trainer_trains_it_goes_on_after_a_stop_and_writes_it(tmp_path: Path) -> None:
    path = tiny(tmp_path / "tiny.onnx")
    config = further(
        path,
        epochs=4,
        epoch_steps=5,
        sampler=SamplerConfig(identities=6, pictures=3),
        optimizer=OptimizerConfig(frozen=("weights.conv*", "norms.*"), freeze_batch_norm=True),
        validation=ValidationConfig(every=4, keep="last"),
    )
    crops, held_out = plates(12, 0), plates(6, 1)
    whole = train(config, crops, held_out, tmp_path / "whole.onnx")
    answers = iter([False] * 7 + [True])
    stopped = train(config, crops, held_out, tmp_path / "parts.onnx", stop=lambda: next(answers))
    assert stopped.stopped == "interrupted"
    resumed = train(config, crops, held_out, tmp_path / "parts.onnx", existing="resume")
    assert whole.model is not None
    assert resumed.model is not None
    pixels = crops.pixels(np.arange(20), HEIGHT_PX, WIDTH_PX)
    start, taught, again = (Embedder(p, device="cpu") for p in (path, whole.model, resumed.model))
    np.testing.assert_array_equal(taught.crops(pixels), again.crops(pixels))
    assert float((taught.crops(pixels) * start.crops(pixels)).sum(axis=1).min()) < 0.99999
    assert "20 steps from the weights of tiny.onnx on 72 crops of 12 identities" in (taught.card.training or "")
    before, after = OnnxGraph(path).weights_in_file(), OnnxGraph(whole.model).weights_in_file()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"linear.weight"}


def test_the_file_alone_says_what_the_network_is() -> None:
    with pytest.raises(InputError, match="give pretrained"):
        ModelConfig("onnx")
    with pytest.raises(InputError, match="height_px is that of the file"):
        ModelConfig("onnx", height_px=256, pretrained=Path("a.onnx"))
