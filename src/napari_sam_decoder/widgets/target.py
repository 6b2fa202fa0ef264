"""The Labels layer that results go to, and what in it must not be lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.prompts import PaintedMask, Prompt
from napari_sam_decoder.widgets.corrections import Ledger
from napari_sam_decoder.widgets.layers import write_frame
from napari_sam_decoder.widgets.runs import VerdictBook

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from napari.layers import Labels

    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.widgets.corrections import Correction
    from napari_sam_decoder.widgets.layers import MovieView

__all__ = ["CutRecord", "LabelsTarget"]


@dataclass(frozen=True, eq=False)
class CutRecord:
    """What runs have made of the labels on one cut through them, such as one plane.

    Attributes
    ----------
    ledger : Ledger
        From which prompts.
    verdicts : VerdictBook
        What was said of it.
    """

    ledger: Ledger = field(default_factory=Ledger)
    verdicts: VerdictBook = field(default_factory=VerdictBook)


class LabelsTarget:
    """A Labels layer, what was put there by others, by runs and by hand.

    Parameters
    ----------
    layer : Labels
        Of the movie's shape.
    view : MovieView
        The movie.
    foreign_ids : collection of int, optional
        Ids that were there before; None while they are not known yet.
    """

    def __init__(
        self,
        layer: Labels,
        view: MovieView,
        foreign_ids: Collection[int] | None = None,
    ) -> None:
        self.layer = layer
        self.view = view
        self.foreign_ids = None if foreign_ids is None else frozenset(foreign_ids)
        self._records: dict[object, CutRecord] = {}
        self._painted: set[tuple[int, ...]] = set()
        layer.events.paint.connect(self._note_painting)

    def record(self, view: MovieView) -> CutRecord:
        """Return what is known of the cut that a view shows."""
        return self._records.setdefault((view.axis, view.fixed), CutRecord())

    @property
    def ledger(self) -> Ledger:
        """What runs have made on the cut of now, and from which prompts."""
        return self.record(self.view).ledger

    @property
    def verdicts(self) -> VerdictBook:
        """What runs have said of the cut of now."""
        return self.record(self.view).verdicts

    def close(self) -> None:
        """Let go of the layer."""
        self.layer.events.paint.disconnect(self._note_painting)

    def own(self, object_ids: Collection[int]) -> None:
        """Count objects as made here, so that they may be made again."""
        self.foreign_ids = (self.foreign_ids or frozenset()) - frozenset(object_ids)

    def require_free(self, object_ids: Collection[int]) -> None:
        """Refuse to write objects whose ids others use.

        Raises
        ------
        LabelsError
            If the layer held one of the ids before.
        """
        taken = sorted((self.foreign_ids or frozenset()) & frozenset(object_ids))
        if taken:
            raise LabelsError(
                f"{self.layer.name!r} holds object {', '.join(map(str, taken))} "
                "already: choose a new Labels layer, or tick 'replace what is there'"
            )

    def write(
        self,
        view: MovieView,
        result: FrameResult,
        object_ids: Collection[int],
        *,
        replace: bool,
    ) -> bool:
        """Put a result into the layer's data, unless a person painted on the frame.

        Parameters
        ----------
        view : MovieView
            The movie of the result, of the same image.
        result : FrameResult
            Labels of one frame.
        object_ids : collection of int
            The objects of the run.
        replace : bool
            Whether it may overwrite other objects and what was painted.

        Returns
        -------
        bool
            Whether it was written.
        """
        place = self._place(view, result.frame)
        if replace:
            self._painted.discard(place)
        elif place in self._painted:
            return False
        write_frame(
            view,
            self.layer,
            result.frame,
            result.labels,
            object_ids,
            replace=replace,
        )
        return True

    def painted(
        self, view: MovieView, object_ids: Collection[int], frames: Iterable[int]
    ) -> Iterator[Prompt]:
        """Give what a person has painted as prompts.

        Parameters
        ----------
        view : MovieView
            The movie, of the same image.
        object_ids : collection of int
            The objects to look for.
        frames : iterable of int
            The frames to look at.

        Yields
        ------
        Prompt
            The mask of an object on a frame where anything was painted.
        """
        for frame in frames:
            if self._place(view, frame) in self._painted:
                labels = np.asarray(self.layer.data[view.index(frame)])
                for object_id in object_ids:
                    mask = labels == object_id
                    if mask.any():
                        yield Prompt(object_id, frame, mask=PaintedMask.of(mask))

    def corrections(
        self, view: MovieView, present: Collection[Prompt]
    ) -> tuple[Correction, ...]:
        """Say what would correct the labels; see `Ledger.corrections`.

        Parameters
        ----------
        view : MovieView
            The movie, of the same image.
        present : collection of Prompt
            All prompts as they are now.
        """
        has_mask = partial(self._has_mask, view)
        return self.record(view).ledger.corrections(present, has_mask)

    def _has_mask(self, view: MovieView, object_id: int, frame: int) -> bool:
        labels = np.asarray(self.layer.data[view.index(frame)])
        return bool((labels == object_id).any())

    @staticmethod
    def _place(view: MovieView, frame: int) -> tuple[int, ...]:
        origin = view.origin(frame)
        return tuple(origin[axis] for axis in view.sliced_axes)

    def _note_painting(self, event: Any) -> None:
        for atom in event.value:
            self._painted |= _painted_planes(atom, self.view.sliced_axes)


def _painted_planes(atom: Any, axes: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Where a piece of a stroke lies along the axes that are cut."""
    box = getattr(atom, "slice_key", None)
    if box is None:
        # napari before 0.9, and strokes set by index: one array of places per axis.
        if not axes:
            return {()}
        places = np.broadcast_arrays(*(np.ravel(atom[0][axis]) for axis in axes))
        return {tuple(map(int, place)) for place in np.stack(places, -1)}
    shape = tuple(span.stop - span.start for span in box)
    mask = np.ones(shape, bool) if atom.mask is None else atom.mask
    within_plane = tuple(axis for axis in range(mask.ndim) if axis not in axes)
    start = [box[axis].start for axis in axes]
    found = np.argwhere(mask.any(axis=within_plane)) + np.array(start, int)
    return {tuple(map(int, place)) for place in found}
