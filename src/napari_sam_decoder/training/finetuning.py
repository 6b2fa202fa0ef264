"""The task of fine-tuning SAM's mask decoder on the objects of a few pictures.

The decoder is prompted as in use: with a click or box and then correcting clicks, or as
propagation does, with its prior. Only objects with known outlines are prompted for, so
that nothing is learned about others, and only pixels that show the picture count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.model.layers import unflattened
from napari_sam_decoder.model.prompt_encoder import tokenise
from napari_sam_decoder.model.values import BACKGROUND_LOGIT
from napari_sam_decoder.training.mask_loss import (
    best_loss,
    mask_losses,
    rating_loss,
    true_ious,
)
from napari_sam_decoder.training.simulated_prompts import (
    correcting_clicks,
    first_prompt,
    low_res_mask,
    prompt_from_prior,
    simulate_prior,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.mask_decoder import MaskDecoder
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.values import ModelPrompt
    from napari_sam_decoder.training.examples import TrainingExample

__all__ = ["BatchOptions", "Finetuning", "PromptBatch"]

_PIXELS_PER_CELL = 4

_ALL_WEIGHT = 0.5
"""Weight of the mean loss of all three hypotheses beside that of the best. What is
labelled is what is meant, so no hypothesis need be kept for anything else."""


@dataclass(frozen=True)
class BatchOptions:
    """How a batch is drawn.

    Attributes
    ----------
    prompts : int
        Number of prompts, all on one picture, perhaps several for one object.
    prior_share : float
        0..1: share of the batches whose prompts are made from a prior.
    mask_share : float
        0..1: share of these prompts that include the prior as a mask prompt.
    rounds : int
        How often other prompts are answered, each time but the first after one more
        click.
    """

    prompts: int = 4
    prior_share: float = 0.5
    mask_share: float = 0.7
    rounds: int = 3


class PromptBatch(NamedTuple):
    """B prompts on one picture, and the truth.

    Attributes
    ----------
    features : (C, G, G) tensor of float32
        The embedding.
    shown : (2,) tensor of int64
        Rows and columns of low-res pixels that show the picture.
    positions : (B, T, 2) tensor of float32
        Of the tokens, see `PromptTokens`.
    kinds : (B, T) tensor of int64
        Of the tokens.
    logits : (B, 4 * G, 4 * G) tensor of float32
        Mask prompts; meaningless where there is none.
    has_mask : (B,) tensor of bool
        Whether there is a mask prompt.
    rounds : () tensor of int64
        How often the prompts are answered.
    truth : (B, 4 * G, 4 * G) tensor of bool
        The objects, in low-res pixels.
    """

    features: Tensor
    shown: Tensor
    positions: Tensor
    kinds: Tensor
    logits: Tensor
    has_mask: Tensor
    rounds: Tensor
    truth: Tensor

    def crop(self, image: Tensor) -> Tensor:
        """(..., P) of (..., h, w): the low-res pixels that show the picture."""
        rows, columns = self.shown.tolist()
        return image[..., :rows, :columns].flatten(-2)


class Finetuning:
    """Draws batches of prompts, and computes the loss of a `MaskDecoder` on them.

    Parameters
    ----------
    examples : sequence of TrainingExample
        One is read for each batch.
    sam : Sam
        The network that embedded them; embeds prompts.
    options : BatchOptions, optional
        How batches are drawn.
    """

    def __init__(
        self,
        examples: Sequence[TrainingExample],
        sam: Sam,
        options: BatchOptions | None = None,
    ) -> None:
        self._examples = examples
        self._sam = sam
        self._options = options or BatchOptions()
        # Making these takes longer than the rest of a batch.
        self._low_res: dict[int, np.ndarray] = {}
        # In float16 gradients would vanish.
        self._dtype = torch.float32 if sam.dtype is torch.float16 else sam.dtype
        with torch.no_grad():
            self._positions = sam.prompt_encoder.grid_positions().to(self._dtype)

    def batch(self, rng: np.random.Generator) -> PromptBatch:
        """Draw an example, objects on it, and prompts for them.

        Parameters
        ----------
        rng : Generator
            Decides on all of it.

        Returns
        -------
        PromptBatch

        Raises
        ------
        LabelsError
            If no object of any example covers a low-res pixel.
        """
        example, masks = self._drawn(rng)
        truth = masks[rng.integers(len(masks), size=self._options.prompts)]
        if rng.random() < self._options.prior_share:
            all_objects = np.logical_or.reduce(masks)
            logits = np.stack([simulate_prior(m, all_objects, rng) for m in truth])
            prompts = [prompt_from_prior(prior) for prior in logits]
            has_mask = rng.random(len(truth)) < self._options.mask_share
            rounds = 1
        else:
            prompts = [first_prompt(0, mask, rng).prompt for mask in truth]
            logits = np.zeros(truth.shape, np.float32)
            has_mask = np.zeros(len(truth), bool)
            rounds = self._options.rounds
        return PromptBatch(
            torch.from_numpy(example.features.astype(np.float32)),
            torch.from_numpy(-(-example.shown // _PIXELS_PER_CELL)),
            *_tokens(prompts),
            torch.from_numpy(logits),
            torch.from_numpy(has_mask),
            torch.tensor(rounds),
            torch.from_numpy(truth),
        )

    def loss(self, decoder: MaskDecoder, batch: tuple[Tensor, ...]) -> Tensor:
        """Compute the mean loss over rounds and prompts.

        Parameters
        ----------
        decoder : MaskDecoder
            Run in the number types of use.
        batch : tuple of tensor
            The parts of a `PromptBatch`.

        Returns
        -------
        () tensor
            Focal and dice loss of the best hypothesis, of all three and of the
            single-mask output, and the mean squared error of the predicted IoUs.
        """
        prompts = PromptBatch(*batch)
        rounds = int(prompts.rounds)
        total = prompts.features.new_zeros(())
        for number in range(rounds):
            logits, ratings = self._decoded(decoder, prompts)
            pixels, truth = prompts.crop(logits), prompts.crop(prompts.truth).float()
            losses = mask_losses(pixels, truth)
            total = total + best_loss(losses[:, 1:]) + losses[:, 0].mean()
            total = total + _ALL_WEIGHT * losses[:, 1:].mean()
            total = total + rating_loss(ratings, true_ious(pixels, truth))
            if number + 1 < rounds:
                masks = slice(0, 1) if number else slice(1, None)
                prompts = _corrected(prompts, logits[:, masks], ratings[:, masks])
        return total / rounds

    def _drawn(self, rng: np.random.Generator) -> tuple[TrainingExample, np.ndarray]:
        """An example, and (N, h, w) bool: its objects in low-res pixels, N > 0."""
        for index in rng.permutation(len(self._examples)).tolist():
            example = self._examples[index]
            if index not in self._low_res:
                self._low_res[index] = self._packed_low_res(example)
            if len(self._low_res[index]):
                unpacked = np.unpackbits(self._low_res[index], axis=-1)
                return example, unpacked.astype(bool)
        raise LabelsError(
            "all known objects are too small to be seen when a frame is scaled to the "
            "network's input; cut the movie to the region that matters"
        )

    def _packed_low_res(self, example: TrainingExample) -> np.ndarray:
        """(N, h, w / 8) uint8: those objects that cover a low-res pixel."""
        sizes = self._sam.image_size, self._sam.mask_size
        count = len(example.truth)
        masks = (low_res_mask(example.mask(index), *sizes) for index in range(count))
        packed = [np.packbits(mask, axis=-1) for mask in masks if mask.any()]
        return np.stack(packed) if packed else np.zeros(0, np.uint8)

    def _decoded(
        self, decoder: MaskDecoder, prompts: PromptBatch
    ) -> tuple[Tensor, Tensor]:
        """(B, 4, h, w) logits where the picture is shown, and (B, 4) predicted IoUs."""
        image, tokens = self._embedded(prompts)
        outputs, image = decoder(image, self._positions, tokens)
        grid = unflattened(image, 1, prompts.features.shape[-2:])
        rows, columns = (-(-prompts.shown // _PIXELS_PER_CELL)).tolist()
        logits = decoder.draw(outputs, grid[:, :rows, :columns])
        return logits.float(), decoder.rate(outputs).float()

    @torch.no_grad()
    def _embedded(self, prompts: PromptBatch) -> tuple[Tensor, Tensor]:
        """(B, cells, C) with the mask prompts, and (B, T, C) tokens."""
        encoder, dtype = self._sam.prompt_encoder, self._dtype
        cells = prompts.features.flatten(1).T.to(dtype)
        masks = encoder.embed_masks(prompts.logits[:, None], dtype)
        no_mask = encoder.embed_no_mask().to(dtype)
        dense = torch.where(prompts.has_mask[:, None, None], masks, no_mask)
        return cells + dense, encoder.embed_tokens(prompts.positions, prompts.kinds)


def _tokens(prompts: Sequence[ModelPrompt]) -> tuple[Tensor, Tensor]:
    tokens = [tokenise(prompt) for prompt in prompts]
    return (
        torch.from_numpy(np.stack([item.positions for item in tokens])),
        torch.from_numpy(np.stack([item.kinds for item in tokens])),
    )


@torch.no_grad()
def _corrected(prompts: PromptBatch, masks: Tensor, ratings: Tensor) -> PromptBatch:
    """Add a click on the deepest error of the mask that is rated best.

    Every other prompt gets that mask as well: propagation gives one, but several clicks
    of a person on one frame come without.
    """
    rows, columns = prompts.shown.tolist()
    every = torch.arange(len(masks), device=masks.device)
    best = masks[every, ratings.argmax(dim=1)]
    logits = torch.full_like(prompts.logits, BACKGROUND_LOGIT)
    logits[:, :rows, :columns] = best[:, :rows, :columns]
    clicks = correcting_clicks(prompts.truth.cpu().numpy(), (logits > 0).cpu().numpy())
    positions, kinds = (torch.from_numpy(part)[:, None] for part in clicks)
    return prompts._replace(
        positions=torch.cat([positions.to(prompts.positions), prompts.positions], 1),
        kinds=torch.cat([kinds.to(prompts.kinds), prompts.kinds], 1),
        logits=logits,
        has_mask=every % 2 == 0,
    )
