"""The Labels layer that results go to, and what in it must not be lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.prompts import PaintedMask, Prompt
from napari_sam_decoder.widgets.corrections import Ledger
from napari_sam_decoder.widgets.layers import Handiwork, check_target
from napari_sam_decoder.widgets.runs import VerdictBook

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from napari.layers import Labels

    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.widgets.corrections import Correction
    from napari_sam_decoder.widgets.layers import MovieView, Place, Written

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
    is_blank : bool, default False
        Whether the layer was made just now and holds nothing.
    """

    def __init__(
        self,
        layer: Labels,
        view: MovieView,
        foreign_ids: Collection[int] | None = None,
        *,
        is_blank: bool = False,
    ) -> None:
        self.layer = layer
        self.view = view
        self.foreign_ids = None if foreign_ids is None else frozenset(foreign_ids)
        self._records: dict[object, CutRecord] = {}
        self._checked = layer.data
        self._handiwork = Handiwork(layer, view, is_blank=is_blank)

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
        self._handiwork.close()

    def note(self, view: MovieView, place: Place, plane: np.ndarray) -> None:
        """Take a plane for what was there from the beginning; see `Handiwork.note`."""
        self._handiwork.note(view, place, plane)

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
        returning: Collection[int] = (),
    ) -> Written:
        """Put a result into the layer's data, but for what a person has painted.

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
        returning : collection of int
            Objects that come back although a person has wiped them out on the frame.

        Returns
        -------
        Written
            What has changed, and which objects were spared.

        Raises
        ------
        LabelsError
            If the layer has other data by now, which cannot take the result.
        """
        if self.layer.data is not self._checked:
            check_target(view, self.layer, max(object_ids, default=1))
            self._checked = self.layer.data
        return self._handiwork.write(
            view,
            result.frame,
            result.labels,
            object_ids,
            replace=replace,
            returning=[
                object_id
                for object_id in returning
                if not self._has_mask(view, object_id, result.frame)
            ],
        )

    def painted_ids(self, view: MovieView, frame: int) -> frozenset[int]:
        """List the objects that a person has painted or erased on a frame.

        A script may have done it as well. What was undone does not count.

        Parameters
        ----------
        view : MovieView
            The movie, of the same image.
        frame : int
            0 <= frame < len(view).
        """
        return self._handiwork.objects(view, frame)

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
            The mask of an object on a frame where it was painted, without a pixel
            where it was wiped out.
        """
        for frame in frames:
            if self._handiwork.is_likely(view, frame):
                for object_id in self.painted_ids(view, frame) & set(object_ids):
                    mask = self._mask(view, object_id, frame)
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
        if tuple(self.layer.data.shape) != view.spatial_shape:
            # They were replaced by others, which a run will refuse with a reason.
            return ()
        has_mask = partial(self._has_mask, view)
        return self.record(view).ledger.corrections(present, has_mask)

    def _has_mask(self, view: MovieView, object_id: int, frame: int) -> bool:
        return bool(self._mask(view, object_id, frame).any())

    def _mask(self, view: MovieView, object_id: int, frame: int) -> np.ndarray:
        mask: np.ndarray = np.asarray(self.layer.data[view.index(frame)]) == object_id
        return mask
