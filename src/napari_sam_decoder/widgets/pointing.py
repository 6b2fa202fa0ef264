"""What a person or a script can do with the objects of a dock and their points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_decoder.arguments import HIGHEST_ID
from napari_sam_decoder.errors import MovieError, PromptError
from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.desk import Desk
from napari_sam_decoder.widgets.layers import (
    aim_points,
    new_points_layer,
    pick_hypothesis,
    set_sign,
    sign_of_next,
)
from napari_sam_decoder.widgets.waiting import wait_until

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Points

    from napari_sam_decoder.widgets.objects import SegmentedObject

__all__ = ["Pointing"]

LOOKING_S = 3600


class Pointing(Desk):
    """A desk whose objects can be made, chosen and pointed at.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are worked on.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self._spare: Points | None = None

    def new_object(self, name: str | None = None) -> Points:
        """Add a Points layer for one more object, and let clicks go to it.

        Its id is one that no labels of the movie's shape hold and that was not given
        before. Where these labels are large, it comes once they have been looked at;
        the window stays alive meanwhile.

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
        object_id = self._new_id()
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
            own_id = self._new_id()
            before = {*self.conductor.prompts, *self.conductor.negatives}
            self.objects.use(layer, own_id)
            self.objects.read(self.movie, self.viewer.layers)
            present = {*self.conductor.prompts, *self.conductor.negatives}
            self.conductor.credit(present - before)
            self.conductor.work.outcome = ""
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
        self.conductor.work.outcome = ""
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

    def _new_id(self) -> int:
        """Give an id, once it is known which ones are taken."""
        view, taken = self.require_movie(), None
        while taken is None:
            view = self.require_movie()
            taken = self.conductor.ids.taken(view)
            if taken is None:
                wait_until(self._is_known, LOOKING_S)
            if self.is_closed:
                raise MovieError("the dock was closed; open it and press again")
        target = self.conductor.recorder.target
        highest = HIGHEST_ID if target is None else target.highest_id
        object_id = self.conductor.ids.give(view, taken, highest)
        self.objects.born.add(object_id)
        return object_id

    def _is_known(self) -> bool:
        return self.is_closed or not self.conductor.is_looking

    def _points_of(self, listed: SegmentedObject) -> Points:
        """Return the layer that takes an object's clicks, made if there is none."""
        if listed.layer is not None:
            return listed.layer
        spare = self._spare
        is_free = spare is not None and spare in self.objects and not len(spare.data)
        if spare is None or not is_free or spare not in self.viewer.layers:
            self._spare = self._make_layer(listed.object_id, listed.name)
            return self._spare
        # Whoever looks through many objects wants no layer for each of them.
        aim_points(spare, listed.object_id, object_colour(listed.object_id))
        self.objects.use(spare, listed.object_id)
        spare.name = listed.name
        self.read()
        return spare

    def _make_layer(self, object_id: int, name: str | None) -> Points:
        colour = object_colour(object_id)
        layer = new_points_layer(self.require_movie(), object_id, colour, name)
        self.objects.use(layer, object_id)
        self.viewer.add_layer(layer)
        self.read()
        return layer

    def _let_clicks_go_to(self, listed: SegmentedObject) -> None:
        layer = self._points_of(listed)
        aim_points(layer, listed.object_id, object_colour(listed.object_id))
        self.viewer.layers.selection.active = layer
        layer.mode = "add"
        self.changed.emit()
