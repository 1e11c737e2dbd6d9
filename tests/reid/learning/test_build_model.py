"""From a config to a network: heads, necks, normalisation, seeds, refusals."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid import InputError, ModelError  # noqa: E402 after the skip
from reid.learning.backbones import IMAGENET, Backbone  # noqa: E402
from reid.learning.embedding import EmbeddingModel, ModelConfig, build_model  # noqa: E402

pytestmark = pytest.mark.torch


def pixels(count: int = 4, height_px: int = 64, width_px: int = 32) -> Any:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (count, height_px, width_px, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("backbone", ["small", "osnet_x0_25"])
@pytest.mark.parametrize("neck", ["bnneck", "none"])
@pytest.mark.parametrize("dimension", [12, None])
def test_features_before_and_after_the_neck(backbone: str, neck: Any, dimension: int | None) -> None:
    model = build_model(ModelConfig(backbone, 64, 32, dimension=dimension, neck=neck))
    before, after = model.features(pixels())
    width = dimension or {"small": 1024, "osnet_x0_25": 128}[backbone]
    assert before.shape == after.shape == (4, width)
    assert model.backbone.dimension == width
    if neck == "none":
        assert torch.equal(before, after)
    else:  # training mode: mean 0 and deviation 1 over the batch, as far as the epsilon of the batch norm lets it
        scale = (before.var(dim=0, correction=0) + model.backbone.neck.eps).sqrt()
        torch.testing.assert_close(after, (before - before.mean(dim=0)) / scale, atol=1e-4, rtol=1e-3)
    model.eval()
    after = model.features(pixels())[1]
    torch.testing.assert_close(model(pixels()), torch.nn.functional.normalize(after, dim=1))


def test_the_bias_of_the_neck_stays_zero() -> None:
    model = build_model(ModelConfig("small", 64, 32, dimension=12))
    (model.features(pixels())[1] * torch.arange(12)).square().sum().backward()
    assert model.backbone.neck.bias.grad is None
    assert float(model.backbone.neck.bias.abs().max()) == 0
    assert model.backbone.neck.weight.grad is not None


def test_the_seed_alone_decides_the_weights_and_torch_keeps_its_own() -> None:
    before = torch.get_rng_state()
    one, same, other = (build_model(ModelConfig("small", 64, 32), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [model.backbone.stem[0].weight for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_osnet_sees_red_first_with_imagenets_mean_and_deviation() -> None:
    model = build_model(ModelConfig("osnet_x0_25", 64, 32))
    blue = torch.zeros(1, 64, 32, 3, dtype=torch.uint8)
    blue[..., 0] = 255
    seen = model.pictures(blue)[0, :, 0, 0]
    wanted = [(value - mean) / std for value, mean, std in zip((0, 0, 255), IMAGENET.mean, IMAGENET.std, strict=True)]
    torch.testing.assert_close(seen, torch.tensor(wanted))


def test_any_module_serves_as_a_backbone() -> None:
    backbone = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    before, after = EmbeddingModel(backbone, 64, 32).features(pixels())
    torch.testing.assert_close(before, pixels().float().mean(dim=(1, 2)) / 127.5 - 1, atol=1e-5, rtol=0)
    assert torch.equal(before, after)


def test_a_backbone_without_pooled_is_named() -> None:
    class Half(Backbone):
        pass

    half = Half()
    half.add_head(3, None, "none")
    with pytest.raises(TypeError, match="Half must define pooled"):
        half(torch.zeros(1, 3, 4, 4))


def test_a_colour_projection_that_nobody_fitted_is_refused() -> None:
    model = build_model(ModelConfig("small", 64, 32, colour_dimension=4))
    with pytest.raises(ModelError, match="must be fitted before the export"):
        model.check_complete()
    assert model.histogram is not None
    model.fit_colour_projection(model.histogram(pixels().float() / 255))
    model.check_complete()
    assert model.eval()(pixels()).shape == (4, 132)


def test_the_architecture_is_one_line_for_the_card() -> None:
    config = ModelConfig("small", dimension=96, colour_dimension=32, learned_share=0.75)
    assert config.architecture == (
        "small, 96 numbers, bnneck, colour histogram projected to 32 (share 0.25 of the cosine)"
    )
    assert ModelConfig("timm:resnet18", dimension=None, neck="none").architecture == "timm:resnet18"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"backbone": "osnet"}, "backbone must be one of small, mobilenet_v2, .* or timm:NAME, got 'osnet'"),
        ({"backbone": "timm:"}, "or timm:NAME, got 'timm:'"),
        ({"height_px": 100}, "multiple of 64 for the small backbone, got 100"),
        ({"height_px": 0}, r"height_px must be a whole number within 32\.\.1024, got 0"),
        ({"width_px": 64.0}, "width_px must be a whole number"),
        ({"dimension": 1}, r"dimension must be a whole number within 2\.\.8192"),
        ({"neck": "bn"}, "neck must be bnneck or none"),
        ({"colour_dimension": 900}, r"colour_dimension must be a whole number within 0\.\.816"),
        ({"colour_dimension": 8, "width_px": 63}, "must be even with a colour histogram"),
        ({"learned_share": 1.0}, r"learned_share must be above 0 and below 1, got 1\.0"),
    ],
)
def test_bad_configs_are_refused(values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ModelConfig(**values)


def test_the_config_needs_no_torch() -> None:
    code = "import sys, reid.learning.model_config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
