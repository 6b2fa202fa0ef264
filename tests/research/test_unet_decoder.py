from __future__ import annotations

import pytest
import torch

from decoder_parts.unet_decoder import UnetConfig, UnetDecoder, draw_hints

SMALL = UnetConfig(
    widths=(8, 8, 12, 12, 12), last_widths=(8, 4), channels=16, early_channels=6
)


def make(config: UnetConfig = SMALL) -> UnetDecoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UnetDecoder(config)


def look(rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    noise = torch.Generator().manual_seed(1)
    return (
        torch.randn(2, 16, rows, columns, generator=noise),
        torch.randn(2, 6, 4 * rows, 4 * columns, generator=noise),
        torch.randn(2, 4, 4 * rows, 4 * columns, generator=noise),
    )


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (1, 2), (7, 6)])
def test_a_mask_has_sixteen_times_the_side_of_any_window(
    shape: tuple[int, int],
) -> None:
    drawn = make().draw(*look(*shape))
    assert drawn.shape == (2, 1, 16 * shape[0], 16 * shape[1])
    assert drawn.dtype == torch.float32


def test_it_is_about_as_large_as_what_it_is_compared_with() -> None:
    with torch.device("meta"):
        network = UnetDecoder(UnetConfig())
    assert 4e6 < sum(weights.numel() for weights in network.parameters()) < 7e6


def test_every_weight_learns() -> None:
    network = make()
    network.draw(*look(5, 6)).square().mean().backward()
    for name, weights in network.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.abs().sum() > 0, name


def test_all_inputs_change_the_mask() -> None:
    grid, early, hints = look(3, 4)
    network = make()
    drawn = network.draw(grid, early, hints)
    nothing = [
        (0 * grid, early, hints),
        (grid, 0 * early, hints),
        *(
            (grid, early, hints * (torch.arange(4) != k)[:, None, None])
            for k in range(4)
        ),
    ]
    for less in nothing:
        assert not torch.allclose(network.draw(*less), drawn)


def test_what_goes_up_arrives() -> None:
    assert 0.03 < make().draw(*look(6, 6)).std() < 10


def test_bfloat16_changes_logits_little() -> None:
    network, (grid, early, hints) = make(), look(3, 4)
    exact = network.draw(grid, early, hints)
    rounded = network.bfloat16().draw(grid.bfloat16(), early.bfloat16(), hints)
    assert (rounded - exact).abs().mean() < 0.03 * exact.abs().mean()


def test_clicks_are_drawn_where_they_are() -> None:
    positions = torch.tensor([[[65.5, 33.5], [9.5, 101.5], [0.0, 0.0]]])
    hints = draw_hints(positions, torch.tensor([[1, 0, -1]]), None, 32)
    assert hints.shape == (1, 4, 32, 32)
    on, beside, box, drawn = hints[0]
    assert on.argmax().item() == 8 * 32 + 16
    assert beside.argmax().item() == 25 * 32 + 2
    assert on.max() == beside.max() == 1
    assert on[20:].max() < 1e-3
    assert not box.any()
    assert not drawn.any()


def test_a_box_is_filled() -> None:
    corners = torch.tensor([[[15.5, 31.5], [47.5, 39.5]], [[0.0, 0.0], [1.0, 1.0]]])
    hints = draw_hints(corners, torch.tensor([[2, 3], [1, -1]]), None, 32)
    box = hints[0, 2]
    rows, columns = box.nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 9, 4, 11)
    assert box.sum() == 16
    assert not hints[0, :2].any()
    assert not hints[1, 2].any()


def test_what_was_drawn_is_a_channel_between_its_signs() -> None:
    logits = torch.linspace(-30, 30, 64).reshape(1, 1, 8, 8)
    drawn = draw_hints(torch.zeros(1, 1, 2), torch.tensor([[-1]]), logits, 8)[0, 3]
    assert drawn.abs().max() <= 1
    assert torch.equal(drawn.sign(), logits[0, 0].sign())
