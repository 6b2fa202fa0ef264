from __future__ import annotations

import pytest
import torch

from napari_sam_decoder.model.prompt_encoder import PromptEncoder


@pytest.fixture
def encoder() -> PromptEncoder:
    torch.manual_seed(0)
    return PromptEncoder(image_size=64, grid=4, width=32).eval()


def test_parameter_count() -> None:
    encoder = PromptEncoder(image_size=1024, grid=64)
    assert sum(item.numel() for item in encoder.parameters()) == 6_220


def test_padding_has_a_kind_but_no_position(encoder: PromptEncoder) -> None:
    positions = torch.tensor([[[3.0, 4.0], [50.0, 60.0]]])
    found = encoder.embed_tokens(positions, torch.tensor([[-1, -1]]))
    expected = encoder.not_a_point_embed()
    torch.testing.assert_close(found[0], expected.expand(2, -1))


@pytest.mark.parametrize("label", [0, 1, 2, 3])
def test_each_kind_adds_its_own_vector(encoder: PromptEncoder, label: int) -> None:
    positions = torch.tensor([[[3.0, 4.0]]])
    found = encoder.embed_tokens(positions, torch.tensor([[label]]))
    position = encoder.pe_layer(torch.tensor([3.5 / 64, 4.5 / 64]))
    kind = encoder.point_embeddings[label].weight[0]
    torch.testing.assert_close(found[0, 0], position + kind)


def test_grid_positions_are_those_of_points_at_cell_centres(
    encoder: PromptEncoder,
) -> None:
    # Cells are 16 px wide; points are shifted by half a pixel when embedded.
    row, column = 1, 3
    centre = torch.tensor([[[16 * column + 7.5, 16 * row + 7.5]]])
    token = encoder.embed_tokens(centre, torch.tensor([[1]]))[0, 0]
    position = token - encoder.point_embeddings[1].weight[0]
    torch.testing.assert_close(encoder.grid_positions()[4 * row + column], position)


def test_masks_shrink_to_the_grid(encoder: PromptEncoder) -> None:
    masks = torch.randn(3, 1, 16, 16)
    expected = encoder.mask_downscaling(masks).flatten(2).transpose(1, 2)
    torch.testing.assert_close(encoder.embed_masks(masks, torch.float32), expected)
    assert encoder.embed_masks(masks, torch.bfloat16).dtype == torch.bfloat16
    assert expected.shape == (3, 16, 32)
    assert encoder.embed_no_mask().shape == (1, 32)
