from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from decoder_parts.document_decoder import (
    DocumentConfig,
    DocumentDecoder,
)
from decoder_parts.unet_decoder import UnetConfig, UnetDecoder
from decoder_parts.whole_mask_decoding import (
    EarlyWindow,
    PromptTensors,
    best_rated,
    decode,
)
from napari_sam_decoder.model.prompt_encoder import PromptEncoder

if TYPE_CHECKING:
    from torch import nn

GRID = 8
HIRES = replace(DocumentConfig(), depth=1, widths=(8, 8, 8, 4), early_channels=6)
UNET = UnetConfig(widths=(8, 8, 8, 8, 8), last_widths=(8, 4), early_channels=6)


def make(kind: str) -> DocumentDecoder | UnetDecoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "unet":
            return UnetDecoder(UNET)
        return DocumentDecoder(replace(HIRES, iou_head=kind == "hires"))


@pytest.fixture(scope="module")
def encoder() -> PromptEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return PromptEncoder(16 * GRID, GRID)


def asked(logits: bool = False) -> PromptTensors:
    noise = torch.Generator().manual_seed(2)
    return PromptTensors(
        torch.randn(2, 256, GRID, GRID, generator=noise),
        128 * torch.rand(2, 2, 2, generator=noise),
        torch.tensor([[1, -1], [2, 3]]),
        torch.randn(2, 1, 4 * GRID, 4 * GRID, generator=noise) if logits else None,
    )


def window(corners: list[list[int]], rows: int = 3, columns: int = 4) -> EarlyWindow:
    noise = torch.Generator().manual_seed(3)
    early = torch.randn(2, 6, 4 * rows, 4 * columns, generator=noise)
    return EarlyWindow(torch.tensor(corners), early)


def test_windows_are_cut_at_their_own_corners() -> None:
    image = torch.arange(2 * GRID * GRID).reshape(2, 1, GRID, GRID)
    found = window([[1, 2], [5, 0]]).crop(image)
    assert found.shape == (2, 1, 3, 4)
    assert torch.equal(found[0], image[0, :, 1:4, 2:6])
    assert torch.equal(found[1], image[1, :, 5:8, :4])
    fine = image.repeat_interleave(4, -2).repeat_interleave(4, -1)
    assert torch.equal(window([[1, 2], [5, 0]]).crop(fine, 4)[..., ::4, ::4], found)


@pytest.mark.parametrize(("kind", "masks"), [("hires", 3), ("unrated", 3), ("unet", 1)])
def test_any_window_can_be_drawn(kind: str, masks: int, encoder: PromptEncoder) -> None:
    answer = decode(make(kind), encoder, asked())
    drawn = answer.draw(window([[0, 0], [4, 3]]))
    assert drawn.shape == (2, masks, 48, 64)
    if kind == "hires":
        assert answer.ratings is not None
        assert answer.ratings.shape == (2, 3)
    else:
        assert answer.ratings is None


@pytest.mark.parametrize("kind", ["hires", "unet"])
def test_prompts_and_what_is_fed_back_change_the_answer(
    kind: str, encoder: PromptEncoder
) -> None:
    network, where = make(kind), window([[0, 0], [4, 3]])
    first = decode(network, encoder, asked()).draw(where)
    fed_back = decode(network, encoder, asked(logits=True)).draw(where)
    # Under the window, so that a decoder which sees no other prompts sees it.
    positions = torch.full((2, 2, 2), 70.0)
    moved = decode(network, encoder, replace(asked(), positions=positions)).draw(where)
    assert not torch.allclose(first, fed_back)
    assert not torch.allclose(first, moved)


@pytest.mark.parametrize("kind", ["hires", "unet"])
def test_prompts_are_answered_one_by_one(kind: str, encoder: PromptEncoder) -> None:
    network, both, where = make(kind), asked(logits=True), window([[0, 0], [4, 3]])
    together = decode(network, encoder, both).draw(where)
    alone = decode(
        network,
        encoder,
        PromptTensors(
            both.grid[1:], both.positions[1:], both.kinds[1:], both.logits[1:]
        ),
    ).draw(EarlyWindow(where.corners[1:], where.early[1:]))
    torch.testing.assert_close(alone[0], together[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["hires", "unet"])
@pytest.mark.parametrize("number_type", [torch.bfloat16, torch.float16])
def test_drawing_may_be_in_a_smaller_number_type(
    kind: str, number_type: torch.dtype, encoder: PromptEncoder
) -> None:
    network, where = make(kind), window([[0, 0], [4, 3]])
    with torch.inference_mode():
        exact = decode(network, encoder, asked()).draw(where)
        drawing: nn.Module = getattr(network, "drawing", network)
        drawing.to(number_type)
        rounded = decode(network, encoder, asked()).draw(where)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().mean() < 0.03 * exact.abs().mean()


def test_tokens_are_read_in_float32(encoder: PromptEncoder) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        rounded = decode(make("hires"), encoder, asked()).ratings
    torch.testing.assert_close(rounded, decode(make("hires"), encoder, asked()).ratings)


def test_the_prompt_encoder_learns_nothing(encoder: PromptEncoder) -> None:
    answer = decode(make("hires"), encoder, asked(logits=True))
    answer.draw(window([[0, 0], [4, 3]])).sum().backward()
    assert all(weights.grad is None for weights in encoder.parameters())


def test_what_is_rated_best_is_picked() -> None:
    drawn = torch.zeros(2, 3, 4, 4)
    ratings = torch.tensor([[0.1, 0.9, 0.3], [0.5, 0.2, 0.6]])
    assert best_rated(ratings, drawn).tolist() == [1, 2]
    assert best_rated(None, drawn).tolist() == [0, 0]
