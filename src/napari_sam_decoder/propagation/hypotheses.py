"""What the decoder offers for prompts, before anything is carried on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.propagation.initial_masks import answer, decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.context import Scene
    from napari_sam_decoder.propagation.initial_masks import Answer, Decision

__all__ = ["Hypothesis", "Preview", "preview_all"]


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One of the masks that SAM offers for a prompt.

    Attributes
    ----------
    number : {1, 2, 3} or 0
        What to give as `Prompt.hypothesis` to pick it; 0 for an answer that cannot be
        picked: the decoder's joint one to several points or a box, or one in which
        other objects' points count as background.
    mask : (Y, X) array of bool
    iou_prediction : float
        0..1, how well it is expected to fit the object: of the answers to a single
        click by the `Rater` in use, if there is one, else by SAM's decoder.
    score : float
        0..1, by which one is chosen: ``iou_prediction``, less what the mask shares with
        those of other objects on the frame; 0 for what cannot be the object.
    """

    number: int
    mask: np.ndarray
    iou_prediction: float
    score: float


@dataclass(frozen=True, eq=False)
class Preview:
    """What a prompt gives on its own frame.

    Attributes
    ----------
    prompt : Prompt
    hypotheses : tuple of Hypothesis
        Numbers 1, 2 and 3; none for what the user has painted.
    chosen : Hypothesis
        What propagation starts from: the prompt's own hypothesis, or else what fits
        best beside the other objects of the frame, and has the highest score. Its mask
        lacks what belongs to these.
    answer : Answer, optional
        What the decoder has said, to decide anew beside other objects.
    """

    prompt: Prompt
    hypotheses: tuple[Hypothesis, ...]
    chosen: Hypothesis
    answer: Answer | None = field(default=None, repr=False)


def preview_all(
    scene: Scene,
    prompts: Sequence[Prompt],
    known: Iterable[Preview] = (),
    *,
    sharpen_all: bool = False,
) -> tuple[Preview, ...]:
    """Decode the prompts of one frame.

    Parameters
    ----------
    scene : Scene
        Where the embedding comes from, and the decoder.
    prompts : sequence of Prompt
        On one frame, within the movie, one per object.
    known : iterable of Preview
        Earlier ones, of which the answers are used again.
    sharpen_all : bool
        Whether a sharpener, where there is one, draws all masks, or but the chosen
        ones, and the others are enlarged: sharpening takes longer than all else.

    Returns
    -------
    tuple of Preview
        One per prompt.
    """
    earlier = {_unpicked(shown.prompt): shown for shown in known if shown.answer}
    decisions = _decided(scene, [p for p in prompts if not p.is_absence], earlier)
    shown = {
        decision.answer.prompt: _drawn(
            scene, decision, earlier.get(_unpicked(decision.answer.prompt)), sharpen_all
        )
        for decision in decisions
        if not decision.answer.prompt.is_settled
    }
    return tuple(shown.get(prompt) or _as_painted(prompt) for prompt in prompts)


def _decided(
    scene: Scene, prompts: Sequence[Prompt], earlier: Mapping[Prompt, Preview]
) -> list[Decision]:
    """Decode what is new, all in one call, and decide about all."""
    if all(prompt.is_settled for prompt in prompts):
        return []
    embedding = scene.embedding(prompts[0].frame)
    new = [prompt for prompt in prompts if _unpicked(prompt) not in earlier]
    decoded = iter(answer(scene, embedding, new))
    answers = []
    for prompt in prompts:
        shown = earlier.get(_unpicked(prompt))
        if shown is not None and shown.answer is not None:
            answers.append(replace(shown.answer, prompt=prompt))
        else:
            answers.append(next(decoded))
    return decide(scene, embedding, answers)


def _drawn(
    scene: Scene, decision: Decision, earlier: Preview | None, sharpen_all: bool
) -> Preview:
    """Draw what is offered, unless it was drawn before, and what is chosen."""
    given, chosen = decision.answer, decision.choice
    frame, shape = given.prompt.frame, scene.geometry.frame_shape
    is_sharp = scene.heads.sharpener is not None

    def draw(index: int) -> np.ndarray:
        is_chosen = decision.is_as_answered and index == chosen.index
        if sharpen_all or is_chosen:
            return scene.draw(frame, given.logits[index]).mask(shape)
        return scene.decoder.enlarge(given.logits[index], shape).mask(shape)

    numbers = range(1, len(given.logits))
    if earlier is not None and not is_sharp:
        masks = [offered.mask for offered in earlier.hypotheses]
    else:
        masks = scene.objects.map(draw, numbers)
    ratings = given.ratings.clip(0, 1)
    offers = tuple(
        Hypothesis(number, mask, float(ratings[number]), float(decision.scores[number]))
        for number, mask in zip(numbers, masks, strict=True)
    )
    if decision.is_as_answered and chosen.index:
        return Preview(given.prompt, offers, offers[chosen.index - 1], given)
    mask = scene.draw(frame, chosen.logits).mask(shape)
    rating = float(np.clip(chosen.score, 0, 1))
    used = Hypothesis(chosen.index, mask, rating, decision.score)
    return Preview(given.prompt, offers, used, given)


def _as_painted(prompt: Prompt) -> Preview:
    mask = np.zeros((0, 0), bool) if prompt.mask is None else prompt.mask.to_array()
    return Preview(prompt, (), Hypothesis(0, mask, 1.0, 1.0))


def _unpicked(prompt: Prompt) -> Prompt:
    """What the decoder is asked does not depend on which of its answers is picked."""
    return replace(prompt, hypothesis=None)
