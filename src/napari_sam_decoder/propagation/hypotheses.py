"""Preview what the decoder offers for prompts, before anything is propagated."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.propagation.initial_masks import decide_prompts, decode_prompts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.context import Context
    from napari_sam_decoder.propagation.initial_masks import (
        DecodedPrompt,
        PromptDecision,
    )

__all__ = ["Hypothesis", "Preview", "preview_prompts"]


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One of the masks that SAM offers for a prompt.

    Attributes
    ----------
    number : {1, 2, 3} or 0
        The value of `Prompt.hypothesis` that picks it. 0 for a mask that cannot be
        picked: the decoder's single mask for several points or a box, or one that was
        decoded with other objects' points as background.
    mask : (Y, X) array of bool
    iou_prediction : float
        0..1, how well the mask is expected to fit the object. For a single click it
        comes from the `Rater`, if the model has one, else from SAM's decoder.
    score : float
        0..1, used to choose among the hypotheses: ``iou_prediction`` minus the cost of
        overlaps with other objects; 0 for a mask that cannot be the object.
    """

    number: int
    mask: np.ndarray
    iou_prediction: float
    score: float

    def __repr__(self) -> str:
        pixels = np.count_nonzero(self.mask)
        return (
            f"{type(self).__name__}(number={self.number}, mask={pixels} of "
            f"{self.mask.size} pixels, iou_prediction={self.iou_prediction:.2f}, "
            f"score={self.score:.2f})"
        )


@dataclass(frozen=True, eq=False)
class Preview:
    """What a prompt gives on its own frame.

    Attributes
    ----------
    prompt : Prompt
    hypotheses : tuple of Hypothesis
        Numbers 1, 2 and 3; none for a painted mask.
    chosen : Hypothesis
        What propagation starts from: the hypothesis that the prompt has picked, or else
        the one with the highest score. Parts that belong to other objects are removed
        from its mask.
    decoded : DecodedPrompt, optional
        The decoder's masks, so that they can be used again beside other objects.
    """

    prompt: Prompt
    hypotheses: tuple[Hypothesis, ...]
    chosen: Hypothesis
    decoded: DecodedPrompt | None = field(default=None, repr=False)


def preview_prompts(
    context: Context,
    prompts: Sequence[Prompt],
    known: Iterable[Preview] = (),
    *,
    sharpen_all: bool = False,
) -> tuple[Preview, ...]:
    """Decode the prompts of one frame.

    Parameters
    ----------
    context : Context
        Has the frames and the decoder.
    prompts : sequence of Prompt
        On one frame, within the movie, one per object.
    known : iterable of Preview
        Earlier previews, whose masks are used again.
    sharpen_all : bool
        Whether a sharpener, if the model has one, draws all masks or only the chosen
        ones. It takes longer than everything else.

    Returns
    -------
    tuple of Preview
        One per prompt.
    """
    earlier = {_without_pick(one.prompt): one for one in known if one.decoded}
    present = [prompt for prompt in prompts if not prompt.is_absence]
    previews = {
        decision.decoded.prompt: _draw(context, decision, earlier, sharpen_all)
        for decision in _decide(context, present, earlier)
        if not decision.decoded.prompt.is_settled
    }
    return tuple(previews.get(prompt) or _preview_painted(prompt) for prompt in prompts)


def _decide(
    context: Context, prompts: Sequence[Prompt], earlier: Mapping[Prompt, Preview]
) -> list[PromptDecision]:
    """Decode the new prompts in one call, and decide all of them together."""
    if all(prompt.is_settled for prompt in prompts):
        return []
    embedding = context.embedding(prompts[0].frame)
    known = {
        prompt: replace(shown.decoded, prompt=prompt)
        for prompt in prompts
        if (shown := earlier.get(_without_pick(prompt))) and shown.decoded
    }
    new = [prompt for prompt in prompts if prompt not in known]
    known |= zip(new, decode_prompts(context, embedding, new), strict=True)
    return decide_prompts(context, embedding, [known[prompt] for prompt in prompts])


def _draw(
    context: Context,
    decision: PromptDecision,
    earlier: Mapping[Prompt, Preview],
    sharpen_all: bool,
) -> Preview:
    """Draw the hypotheses, unless they were drawn before, and the chosen mask."""
    decoded, chosen = decision.decoded, decision.choice
    prompt, shape = decoded.prompt, context.geometry.frame_shape
    is_sharpened = context.heads.sharpener is not None

    def draw(index: int) -> np.ndarray:
        is_chosen = decision.is_candidate and index == chosen.index
        if sharpen_all or is_chosen:
            return context.draw(prompt.frame, decoded.logits[index]).mask(shape)
        return context.decoder.enlarge(decoded.logits[index], shape).mask(shape)

    numbers = range(1, len(decoded.logits))
    shown = earlier.get(_without_pick(prompt))
    if shown is not None and not is_sharpened:
        masks = [hypothesis.mask for hypothesis in shown.hypotheses]
    else:
        masks = context.object_threads.map(draw, numbers)
    ratings = decoded.ratings.clip(0, 1)
    hypotheses = tuple(
        Hypothesis(number, mask, float(ratings[number]), float(decision.scores[number]))
        for number, mask in zip(numbers, masks, strict=True)
    )
    if decision.is_candidate and chosen.index:
        return Preview(prompt, hypotheses, hypotheses[chosen.index - 1], decoded)
    mask = context.draw(prompt.frame, chosen.logits).mask(shape)
    rating = float(np.clip(chosen.score, 0, 1))
    used = Hypothesis(chosen.index, mask, rating, decision.score)
    return Preview(prompt, hypotheses, used, decoded)


def _preview_painted(prompt: Prompt) -> Preview:
    mask = np.zeros((0, 0), bool) if prompt.mask is None else prompt.mask.to_array()
    return Preview(prompt, (), Hypothesis(0, mask, 1.0, 1.0))


def _without_pick(prompt: Prompt) -> Prompt:
    """The decoder's masks do not depend on which one is picked."""
    return replace(prompt, hypothesis=None)
