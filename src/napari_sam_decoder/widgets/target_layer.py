"""The Labels layer that results go to: listened to, checked and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.project import LabelsTarget, axes_of
from napari_sam_decoder.widgets.colours import BACKGROUND_GREY
from napari_sam_decoder.widgets.contributions import BACKGROUND
from napari_sam_decoder.widgets.layers import (
    CLEAR,
    LabelColours,
    StrokeListener,
    after_strokes,
    before_strokes,
    check_target,
    places_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from napari.layers import Labels

    from napari_sam_decoder.project import Cut, History
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.objects import ObjectLook

__all__ = ["TargetLayer", "UndoKeys"]

_DIM_GREY = (*BACKGROUND_GREY[:3], 0.5)

_VERBS = {"erase": "Erase", "fill": "Fill", "polygon": "Paint a polygon"}


@dataclass(frozen=True, eq=False)
class UndoKeys:
    """What a layer's keys for undo and redo call."""

    undo: Callable[[], None]
    redo: Callable[[], None]


class TargetLayer(LabelsTarget):
    """A Labels layer that results go to; strokes on it are recorded.

    Parameters
    ----------
    layer : Labels
        Of the movie's shape.
    view : MovieView
        The movie.
    history, number, is_own, is_recorded
        As in `LabelsTarget`.
    keys : UndoKeys
        What the layer's own keys for undo and redo call.
    """

    view: MovieView

    def __init__(
        self,
        layer: Labels,
        view: MovieView,
        history: History,
        number: int,
        keys: UndoKeys,
        *,
        is_own: bool = False,
        is_recorded: bool = False,
    ) -> None:
        self._strokes = self._listen(layer, keys)
        super().__init__(
            layer,
            view,
            history,
            number,
            is_own=is_own,
            is_recorded=is_recorded,
            before_strokes=lambda *plane: self._strokes.before(*plane),
        )
        self.layer = layer
        self._checked = layer.data
        self._colours = LabelColours(layer)

    @property
    def is_drawing(self) -> bool:
        """Whether a stroke is being drawn on the layer just now."""
        return self._strokes.is_drawing

    def close(self) -> None:
        """Stop watching the layer, and give its own colours back."""
        self._strokes.close()
        self._colours.use({})

    def draw(self, look: ObjectLook) -> None:
        """Draw all labels in their own colours, but for hidden and background ones.

        What saves the layer finds the background objects in its metadata.
        """
        background = dict.fromkeys(look.background, _DIM_GREY)
        hidden = dict.fromkeys(look.hidden, CLEAR)
        self._colours.use(background | hidden, self.object_ids)
        if look.background or BACKGROUND in self.layer.metadata:
            self.layer.metadata[BACKGROUND] = sorted(look.background)

    def reopen(self, keys: UndoKeys) -> None:
        """Watch the layer again.

        Parameters
        ----------
        keys : UndoKeys
            What the layer's own keys for undo and redo call.
        """
        self._strokes = self._listen(self.layer, keys)

    def _listen(self, layer: Labels, keys: UndoKeys) -> StrokeListener:
        return StrokeListener(layer, self._on_stroke, keys.undo, keys.redo)

    def check(self, view: Cut, highest_id: int = 1) -> None:
        """Refuse data of the layer that were replaced and do not fit any more.

        Raises
        ------
        LabelsError
            As `check_target`.
        """
        del view  # of the same image
        is_new = self.layer.data is not self._checked
        if is_new or highest_id > self.highest_id:
            check_target(self.view, self.layer, highest_id)
            self._checked = self.layer.data

    def reconcile(self, view: Cut, prompts_now: Collection[Prompt]) -> int | None:
        """Take back corrections whose points are gone, and draw the layer."""
        frames = super().reconcile(view, prompts_now)
        if frames is not None:
            self.layer.refresh(extent=False)
        return frames

    def _on_stroke(self, atoms: list[Any], unwritten: list[Any]) -> None:
        axes = axes_of(self.view)
        places = {place for atom in atoms for place in places_of(atom, axes)}
        planes = {}
        for place in sorted(places):
            plane = np.asarray(self.layer.data[axes.index(place)])
            planes[place] = (
                before_strokes(plane, atoms, place, axes),
                after_strokes(plane, unwritten, place, axes),
            )
        self.record_strokes(planes, _VERBS.get(str(self.layer.mode), "Paint"))
