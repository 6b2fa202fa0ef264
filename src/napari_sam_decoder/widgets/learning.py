"""Trains the decoder on the fixed frames of a movie, in the background."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_sam_decoder.widgets.model_cache import leave_a_core
from napari_sam_decoder.widgets.runs import ProgressEstimate
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.layers import Labels

    from napari_sam_decoder.jobs.learn import LearnedDecoder, LearnStep
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.job_queue import JobQueue
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.movie_state import MovieState

__all__ = ["OFFERED_FROM", "Learning", "LearningRun", "Lesson", "describe_learned"]

OFFERED_FROM = 5
"""Fixed frames from which on learning is offered by itself."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learned from, as it is when learning starts.

    Attributes
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Labels
        Its labels.
    objects : dict of int to tuple of int
        The objects whose outlines are fixed, by frame.
    steps : int, optional
        Of the training, if a script has set them.
    """

    view: MovieView
    layer: Labels
    objects: dict[int, tuple[int, ...]]
    steps: int | None = None

    def take(self, session: Session) -> Generator[LearnStep | LearnedDecoder | None]:
        """Learn, in the background; what was learned comes last."""
        # Commands need more than a window does.
        from napari_sam_decoder.jobs import TrainingFrames
        from napari_sam_decoder.jobs.learn import learn
        from napari_sam_decoder.jobs.train import STEPS

        leave_a_core()
        labels: dict[int, np.ndarray] = {}
        objects: dict[int, tuple[int, ...]] = {}
        for frame, ids in self._few.items():
            # A person goes on painting meanwhile.
            labels[frame] = np.array(self.layer.data[self.view.index(frame)])
            held = tuple(one for one in ids if (labels[frame] == one).any())
            objects |= {frame: held} if held else {}
            yield None
        fixed = TrainingFrames(session.movie, labels, objects)
        name, steps = str(self.view.layer.name), self.steps or STEPS
        yield from learn(fixed, session.model, name, steps=steps)

    @property
    def _few(self) -> dict[int, tuple[int, ...]]:
        """Not more than can be learned from at once and measured on, evenly spread."""
        from napari_sam_decoder.jobs.train import MOST_FRAMES

        frames = sorted(self.objects)
        count = min(len(frames), MOST_FRAMES + 1)
        places = np.linspace(0, len(frames) - 1, count).round().astype(int)
        return {frames[place]: self.objects[frames[place]] for place in places}


@dataclass(eq=False)
class LearningRun:
    """A training under way.

    Attributes
    ----------
    state : MovieState
        Of the movie.
    part : str
        What is under way.
    progress : ProgressEstimate
        In steps of this part.
    """

    state: MovieState
    part: str = "Reading frames"
    progress: ProgressEstimate = field(default_factory=ProgressEstimate)

    def note(self, step: LearnStep | None) -> None:
        """Count one step."""
        if step is not None and step.part != self.part:
            self.part, self.progress = step.part, ProgressEstimate(step.total)
        self.progress.step()

    def __str__(self) -> str:
        return f"{self.part}: {self.progress}"


class Learning(QObject):
    """Trains decoders when somebody asks for it, one movie at a time.

    Parameters
    ----------
    job_queue : JobQueue
        Has a thread for it.
    parent : QObject
        Takes it along when it is deleted.

    Attributes
    ----------
    running : LearningRun or None
        Under way.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(self, job_queue: JobQueue, parent: QObject) -> None:
        super().__init__(parent)
        self._job_queue = job_queue
        self.running: LearningRun | None = None

    def start(self, state: MovieState, view: MovieView, session: Session) -> None:
        """Learn from the fixed frames of a movie.

        Parameters
        ----------
        state : MovieState
            Gets what was learned.
        view : MovieView
            The movie.
        session : Session
            Opened for it. Its network and its movie may be used after it was closed.
        """
        state.wants_learning = False
        if state.target is None:
            return
        fixed = state.target.frames.outlined
        lesson = Lesson(view, state.target.layer, fixed, state.learning_steps)
        self.running = running = LearningRun(state)
        take, end = partial(self._take, running), partial(self._end, running)
        self._job_queue.learn(partial(lesson.take, session), take, end)
        self.changed.emit()

    def stop(self) -> None:
        """Learn no further; nothing is kept of it."""
        if self.running is not None:
            self._job_queue.stop("learning")
            self.running.state.outcome = "Stopped learning; all is as before."
            self.running = None
            self.changed.emit()

    def _take(
        self, running: LearningRun, step: LearnStep | LearnedDecoder | None
    ) -> None:
        from napari_sam_decoder.jobs.learn import LearnedDecoder

        if isinstance(step, LearnedDecoder):
            running.state.learned = step
            count = counted(len(step.frames), "frame")
            running.state.outcome = (
                f"Learned from {count}: 'Review…' shows what that brings."
            )
        else:
            running.note(step)
        self.changed.emit()

    def _end(self, running: LearningRun, error: Exception | None) -> None:
        if self.running is running:
            self.running = None
        if error is not None:
            self.failed.emit(error)
        self.changed.emit()


def describe_learned(learned: LearnedDecoder) -> str:
    """Say how a decoder fares on the frame that it has not seen, and what to do."""
    before, after = learned.before, learned.after
    fits = [f"IoU after a click {_change(before.clicked, after.clicked)}"]
    if before.carried is not None and after.carried is not None:
        fits.append(f"of carried masks {_change(before.carried, after.carried)}")
    advice = "use it?" if learned.is_better else "no gain, better keep the old one."
    return (
        f"Learned from {counted(len(learned.frames), 'frame')}. On frame "
        f"{learned.held_out}, which it has not seen, {', '.join(fits)}: {advice}"
    )


def _change(before: float, after: float) -> str:
    return f"{100 * before:.0f} → {100 * after:.0f} %"
