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
