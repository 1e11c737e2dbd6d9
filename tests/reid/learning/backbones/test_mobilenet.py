"""MobileNetV2: its usual files of weights can be read, and what it does with a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid import InputError, ModelError  # noqa: E402 after the skip
from reid.learning.backbones import IMAGENET, MobileNetV2  # noqa: E402
from reid.learning.embedding import ModelConfig, build_model  # noqa: E402
from reid.learning.weights import load_weights  # noqa: E402

pytestmark = pytest.mark.torch

CONFIG = ModelConfig("mobilenet_v2", dimension=24)


def published(path: Path, *, without: str = "-") -> dict[str, torch.Tensor]:
    """A file of a whole network by its usual names, with a later block and a classifier."""
    blocks = build_model(CONFIG, seed=5).backbone.blocks.state_dict()
    state = {f"features.{name}": value for name, value in blocks.items() if not name.startswith(without)}
    state |= {"features.14.conv.0.weight": torch.ones(576, 96, 1, 1), "classifier.1.weight": torch.ones(1000, 1280)}
    torch.save(state, path)
    return state


def test_a_published_file_fills_all_blocks_and_leaves_the_head(tmp_path: Path) -> None:
    state = published(tmp_path / "imagenet.pt")
    model = build_model(CONFIG, seed=6)
    head = model.backbone.head.weight.clone()
    report = load_weights(model, tmp_path / "imagenet.pt")
    assert all(
        torch.equal(value, state[f"features.{name}"]) for name, value in model.backbone.blocks.state_dict().items()
    )
    assert torch.equal(model.backbone.head.weight, head)
    assert all(name.startswith(("backbone.instance.", "backbone.head.", "backbone.neck.")) for name in report.missing)
    assert report.unexpected == ()


# block, and the layers of its convolutions and batch norms by order: as torchvision names them, and flat
NESTED = {1: ("0.0", "0.1", "1", "2"), 2: ("0.0", "0.1", "1.0", "1.1", "2", "3")}
FLAT = {1: ("0", "1", "3", "4"), 2: ("0", "1", "3", "4", "6", "7")}
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@pytest.mark.parametrize("layout", [NESTED, FLAT], ids=["torchvision", "flat"])
def test_both_published_layouts_fill_the_layers_in_their_order(
    tmp_path: Path, layout: dict[int, tuple[str, ...]]
) -> None:
    names = ["features.0.0.weight", *(f"features.0.1.{value}" for value in NORM)]
    for block in range(1, 14):
        for number, layer in enumerate(layout[min(block, 2)]):
            names += [f"features.{block}.conv.{layer}.{value}" for value in (NORM if number % 2 else ("weight",))]
    source = build_model(CONFIG, seed=5).backbone.blocks.state_dict()  # in the order of the layers
    assert len(names) == len(source)
    state = dict(zip(names, source.values(), strict=True))
    beyond = {
        "features.14.conv.0.0.weight": torch.ones(576, 96, 1, 1),
        "features.18.0.weight": torch.ones(1280, 320, 1, 1),
    }
    torch.save(
        state | (beyond if layout is NESTED else {}) | {"classifier.1.weight": torch.ones(1000, 1280)},
        tmp_path / "w.pth",
    )
    model = build_model(CONFIG, seed=6)
    assert load_weights(model, tmp_path / "w.pth").unexpected == ()
    assert all(torch.equal(value, source[name]) for name, value in model.backbone.blocks.state_dict().items())


def test_names_of_torchvision_are_those_of_the_layers() -> None:
    network = MobileNetV2(24)
    literal = {
        "features.0.1.running_mean": "blocks.0.1.running_mean",
        "features.1.conv.0.0.weight": "blocks.1.conv.0.weight",
        "features.1.conv.0.1.running_var": "blocks.1.conv.1.running_var",
        "features.1.conv.1.weight": "blocks.1.conv.3.weight",
        "features.1.conv.2.bias": "blocks.1.conv.4.bias",
        "features.2.conv.0.0.weight": "blocks.2.conv.0.weight",
        "features.2.conv.1.0.weight": "blocks.2.conv.3.weight",
        "features.2.conv.1.1.weight": "blocks.2.conv.4.weight",
        "features.2.conv.2.weight": "blocks.2.conv.6.weight",
        "features.13.conv.3.num_batches_tracked": "blocks.13.conv.7.num_batches_tracked",
    }
    tensors = {name: torch.zeros(()) for name in literal}
    assert list(network.translate(tensors)) == list(literal.values())


def test_a_file_that_lacks_a_block_is_refused(tmp_path: Path) -> None:
    published(tmp_path / "part.pt", without="13.")
    with pytest.raises(ModelError, match=r"missing backbone\.blocks\.13"):
        load_weights(build_model(CONFIG), tmp_path / "part.pt")


def test_the_blocks_are_those_of_the_paper() -> None:
    network = MobileNetV2(24).eval()
    seen: list[tuple[int, ...]] = []
    for block in network.blocks:
        block.register_forward_hook(lambda _block, _inputs, output: seen.append(tuple(output.shape[1:])))
    network(torch.zeros(1, 3, 224 + 32, 128))
    # Sandler et al. 2018, table 2: channels c, n times, the first with stride s
    expected, channels, size = [(32, 128, 64)], ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1)), 128
    for width, count, stride in channels:
        size //= stride
        expected += [(width, size, size // 2)] * count
    assert seen == expected


def test_both_scales_of_each_part_reach_the_head() -> None:
    network = MobileNetV2(24).eval()
    pictures = torch.rand(2, 3, 128, 64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    pooled = network.pooled(pictures)
    assert pooled.shape == (2, 2 * 8 * (32 + 96))
    # of the mean over the topmost part at 1/8 no receptive field reaches down to the feet
    (gradient,) = torch.autograd.grad(pooled[0, 0], pictures)
    assert gradient[0, :, :16].abs().sum() > 0
    assert gradient[0, :, 100:].abs().sum() == 0
    assert gradient[1].abs().sum() == 0


def test_it_sees_what_imagenets_networks_see_and_needs_a_height_that_parts_divide() -> None:
    assert MobileNetV2.normalisation == IMAGENET
    with pytest.raises(InputError, match="multiple of 128 for the mobilenet_v2 backbone, got 192"):
        ModelConfig("mobilenet_v2", 192, 96)
