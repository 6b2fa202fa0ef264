"""Teach a decoder to draw whole masks from prompts, and to rate what it draws.

Drawing a full view takes long, so two windows of it are drawn: one where the object is,
and a smaller one anywhere, so that nothing is drawn elsewhere. Tokens read the whole
view all the same.

Prompts become more as they do in use, and as SAM was taught: a point or a box at first,
then a click on what is wrong, together with what was drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from napari_sam_decoder.training.mask_loss import (
    best_loss,
    mask_losses,
    rating_loss,
    true_ious,
)
from napari_sam_decoder.training.pointing import next_clicks
from shipped_head.asking import Asked, ask, pick
from shipped_head.prompted import Batch, Prompted, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from napari_sam_decoder.model.hires_decoder import HiresDecoder
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.lessons import Lesson
    from shipped_head.asking import Window
    from shipped_head.unet_decoder import UnetDecoder

__all__ = ["WholeMasks", "correct"]

ROUNDS = 2
"""So often each prompt is answered; all but the first time after a correction."""

SURE = 8.0
"""Logit of the truth where nothing was drawn, see `WholeMasks.loss`."""


class WholeMasks:
    """Prompts on the objects of lessons, and how far answers are off.

    Parameters
    ----------
    lessons : sequence of Lesson
        Asked for one whenever prompts on it are wanted; each has objects.
    sam : Sam
        What has embedded them; looks at windows more closely, and embeds prompts.
    recipe : Recipe
        What a batch is made of.
    """

    def __init__(
        self, lessons: Sequence[Lesson], sam: Sam, recipe: Recipe | None = None
    ) -> None:
        self._prompted = Prompted(lessons, sam, recipe or Recipe())
        self._encoder = sam.prompt_encoder

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Return the parts of a `Batch`."""
        return self._prompted.batch(rng)

    def loss(
        self, network: HiresDecoder | UnetDecoder, batch: tuple[Tensor, ...]
    ) -> Tensor:
        """Mean over rounds and prompts of the loss of the best hypothesis.

        Parameters
        ----------
        network : HiresDecoder or UnetDecoder
            The former with a depth above 0.
        batch : tuple of tensor
            The parts of a `Batch`.

        Returns
        -------
        () tensor
            Where IoUs are predicted, with the mean square of how far these are off.

        Notes
        -----
        What is fed back is what is rated best, as in use. Where nothing was drawn, the
        truth stands in for it, so that nothing is to be corrected there.
        """
        given = Batch(*batch)
        asked = Asked(given.grid, given.places, given.kinds)
        total = given.grid.new_zeros(())
        for number in range(ROUNDS):
            answer = ask(network, self._encoder, asked)
            drawn = [answer.draw(window) for window in given.windows]
            pixels = torch.cat([part.flatten(2) for part in drawn], dim=2)
            total = total + best_loss(mask_losses(pixels, given.truth))
            if answer.ratings is not None:
                ious = true_ious(pixels, given.truth)
                total = total + rating_loss(answer.ratings, ious)
            if number + 1 < ROUNDS:
                asked = correct(asked, given, answer.ratings, drawn)
        return total / ROUNDS


def correct(
    asked: Asked, batch: Batch, ratings: Tensor | None, drawn: Sequence[Tensor]
) -> Asked:
    """Click once more, on what is wrong, and feed back what was drawn.

    Parameters
    ----------
    asked : Asked
        What was answered.
    batch : Batch
        Knows the truth.
    ratings : (B, M) tensor, optional
        Of the hypotheses.
    drawn : sequence of (B, M, h, w) tensor
        Logits in each of the windows.

    Returns
    -------
    Asked
        Without gradient.
    """
    with torch.no_grad():
        truth = batch.lowered
        logits = torch.where(truth, SURE, -SURE)
        for window, offers in zip(batch.windows, drawn, strict=True):
            _insert(logits, window, _picked(ratings, offers))
        found = logits[:, 0] > 0
        clicks = next_clicks(truth[:, 0].cpu().numpy(), found.cpu().numpy())
        places, kinds = (torch.from_numpy(part)[:, None] for part in clicks)
        return Asked(
            asked.grid,
            torch.cat([asked.places, places.to(asked.places)], dim=1),
            torch.cat([asked.kinds, kinds.to(asked.kinds)], dim=1),
            logits,
        )


def _picked(ratings: Tensor | None, offers: Tensor) -> Tensor:
    """(B, 1, h / 4, w / 4) low-res logits of what is rated best."""
    picked = pick(ratings, offers)
    chosen = offers[torch.arange(len(offers), device=offers.device), picked]
    return F.avg_pool2d(chosen.detach(), 4)[:, None]


def _insert(logits: Tensor, window: Window, part: Tensor) -> None:
    """Put (B, 1, h, w) low-res logits where they belong."""
    rows, columns = part.shape[-2:]
    corners = (4 * window.corners).tolist()
    for whole, one, (row, column) in zip(logits, part, corners, strict=True):
        whole[:, row : row + rows, column : column + columns] = one
