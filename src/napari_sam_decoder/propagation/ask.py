"""Ask the decoder for objects where they are expected, and choose what fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.propagation.track import prompt_from_mask
from napari_sam_decoder.selection import choose_by_quality, choose_like, is_clear

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from napari_sam_decoder.model.values import Embedding, ModelPrompt
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.scene import Scene
    from napari_sam_decoder.propagation.track import Grid, Track
    from napari_sam_decoder.selection import Choice, Expectation

__all__ = ["Question", "ask", "choose_answers", "choose_for_prompt"]


@dataclass(frozen=True, eq=False)
class Question:
    """What is expected of one object on one frame, and the prompt made from it.

    Attributes
    ----------
    object_id : int
    track : Track
        As the frame before left it.
    expectation : Expectation
    prompt : ModelPrompt
    """

    object_id: int
    track: Track
    expectation: Expectation
    prompt: ModelPrompt


def ask(object_id: int, track: Track, scene: Scene) -> Question | None:
    """Form the question, or None if the object should be outside the picture."""
    expectation = track.expect(scene.grid)
    prompt = prompt_from_mask(expectation.logits, scene.grid)
    if prompt is None:
        return None
    return Question(object_id, track, expectation, prompt)


def choose_for_prompt(
    prompt: Prompt, logits: np.ndarray, iou_predictions: np.ndarray, grid: Grid
) -> Choice:
    """Choose the answer to what a user pointed at, on the prompted frame itself.

    Parameters
    ----------
    prompt : Prompt
        Its hypothesis decides, if the user has picked one.
    logits : (4, h, w) array
        One set of masks as the decoder gives it.
    iou_predictions : (4,) array
        The decoder's rating of each.
    grid : Grid
        Says which part of the masks shows the frame.

    Returns
    -------
    Choice
        One click is ambiguous and asks for the three hypotheses; to more prompts the
        single-mask output may be the best answer.
    """
    if prompt.hypothesis is not None:
        allowed: tuple[int, ...] = (prompt.hypothesis,)
    elif prompt.box is None and len(prompt.points) == 1:
        allowed = (1, 2, 3)
    else:
        allowed = (0, 1, 2, 3)
    return choose_by_quality(logits, iou_predictions, allowed, grid.content)


def choose_answers(
    scene: Scene, embedding: Embedding, questions: Sequence[Question]
) -> list[Choice]:
    """Choose a mask for each question, with a second opinion where it is not clear.

    The mask prompt holds an object together that point and box alone would split, but
    with it the decoder tends to repeat what was wrong before; asked without, it finds
    the true edge again.

    Parameters
    ----------
    scene : Scene
        Where the decoder is.
    embedding : Embedding
        Of the frame.
    questions : sequence of Question
        One per object, all in one decoder call.

    Returns
    -------
    list of Choice
        One per question.
    """
    masks = [question.expectation.logits for question in questions]
    choices = _choose(scene, embedding, questions, masks)
    unclear = [
        index
        for index, choice in enumerate(choices)
        if not is_clear(choice, questions[index].expectation)
    ]
    if unclear:
        asked_again = [questions[index] for index in unclear]
        second = _choose(scene, embedding, asked_again, [None] * len(unclear))
        for index, opinion in zip(unclear, second, strict=True):
            choices[index] = max(
                choices[index], opinion, key=lambda choice: choice.score
            )
    return choices


def _choose(
    scene: Scene,
    embedding: Embedding,
    questions: Sequence[Question],
    masks: Sequence[np.ndarray | None],
) -> list[Choice]:
    candidates = scene.decoder.decode(
        embedding, [question.prompt for question in questions], masks
    )
    offers = zip(
        questions, candidates.low_res_logits, candidates.iou_predictions, strict=True
    )
    return [
        choose_like(logits, iou_predictions, question.expectation, scene.grid.content)
        for question, logits, iou_predictions in offers
    ]
