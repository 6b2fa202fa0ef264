"""Teach SAM's own decoder about the objects of a few pictures.

It is asked as it is in use: by a click or a box and then by one more click, or as
propagation asks, by what it expects. Only objects whose outlines are known are asked
for, so that nothing is learned about others; and only what shows the picture counts.
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
from napari_sam_decoder.training.expecting import expect, prompt_at
from napari_sam_decoder.training.mask_loss import (
    best_loss,
    mask_losses,
    rating_loss,
    true_ious,
)
from napari_sam_decoder.training.pointing import lower_mask, next_clicks, point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.mask_decoder import MaskDecoder
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.values import ModelPrompt
    from napari_sam_decoder.training.lessons import Lesson

__all__ = ["Question", "Recipe", "Tuning"]

_PIXELS_PER_CELL = 4

_ALL_SHARE = 0.5
"""How much all three hypotheses count besides the best: what is labelled is what is
meant, so none of them need be kept for anything else."""


@dataclass(frozen=True)
class Recipe:
    """What a batch is made of.

    Attributes
    ----------
    prompts : int
        Asked at a time, all on one picture, by chance on the same object.
    expected : float
        0..1: share of the batches in which is asked as propagation does.
    guided : float
        0..1: share of these prompts that come with a mask.
    rounds : int
        How often each click or box is answered; all but the first time after one more
        click.
    """

    prompts: int = 4
    expected: float = 0.5
    guided: float = 0.7
    rounds: int = 3


class Question(NamedTuple):
    """Prompts on one picture, and the truth.

    Attributes
    ----------
    features : (C, G, G) tensor of float32
        The embedding.
    shown : (2,) tensor of int64
        Rows and columns of low-res pixels that show the picture.
    places, kinds : (B, T, 2) tensor of float32, (B, T) tensor of int64
        Tokens, see `PromptTokens`.
    logits : (B, 4 * G, 4 * G) tensor of float32
        Of mask prompts; of no meaning where there is none.
    is_guided : (B,) tensor of bool
        Whether there is one.
    rounds : () tensor of int64
        How often the prompts are answered.
    truth : (B, 4 * G, 4 * G) tensor of bool
        The objects, in low-res pixels.
    """

    features: Tensor
    shown: Tensor
    places: Tensor
    kinds: Tensor
    logits: Tensor
    is_guided: Tensor
    rounds: Tensor
    truth: Tensor

    def cut(self, image: Tensor) -> Tensor:
        """(..., P) of (..., h, w): the low-res pixels that show the picture."""
        rows, columns = self.shown.tolist()
        return image[..., :rows, :columns].flatten(-2)


class Tuning:
    """Prompts on the objects of lessons, and how far a `MaskDecoder` is off.

    Parameters
    ----------
    lessons : sequence of Lesson
        Asked for one whenever prompts on it are wanted. Of their parts only embedding
        and truth are needed.
    sam : Sam
        What has embedded them; embeds prompts.
    recipe : Recipe, optional
        What a batch is made of.
    """

    def __init__(
        self, lessons: Sequence[Lesson], sam: Sam, recipe: Recipe | None = None
    ) -> None:
        self._lessons = lessons
        self._sam = sam
        self._recipe = recipe or Recipe()
        # To make them takes longer than all else of a batch.
        self._lowered: dict[int, np.ndarray] = {}
        # In float16 gradients would vanish.
        self._dtype = torch.float32 if sam.dtype is torch.float16 else sam.dtype
        with torch.no_grad():
            self._positions = sam.prompt_encoder.grid_positions().to(self._dtype)

    def batch(self, rng: np.random.Generator) -> Question:
        """Draw a lesson with objects that are large enough to be seen, and prompts."""
        lesson, truth = self._drawn(rng)
        asked = truth[rng.integers(len(truth), size=self._recipe.prompts)]
        if rng.random() < self._recipe.expected:
            everybody = np.logical_or.reduce(truth)
            logits = np.stack([expect(mask, everybody, rng) for mask in asked])
            prompts = [prompt_at(expected) for expected in logits]
            is_guided = rng.random(len(asked)) < self._recipe.guided
            rounds = 1
        else:
            prompts = [point(0, mask, rng).prompt for mask in asked]
            logits = np.zeros(asked.shape, np.float32)
            is_guided = np.zeros(len(asked), bool)
            rounds = self._recipe.rounds
        return Question(
            torch.from_numpy(lesson.features.astype(np.float32)),
            torch.from_numpy(-(-lesson.shown // _PIXELS_PER_CELL)),
            *_tokens(prompts),
            torch.from_numpy(logits),
            torch.from_numpy(is_guided),
            torch.tensor(rounds),
            torch.from_numpy(asked),
        )

    def loss(self, decoder: MaskDecoder, batch: tuple[Tensor, ...]) -> Tensor:
        """Mean over rounds and prompts.

        Parameters
        ----------
        decoder : MaskDecoder
            Asked in the number types in which it is asked in use.
        batch : tuple of tensor
            The parts of a `Question`.

        Returns
        -------
        () tensor
            Of the best hypothesis, of all three, and of the single-mask output, each
            by focal and dice loss, and the mean square of how far predicted IoUs are
            off.
        """
        question = Question(*batch)
        rounds = int(question.rounds)
        total = question.features.new_zeros(())
        for number in range(rounds):
            drawn, ratings = self._answer(decoder, question)
            pixels, truth = question.cut(drawn), question.cut(question.truth).float()
            losses = mask_losses(pixels, truth)
            total = total + best_loss(losses[:, 1:]) + losses[:, 0].mean()
            total = total + _ALL_SHARE * losses[:, 1:].mean()
            total = total + rating_loss(ratings, true_ious(pixels, truth))
            if number + 1 < rounds:
                offers = slice(0, 1) if number else slice(1, None)
                question = _corrected(question, drawn[:, offers], ratings[:, offers])
        return total / rounds

    def _drawn(self, rng: np.random.Generator) -> tuple[Lesson, np.ndarray]:
        """A lesson, and (N, h, w) bool: its objects in low-res pixels, N > 0."""
        for index in rng.permutation(len(self._lessons)).tolist():
            lesson = self._lessons[index]
            if index not in self._lowered:
                self._lowered[index] = self._lower(lesson)
            if len(self._lowered[index]):
                unpacked = np.unpackbits(self._lowered[index], axis=-1)
                return lesson, unpacked.astype(bool)
        raise LabelsError(
            "all known objects are too small to be seen when a frame is scaled to the "
            "network's input; cut the movie to the region that matters"
        )

    def _lower(self, lesson: Lesson) -> np.ndarray:
        """(N, h, w / 8) uint8: objects in low-res pixels, but those without any."""
        sizes = self._sam.image_size, self._sam.mask_size
        masks = (lower_mask(lesson.mask(i), *sizes) for i in range(len(lesson.truth)))
        seen = [np.packbits(mask, axis=-1) for mask in masks if mask.any()]
        return np.stack(seen) if seen else np.zeros(0, np.uint8)

    def _answer(
        self, decoder: MaskDecoder, question: Question
    ) -> tuple[Tensor, Tensor]:
        """(B, 4, h, w) logits where the picture is shown, and (B, 4) predicted IoUs."""
        image, tokens = self._embedded(question)
        outputs, image = decoder(image, self._positions, tokens)
        grid = unflattened(image, 1, question.features.shape[-2:])
        rows, columns = (-(-question.shown // _PIXELS_PER_CELL)).tolist()
        drawn = decoder.draw(outputs, grid[:, :rows, :columns])
        return drawn.float(), decoder.rate(outputs).float()

    @torch.no_grad()
    def _embedded(self, question: Question) -> tuple[Tensor, Tensor]:
        """(B, cells, C) with the mask prompts, and (B, T, C) tokens."""
        encoder, dtype = self._sam.prompt_encoder, self._dtype
        cells = question.features.flatten(1).T.to(dtype)
        masks = encoder.embed_masks(question.logits[:, None], dtype)
        nothing = encoder.embed_no_mask().to(dtype)
        dense = torch.where(question.is_guided[:, None, None], masks, nothing)
        return cells + dense, encoder.embed_tokens(question.places, question.kinds)


def _tokens(prompts: Sequence[ModelPrompt]) -> tuple[Tensor, Tensor]:
    tokens = [tokenise(prompt) for prompt in prompts]
    return (
        torch.from_numpy(np.stack([item.positions for item in tokens])),
        torch.from_numpy(np.stack([item.labels for item in tokens])),
    )


@torch.no_grad()
def _corrected(question: Question, offers: Tensor, ratings: Tensor) -> Question:
    """Click once more, on what is wrong with the offer that is rated best.

    Every other one of these masks is handed back with the clicks: propagation does so,
    but where a person clicks several times on one frame, nothing but clicks is given.
    """
    rows, columns = question.shown.tolist()
    every = torch.arange(len(offers), device=offers.device)
    picked = offers[every, ratings.argmax(dim=1)]
    logits = torch.full_like(question.logits, BACKGROUND_LOGIT)
    logits[:, :rows, :columns] = picked[:, :rows, :columns]
    clicks = next_clicks(question.truth.cpu().numpy(), (logits > 0).cpu().numpy())
    places, kinds = (torch.from_numpy(part)[:, None] for part in clicks)
    return question._replace(
        places=torch.cat([places.to(question.places), question.places], dim=1),
        kinds=torch.cat([kinds.to(question.kinds), question.kinds], dim=1),
        logits=logits,
        is_guided=every % 2 == 0,
    )
