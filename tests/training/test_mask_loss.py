from __future__ import annotations

import math

import pytest
import torch

from napari_sam_decoder.training.mask_loss import (
    best_loss,
    mask_losses,
    rating_loss,
    true_ious,
)

TRUTH = torch.tensor([[1.0, 1.0, 0.0, 0.0]])


def test_the_loss_is_focal_and_dice_at_twenty_to_one() -> None:
    logit = 1.2
    share = 1 / (1 + math.exp(-logit))
    on = 0.25 * (1 - share) ** 2 * -math.log(share)
    off = 0.75 * share**2 * -math.log(1 - share)
    dice = 1 - (2 * 2 * share + 1) / (4 * share + 2 + 1)
    drawn = torch.full((1, 1, 4), logit)
    expected = 20 * (on + off) / 2 + dice
    assert mask_losses(drawn, TRUTH).item() == pytest.approx(expected, rel=1e-5)


def test_right_and_sure_is_no_loss_and_wrong_is_much() -> None:
    right = 30 * (2 * TRUTH - 1)[:, None]
    drawn = torch.cat([right, -right, 0 * right], dim=1)
    good, bad, none = mask_losses(drawn, TRUTH)[0].tolist()
    assert good == pytest.approx(0, abs=1e-5)
    assert good < none < bad


def test_only_the_best_hypothesis_learns() -> None:
    drawn = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    drawn.requires_grad_()
    losses = mask_losses(drawn, TRUTH.expand(2, 4))
    loss = best_loss(losses)
    loss.backward()
    assert loss.item() == pytest.approx(losses.min(dim=1).values.mean().item())
    for index, best in enumerate(losses.argmin(dim=1).tolist()):
        learns = drawn.grad[index].abs().sum(dim=-1) > 0
        assert learns.tolist() == [number == best for number in range(3)]


def test_ious_are_those_of_what_is_above_zero() -> None:
    drawn = torch.tensor([[[1.0, -1, -1, -1], [1, 1, 1, 1], [3, 0.1, -1, -2]]])
    assert true_ious(drawn, TRUTH)[0].tolist() == pytest.approx([0.5, 0.5, 1])
    nothing = torch.zeros(1, 4)
    assert true_ious(-drawn[:, 1:2], nothing).item() == 1
    assert true_ious(drawn[:, 1:2], nothing).item() == 0


def test_ratings_of_all_hypotheses_are_taught() -> None:
    ratings = torch.tensor([[0.5, 0.9, 0.1]], requires_grad=True)
    ious = torch.tensor([[0.7, 0.9, 0.4]])
    loss = rating_loss(ratings, ious)
    assert loss.item() == pytest.approx((0.04 + 0 + 0.09) / 3)
    loss.backward()
    assert (ratings.grad[0] < 0).tolist() == [True, False, True]
