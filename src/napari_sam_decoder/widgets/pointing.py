"""What a person or a script can do with the objects of a dock and their points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.desk import Desk
from napari_sam_decoder.widgets.layers import (
    new_points_layer,
    pick_hypothesis,
    set_sign,
    sign_of_next,
)

if TYPE_CHECKING:
    from napari.layers import Points

    from napari_sam_decoder.widgets.objects import SegmentedObject

__all__ = ["Pointing"]


class Pointing(Desk):
    """A desk whose objects can be made, chosen and pointed at."""

    def new_object(self, name: str | None = None) -> Points:
        """Add a Points layer for one more object, and let clicks go to it.

        Parameters
        ----------
        name : str, optional
            Of the layer.

        Returns
        -------
        napari.layers.Points
            For points at (frame, row, column), in the image's data pixels.

        Raises
        ------
        MovieError
            If no movie is chosen.
        """
        self.require_movie()
        object_id = self._next_id()
        layer = self._make_layer(object_id, name)
        self.select_object(object_id)
        return layer

    def use_points(self, layer: Points) -> None:
        """Count the points of an existing layer as prompts.

        Parameters
        ----------
        layer : napari.layers.Points
            Its features ``label`` (positive or negative) and ``object_id`` are used
            where they are there; else its points are positive and one object.
        """
        if layer not in self.objects:
            self.objects.use(layer, self._next_id())
            self.read()

    def drop_points(self, layer: Points) -> None:
        """Count the points of a layer no more."""
        if layer in self.objects:
            self.objects.drop(layer)
            self.read()

    def select_object(self, object_id: int) -> None:
        """Let clicks, signs and hypotheses go to an object.

        Parameters
        ----------
        object_id : int
            Its value in the labels.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        self._let_clicks_go_to(self.objects.select(object_id))

    def set_sign(self, is_positive: bool) -> None:
        """Let the next clicks say where the object is, or where it is not.

        Parameters
        ----------
        is_positive : bool
            False for points beside the object.

        Raises
        ------
        PromptError
            If there is no object yet.
        """
        listed = self.require_object()
        set_sign(self._points_of(listed), is_positive)
        self._let_clicks_go_to(self.require_object())

    @property
    def is_next_positive(self) -> bool:
        """Whether the next click says where the object is, not where it is not."""
        current = self.objects.current
        layer = None if current is None else current.layer
        return layer is None or sign_of_next(layer)

    def choose_hypothesis(self, number: int | None) -> None:
        """Pick what the selected object is on the current frame.

        Parameters
        ----------
        number : {1, 2, 3} or None
            None lets the best one be chosen.

        Raises
        ------
        PromptError
            If the current object has no point on the frame.
        """
        listed = self.require_object()
        if self.current_prompt is None:
            raise PromptError(
                f"{listed.name!r} has no point on frame {self.frame}: click it first"
            )
        for layer in self.objects.layers:
            own_id = self.objects.own_id(layer)
            place = (listed.object_id, self.frame, own_id)
            pick_hypothesis(self.require_movie(), layer, *place, number)
        self.read()

    def _next_id(self) -> int:
        return self.objects.next_id(self.conductor.recorder.taken_ids)

    def _points_of(self, listed: SegmentedObject) -> Points:
        """Return the layer that takes an object's clicks, made if there is none."""
        if listed.layer is not None:
            return listed.layer
        return self._make_layer(listed.object_id, listed.name)

    def _make_layer(self, object_id: int, name: str | None) -> Points:
        colour = object_colour(object_id)
        layer = new_points_layer(self.require_movie(), object_id, colour, name)
        self.objects.use(layer, object_id)
        self.viewer.add_layer(layer)
        self.read()
        return layer

    def _let_clicks_go_to(self, listed: SegmentedObject) -> None:
        layer = self._points_of(listed)
        self.viewer.layers.selection.active = layer
        layer.mode = "add"
        self.changed.emit()
