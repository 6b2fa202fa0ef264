from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_sam_decoder.model.mask_decoder import MaskDecoder
from napari_sam_decoder.model.transformer import (
    Attention,
    Cells,
    ImageToTokenAttention,
    TokenToImageAttention,
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
    image, positions = torch.randn(2, 30, 256), torch.randn(30, 256)
    with torch.inference_mode():
        tokens, image = decoder(image, positions, torch.randn(2, 3, 256))
        logits = decoder.draw(tokens, image.unflatten(1, (5, 6)))
        assert decoder.rate(tokens).shape == (2, 4)
    assert tokens.shape == (2, 5, 256)
    assert logits.shape == (2, 4, 20, 24)


def test_masks_are_products_with_the_upscaled_image(decoder: MaskDecoder) -> None:
    tokens, grid = torch.randn(2, 5, 256), torch.randn(2, 3, 4, 256)
    first, norm, _, second, _ = decoder.output_upscaling
    with torch.inference_mode():
        halves = first(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        halves = nn.functional.gelu(norm(halves)).permute(0, 3, 1, 2)
        pixels = nn.functional.gelu(second(halves))
        heads = decoder.output_hypernetworks_mlps
        kernels = torch.stack([head(tokens[:, 1 + k]) for k, head in enumerate(heads)])
        expected = torch.einsum("mbc,bchw->bmhw", kernels, pixels)
        found = decoder.draw(tokens, grid)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_part_of_the_grid_is_drawn_as_in_the_whole(decoder: MaskDecoder) -> None:
    tokens, grid = torch.randn(1, 5, 256), torch.randn(1, 6, 5, 256)
    with torch.inference_mode():
        whole = decoder.draw(tokens, grid)
        part = decoder.draw(tokens, grid[:, :2, :3])
    torch.testing.assert_close(part, whole[..., :8, :12], atol=1e-4, rtol=1e-4)


def test_iou_predictions_may_exceed_one(decoder: MaskDecoder) -> None:
    head = decoder.iou_prediction_head.layers[-1]
    before = head.bias.detach().clone()
    with torch.no_grad():
        head.bias.fill_(3)
        quality = decoder.rate(torch.randn(1, 5, 256))
        head.bias.copy_(before)
    assert (quality > 1).all()


def test_prompts_of_a_batch_do_not_see_each_other(decoder: MaskDecoder) -> None:
    image, positions = torch.randn(3, 16, 256), torch.randn(16, 256)
    tokens = torch.randn(3, 2, 256)
    with torch.inference_mode():
        together, _ = decoder(image, positions, tokens)
        alone, _ = decoder(image[1:2], positions, tokens[1:2])
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)


def attend(
    part: Attention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    """Attention as it is usually written."""
    split_heads = [
        projection(given).unflatten(-1, (part.heads, -1)).transpose(1, 2)
        for projection, given in (
            (part.q_proj, query),
            (part.k_proj, key),
            (part.v_proj, value),
        )
    ]
    mixed = nn.functional.scaled_dot_product_attention(*split_heads)
    return part.out_proj(mixed.transpose(1, 2).flatten(2))


def test_attention_between_tokens_and_image_is_the_usual_one() -> None:
    config = TransformerConfig(width=16, heads=2, hidden=8, cross_width=8)
    torch.manual_seed(0)
    read, write = TokenToImageAttention(config, 8), ImageToTokenAttention(config, 8)
    tokens, asking = torch.randn(2, 2, 3, 16)
    image, positions = torch.randn(2, 7, 16), torch.randn(7, 16)
    cells = Cells(image, image + positions)
    torch.testing.assert_close(
        read(tokens, cells), attend(read, tokens, cells.placed, image)
    )
    torch.testing.assert_close(
        write(cells, (asking, tokens)),
        image + attend(write, cells.placed, asking, tokens),
    )


def test_gradients_reach_every_weight(decoder: MaskDecoder) -> None:
    image, positions = torch.randn(1, 16, 256), torch.randn(16, 256)
    tokens, image = decoder(image, positions, torch.randn(1, 2, 256))
    logits = decoder.draw(tokens, image.unflatten(1, (4, 4)))
    (logits.square().mean() + decoder.rate(tokens).square().mean()).backward()
    # The same bias for all keys changes no share.
    idle = {
        name
        for name, item in decoder.named_parameters()
        if item.grad is None or not item.grad.any()
    }
    decoder.zero_grad()
    assert all(name.endswith("token_to_image.k_proj.bias") for name in idle)


def test_first_layer_has_neither_positions_nor_residual_in_self_attention() -> None:
    config = TransformerConfig(width=16, heads=2, hidden=8, cross_width=8)
    torch.manual_seed(0)
    first, later = TwoWayLayer(config, True), TwoWayLayer(config, False)
    later.load_state_dict(first.state_dict())
    tokens, image = torch.randn(1, 3, 16), torch.randn(1, 5, 16)
    nowhere = (torch.zeros(1, 3, 16), torch.zeros(5, 16))
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
