"""Augmentation: each change does what it says, by chance as often as it says, and the same from the same generator."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from reid.errors import InputError  # noqa: E402
from reid.learning import image_operations as operations  # noqa: E402
from reid.learning.augment_config import AugmentConfig  # noqa: E402
from reid.learning.augmentation import Augmentation  # noqa: E402

CHANGES = ("flip", "occlude", "crop", "colour", "shadow", "low_resolution", "blur", "erase")
NONE = AugmentConfig(**dict.fromkeys(CHANGES, 0.0), blur_size=0.3)  # so much that it shows on small pictures


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(count=16, height_px=32, width_px=16, seed=0):
    """Smooth pictures that all differ."""
    rng = np.random.default_rng(seed)
    small = rng.integers(30, 226, (count, 4, 3, 3), np.uint8)
    size = (width_px, height_px)
    return torch.from_numpy(np.stack([cv2.resize(p, size, interpolation=cv2.INTER_LINEAR) for p in small]))


class TestEveryChange:
    @pytest.mark.parametrize("name", CHANGES)
    def test_is_left_out_at_zero_and_done_to_all_at_one(self, name):
        pixels = batch()
        assert torch.equal(Augmentation(NONE)(pixels, generator()), pixels)
        changed = Augmentation(replace(NONE, **{name: 1.0}))(pixels, generator())
        assert (changed.dtype, changed.shape) == (torch.uint8, pixels.shape)
        assert (changed != pixels).flatten(1).any(dim=1).all()

    @pytest.mark.parametrize("name", CHANGES)
    def test_is_done_as_often_as_it_says(self, name):
        pixels = batch(400, 16, 8)
        changed = Augmentation(replace(NONE, **{name: 0.3}))(pixels, generator(1))
        share = (changed != pixels).flatten(1).any(dim=1).float().mean().item()
        # three standard deviations of 400 draws are 0.07; a small shift or rectangle may change no pixel
        assert 0.3 - 0.1 <= share <= 0.3 + 0.07

    @pytest.mark.parametrize("name", [*CHANGES, None])
    def test_leaves_the_input_alone(self, name):
        pixels = batch()
        before = pixels.clone()
        config = AugmentConfig() if name is None else replace(NONE, **{name: 1.0})
        changed = Augmentation(config)(pixels, generator())
        assert torch.equal(pixels, before)
        changed.zero_()
        assert torch.equal(pixels, before), "the result shares no memory with the input"

    @pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 1), (33, 17)])
    @pytest.mark.parametrize("count", [0, 1, 2, 5])
    def test_works_on_any_size_and_number(self, size, count):
        pixels = torch.full((count, *size, 3), 77, dtype=torch.uint8)
        everything = AugmentConfig(**dict.fromkeys(CHANGES, 1.0))
        assert Augmentation(everything)(pixels, generator()).shape == pixels.shape


def test_the_generator_decides_everything():
    pixels = batch()
    augment = Augmentation()
    torch.manual_seed(1)
    first = augment(pixels, generator(5))
    torch.manual_seed(2)
    assert torch.equal(first, augment(pixels, generator(5)))
    assert not torch.equal(first, augment(pixels, generator(6)))
    one = generator(5)
    assert not torch.equal(augment(pixels, one), augment(pixels, one))


def test_the_device_of_the_pixels_is_never_waited_for():
    """Values on the device "meta" do not exist, so whoever asked for one would fail."""
    pixels = torch.empty((64, 32, 16, 3), dtype=torch.uint8, device="meta")
    changed = Augmentation()(pixels, generator())
    assert (changed.shape, changed.dtype, changed.device) == (pixels.shape, pixels.dtype, pixels.device)


def test_pixels_that_are_not_as_said_are_refused():
    for wrong in (torch.zeros(2, 3, 8, 8), torch.zeros(2, 8, 8, 3), torch.zeros(8, 8, 3, dtype=torch.uint8)):
        with pytest.raises(InputError, match=r"pixels must be \(B, h, w, 3\) uint8, got"):
            Augmentation()(wrong, generator())


@pytest.mark.parametrize("field", [field.name for field in fields(AugmentConfig)])
def test_settings_out_of_range_are_refused(field):
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(InputError, match=f"{field} must be within 0..1, got {wrong}"):
            AugmentConfig(**{field: wrong})


@pytest.mark.parametrize("wrong", [{"crop_shift": 0.6}, {"crop_zoom": 0.9}, {"shadow_depth": 1.0}])
def test_settings_that_leave_nothing_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        AugmentConfig(**wrong)


class TestMove:
    def test_flip_is_exact(self):
        pixels = batch(4)
        flip = torch.tensor([True, False, True, False])
        got = operations.move(pixels, torch.ones(4, 2), torch.zeros(4, 2), flip)
        assert torch.equal(got[flip], pixels[flip].flip(2))
        assert torch.equal(got[~flip], pixels[~flip])

    def test_shift_repeats_the_border(self):
        pixels = batch(1, 8, 4)
        got = operations.move(pixels, torch.ones(1, 2), torch.tensor([[0.25, -0.25]]), torch.tensor([False]))
        rows, columns = [2, 3, 4, 5, 6, 7, 7, 7], [0, 0, 1, 2]
        assert torch.equal(got[0], pixels[0][rows][:, columns])

    def test_zoom_enlarges_the_middle(self):
        pixels = torch.zeros(1, 8, 8, 3, dtype=torch.uint8)
        pixels[0, 2:6, 2:6] = 9
        got = operations.move(pixels, torch.full((1, 2), 2.0), torch.zeros(1, 2), torch.tensor([False]))
        assert (got == 9).all()


class TestCover:
    @pytest.mark.parametrize("side", [0, 1, 2])
    def test_another_picture_comes_in_from_one_side(self, side):
        mine = torch.zeros(1, 3, 20, 10, dtype=torch.uint8)
        other = torch.arange(1, 201, dtype=torch.uint8).reshape(1, 1, 20, 10).expand(1, 3, 20, 10)
        got = operations.cover(mine, other, torch.tensor([0.4]), torch.tensor([side]))[0, 0]
        covered = got > 0
        expected = torch.zeros(20, 10, dtype=torch.bool)
        if side == 0:
            expected[:, :4] = True
            middle = other[0, 0][:, 3:7]
        elif side == 1:
            expected[:, 6:] = True
            middle = other[0, 0][:, 3:7]
        else:
            expected[12:] = True
            middle = other[0, 0][:8]
        assert torch.equal(covered, expected)
        assert torch.equal(got[expected].reshape(middle.shape), middle)

    def test_never_a_picture_of_itself(self):
        pixels = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 10, 10, 3).contiguous() * 40
        for seed in range(20):
            changed = Augmentation(replace(NONE, occlude=1.0))(pixels, generator(seed))
            assert (changed != pixels).flatten(1).any(dim=1).all()


class TestColour:
    def test_nothing_asked_is_nothing_done(self):
        x = batch().permute(0, 3, 1, 2).float()
        ones = torch.ones(16)
        matrix = operations.colour_matrices(torch.ones(16, 3), ones, torch.zeros(16))
        torch.testing.assert_close(operations.recolour(x, matrix, ones), x, atol=1e-3, rtol=0)

    def test_against_the_definition(self):
        x = batch(3).permute(0, 3, 1, 2).double()
        gain = torch.tensor([[1.1, 0.9, 1.0]] * 3).double()
        share, turn, contrast = (torch.tensor(v).double() for v in ([0.5, 1.2, 1.0], [0.3, 0.0, -0.2], [1.3, 0.8, 1.0]))
        got = operations.recolour(x.float(), operations.colour_matrices(gain.float(), share.float(), turn.float()),
                                  contrast.float())  # fmt: skip
        for n in range(3):
            k = torch.full((3,), 1 / math.sqrt(3)).double()
            v = x[n].permute(1, 2, 0)
            turned = (
                v * torch.cos(turn[n]) + torch.linalg.cross(k.expand_as(v), v) * torch.sin(turn[n])
                + k * (v @ k)[..., None] * (1 - torch.cos(turn[n]))
            )  # fmt: skip
            grey = (turned @ torch.tensor([0.114, 0.587, 0.299]).double())[..., None]
            coloured = (grey + share[n] * (turned - grey)) * gain[n]
            expected = coloured.mean() + contrast[n] * (coloured - coloured.mean())
            torch.testing.assert_close(got[n].permute(1, 2, 0).double(), expected, atol=1e-2, rtol=0)

    def test_brightness_stays_in_its_range(self):
        pixels = torch.full((500, 4, 4, 3), 100, dtype=torch.uint8)
        config = replace(NONE, colour=1.0, brightness=0.3, contrast=0.0, saturation=0.0, light_colour=0.0, hue_turn=0.0)
        values = Augmentation(config)(pixels, generator())[:, 0, 0].float()
        assert (values == values[:, :1]).all(), "grey stays grey"
        assert values.min() == pytest.approx(100 / 1.3, abs=2)
        assert values.max() == pytest.approx(130, abs=2)


class TestLightAndLens:
    def test_a_shadow_darkens_one_side(self):
        x = torch.full((1, 3, 40, 20), 200.0)
        one = torch.ones(1)
        got = operations.shade(x, 0 * one, 0 * one, 0.5 * one, 0.02 * one)[0, 0]
        torch.testing.assert_close(got[:, :8], torch.full((40, 8), 200.0), atol=0.1, rtol=0)
        torch.testing.assert_close(got[:, 12:], torch.full((40, 8), 100.0), atol=0.1, rtol=0)
        below = operations.shade(x, one * math.pi / 2, 0 * one, 0.5 * one, 0.02 * one)[0, 0]
        assert below[0, 0] > 199
        assert below[-1, 0] < 101

    @pytest.mark.parametrize("factor", [2, 3, 4])
    def test_coarse_pictures_keep_their_mean_and_lose_detail(self, factor):
        x = torch.rand(4, 3, 24, 12, generator=generator()) * 255
        got = operations.coarsen(x, factor)
        assert got.shape == x.shape
        torch.testing.assert_close(got.mean(), x.mean(), atol=3, rtol=0)
        assert got.std() < x.std() / factor * 1.3
        constant = torch.full((1, 3, 7, 5), 9.0)
        torch.testing.assert_close(operations.coarsen(constant, factor), constant)

    def test_blur_against_opencv(self):
        x = batch(3, 24, 20).permute(0, 3, 1, 2).float()
        sizes, angles = torch.tensor([8.0, 8.0, 3.0]), torch.tensor([0.0, 0.7, 0.0])
        moving = torch.tensor([True, True, False])
        kernels = operations.blur_kernels(sizes, angles, moving, 9.0)
        assert kernels.shape == (3, 11, 11)
        torch.testing.assert_close(kernels.sum(dim=(1, 2)), torch.ones(3))
        got = operations.convolve(x, kernels)
        for n in range(3):
            image = x[n].permute(1, 2, 0).numpy()
            expected = cv2.filter2D(image, -1, kernels[n].numpy(), borderType=cv2.BORDER_REPLICATE)
            np.testing.assert_allclose(got[n].permute(1, 2, 0).numpy(), expected, atol=1e-3)
        assert (kernels[0].sum(dim=1) > 1e-6).sum() == 1, "motion to the side mixes one row alone"
        assert 8 <= (kernels[0].sum(dim=0) > 1e-6).sum() <= 9

    def test_constants_survive_every_lens(self):
        pixels = torch.full((64, 20, 10, 3), 120, dtype=torch.uint8)
        config = replace(NONE, low_resolution=0.5, blur=0.5)
        assert torch.equal(Augmentation(config)(pixels, generator()), pixels)


class TestErase:
    def test_one_rectangle_of_noise(self):
        planes = torch.zeros(2, 3, 20, 10, dtype=torch.uint8)
        noise = torch.full((3, 20, 10), 9, dtype=torch.uint8)
        start, sides = torch.tensor([[0.25, 0.5], [0.0, 0.0]]), torch.tensor([[0.5, 0.25], [1.0, 1.0]])
        got = operations.erase(planes, start, sides, noise)
        expected = torch.zeros(20, 10, dtype=torch.bool)
        expected[5:15, 5:7] = True  # middles of columns at 0.55 and 0.65 lie within 0.5 .. 0.75
        assert torch.equal(got[0, 0] == 9, expected)
        assert (got[1] == 9).all()

    def test_shares_stay_in_their_range(self):
        pixels = torch.zeros(400, 40, 40, 3, dtype=torch.uint8)
        changed = Augmentation(replace(NONE, erase=1.0, erase_share=0.25))(pixels, generator())
        shares = (changed != 0).any(dim=3).float().mean(dim=(1, 2))
        assert 0 < shares.min() < 0.06
        assert 0.2 < shares.max() < 0.3
