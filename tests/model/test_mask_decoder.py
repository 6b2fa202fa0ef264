from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_sam_decoder.model.mask_decoder import MaskDecoder
from napari_sam_decoder.model.transformer import (
    TransformerConfig,
    TwoWayLayer,
    TwoWayTransformer,
)


@pytest.fixture(scope="module")
def decoder() -> MaskDecoder:
    torch.manual_seed(0)
    return MaskDecoder(TwoWayTransformer(TransformerConfig())).eval()


def count(part: nn.Module) -> int:
    return sum(item.numel() for item in part.parameters())


def test_parameter_counts(decoder: MaskDecoder) -> None:
    assert count(decoder) == 4_058_340
    assert count(decoder.transformer) == 3_291_264
    assert count(decoder.iou_token) + count(decoder.mask_tokens) == 1_280
    assert count(decoder.output_upscaling) == 73_952
    assert count(decoder.output_hypernetworks_mlps) == 559_232
    assert count(decoder.iou_prediction_head) == 132_612


def silence(linear: nn.Linear) -> None:
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)


def test_four_masks_at_four_times_the_grid(decoder: MaskDecoder) -> None:
    image, positions = torch.randn(2, 256, 5, 6), torch.randn(256, 5, 6)
    with torch.inference_mode():
        logits, quality = decoder(image, positions, torch.randn(2, 3, 256))
    assert logits.shape == (2, 4, 20, 24)
    assert quality.shape == (2, 4)


def test_iou_predictions_may_exceed_one(decoder: MaskDecoder) -> None:
    image, positions = torch.randn(1, 256, 4, 4), torch.randn(256, 4, 4)
    head = decoder.iou_prediction_head.layers[-1]
    before = head.bias.detach().clone()
    with torch.no_grad():
        head.bias.fill_(3)
        _, quality = decoder(image, positions, torch.randn(1, 2, 256))
        head.bias.copy_(before)
    assert (quality > 1).all()


def test_prompts_of_a_batch_do_not_see_each_other(decoder: MaskDecoder) -> None:
    image, positions = torch.randn(3, 256, 4, 4), torch.randn(256, 4, 4)
    tokens = torch.randn(3, 2, 256)
    with torch.inference_mode():
        together, _ = decoder(image, positions, tokens)
        alone, _ = decoder(image[1:2], positions, tokens[1:2])
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)


def test_first_layer_has_neither_positions_nor_residual_in_self_attention() -> None:
    config = TransformerConfig(width=16, heads=2, hidden=8, cross_width=8)
    torch.manual_seed(0)
    first, later = TwoWayLayer(config, True), TwoWayLayer(config, False)
    later.load_state_dict(first.state_dict())
    tokens, image = torch.randn(1, 3, 16), torch.randn(1, 5, 16)
    nowhere = (torch.zeros(1, 3, 16), torch.zeros(1, 5, 16))
    for layer in (first, later):
        for part in (
            layer.self_attn.out_proj,
            layer.cross_attn_token_to_image.out_proj,
        ):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)
        nn.init.zeros_(layer.mlp.lin2.weight)
        nn.init.zeros_(layer.mlp.lin2.bias)
    assert torch.equal(first(tokens, image, nowhere)[0], torch.zeros(1, 3, 16))
    normed = nn.functional.layer_norm(tokens, (16,))
    torch.testing.assert_close(
        later(tokens, image, nowhere)[0], normed, atol=1e-4, rtol=1e-4
    )
