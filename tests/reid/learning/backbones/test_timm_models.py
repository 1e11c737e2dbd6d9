"""Backbones of timm, where it is installed; what is said where it is not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid import InputError, MissingExtraError, ModelError  # noqa: E402 after the skip
from reid.learning.embedding import ModelConfig, build_model  # noqa: E402
from reid.learning.weights import load_weights  # noqa: E402

pytestmark = pytest.mark.torch


def needs_timm(test: object) -> object:
    """Marks a test of the real package, so that it can be chosen, and skipped where timm is not installed."""
    absent = importlib.util.find_spec("timm") is None
    return pytest.mark.timm(pytest.mark.skipif(absent, reason="needs the extra [timm]")(test))


def config(name: str, height_px: int = 64, width_px: int = 32) -> ModelConfig:
    return ModelConfig(f"timm:{name}", height_px, width_px, dimension=8)


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"timm:resnet18 needs timm.*reidtrack\[timm\]"):
        build_model(config("resnet18"))


@needs_timm
@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv3_small_050", "vit_tiny_patch16_224"])
def test_a_model_of_timm_serves_as_a_backbone(name: str) -> None:
    model = build_model(config(name)).eval()
    pixels = torch.randint(0, 256, (3, 64, 32, 3), dtype=torch.uint8)
    vectors = model(pixels)
    assert vectors.shape == (3, 8)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    assert model.backbone.normalisation.colour == "RGB"


@needs_timm
def test_unknown_names_get_a_suggestion_and_wrong_sizes_a_reason() -> None:
    with pytest.raises(InputError, match=r"no model 'resnet19': did you mean .*resnet"):
        build_model(config("resnet19"))
    with pytest.raises(InputError, match="takes no pictures of 64x32, give its own size"):
        build_model(config("mixer_s32_224"))


@needs_timm
@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224"])
def test_a_file_of_timm_with_its_classifier_and_another_size_loads(name: str, tmp_path: Path) -> None:
    import timm

    published = timm.create_model(name, pretrained=False, num_classes=5)
    torch.save(published.state_dict(), tmp_path / "published.pth")
    model = build_model(config(name))
    report = load_weights(model, tmp_path / "published.pth")
    assert not report.unexpected
    assert all(name.startswith(("backbone.head", "backbone.neck")) for name in report.missing)
    wanted = next(iter(published.parameters()))
    torch.testing.assert_close(next(iter(model.backbone.body.parameters())), wanted)


@needs_timm
def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    import timm

    torch.save(timm.create_model("resnet18", pretrained=False).state_dict(), tmp_path / "other.pth")
    with pytest.raises(ModelError, match="must be those of this network"):
        load_weights(build_model(config("resnet10t")), tmp_path / "other.pth")
