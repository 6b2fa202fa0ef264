from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from decoder_parts.document_decoder import (
    DocumentConfig,
    DocumentDecoder,
    copy_from_sam,
)

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam_decoder.model.sam import Sam

SMALL = DocumentConfig(widths=(16, 12, 8, 4), early_channels=6)


def make(config: DocumentConfig, seed: int = 0) -> DocumentDecoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DocumentDecoder(config).eval()


def window(rows: int = 3, columns: int = 4, batch: int = 2) -> tuple[Tensor, Tensor]:
    """Embedding and early features."""
    noise = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, 256, rows, columns, generator=noise),
        torch.randn(batch, 6, 4 * rows, 4 * columns, generator=noise),
    )


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
    tokens = decoder.read(*prompts())
    assert tokens.shape == (2, masks + 1, 256)
    assert decoder.draw(*window(), tokens).shape == (2, masks, 48, 64)
    ratings = decoder.rate(tokens)
    assert ratings.shape == (2, masks)
    assert ratings.min() >= 0
    assert ratings.max() <= 1


def test_all_stages_have_the_widths_of_the_document() -> None:
    with torch.device("meta"):
        decoder = DocumentDecoder(DocumentConfig())
    drawing = decoder.drawing
    steps = [drawing.to_128, drawing.to_256, drawing.to_512, drawing.to_1024]
    assert [step.out_channels for step in steps] == [256, 128, 64, 32]
    assert all(step.kernel_size == (3, 3) for step in steps)
    assert all(step.stride == (2, 2) for step in steps)
    assert drawing.masks.out_channels == 3


def test_prompts_change_the_masks() -> None:
    decoder = make(SMALL)
    image, positions, points = prompts()
    one = decoder.draw(*window(), decoder.read(image, positions, points))
    other = decoder.draw(*window(), decoder.read(image, positions, -points))
    assert not torch.allclose(one, other)


def test_positions_change_what_tokens_read() -> None:
    decoder = make(SMALL)
    image, positions, points = prompts()
    one = decoder.read(image, positions, points)
    assert not torch.allclose(one, decoder.read(image, positions.flip(0), points))


def test_every_weight_learns() -> None:
    decoder = make(SMALL).train()
    tokens = decoder.read(*prompts())
    loss = decoder.draw(*window(), tokens).square().mean()
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
def test_half_precision_changes_logits_little(dtype: torch.dtype, bound: float) -> None:
    decoder = make(SMALL)
    with torch.inference_mode():
        tokens = decoder.read(*prompts())
        exact = decoder.draw(*window(), tokens)
        decoder.drawing.to(dtype)
        grid, early = (part.to(dtype) for part in window())
        rounded = decoder.draw(grid, early, tokens.to(dtype))
    assert rounded.dtype == torch.float32
    error = (rounded - exact).abs().mean() / exact.abs().mean()
    assert error < bound


def test_without_an_iou_head_nothing_is_rated() -> None:
    with pytest.raises(ValueError, match="without an IoU head"):
        make(replace(SMALL, iou_head=False)).rate(torch.zeros(1, 4, 256))


def test_what_sam_has_of_the_same_shape_is_copied(mobile_sam: Sam) -> None:
    decoder = make(DocumentConfig())
    theirs = mobile_sam.mask_decoder.state_dict()
    copied = copy_from_sam(decoder, mobile_sam.mask_decoder)
    ours = decoder.state_dict()
    same = "layers.1.self_attn.q_proj.weight"
    assert f"reader.{same}" in copied
    torch.testing.assert_close(ours[f"reader.{same}"], theirs[f"transformer.{same}"])
    # Of SAM's four mask tokens the first is for the single mask.
    tokens = ours["reader.mask_tokens.weight"]
    torch.testing.assert_close(tokens, theirs["mask_tokens.weight"][1:])
    assert not any("prompts" in name or "drawing" in name for name in copied)


def test_five_mask_tokens_are_not_copied(mobile_sam: Sam) -> None:
    decoder = make(DocumentConfig(masks=5))
    copied = copy_from_sam(decoder, mobile_sam.mask_decoder)
    assert "reader.mask_tokens.weight" not in copied
    assert "reader.iou_token.weight" in copied
