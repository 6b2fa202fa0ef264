from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.model.prompt_encoder import PromptEncoder, batches, tokenise
from napari_sam_decoder.model.values import ModelPrompt

NO_POINTS = np.zeros((0, 2), np.float32)
NO_LABELS = np.zeros(0, int)


def test_points_are_followed_by_one_padding_point() -> None:
    tokens = tokenise(ModelPrompt(np.array([[1, 2], [3, 4]]), np.array([1, 0])))
    assert tokens.positions.tolist() == [[1, 2], [3, 4], [0, 0]]
    assert tokens.kinds.tolist() == [1, 0, -1]
    assert tokens.positions.dtype == np.float32


def test_box_is_two_corners_without_padding() -> None:
    tokens = tokenise(ModelPrompt(NO_POINTS, NO_LABELS, np.array([1, 2, 3, 4])))
    assert tokens.positions.tolist() == [[1, 2], [3, 4]]
    assert tokens.kinds.tolist() == [2, 3]


def test_points_come_before_the_box() -> None:
    box = np.array([1, 2, 3, 4])
    tokens = tokenise(ModelPrompt(np.array([[7, 8]]), np.array([0]), box))
    assert tokens.positions.tolist() == [[7, 8], [1, 2], [3, 4]]
    assert tokens.kinds.tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("prompt", "remedy"),
    [
        (ModelPrompt(NO_POINTS, NO_LABELS), "Add a point on the object"),
        (ModelPrompt(np.ones((2, 3)), np.ones(2)), r"give \(N, 2\) positions"),
        (ModelPrompt(np.ones((2, 2)), np.ones(3)), "N signs"),
        (ModelPrompt(NO_POINTS, np.ones(1)), "do not fit together"),
        (ModelPrompt(np.ones(2), np.ones(1)), "do not fit together"),
        (ModelPrompt(np.ones((1, 2)), np.array([-1])), "use 1"),
        (ModelPrompt(np.ones((1, 2)), np.array([2])), "use 1"),
        (ModelPrompt(NO_POINTS, NO_LABELS, np.ones(3)), "four numbers"),
        (ModelPrompt(np.array([[np.nan, 1]]), np.ones(1)), "inside the frame"),
        (ModelPrompt(NO_POINTS, NO_LABELS, np.full(4, np.inf)), "inside the frame"),
    ],
)
def test_what_cannot_be_decoded_is_refused(prompt: ModelPrompt, remedy: str) -> None:
    with pytest.raises(PromptError, match=remedy):
        tokenise(prompt)


def test_batches_hold_equal_lengths_and_every_index_once() -> None:
    counts = [1, 3, 1, 1, 2, 3, 1, 1]
    tokens = [
        tokenise(ModelPrompt(np.ones((count, 2)), np.ones(count))) for count in counts
    ]
    found = list(batches(tokens, largest=2))
    assert sorted(index for batch in found for index in batch) == list(range(8))
    assert all(len({counts[index] for index in batch}) == 1 for batch in found)
    assert max(len(batch) for batch in found) == 2
    assert len(found) == 5


def test_no_prompts_give_no_batches() -> None:
    assert list(batches([], largest=2)) == []


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
