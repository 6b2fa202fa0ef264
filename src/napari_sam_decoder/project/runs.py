"""A propagation or correction of labels, written result by result."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.project.encoding import encode_request
from napari_sam_decoder.project.frame_records import FrameRecords
from napari_sam_decoder.project.labels_draft import LabelsDraft
from napari_sam_decoder.project.prompt_log import CORRECTION
from napari_sam_decoder.project.run_request import RunRequest
from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.wording import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Self

    from napari_sam_decoder.project.cut import Cut
    from napari_sam_decoder.project.history import History, Step
    from napari_sam_decoder.project.labels_target import LabelsTarget
    from napari_sam_decoder.project.prompt_log import Correction, PromptLog
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session

__all__ = ["CorrectionRun", "Run", "made_with"]

_NAMED = 5
"""How many objects a title lists."""


def made_with(session: Session) -> dict[str, Any]:
    """Return plain values that say what results of a session depend on.

    Parameters
    ----------
    session : Session
        About to make labels.
    """
    limits = [[one.low, one.high] for one in session.movie.limits]
    return {
        "version": version("napari-sam-decoder"),
        "model": session.model.identity,
        "decoder": session.model.decoder,
        "axes": session.movie.axes,
        "contrast": limits[0] if len(limits) == 1 else limits,
        "settings": asdict(session.settings),
    }


@dataclass(eq=False)
class Run:
    """A propagation under way.

    Attributes
    ----------
    view : Cut
        Its movie.
    target : LabelsTarget
        Where the results go.
    prompts : PromptSet
        Of the run.
    replace : bool
        Whether it may overwrite other objects and what was painted by hand.
    request : RunRequest
        How it was asked for.
    made_with : dict
        What its results depend on; from the function of that name.
    kept : set of int
        Frames on which objects stay as a person has painted them.
    inherited : set of int
        Frames on which objects stay as they were, since it is not known what they were
        made from.
    frames : FrameRecords
        What it has found out, of this run alone.
    step : Step or None
        What can be undone.
    """

    view: Cut
    target: LabelsTarget
    prompts: PromptSet
    replace: bool
    request: RunRequest = field(default_factory=RunRequest)
    made_with: dict[str, Any] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)
    inherited: set[int] = field(default_factory=set)
    frames: FrameRecords = field(default_factory=FrameRecords.apart)
    step: Step | None = None
    _history: History | None = None

    def open_step(self, history: History, cause: Step | None) -> None:
        """Begin the step that its results are recorded in.

        Parameters
        ----------
        history : History
            Of the target.
        cause : Step, optional
            Is undone together with it.
        """
        self._history = history
        self.step = history.open_step(self.title, self.kind, self.details, cause)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what changes within as a part of the step, if there is one."""
        if self._history is None or self.step is None:
            yield
            return
        with self._history.extend(self.step):
            yield

    def record(self, result: FrameResult) -> None:
        """Write a result as a part of the step, after what others have changed."""
        self.target.sync(self.view, [result.frame])
        with self.recording():
            self.write(result)

    kind = "run"

    @property
    def title(self) -> str:
        """What a menu calls it."""
        ids = self.prompts.object_ids
        if len(ids) > _NAMED:
            return f"Run of {len(ids)} objects"
        return f"Run of {listed('object', ids)}"

    @property
    def details(self) -> dict[str, Any]:
        """Plain values that say how it can be done again."""
        return {
            **self._place,
            "objects": list(self.prompts.object_ids),
            "request": encode_request(self.request),
            **self.made_with,
        }

    @property
    def _place(self) -> dict[str, Any]:
        """Which labels of which cut it writes."""
        return {
            "target": self.target.number,
            "axis": self.view.axis,
            "fixed": [list(pair) for pair in self.view.fixed],
        }

    def remaining_request(self, prompts: PromptSet) -> RunRequest | None:
        """Ask again for the objects that still have a positive point; None if none."""
        frames = self.request.frames
        left = {p.object_id for p in prompts if frames is None or p.frame in frames}
        ids = tuple(sorted(left & set(self.prompts.object_ids)))
        return replace(self.request, object_ids=ids) if ids else None

    def write(self, result: FrameResult) -> None:
        """Write a result and count it; objects of unknown origin stay as they are."""
        inherited = self._inherited_on(result.frame)
        if inherited:
            self.inherited.add(result.frame)
            result = _without(result, inherited)
        own_ids = set(self.prompts.object_ids) - inherited
        self._write_labels(result, own_ids, by_run=own_ids)

    def _inherited_on(self, frame: int) -> set[int]:
        """Objects that were on a frame before, whose prompts are not known."""
        record = self.target.record(self.view)
        return {
            object_id
            for object_id in self.prompts.object_ids
            if frame in record.inherited(object_id)
        }

    def labelled_by(self, result: FrameResult) -> tuple[Prompt, ...]:
        """Return the prompts that a result brings into the labels."""
        return ()

    def _write_labels(
        self,
        result: FrameResult,
        object_ids: Collection[int],
        *,
        by_run: Collection[int] = (),
    ) -> bool:
        """Write labels and verdicts, and return whether any label has changed."""
        confirmed = self._confirmed_besides(result)
        if confirmed:
            result = _without(result, confirmed)
            object_ids, by_run = ({*some} - confirmed for some in (object_ids, by_run))
        written = self.target.write(
            self.view,
            result,
            object_ids,
            replace=self.replace,
            returning=self._returning(result),
        )
        if written.spared & result.objects.keys():
            self.kept.add(result.frame)
        # A verdict is about the pixels that were written.
        seen = result.with_labels(self.target.labels(self.view, result.frame))
        seen = seen.with_fixed(written.spared & result.objects.keys())
        self.target.record(self.view).frames.note(seen, by_run=by_run)
        self.frames.note(seen)
        return written.edit is not None

    def _confirmed_besides(self, result: FrameResult) -> set[int]:
        """Objects that a person has confirmed on a frame, besides the run's prompts.

        That is so where an object is absent, or was confirmed during the run.
        """
        log = self.target.record(self.view).prompt_log
        confirmed = log.confirmed(result.judged, result.frame)
        own = {*self.prompts} if confirmed else set()
        return {one for one, prompt in confirmed.items() if prompt not in own}

    def _returning(self, result: FrameResult) -> tuple[int, ...]:
        """Objects that may come back on a frame from which a person erased them."""
        return ()


