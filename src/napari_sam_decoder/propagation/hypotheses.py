"""Preview what prompts give, before anything is propagated."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.frames import PlacedMask, Window
from napari_sam_decoder.propagation.initial_masks import answer_prompts, decide_prompts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_sam_decoder.interactive import Answer
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.initial_masks import PromptDecision
    from napari_sam_decoder.propagation.views import Views

__all__ = ["Hypothesis", "Preview", "preview_prompts"]


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A mask that is offered for a prompt, or the one that it gives.

    Attributes
    ----------
    number : {1, 2, 3} or 0
        The value of `Prompt.hypothesis` that picks it; from the smallest mask to the
        largest. 0 for a mask that cannot be picked: that of a box, of several actions
        together, or one that was made with other objects' points as background.
    placed : PlacedMask
        The mask, where it is in the frame.
    frame_shape : (rows, columns)
    iou_prediction : float
        0..1, how well the mask is expected to fit the object.
    score : float
        0..1, used to choose among the hypotheses: ``iou_prediction`` minus the cost of
        overlaps with other objects.
    """

    number: int
    placed: PlacedMask
    frame_shape: tuple[int, int]
    iou_prediction: float
    score: float

    @property
    def mask(self) -> np.ndarray:
        """(Y, X) array of bool over the whole frame, not to be changed."""
        return self.placed.seen_in(Window.of_frame(self.frame_shape))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(number={self.number}, mask={self.placed.area} of "
            f"{prod(self.frame_shape)} pixels, "
            f"iou_prediction={self.iou_prediction:.2f}, score={self.score:.2f})"
        )


@dataclass(frozen=True, eq=False)
class Preview:
    """What a prompt gives on its own frame.

    Attributes
    ----------
    prompt : Prompt
    hypotheses : tuple of Hypothesis
        Numbers 1, 2 and 3: what the first click or scribble, or a box or lasso, may
        mean. None for a painted mask.
    chosen : Hypothesis
        What propagation starts from: the hypothesis that the prompt has picked, or else
        the one with the highest score, with everything that was shown later. Parts that
        belong to other objects are removed from its mask.
    answer : Answer, optional
        Of the prompt alone, so that only new actions need be answered.
    apart : Answer, optional
        Of the prompt with points of other objects, where these would share its mask.
    window : Window, optional
        Of the frame, in which it was answered.
    together : frozenset of Prompt
        All that were decided with it, its own prompt included.
    """

    prompt: Prompt
    hypotheses: tuple[Hypothesis, ...]
    chosen: Hypothesis
    answer: Answer | None = field(default=None, repr=False)
    apart: Answer | None = field(default=None, repr=False)
    window: Window | None = field(default=None, repr=False)
    together: frozenset[Prompt] = field(default=frozenset(), repr=False)


def preview_prompts(
    views: Views, prompts: Sequence[Prompt], known: Iterable[Preview] = ()
) -> tuple[Preview, ...]:
    """Answer the prompts of one frame.

    Parameters
    ----------
    views : Views
        Has the frames and the networks.
    prompts : sequence of Prompt
        On one frame, within the movie, one per object.
    known : iterable of Preview
        Earlier previews on this frame, of which only what is new is answered.

    Returns
    -------
    tuple of Preview
        One per prompt.
    """
    present = [prompt for prompt in prompts if not prompt.is_absence]
    if all(prompt.is_settled for prompt in present):
        return tuple(_preview_painted(prompt) for prompt in prompts)
    earlier = list(known)
    windows = {
        one.prompt.beginning: one.window
        for one in earlier
        if one.window and views.pyramid.sides
    }
    previews: dict[Prompt, Preview] = {}
    for window, group in views.grouped(present, windows):
        together = frozenset(prompt for prompt, _ in group)
        here = {one.prompt: one for one in earlier if one.window == window}
        if all(one in here and here[one].together == together for one in together):
            previews |= here
            continue
        shown = views.at(window).shown(prompts[0].frame)
        answers = [
            one
            for seen in here.values()
            for one in (seen.answer, seen.apart)
            if one is not None
        ]
        answers += views.answers(prompts[0].frame, window)
        answered = answer_prompts(shown, [seen for _, seen in group], answers)
        for (prompt, _), decision in zip(
            group, decide_prompts(shown, answered, answers), strict=True
        ):
            preview = _preview(prompt, decision, window, views.frame_shape)
            previews[prompt] = replace(preview, together=together)
    return tuple(
        _preview_painted(prompt) if prompt.is_settled else previews[prompt]
        for prompt in prompts
    )


def _preview(
    prompt: Prompt,
    decision: PromptDecision,
    window: Window,
    frame_shape: tuple[int, int],
) -> Preview:
    answer = decision.answered.answer
    offered = () if answer.proposals is None else answer.proposals.hypotheses
    hypotheses = tuple(
        Hypothesis(
            number,
            PlacedMask(one.mask, window),
            frame_shape,
            one.rating,
            decision.scores.get(number, one.rating),
        )
        for number, one in enumerate(offered, start=1)
    )
    if decision.number:
        chosen = hypotheses[decision.number - 1]
    else:
        mask = PlacedMask(decision.mask, window)
        chosen = Hypothesis(0, mask, frame_shape, decision.rating, decision.score)
    return Preview(prompt, hypotheses, chosen, answer, decision.apart, window)


def _preview_painted(prompt: Prompt) -> Preview:
    mask = np.zeros((0, 0), bool) if prompt.mask is None else prompt.mask.to_array()
    placed = PlacedMask.of(mask)
    return Preview(prompt, (), Hypothesis(0, placed, placed.window.shape, 1.0, 1.0))
