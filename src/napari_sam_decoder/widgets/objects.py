"""The Points layers that count as prompts, and the object that is worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.widgets.layers import (
    PLACING,
    PointsReading,
    read_points_layers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from napari.layers import Points

    from napari_sam_decoder.widgets.layers import MovieView, ObjectPoints

__all__ = ["NOTHING_READ", "ObjectBook"]

NOTHING_READ = PointsReading(PromptSet(), PromptSet(), (), ())


class ObjectBook:
    """Points layers in use, each with an id for points that have none of their own.

    Parameters
    ----------
    on_change : callable
        Called without arguments when points, features or names change.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._ids: dict[Points, int] = {}
        self.reading = NOTHING_READ
        self.current_id: int | None = None

    def __contains__(self, layer: object) -> bool:
        return layer in self._ids

    @property
    def current(self) -> ObjectPoints | None:
        """The object that clicks go to, if there is one."""
        return self.find(self.current_id)

    def find(self, object_id: int | None) -> ObjectPoints | None:
        """Look an object up by its id."""
        for listed in self.reading.objects:
            if listed.object_id == object_id:
                return listed
        return None

    def own_id(self, layer: Points) -> int:
        """Id of the layer's points that have none of their own."""
        return self._ids[layer]

    @property
    def layers(self) -> tuple[Points, ...]:
        """All layers in use, in the order in which they came."""
        return tuple(self._ids)

    def next_id(self, taken: Collection[int]) -> int:
        """Smallest id above all that are in use.

        Parameters
        ----------
        taken : collection of int
            Ids in the label layer.
        """
        listed = (listed.object_id for listed in self.reading.objects)
        return max((0, *self._ids.values(), *listed, *taken)) + 1

    def use(self, layer: Points, own_id: int) -> None:
        """Count a layer's points as prompts.

        Parameters
        ----------
        layer : Points
            Not in use yet.
        own_id : int
            For points without an id of their own.
        """
        self._ids[layer] = own_id
        for emitter in _emitters(layer):
            emitter.connect(self._note_change)

    def drop(self, layer: Points) -> None:
        """Count a layer's points no more; they stay in the layer."""
        del self._ids[layer]
        for emitter in _emitters(layer):
            emitter.disconnect(self._note_change)

    def close(self) -> None:
        """Let go of all layers."""
        for layer in tuple(self._ids):
            self.drop(layer)

    def read(self, view: MovieView | None) -> None:
        """Read all layers again, for a movie.

        Parameters
        ----------
        view : MovieView, optional
            Without a movie there is nothing to point at.
        """
        self.reading = (
            NOTHING_READ if view is None else read_points_layers(view, self._ids)
        )
        if self.current is None and self.reading.objects:
            self.current_id = self.reading.objects[-1].object_id

    def select(self, object_id: int) -> ObjectPoints:
        """Make an object the one that is worked on.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        listed = self.find(object_id)
        if listed is None:
            raise PromptError(
                f"there is no object {object_id}; the objects are "
                f"{', '.join(str(one.object_id) for one in self.reading.objects)}"
            )
        self.current_id = object_id
        return listed

    def _note_change(self, _: Any = None) -> None:
        self._on_change()


def _emitters(layer: Points) -> tuple[Any, ...]:
    """Who tells of all that a reading depends on, the place in the world included."""
    names = ("data", "features", "name", *PLACING)
    return tuple(getattr(layer.events, name) for name in names)
