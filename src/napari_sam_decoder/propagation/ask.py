"""Ask the decoder for objects where they are expected, and choose what fits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.propagation.grid import BACKGROUND_LOGIT, prompt_from_mask
from napari_sam_decoder.propagation.prior import redrawn
from napari_sam_decoder.selection import choose_by_quality, choose_like, is_clear

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sam_decoder.memory import View
    from napari_sam_decoder.model.values import Embedding, ModelPrompt
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.grid import Grid
    from napari_sam_decoder.propagation.scene import Scene
    from napari_sam_decoder.propagation.track import Track
    from napari_sam_decoder.selection import Choice, Expectation

__all__ = ["Question", "ask", "ask_all", "choose_answers", "choose_for_prompt"]

TOLERANCE = 1.0
"""Logits by which memory and decoder may differ, a quarter of a sure cell."""
CORRECTION = 0.5
MEMORY_LIMIT = 4.0
"""Logits by which the memory may correct the decoder at most."""


@dataclass(frozen=True, eq=False)
class Wording:
    """One way to ask for an object: points and box, with or without a mask."""

    prompt: ModelPrompt
    mask: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Question:
    """What is expected of one object on one frame, and how the decoder is asked.

    Attributes
    ----------
    object_id : int
    track : Track
        As the frame before left it.
    expectation : Expectation
    first : Wording
        Where memory and motion expect it, with that as mask prompt.
    second : tuple of Wording
        Asked as well where the first answer is not clear.
    """

    object_id: int
    track: Track
    expectation: Expectation
    first: Wording
    second: tuple[Wording, ...]


def ask_all(
    tracks: Mapping[int, Track],
    view: View,
    scene: Scene,
    settled: Mapping[int, np.ndarray],
) -> list[Question]:
    """Form a question for each object that may be in the picture.

    Parameters
    ----------
    tracks : mapping of object id to Track
        Those to ask for.
    view : View
        Of the frame.
    scene : Scene
        How to decide.
    settled : mapping of object id to (h, w) array
        Low-res logits of objects that have been decided on this frame already.
    """
    grid = scene.grid
    present = {key: track for key, track in tracks.items() if not track.missed}
    moved = {key: grid.cut(logits) for key, logits in settled.items()}
    moved |= {key: grid.cut(track.moved(grid)) for key, track in present.items()}
    nothing = np.full(grid.content, BACKGROUND_LOGIT, np.float32)
    questions = []
    for object_id, track in tracks.items():
        others = [logits for key, logits in moved.items() if key != object_id]
        taken = reduce(np.maximum, others, nothing)
        questions.append(ask(object_id, track, view, scene, taken))
    return [question for question in questions if question is not None]


def ask(
    object_id: int, track: Track, view: View, scene: Scene, taken: np.ndarray
) -> Question | None:
    """Form the question, or None if nothing of the object is expected in the picture.

    The prior as mask prompt holds an object together that point and box alone would
    split. With a mask the decoder tends to repeat what is wrong in it, so it is also
    asked without. The last mask alone, as drawn by the decoder itself, keeps an outline
    that is finer than what the memory knows.
    """
    grid = scene.grid
    if track.missed > scene.settings.patience:
        expectation = track.expect_anywhere(view, taken)
    else:
        expectation = track.expect(grid, view, taken)
    prior, moved = grid.pad(expectation.prior), grid.pad(expectation.moved)
    by_prior, by_motion = prompt_from_mask(prior, grid), prompt_from_mask(moved, grid)
    wordings = []
    if by_prior is not None:
        wordings += [Wording(by_prior, prior), Wording(by_prior, None)]
    if by_motion is not None:
        wordings += [Wording(by_motion, moved)]
    if not wordings:
        return None
    return Question(object_id, track, expectation, wordings[0], tuple(wordings[1:]))


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
    scene: Scene, embedding: Embedding, view: View, questions: Sequence[Question]
) -> list[Choice]:
    """Choose a mask for each question, with second opinions where it is not clear.

    Parameters
    ----------
    scene : Scene
        Where the decoder is.
    embedding : Embedding
        Of the frame.
    view : View
        Of the same frame.
    questions : sequence of Question
        One per object, all in one decoder call.

    Returns
    -------
    list of Choice
        One per question. The memory has corrected its logits: it knows what belongs
        to the object where the decoder only sees what makes a good outline.
    """
    first = _decode(scene, embedding, {k: (q.first,) for k, q in enumerate(questions)})
    choices = [
        choose_like(*first[key], question.expectation)
        for key, question in enumerate(questions)
    ]
    unclear = {
        key: questions[key].second
        for key, choice in enumerate(choices)
        if questions[key].second and not is_clear(choice, questions[key].expectation)
    }
    for key, offers in _decode(scene, embedding, unclear).items():
        opinion = choose_like(*offers, questions[key].expectation)
        choices[key] = max(choices[key], opinion, key=lambda choice: choice.score)
    return [
        _corrected(choice, question.expectation, view)
        for choice, question in zip(choices, questions, strict=True)
    ]


def _decode(
    scene: Scene, embedding: Embedding, asked: Mapping[int, Sequence[Wording]]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Decode all wordings at once; per key all of its masks and their ratings."""
    if not asked:
        return {}
    wordings = [wording for several in asked.values() for wording in several]
    candidates = scene.decoder.decode(
        embedding,
        [wording.prompt for wording in wordings],
        [wording.mask for wording in wordings],
    )
    ends = np.cumsum([len(several) for several in asked.values()])[:-1]
    offers = zip(
        np.split(candidates.low_res_logits, ends),
        np.split(candidates.iou_predictions, ends),
        strict=True,
    )
    return {
        key: (np.concatenate(list(logits)), np.concatenate(list(ratings)))
        for key, (logits, ratings) in zip(asked, offers, strict=True)
    }


def _corrected(choice: Choice, expectation: Expectation, view: View) -> Choice:
    """Let the memory overrule the decoder where the two differ by whole cells.

    The memory knows nothing finer than a cell, so it is compared with what it would
    say of the decoder's own mask: edges and thin parts, on which both agree as far as
    the memory can see, stay as the decoder drew them.
    """
    rows, columns = expectation.recalled.shape
    difference = expectation.recalled - redrawn(choice.logits, view)
    beyond_doubt = np.sign(difference) * np.maximum(np.abs(difference) - TOLERANCE, 0)
    logits = choice.logits.copy()
    logits[:rows, :columns] += np.clip(
        CORRECTION * beyond_doubt, -MEMORY_LIMIT, MEMORY_LIMIT
    )
    return replace(choice, logits=logits)
