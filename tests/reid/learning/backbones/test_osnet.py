"""OSNet: the sizes that its paper states, and the vectors of a network that others trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid.learning.backbones import IMAGENET, OSNet  # noqa: E402 after the skip
from reid.learning.backbones.osnet import OmniScaleBlock  # noqa: E402
from reid.learning.model_config import OSNET_WIDTHS  # noqa: E402

pytestmark = pytest.mark.torch

# Zhou et al. 2019, table 5: width multiplier, millions of parameters, millions of multiply-adds at 256x128
PAPER = [(1.0, 2.2, 978.9), (0.75, 1.3, 571.8), (0.5, 0.6, 272.9), (0.25, 0.2, 82.3)]


def multiply_adds(network: Any, pictures: Any) -> int:
    """Of convolutions and linear layers, in one forward pass."""
    total = 0

    def count(layer: Any, _inputs: Any, output: Any) -> None:
        nonlocal total
        each = layer.in_features if isinstance(layer, torch.nn.Linear) else layer.weight[0].numel()
        total += output.numel() * each

    for layer in network.modules():
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(pictures)
    return total


@pytest.mark.parametrize(("width", "parameters", "operations"), PAPER)
def test_parameters_and_operations_are_those_of_the_paper(width: float, parameters: float, operations: float) -> None:
    network = OSNet(512, width=width)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == parameters
    assert round(multiply_adds(network, torch.zeros(1, 3, 256, 128)) / 1e6, 1) == operations


def test_the_config_knows_every_width_of_the_paper() -> None:
    assert sorted(OSNET_WIDTHS.values()) == sorted(width for width, _, _ in PAPER)


def test_a_stream_of_t_layers_sees_2t_plus_1_pixels() -> None:
    block = OmniScaleBlock(8, 16).eval()
    for scale, stream in enumerate(block.streams, 1):
        x = torch.zeros(1, 4, 15, 15, requires_grad=True)
        for layer in stream:
            torch.nn.init.ones_(layer.pointwise.weight)
            torch.nn.init.ones_(layer.depthwise.weight)
        out = stream(x + 1)
        (gradient,) = torch.autograd.grad(out[0, 0, 7, 7], x)
        assert int((gradient[0, 0, 7] != 0).sum()) == 2 * scale + 1


def test_one_gate_serves_all_streams_of_a_block() -> None:
    names = [name for name, _ in OmniScaleBlock(64, 64).named_parameters() if "gate" in name]
    assert names == ["gate.squeeze.weight", "gate.squeeze.bias", "gate.excite.weight", "gate.excite.bias"]


@pytest.mark.parametrize(("height_px", "width_px"), [(256, 128), (64, 64), (96, 33)])
def test_any_size_of_picture_and_dimension(height_px: int, width_px: int) -> None:
    pictures = torch.rand(2, 3, height_px, width_px)
    assert OSNet(24, width=0.25).eval()(pictures).shape == (2, 24)
    bare = OSNet(None, width=0.25, neck="none").eval()
    assert bare(pictures).shape == (2, 128)
    torch.testing.assert_close(bare(pictures), bare.pooled(pictures))


def published_state(path: Path) -> dict[str, Any]:
    """The weights of an exported OSNet by their published names; folded batch norms become a shift alone."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(path)
    tensors = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in model.graph.initializer}
    state: dict[str, Any] = {}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        parts = node.name.removesuffix("/Conv").split("/")[
            1:
        ]  # conv2, conv2.0, conv2a, conv1: some hold the one before
        pairs = zip(parts, [*parts[1:], ""], strict=True)
        name = ".".join(part for part, following in pairs if not following.startswith(f"{part}."))
        weight = tensors[node.input[1]]
        if ".gate." in name:
            continue
        state[f"{name}.weight"] = weight
        if len(node.input) == 3:
            norm = f"{name.removesuffix('.conv').removesuffix('.conv2')}.bn"
            channels = len(weight)
            state |= {f"{norm}.weight": torch.ones(channels), f"{norm}.bias": tensors[node.input[2]]}
            state |= {f"{norm}.running_mean": torch.zeros(channels), f"{norm}.running_var": torch.ones(channels) - 1e-5}
    return state | {name: value for name, value in tensors.items() if ".gate." in name or name.startswith("fc.")}


def test_published_weights_give_the_published_vectors(shared_data: Path) -> None:
    path = shared_data / "models" / "osnet_x0_25_msmt17.onnx"
    state = published_state(path)
    network = OSNet(512, width=0.25).eval()
    report = network.load_state_dict(network.translate(state), strict=False)
    left = {name for name in report.missing_keys if not name.endswith("num_batches_tracked")}
    assert left == {"head.weight", "neck.weight", "neck.bias", "neck.running_mean", "neck.running_var"}
    assert all(name.startswith("fc.") for name in report.unexpected_keys)
    pictures = np.random.default_rng(0).normal(size=(1, 3, 256, 128)).astype(np.float32)
    with torch.no_grad():
        pooled = network.pooled(torch.from_numpy(pictures))
        x = torch.nn.functional.linear(pooled, state["fc.0.weight"], state["fc.0.bias"])
        moments = (state["fc.1.running_mean"], state["fc.1.running_var"], state["fc.1.weight"], state["fc.1.bias"])
        ours = torch.relu(torch.nn.functional.batch_norm(x, *moments)).numpy()
    from reid.runtime import open_session

    session = open_session(path, device="cpu", threads=1)
    (theirs,) = session.run({session.inputs[0].name: pictures})
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert theirs.max() > 0.1


def test_pictures_are_prepared_as_imagenet_has_it() -> None:
    assert OSNet.normalisation is IMAGENET
    assert (IMAGENET.colour, IMAGENET.mean[0] / 255) == ("RGB", pytest.approx(0.485))
