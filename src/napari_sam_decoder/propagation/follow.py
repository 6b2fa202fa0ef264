"""Decode all objects of one frame at once and judge what came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.propagation.fusion import Outcome, PackedLogits
from napari_sam_decoder.propagation.results import ObjectResult, Verdict
from napari_sam_decoder.propagation.track import Track, prompt_from_mask
from napari_sam_decoder.selection import choose_by_quality, choose_like

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from napari_sam_decoder.model.values import ModelPrompt
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.scene import Scene, Settings
    from napari_sam_decoder.selection import Choice

__all__ = ["Step", "follow_tracks", "plant_seeds"]


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


@dataclass(frozen=True, eq=False)
class _Question:
    object_id: int
    track: Track
    expected: np.ndarray
    prompt: ModelPrompt


def plant_seeds(scene: Scene, frame: int, prompts: Sequence[Prompt]) -> list[Step]:
    """Decode the user's own prompts on one frame.

    Parameters
    ----------
    scene : Scene
    frame : int
    prompts : sequence of Prompt
        All on this frame, one per object.

    Returns
    -------
    list of Step
        One per prompt.
    """
    candidates = scene.decoder.decode(
        scene.source.get(frame), [prompt.to_model(scene.geometry) for prompt in prompts]
    )
    return [
        _planted(prompt, logits, iou_predictions, scene)
        for prompt, logits, iou_predictions in zip(
            prompts, candidates.low_res_logits, candidates.iou_predictions, strict=True
        )
    ]


def follow_tracks(
    scene: Scene, frame: int, tracks: Mapping[int, Track]
) -> dict[int, Step]:
    """Carry objects to the next frame with one decoder call.

    Parameters
    ----------
    scene : Scene
    frame : int
    tracks : mapping of object id to Track
        As the frame before left them.

    Returns
    -------
    dict of object id to Step
        Absent where the object is not expected in the picture, or where no mask is
        both good enough and where the object should be.
    """
    questions = [
        question
        for object_id, track in tracks.items()
        if (question := _ask(object_id, track, scene)) is not None
    ]
    steps = {
        object_id: _missed(object_id, track, scene.settings)
        for object_id, track in tracks.items()
    }
    if questions:
        steps.update(_answer(scene, frame, questions))
    return steps


def absent(object_id: int) -> Outcome:
    """Say that an object is not on a frame."""
    return Outcome(ObjectResult(object_id, Verdict.ABSENT), None)


def _planted(
    prompt: Prompt, logits: np.ndarray, iou_predictions: np.ndarray, scene: Scene
) -> Step:
    allowed, content = _allowed(prompt), scene.grid.content
    choice = choose_by_quality(logits, iou_predictions, allowed, content)
    # A mask that the user has picked needs no further proof.
    trust = choice.confidence if prompt.hypothesis is None else 1.0
    is_sure = trust >= scene.settings.doubtful_below
    verdict = Verdict.PROMPTED if is_sure else Verdict.DOUBTFUL
    return Step(
        _outcome(prompt.object_id, choice, verdict),
        Track.start(choice.logits, scene.grid, trust),
    )


def _allowed(prompt: Prompt) -> tuple[int, ...]:
    """One click is ambiguous and asks for hypotheses; more prompts are not."""
    if prompt.hypothesis is not None:
        return (prompt.hypothesis,)
    is_ambiguous = prompt.box is None and len(prompt.points) == 1
    return (1, 2, 3) if is_ambiguous else (0, 1, 2, 3)


def _ask(object_id: int, track: Track, scene: Scene) -> _Question | None:
    expected = track.expected(scene.grid)
    prompt = prompt_from_mask(expected, scene.grid)
    return prompt and _Question(object_id, track, expected, prompt)


def _answer(
    scene: Scene, frame: int, questions: Sequence[_Question]
) -> dict[int, Step]:
    candidates = scene.decoder.decode(
        scene.source.get(frame),
        [question.prompt for question in questions],
        [question.expected for question in questions],
    )
    answered = zip(
        questions, candidates.low_res_logits, candidates.iou_predictions, strict=True
    )
    return {
        question.object_id: _judge(question, logits, iou_predictions, scene)
        for question, logits, iou_predictions in answered
    }


def _judge(
    question: _Question, logits: np.ndarray, iou_predictions: np.ndarray, scene: Scene
) -> Step:
    choice = choose_like(
        logits, iou_predictions, question.expected, scene.grid.content
    )
    settings = scene.settings
    if choice.confidence < settings.absent_below:
        return _missed(question.object_id, question.track, settings)
    trust = min(choice.confidence, question.track.trust)
    is_sure = trust >= settings.doubtful_below
    verdict = Verdict.SURE if is_sure else Verdict.DOUBTFUL
    return Step(
        _outcome(question.object_id, choice, verdict),
        question.track.accept(choice.logits, scene.grid),
    )


def _missed(object_id: int, track: Track, settings: Settings) -> Step:
    going_on = track.miss() if track.missed < settings.patience else None
    return Step(absent(object_id), going_on)


def _outcome(object_id: int, choice: Choice, verdict: Verdict) -> Outcome:
    result = ObjectResult(
        object_id=object_id,
        verdict=verdict,
        iou_prediction=choice.iou_prediction,
        stability=choice.stability,
        agreement=choice.agreement,
        hypothesis=choice.index,
    )
    return Outcome(result, PackedLogits.pack(choice.logits))
