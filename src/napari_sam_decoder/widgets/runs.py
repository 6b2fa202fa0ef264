"""What the window tells of a propagation or correction under way, or finished."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from tqdm import tqdm

from napari_sam_decoder.project import CorrectionRun, Run
from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.wording import counted, listed

if TYPE_CHECKING:
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.target_layer import TargetLayer

__all__ = [
    "ProgressEstimate",
    "ShownCorrection",
    "ShownRun",
]

_REMEMBERED_STEPS = 12


class ProgressEstimate:
    """How many steps are done, and how long the others take, by the last few steps.

    Parameters
    ----------
    total : int, optional
        Steps in all, if that is known.
    """

    def __init__(self, total: int | None = None) -> None:
        self.total = total
        self.done = 0
        # Steps from the cache are much faster than the others, so old ones mislead.
        self._times = deque([monotonic()], maxlen=_REMEMBERED_STEPS + 1)

    def step(self) -> None:
        """Count one step as done just now."""
        self.done += 1
        self._times.append(monotonic())

    @property
    def seconds_left(self) -> float | None:
        """Time for the rest at the speed of the last steps; None if not known yet."""
        if self.total is None or self.done < 2:
            return None
        steps = len(self._times) - 1
        return (self._times[-1] - self._times[0]) / steps * (self.total - self.done)

    def __str__(self) -> str:
        if self.total is None:
            return f"{self.done} done"
        counted = f"{self.done} / {self.total}"
        left = self.seconds_left
        return counted if left is None else f"{counted}, {_clock(left)} left"


def _clock(seconds: float) -> str:
    return str(tqdm.format_interval(round(seconds)))


@dataclass(eq=False)
class ShownRun(Run):
    """A propagation that the window shows.

    Attributes
    ----------
    view : MovieView
        Its movie, which may not be the current one any more.
    target : TargetLayer
        Where the results go.
    progress : ProgressEstimate
    """

    view: MovieView
    target: TargetLayer
    progress: ProgressEstimate = field(default_factory=ProgressEstimate)

    def write(self, result: FrameResult) -> None:
        """Write a result and count it."""
        super().write(result)
        self.progress.step()

    @property
    def activity(self) -> str:
        """What is under way, in one sentence."""
        start = "Labels arrive"
        if self.request.is_rerun:
            start = "Points have changed, so labels are recomputed"
        return f"{start} frame by frame; you can move the slider meanwhile."

    def summary(self, *, was_stopped: bool) -> str:
        """Say in one line what was done."""
        start = "Stopped; done so far:" if was_stopped else "Done:"
        parts = [f"{start} {counted(len(_verdicts(self)), 'frame')}", *_doubts(self)]
        if self.kept:
            parts.append(
                f"{len(self.kept)} kept as you painted them (tick 'replace what is "
                "there' to overwrite)"
            )
        if self.inherited:
            parts.append(
                f"{len(self.inherited)} kept as they were in the labels (tick "
                "'replace what is there' to overwrite)"
            )
        return ", ".join(parts) + "."


@dataclass(eq=False)
class ShownCorrection(CorrectionRun):
    """Corrections that the window shows.

    Attributes
    ----------
    view : MovieView
        Its movie, which may not be the current one any more.
    target : TargetLayer
        Where the results go.
    progress : ProgressEstimate
    """

    view: MovieView
    target: TargetLayer
    progress: ProgressEstimate = field(default_factory=ProgressEstimate)

    def write(self, result: FrameResult) -> None:
        """Write a result and count it."""
        super().write(result)
        self.progress.step()

    @property
    def activity(self) -> str:
        """What is under way, in one sentence."""
        objects = listed("object", self.prompts.object_ids)
        frames = listed("frame", sorted({prompt.frame for prompt in self.prompts}))
        return f"Correcting {objects} around {frames}…"

    def summary(self, *, was_stopped: bool) -> str:
        """Say in one line what was done."""
        if not (was_stopped or self.has_changed or self.kept):
            return "The labels agree with your points already; nothing has changed."
        start = "Stopped; corrected so far:" if was_stopped else "Corrected:"
        count = counted(len(_verdicts(self)), "frame")
        parts = [f"{start} {count} recomputed", *_doubts(self)]
        if self.kept:
            parts.append(
                f"{len(self.kept)} kept as you painted them (undo your strokes there, "
                "or paint on)"
            )
        return ", ".join(parts) + "."


def _verdicts(run: Run) -> dict[int, Verdict]:
    return run.frames.verdicts_of(run.prompts.object_ids)


def _doubts(run: Run) -> list[str]:
    doubtful = Counter(_verdicts(run).values())[Verdict.DOUBTFUL]
    return [f"{doubtful} doubtful"] if doubtful else []
