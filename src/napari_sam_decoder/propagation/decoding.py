"""Ask the decoder for objects where they are expected, and choose what fits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from napari_sam_decoder.model.values import BACKGROUND_LOGIT, DECODER_LIMIT
from napari_sam_decoder.propagation.prior import prompt_from_mask
from napari_sam_decoder.selection import choose_expected, is_unambiguous

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_sam_decoder.appearance.features import View
    from napari_sam_decoder.model.values import Embedding, ModelPrompt
    from napari_sam_decoder.propagation.context import Scene
    from napari_sam_decoder.propagation.prior import Grid
    from napari_sam_decoder.propagation.track import Track
    from napari_sam_decoder.selection import Choice, Expectation

__all__ = [
    "Journey",
    "Question",
    "ask",
    "ask_all",
    "choose_answers",
    "taken_by_others",
]

DECODER_SHARE = 0.5
"""How much the decoder has to say in the end; the rest is what was expected."""


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


@dataclass(frozen=True, eq=False)
class Journey:
    """Objects on their way from one frame to the next.

    Attributes
    ----------
    tracks : mapping of object id to Track
        As the frame before left them.
    moved : mapping of object id to (rows, columns) array
        Logits of their last masks, moved on; of those that are still looked for near
        the place where they were lost.
    mismatch : (rows, columns) array
        Of the optical flow.
    """

    tracks: Mapping[int, Track]
    moved: Mapping[int, np.ndarray]
    mismatch: np.ndarray

    @classmethod
    def to(
        cls, scene: Scene, frame: int, before: int, tracks: Mapping[int, Track]
    ) -> Self:
        """Move objects on with the picture, if any is to be moved at all."""
        patience = scene.settings.patience
        near = {key: track for key, track in tracks.items() if track.missed <= patience}
        if not near:
            return cls(tracks, {}, np.zeros(scene.grid.content, np.float32))
        flow = scene.flow(frame, before)
        moved = {
            key: track.moved(scene.grid, flow.displacement)
            for key, track in near.items()
        }
        return cls(tracks, moved, flow.mismatch)


def ask_all(
    scene: Scene, view: View, journey: Journey, settled: Mapping[int, np.ndarray]
) -> list[Question]:
    """Form a question for each object that may be in the picture.

    Parameters
    ----------
    scene : Scene
        How to decide.
    view : View
        Of the frame.
    journey : Journey
        The objects to ask for.
    settled : mapping of object id to (h, w) array
        Low-res logits of objects that have been decided on this frame already.
    """
    grid, tracks, moved = scene.grid, journey.tracks, journey.moved
    places = {key: grid.cut(logits) for key, logits in settled.items()}
    places |= {key: moved[key] for key, track in tracks.items() if not track.missed}
    taken_from = taken_by_others(places, grid.content)

    def question(object_id: int) -> Question | None:
        track = tracks[object_id]
        taken = taken_from(object_id)
        if object_id in moved:
            expectation = track.expect(view, moved[object_id], taken, journey.mismatch)
        else:
            expectation = track.expect_anywhere(view, taken)
        return ask(object_id, track, expectation, grid)

    view.prepare()
    questions = scene.objects.map(question, tracks)
    return [question for question in questions if question is not None]


def taken_by_others(
    places: Mapping[int, np.ndarray], shape: tuple[int, int]
) -> Callable[[int], np.ndarray]:
    """Say for each object where all the others are.

    The two largest logits of each pixel tell it for everybody, in one pass over the
    objects.

    Parameters
    ----------
    places : mapping of object id to (rows, columns) array of float32
        Logits of where each object is, if it is anywhere.
    shape : tuple of int
        (rows, columns) of the grid.

    Returns
    -------
    callable
        Gives the (rows, columns) largest logits of all objects but one, at least
        `BACKGROUND_LOGIT`.
    """
    largest = second = np.full(shape, BACKGROUND_LOGIT, np.float32)
    holder = np.zeros(shape, np.int64)
    for object_id, logits in places.items():
        holder[logits > largest] = object_id
        second = np.maximum(second, np.minimum(largest, logits))
        largest = np.maximum(largest, logits)
    return lambda object_id: np.where(holder == object_id, second, largest)


def ask(
    object_id: int, track: Track, expectation: Expectation, grid: Grid
) -> Question | None:
    """Form the question, or None if nothing of the object is expected in the picture.

    The prior as mask prompt holds an object together that point and box alone would
    split. With a mask the decoder tends to repeat what is wrong in it, so it is also
    asked without. The last mask alone, as drawn by the decoder itself, keeps an outline
    that is finer than what the memory knows.
    """
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


def choose_answers(
    scene: Scene, embedding: Embedding, questions: Sequence[Question]
) -> list[Choice]:
    """Choose a mask for each question, with second opinions where it is not clear.

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
        One per question, its logits averaged with what was expected: the decoder knows
        what makes a good outline, but not which one is the object's.
    """
    keys = range(len(questions))
    expectations = [question.expectation for question in questions]
    first = _decode(scene, embedding, {key: (questions[key].first,) for key in keys})

    def choose(key: int) -> Choice:
        return choose_expected(*first[key], expectations[key])

    choices = scene.objects.map(choose, keys)
    second = _decode(
        scene,
        embedding,
        {
            key: questions[key].second
            for key in keys
            if questions[key].second
            and not is_unambiguous(choices[key], expectations[key])
        },
    )

    def settle(key: int) -> Choice:
        choice = choices[key]
        if key in second:
            opinion = choose_expected(*second[key], expectations[key])
            choice = max(choice, opinion, key=lambda offer: offer.score)
        return _averaged(choice, expectations[key])

    return scene.objects.map(settle, keys)


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


def _averaged(choice: Choice, expectation: Expectation) -> Choice:
    rows, columns = expectation.prior.shape
    visible = np.clip(choice.logits[:rows, :columns], -DECODER_LIMIT, DECODER_LIMIT)
    logits = choice.logits.copy()
    logits[:rows, :columns] = (
        DECODER_SHARE * visible + (1 - DECODER_SHARE) * expectation.prior
    )
    return replace(choice, logits=logits)
