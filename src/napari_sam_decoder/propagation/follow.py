"""Take one step with all objects of a frame: carry them on, or miss them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.propagation.ask import ask_all, choose_answers
from napari_sam_decoder.propagation.fusion import Outcome
from napari_sam_decoder.propagation.results import ObjectResult, Reason, Verdict
from napari_sam_decoder.propagation.stabilise import smooth

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from napari_sam_decoder.propagation.ask import Journey, Question
    from napari_sam_decoder.propagation.scene import Scene
    from napari_sam_decoder.propagation.track import Track
    from napari_sam_decoder.selection import Choice
    from napari_sam_decoder.views import View

__all__ = ["Step", "absent", "follow_tracks"]


@dataclass(frozen=True, eq=False)
class Step:
    """One object on one frame: what to report, and what to go on with.

    Attributes
    ----------
    outcome : Outcome
    track : Track
    """

    outcome: Outcome
    track: Track


def follow_tracks(
    scene: Scene, frame: int, journey: Journey, settled: Mapping[int, np.ndarray]
) -> dict[int, Step]:
    """Carry objects to the next frame, all in one decoder call.

    Parameters
    ----------
    scene : Scene
        Where the frames come from and the decoder is.
    frame : int
        The next frame.
    journey : Journey
        The objects, moved on from the frame before.
    settled : mapping of object id to (h, w) array
        Low-res logits of objects that have been decided on this frame already; their
        place is taken.

    Returns
    -------
    dict of object id to Step
        Absent where the object is not expected in the picture, or where no mask is
        good enough, lies where the object should be, and looks like it.
    """
    view = scene.view(frame)
    questions = ask_all(scene, view, journey, settled)
    choices = choose_answers(scene, view.embedding, questions)
    steps = {key: _missed(key, track) for key, track in journey.tracks.items()}

    def judge(answer: tuple[Question, Choice]) -> tuple[int, Step]:
        question, choice = answer
        return question.object_id, _judge(question, choice, view, scene)

    answers = zip(questions, choices, strict=True)
    return steps | dict(scene.objects.each(judge, answers))


def absent(object_id: int, reason: Reason = Reason.LOST) -> Outcome:
    """Say that an object is not on a frame."""
    return Outcome(ObjectResult(object_id, Verdict.ABSENT, reason=reason), None)


def _judge(question: Question, choice: Choice, view: View, scene: Scene) -> Step:
    settings, track = scene.settings, question.track
    likeness = track.memory.likeness(view, choice.logits)
    mask = scene.grid.cut(choice.logits) > 0
    is_object = choice.score > 0 and choice.confidence >= settings.absent_below
    if not is_object or likeness < settings.unlike_below or not mask.any():
        return _missed(question.object_id, track)
    confidence = track.assured(choice.confidence * likeness)
    weakest = min(choice.confidence, track.trust, confidence)
    result = ObjectResult.of(
        question.object_id,
        Verdict.SURE if weakest >= settings.doubtful_below else Verdict.DOUBTFUL,
        choice,
        confidence=confidence,
        likeness=likeness,
        area_change=float(mask.sum()) / track.size,
    )
    shown = smooth(choice.logits, question.expectation, settings.stabilise)
    outcome = Outcome.of(result, shown)
    return Step(outcome, track.accept(choice, scene.grid, view, confidence))


def _missed(object_id: int, track: Track) -> Step:
    lost = track.miss()
    result = ObjectResult(
        object_id, Verdict.ABSENT, confidence=lost.confidence, reason=Reason.LOST
    )
    return Step(Outcome(result, None), lost)
