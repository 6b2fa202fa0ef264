from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F

from napari_sam_decoder.model.hires_decoder import (
    DRAWN,
    SLIM,
    HiresConfig,
    HiresDecoder,
    Seen,
    compare_sides,
    start_from,
)

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam_decoder.model.sam import Sam

SMALL = replace(DRAWN, widths=(16, 12, 8, 4), early_channels=6)
SMALL_SLIM = replace(SLIM, widths=(16, 12, 8, 4), early_channels=6)


def make(config: HiresConfig, seed: int = 0) -> HiresDecoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return HiresDecoder(config).eval()


def look(rows: int, columns: int, batch: int = 2) -> tuple[Seen, Tensor]:
    """What there is to be seen in a window, and low-res logits."""
    noise = torch.Generator().manual_seed(1)
    seen = Seen(
        torch.randn(batch, 256, rows, columns, generator=noise),
        torch.randn(batch, 6, 4 * rows, 4 * columns, generator=noise),
        torch.randn(batch, 3, 16 * rows, 16 * columns, generator=noise),
    )
    return seen, 4 * torch.randn(batch, 1, 4 * rows, 4 * columns, generator=noise)


def prompts(batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """The cells of an image, their positions, and three embedded points."""
    noise = torch.Generator().manual_seed(2)
    return (
        torch.randn(batch, 12, 256, generator=noise),
        torch.randn(12, 256, generator=noise),
        torch.randn(batch, 3, 256, generator=noise),
    )


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("masks", [1, 3, 5])
@pytest.mark.parametrize("skips", [True, False])
def test_masks_have_sixteen_times_the_side_of_the_grid(
    depth: int, masks: int, skips: bool
) -> None:
    decoder = make(replace(SMALL, depth=depth, masks=masks, skips=skips))
    seen, _ = look(3, 4)
    tokens = decoder.read(*prompts())
    assert tokens.shape == (2, masks + 1, 256)
    assert decoder.draw(seen, tokens).shape == (2, masks, 48, 64)
    ratings = decoder.rate(tokens)
    assert ratings.shape == (2, masks)
    assert ratings.min() >= 0
    assert ratings.max() <= 1


def test_as_drawn_all_stages_have_the_widths_of_the_document() -> None:
    with torch.device("meta"):
        decoder = HiresDecoder(DRAWN)
    drawing = decoder.drawing
    steps = [drawing.to_128, drawing.to_256, drawing.to_512, drawing.to_1024]
    assert [step.out_channels for step in steps] == [256, 128, 64, 32]
    assert all(step.kernel_size == (3, 3) for step in steps)
    assert all(step.stride == (2, 2) for step in steps)
    assert drawing.masks.out_channels == 3


def test_the_slim_one_has_at_most_four_million_parameters() -> None:
    with torch.device("meta"):
        decoder = HiresDecoder(SLIM)
    assert sum(weights.numel() for weights in decoder.parameters()) < 4_000_000


def test_prompts_change_what_is_drawn() -> None:
    decoder = make(SMALL)
    seen, _ = look(3, 4)
    image, positions, points = prompts()
    one = decoder.draw(seen, decoder.read(image, positions, points))
    other = decoder.draw(seen, decoder.read(image, positions, -points))
    assert not torch.allclose(one, other)


def test_positions_change_what_tokens_read() -> None:
    decoder = make(SMALL)
    image, positions, points = prompts()
    one = decoder.read(image, positions, points)
    assert not torch.allclose(one, decoder.read(image, positions.flip(0), points))


def test_an_untrained_slim_one_leaves_logits_as_they_are() -> None:
    seen, logits = look(3, 4)
    drawn = make(SMALL_SLIM).draw(seen, logits)
    smooth = F.interpolate(logits, scale_factor=4, mode="bilinear")
    torch.testing.assert_close(drawn, smooth)


@pytest.mark.parametrize("config", [SMALL, SMALL_SLIM])
def test_every_weight_learns(config: HiresConfig) -> None:
    decoder = make(config).train()
    # What starts as nothing lets nothing through to the weights before it.
    torch.nn.init.normal_(decoder.drawing.masks.weight)
    seen, logits = look(3, 4)
    given = decoder.read(*prompts()) if config.depth else logits
    loss = decoder.draw(seen, given).square().mean()
    tokens = given if config.depth else torch.randn(2, 5, 256)
    loss = loss + decoder.rate(tokens).square().mean()
    loss.backward()
    idle = [
        name
        for name, weights in decoder.named_parameters()
        if weights.grad is None or not weights.grad.abs().sum() > 0
    ]
    # A bias of keys adds the same to all scores, so that no share changes by it.
    assert all(name.endswith("k_proj.bias") for name in idle)


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.bfloat16, 0.03), (torch.float16, 0.004)]
)
@pytest.mark.parametrize("config", [SMALL, SMALL_SLIM])
def test_half_precision_changes_logits_little(
    config: HiresConfig, dtype: torch.dtype, bound: float
) -> None:
    decoder = make(config)
    torch.nn.init.normal_(decoder.drawing.masks.weight)
    seen, logits = look(3, 4)
    with torch.inference_mode():
        given = decoder.read(*prompts()) if config.depth else logits
        exact = decoder.draw(seen, given)
        decoder.drawing.to(dtype)
        given = given.to(dtype) if config.depth else given
        less = replace(seen, grid=seen.grid.to(dtype), early=seen.early.to(dtype))
        rounded = decoder.draw(less, given)
    assert rounded.dtype == torch.float32
    error = (rounded - exact).abs().mean() / exact.abs().mean()
    assert error < bound


