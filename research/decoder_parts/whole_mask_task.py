"""The task of drawing whole masks from prompts, and rating them.

Drawing a full view takes long, so two windows are drawn: one at the object, and a
smaller one anywhere, so that nothing is drawn elsewhere. Tokens attend to the whole
view.

A prompt is a point or a box first; then a click on an error is added, together with the
previous mask, as in use and as SAM was trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from decoder_parts.prompt_sampling import (
    PromptSampler,
    SamplingOptions,
    WindowBatch,
)
from decoder_parts.whole_mask_decoding import PromptTensors, best_rated, decode
from napari_sam_decoder.training.mask_loss import (
    best_loss,
    mask_losses,
    rating_loss,
    true_ious,
)
from napari_sam_decoder.training.simulated_prompts import correcting_clicks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from decoder_parts.document_decoder import DocumentDecoder
    from decoder_parts.unet_decoder import UnetDecoder
    from decoder_parts.whole_mask_decoding import EarlyWindow
    from napari_sam_decoder.model.sam import Sam
    from shipped_head.sam_examples import SamExample

__all__ = ["WholeMaskTask", "correct"]

ROUNDS = 2
"""How often each prompt is answered, each time but the first after a correction."""

SURE = 8.0
"""Logit of the truth outside the windows, see `WholeMaskTask.loss`."""


class WholeMaskTask:
    """Draws prompts for the objects of examples, and computes the loss on them.

    Parameters
    ----------
    examples : sequence of SamExample
        PromptTensors for one whenever prompts on it are wanted; each has objects.
    sam : Sam
        The network that embedded them; encodes windows and embeds prompts.
    options : SamplingOptions
        How a batch is drawn.
    """

    def __init__(
        self,
        examples: Sequence[SamExample],
        sam: Sam,
        options: SamplingOptions | None = None,
    ) -> None:
        self._sampler = PromptSampler(examples, sam, options or SamplingOptions())
        self._encoder = sam.prompt_encoder

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Return the parts of a `WindowBatch`."""
        return self._sampler.batch(rng)

    def loss(
        self, network: DocumentDecoder | UnetDecoder, batch: tuple[Tensor, ...]
    ) -> Tensor:
        """Average the loss of the best hypothesis over rounds and prompts.

        Parameters
        ----------
        network : DocumentDecoder or UnetDecoder
            The decoder.
        batch : tuple of tensor
            The parts of a `WindowBatch`.

        Returns
        -------
        () tensor
            Plus the mean squared error of predicted IoUs, if there are any.

        Notes
        -----
        The hypothesis with the best rating is fed back, as in use. Outside the windows
        the truth stands in for it, so that nothing is to be corrected there.
        """
        given = WindowBatch(*batch)
        prompts = PromptTensors(given.grid, given.positions, given.kinds)
        total = given.grid.new_zeros(())
        for number in range(ROUNDS):
            answer = decode(network, self._encoder, prompts)
            drawn = [answer.draw(window) for window in given.windows]
            pixels = torch.cat([part.flatten(2) for part in drawn], dim=2)
            total = total + best_loss(mask_losses(pixels, given.truth))
            if answer.ratings is not None:
                ious = true_ious(pixels, given.truth)
                total = total + rating_loss(answer.ratings, ious)
            if number + 1 < ROUNDS:
                prompts = correct(prompts, given, answer.ratings, drawn)
        return total / ROUNDS


def correct(
    prompts: PromptTensors,
    batch: WindowBatch,
    ratings: Tensor | None,
    drawn: Sequence[Tensor],
) -> PromptTensors:
    """Add a click on the deepest error of each mask, and feed back the masks.

    Parameters
    ----------
    prompts : PromptTensors
        The prompts so far.
    batch : WindowBatch
        With the truth.
    ratings : (B, M) tensor, optional
        Predicted IoUs of the hypotheses.
    drawn : sequence of (B, M, h, w) tensor
        Logits in each of the windows.

    Returns
    -------
    PromptTensors
        Without gradient.
    """
    with torch.no_grad():
        truth = batch.low_res
        logits = torch.where(truth, SURE, -SURE)
        for window, masks in zip(batch.windows, drawn, strict=True):
            _insert(logits, window, _picked(ratings, masks))
        found = logits[:, 0] > 0
        clicks = correcting_clicks(truth[:, 0].cpu().numpy(), found.cpu().numpy())
        positions, kinds = (torch.from_numpy(part)[:, None] for part in clicks)
        return PromptTensors(
            prompts.grid,
            torch.cat([prompts.positions, positions.to(prompts.positions)], dim=1),
            torch.cat([prompts.kinds, kinds.to(prompts.kinds)], dim=1),
            logits,
        )


def _picked(ratings: Tensor | None, masks: Tensor) -> Tensor:
    """(B, 1, h / 4, w / 4) low-res logits of the hypotheses with the best rating."""
    picked = best_rated(ratings, masks)
    chosen = masks[torch.arange(len(masks), device=masks.device), picked]
    return F.avg_pool2d(chosen.detach(), 4)[:, None]


def _insert(logits: Tensor, window: EarlyWindow, part: Tensor) -> None:
    """Write the (B, 1, h, w) low-res logits of a window into the full view."""
    rows, columns = part.shape[-2:]
    corners = (4 * window.corners).tolist()
    for whole, one, (row, column) in zip(logits, part, corners, strict=True):
        whole[:, row : row + rows, column : column + columns] = one