def _without(result: FrameResult, object_ids: Collection[int]) -> FrameResult:
    """Leave objects out of a result, as if they were not part of the run."""
    is_out = np.isin(result.labels, list(object_ids))
    objects = {
        object_id: found
        for object_id, found in result.objects.items()
        if object_id not in object_ids
    }
    labels = np.where(is_out, 0, result.labels).astype(result.labels.dtype)
    return replace(result, labels=labels, objects=objects)


@dataclass(eq=False)
class CorrectionRun(Run):
    """Corrections of labels, under way.

    Attributes
    ----------
    corrections : tuple of Correction
        What is corrected.
    draft : LabelsDraft
        What the corrections are computed from.
    has_changed : bool
        Whether any label has changed.
    """

    corrections: tuple[Correction, ...] = ()
    has_changed: bool = False

    kind = CORRECTION

    @property
    def title(self) -> str:
        """What a menu calls it."""
        frames = sorted({prompt.frame for prompt in self.prompts})
        return (
            f"Correction of {listed('object', self.prompts.object_ids)} around "
            f"{listed('frame', frames)}"
        )

    @property
    def details(self) -> dict[str, Any]:
        """Plain values that say how it can be done again."""
        return {
            **self._place,
            "corrections": [
                {
                    "prompts": [[one.object_id, one.frame] for one in each.prompts],
                    "frames": [each.frames.start, each.frames.stop],
                }
                for each in self.corrections
            ],
            **self.made_with,
        }

    def __post_init__(self) -> None:
        self.draft = LabelsDraft(self.view, self.target.holder)

    @classmethod
    def of(
        cls,
        view: Cut,
        target: LabelsTarget,
        corrections: tuple[Correction, ...],
    ) -> Self:
        """Prepare corrections of the labels in a target."""
        prompts = PromptSet(chain.from_iterable(one.prompts for one in corrections))
        # What was painted by hand stays, even if the run was told to replace it.
        return cls(view, target, prompts, False, corrections=corrections)

    def begin(self, session: Session) -> Iterator[FrameResult]:
        """Start the corrections in a session.

        Parameters
        ----------
        session : Session
            Is given the prompts that the labels were made from.

        Returns
        -------
        iterator of FrameResult
            To be taken in the background, where labels are searched for what was
            painted by hand, which counts as certain.

        Raises
        ------
        PromptError, LabelsError
            If points or labels do not fit the movie; before the first result.
        """
        known = self._prompt_log.without(self.corrections)
        self.target.freeze_axes(self.view)
        return self.draft.follow(self._steps(session, known))

    def _steps(self, session: Session, known: PromptSet) -> Iterator[FrameResult]:
        session.prompts = PromptSet((*known, *self._painted()))
        for one in self.corrections:
            yield from session.correct(one.prompts, self.draft, one.frames)

    def write(self, result: FrameResult) -> None:
        """Write a result and count it.

        Known objects yield to the corrected one, other labels do not.
        """
        own_ids = self._prompt_log.object_ids
        labels = np.where(np.isin(result.labels, own_ids), result.labels, 0).astype(
            result.labels.dtype
        )
        self.has_changed |= self._write_labels(result.with_labels(labels), own_ids)
        self._prompt_log.note_correction(self.labelled_by(result))
        self.draft.mark_written(result)

    def labelled_by(self, result: FrameResult) -> tuple[Prompt, ...]:
        """Return the corrections that a result brings into the labels."""
        return tuple(
            prompt
            for prompt in self.prompts
            if prompt.frame == result.frame and prompt.object_id in result.objects
        )

    @property
    def _prompt_log(self) -> PromptLog:
        return self.target.record(self.view).prompt_log

    def _returning(self, result: FrameResult) -> tuple[int, ...]:
        """Objects that a person erased there and now points at."""
        settled = self.labelled_by(result)
        return tuple(prompt.object_id for prompt in settled if prompt.is_positive)

    def _painted(self) -> Iterator[Prompt]:
        for one in self.corrections:
            yield from self.target.painted(self.view, one.object_ids, one.frames)
