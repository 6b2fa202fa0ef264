"""Losses of several hypotheses for the mask of one object.

Focal and dice loss at 20 : 1, of the best hypothesis only, as SAM was trained [1]_. The
focal loss weighs objects 0.25 and background 0.75, and its exponent is 2 [2]_.

.. [1] Kirillov et al., "Segment Anything", ICCV 2023, appendix A.
.. [2] Lin et al., "Focal loss for dense object detection", ICCV 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["best_loss", "mask_losses", "rating_loss", "true_ious"]

_FOCAL = 20.0
_OBJECT_SHARE = 0.25


def mask_losses(drawn: Tensor, truth: Tensor) -> Tensor:
    """Compute the loss of each hypothesis.

    Parameters
    ----------
    drawn : (B, M, P) tensor of float32
        Logits of M hypotheses for B objects at P pixels.
    truth : (B, P) tensor of float32
        0 or 1.

    Returns
    -------
    (B, M) tensor
        20 times the focal loss plus the dice loss.
    """
    wanted = truth[:, None].expand_as(drawn)
    return _FOCAL * _focal(drawn, wanted) + _dice(torch.sigmoid(drawn), wanted)


def best_loss(losses: Tensor) -> Tensor:
    """Average the smallest of each row of (B, M) losses; the others get no gradient."""
    smallest: Tensor = losses.min(dim=1).values
    return smallest.mean()


def true_ious(drawn: Tensor, truth: Tensor) -> Tensor:
    """Compute the IoU of each hypothesis with the truth.

    Parameters
    ----------
    drawn : (B, M, P) tensor
        Logits; above 0 is object.
    truth : (B, P) tensor
        0 or 1.

    Returns
    -------
    (B, M) tensor of float32
        0..1, without gradient; 1 if both are empty.
    """
    found, wanted = drawn.detach() > 0, truth[:, None] > 0.5
    common = (found & wanted).sum(dim=-1).float()
    union = (found | wanted).sum(dim=-1).float()
    return torch.where(union > 0, common / union.clamp(min=1), 1.0)


def rating_loss(ratings: Tensor, ious: Tensor) -> Tensor:
    """Compute the mean squared error of (B, M) predicted IoUs, over all hypotheses."""
    return F.mse_loss(ratings.float(), ious)


def _focal(drawn: Tensor, truth: Tensor) -> Tensor:
    entropy = F.binary_cross_entropy_with_logits(drawn, truth, reduction="none")
    missed = 1 - torch.exp(-entropy)
    weights = _OBJECT_SHARE * truth + (1 - _OBJECT_SHARE) * (1 - truth)
    return (weights * missed.square() * entropy).mean(dim=-1)


def _dice(shares: Tensor, truth: Tensor) -> Tensor:
    common = (shares * truth).sum(dim=-1)
    total = shares.sum(dim=-1) + truth.sum(dim=-1)
    return 1 - (2 * common + 1) / (total + 1)
