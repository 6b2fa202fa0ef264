"""Take one step with all objects of a frame: plant, carry on, or miss them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.propagation.ask import (
    ask,
    choose_answers,
    choose_for_prompt,
)
from napari_sam_decoder.propagation.fusion import Outcome, PackedLogits
from napari_sam_decoder.propagation.results import ObjectResult, Verdict
from napari_sam_decoder.propagation.track import Track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sam_decoder.appearance import View
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.ask import Question
    from napari_sam_decoder.propagation.scene import Scene, Settings
    from napari_sam_decoder.selection import Choice

__all__ = ["Step", "absent", "follow_tracks", "plant_seeds"]


@dataclass(frozen=True, eq=False)
class Step:
    """One object on one frame: what to report, and what to go on with.

    Attributes
    ----------
    outcome : Outcome
    track : Track, optional
        None once the object counts as gone.
    """

    outcome: Outcome
    track: Track | None


def plant_seeds(scene: Scene, frame: int, prompts: Sequence[Prompt]) -> list[Step]:
    """Decode the user's own prompts on one frame.

    Parameters
    ----------
    scene : Scene
        Where the embeddings come from and the decoder is.
    frame : int
        The prompted frame.
    prompts : sequence of Prompt
        All on this frame, one per object.

    Returns
    -------
    list of Step
        One per prompt.
    """
    embedding = scene.source.get(frame)
    candidates = scene.decoder.decode(
        embedding, [prompt.to_model(scene.geometry) for prompt in prompts]
    )
    view = scene.view(embedding)
    offers = zip(
        prompts, candidates.low_res_logits, candidates.iou_predictions, strict=True
    )
    steps = []
    for prompt, logits, iou_predictions in offers:
        choice = choose_for_prompt(prompt, logits, iou_predictions, scene.grid)
        steps.append(_planted(prompt, choice, view, scene))
    return steps


def follow_tracks(
    scene: Scene, frame: int, tracks: Mapping[int, Track]
) -> dict[int, Step]:
    """Carry objects to the next frame, all in one decoder call.

    Parameters
    ----------
    scene : Scene
        Where the embeddings come from and the decoder is.
    frame : int
        The next frame.
    tracks : mapping of object id to Track
        As the frame before left them.

    Returns
    -------
    dict of object id to Step
        Absent where the object is not expected in the picture, or where no mask is
        good enough, lies where the object should be, and looks like it.
    """
    asked = [ask(object_id, track, scene) for object_id, track in tracks.items()]
    questions = [question for question in asked if question is not None]
    steps = {
        object_id: _missed(object_id, track, scene.settings)
        for object_id, track in tracks.items()
    }
    if questions:
        embedding = scene.source.get(frame)
        view = scene.view(embedding)
        choices = choose_answers(scene, embedding, questions)
        for question, choice in zip(questions, choices, strict=True):
            steps[question.object_id] = _judge(question, choice, view, scene)
    return steps


def absent(object_id: int) -> Outcome:
    """Say that an object is not on a frame."""
    return Outcome(ObjectResult(object_id, Verdict.ABSENT), None)


def _planted(prompt: Prompt, choice: Choice, view: View, scene: Scene) -> Step:
    # A mask that the user has picked needs no further proof.
    trust = choice.confidence if prompt.hypothesis is None else 1.0
    is_sure = trust >= scene.settings.doubtful_below
    verdict = Verdict.PROMPTED if is_sure else Verdict.DOUBTFUL
    return Step(
        _outcome(prompt.object_id, choice, verdict, likeness=1.0),
        Track.start(choice.logits, scene.grid, view.look_of(choice.logits), trust),
    )


def _judge(question: Question, choice: Choice, view: View, scene: Scene) -> Step:
    settings, track = scene.settings, question.track
    likeness = view.look_of(choice.logits).likeness(track.look)
    is_object = choice.score > 0 and choice.confidence >= settings.absent_below
    if not is_object or likeness < settings.unlike_below:
        return _missed(question.object_id, track, settings)
    is_sure = min(choice.confidence, track.trust) >= settings.doubtful_below
    verdict = Verdict.SURE if is_sure else Verdict.DOUBTFUL
    return Step(
        _outcome(question.object_id, choice, verdict, likeness),
        track.accept(choice.logits, scene.grid),
    )


def _missed(object_id: int, track: Track, settings: Settings) -> Step:
    going_on = track.miss() if track.missed < settings.patience else None
    return Step(absent(object_id), going_on)


def _outcome(
    object_id: int, choice: Choice, verdict: Verdict, likeness: float
) -> Outcome:
    result = ObjectResult(
        object_id=object_id,
        verdict=verdict,
        iou_prediction=choice.iou_prediction,
        stability=choice.stability,
        agreement=choice.agreement,
        likeness=likeness,
        hypothesis=choice.index,
    )
    return Outcome(result, PackedLogits.pack(choice.logits))