def test_pixels_are_like_the_object_or_like_what_is_behind_it() -> None:
    pixels = torch.zeros(1, 3, 128, 128)
    pixels[..., 70:] = 1.0
    logits = torch.full((1, 1, 32, 32), 8.0)
    logits[..., 16:] = -8.0  # Six pixels too far to the left.
    *_, likeness, contrast = compare_sides(pixels, logits)[0]
    assert likeness.shape == (64, 64)
    assert likeness[:, 20:34].min() > 0.5
    assert likeness[:, 36:44].max() < -0.5
    assert contrast[32, 32] > 0.5


def test_a_decoder_that_looks_at_pixels_is_changed_by_them() -> None:
    decoder = make(SMALL_SLIM)
    torch.nn.init.normal_(decoder.drawing.masks.weight)
    seen, logits = look(3, 4)
    other = replace(seen, pixels=torch.zeros(2, 3, 48, 64))
    assert not torch.allclose(decoder.draw(seen, logits), decoder.draw(other, logits))


def test_the_slim_one_rates_the_hypotheses_of_sam() -> None:
    decoder = make(SMALL_SLIM)
    tokens = torch.randn(2, 5, 256, generator=torch.Generator().manual_seed(3))
    ratings = decoder.rate(tokens)
    assert ratings.shape == (2, 3)
    without_single = tokens.clone()
    without_single[:, 1] = 0
    torch.testing.assert_close(decoder.rate(without_single), ratings)
    for kept in (0, 2, 3, 4):
        changed = tokens.clone()
        changed[:, kept] = 0
        assert not torch.allclose(decoder.rate(changed), ratings)


def test_what_is_not_there_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="no tokens"):
        make(SMALL_SLIM).read(*prompts())
    with pytest.raises(ValueError, match="without an IoU head"):
        make(replace(SMALL, iou_head=False)).rate(torch.zeros(1, 4, 256))


def test_what_sam_has_of_the_same_shape_is_taken_over(mobile_sam: Sam) -> None:
    decoder = make(DRAWN)
    theirs = mobile_sam.mask_decoder.state_dict()
    taken = start_from(decoder, mobile_sam.mask_decoder)
    ours = decoder.state_dict()
    same = "layers.1.self_attn.q_proj.weight"
    assert f"reader.{same}" in taken
    torch.testing.assert_close(ours[f"reader.{same}"], theirs[f"transformer.{same}"])
    # Of SAM's four mask tokens the first is for the single mask.
    tokens = ours["reader.mask_tokens.weight"]
    torch.testing.assert_close(tokens, theirs["mask_tokens.weight"][1:])
    assert not any("prompts" in name or "drawing" in name for name in taken)


def test_of_five_mask_tokens_none_is_taken_over(mobile_sam: Sam) -> None:
    taken = start_from(make(replace(DRAWN, masks=5)), mobile_sam.mask_decoder)
    assert "reader.mask_tokens.weight" not in taken
    assert "reader.iou_token.weight" in taken
