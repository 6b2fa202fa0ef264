"""The objects of one movie: their ids, names and points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Labels

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.layers import (
    PLACEMENT_EVENTS,
    PointsReading,
    ids_in,
    next_object_id,
    read_points_layers,
    remove_object_points,
    renumber_points,
)
from napari_sam_decoder.widgets.previews import PREVIEW_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from napari.components import ViewerModel
    from napari.layers import Points

    from napari_sam_decoder.widgets.job_queue import JobQueue
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.movie_state import ViewerMovies

__all__ = ["NOTHING_READ", "ObjectIds", "ObjectList", "SegmentedObject", "free_id"]

AT_ONCE = 2**24
"""Labels with more pixels are scanned in the background."""


class ObjectIds:
    """Gives new ids, and knows which ones are taken on the movies of a viewer.

    Parameters
    ----------
    viewer : ViewerModel
        All of its Labels layers that have a movie's shape count.
    movies : ViewerMovies
        Knows which ids were given before.
    job_queue : JobQueue
        Scans large labels.
    """

    def __init__(
        self, viewer: ViewerModel, movies: ViewerMovies, job_queue: JobQueue
    ) -> None:
        self._viewer = viewer
        self._movies = movies
        self._job_queue = job_queue
        # The labels that were scanned, and their ids once these are known.
        self._found: WeakKeyDictionary[Labels, tuple[Any, frozenset[int] | None]] = (
            WeakKeyDictionary()
        )

    def taken(self, view: MovieView) -> frozenset[int] | None:
        """List the ids that a new object on a movie must not have.

        Parameters
        ----------
        view : MovieView
            The movie.

        Returns
        -------
        frozenset of int or None
            None while large labels are being scanned; ask again later.
        """
        known = [self._ids_in(layer) for layer in self._layers(view)]
        if any(ids is None for ids in known):
            return None
        return self._given(view).union(*(ids or () for ids in known))

    def give(self, view: MovieView, besides: Collection[int], highest: int) -> int:
        """Give a new id.

        Parameters
        ----------
        view : MovieView
            The movie.
        besides : collection of int
            Ids that are taken, as far as they are known.
        highest : int
            The largest that the labels can hold.
        """
        object_id = free_id(self._given(view).union(besides), highest)
        self._movies.given_ids(view).add(object_id)
        # Labels in memory can be changed at any time, without a notice.
        for layer, (data, _) in tuple(self._found.items()):
            if isinstance(data, np.ndarray):
                del self._found[layer]
        return object_id

    def mark_given(self, view: MovieView, object_ids: Collection[int]) -> None:
        """Never give these ids to another object on a movie of this shape."""
        self._movies.given_ids(view).update(object_ids)

    def _given(self, view: MovieView) -> frozenset[int]:
        given = set(self._movies.given_ids(view))
        for state in self._movies:
            if (
                state.view is not None
                and state.view.spatial_shape == view.spatial_shape
            ):
                given |= state.objects.ids
        return frozenset(given)

    def _layers(self, view: MovieView) -> list[Labels]:
        return [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Labels)
            and not layer.multiscale
            and layer.name != PREVIEW_NAME
            and tuple(layer.data.shape) == view.spatial_shape
        ]

    def _ids_in(self, layer: Labels) -> frozenset[int] | None:
        data = layer.data
        is_in_memory = isinstance(data, np.ndarray)
        if is_in_memory and data.size <= AT_ONCE:
            return _at_once(data)
        looked_at, ids = self._found.get(layer, (None, None))
        if looked_at is not data:
            self._look(layer, data)
            return None
        # Labels on a disk are painted with this id, if at all.
        return None if ids is None else ids | {int(layer.selected_label)}

    def _look(self, layer: Labels, data: Any) -> None:
        def note(ids: frozenset[int] | None) -> None:
            if ids is not None:
                self._found[layer] = data, ids

        def end(error: Exception | None) -> None:
            # Labels that cannot be read take no ids.
            if error is not None:
                self._found[layer] = data, frozenset()

        self._found[layer] = data, None
        self._job_queue.scan(partial(ids_in, data), note, end)


def free_id(taken: Collection[int], highest: int) -> int:
    """Return the id after all that are taken, or else the first that is free.

    Parameters
    ----------
    taken : collection of int
        1 or more.
    highest : int
        Ids above it do not fit.
    """
    following = max(taken, default=0) + 1
    if following <= highest:
        return following
    return next(object_id for object_id in count(1) if object_id not in taken)


def _at_once(data: np.ndarray) -> frozenset[int]:
    *_, ids = ids_in(data)
    return ids or frozenset()


NOTHING_READ = PointsReading(PromptSet(), PromptSet(), (), ())


@dataclass(frozen=True)
class SegmentedObject:
    """One object of a movie.

    Attributes
    ----------
    object_id : int
        Its value in the labels.
    name : str
    layer : napari.layers.Points or None
        Where its points are; None for an object that only the labels hold.
    frames : tuple of int
        The frames with points that are used, ascending.
    """

    object_id: int
    name: str
    layer: Points | None = None
    frames: tuple[int, ...] = ()


class ObjectList:
    """The objects of one movie, from points, runs or adopted labels.

    An object outlives its Points layer as long as the labels hold it. The list itself
    outlives the dock; it watches its layers only between `start_listening` and
    `stop_listening`.

    Attributes
    ----------
    reading : PointsReading
        The points as they were last read.
    current_id : int or None
        The object that clicks go to.
    created_ids : set of int
        Objects that were created here with points, not adopted from labels.
    has_lost_layers : bool
        Whether points went with their layer, instead of being deleted, between the last
        two readings.
    """

    def __init__(self) -> None:
        self._on_change: Callable[[], None] | None = None
        self._ids: dict[Points, int] = {}
        self._names: dict[int, str] = {}
        self._in_labels: frozenset[int] = frozenset()
        self.reading = NOTHING_READ
        self.current_id: int | None = None
        self.created_ids: set[int] = set()
        self.has_lost_layers = False
        self._counted: frozenset[Points] = frozenset()

    def __contains__(self, layer: object) -> bool:
        return layer in self._ids

    @property
    def listed(self) -> tuple[SegmentedObject, ...]:
        """All objects, by id."""
        found = {object_id: self._without_points(object_id) for object_id in self._bare}
        for points in self.reading.objects:
            found[points.object_id] = SegmentedObject(
                points.object_id, points.name, points.layer, points.frames
            )
        return tuple(found[object_id] for object_id in sorted(found))

    @property
    def current(self) -> SegmentedObject | None:
        """The object that clicks go to, if there is one."""
        return self.find(self.current_id)

    def find(self, object_id: int | None) -> SegmentedObject | None:
        """Look an object up by its id."""
        for points in self.reading.objects:
            if points.object_id == object_id:
                return SegmentedObject(
                    points.object_id, points.name, points.layer, points.frames
                )
        if object_id is not None and object_id in self._bare:
            return self._without_points(object_id)
        return None

    def own_id(self, layer: Points) -> int:
        """Return the object id of a layer's points that name none."""
        return self._ids[layer]

    @property
    def layers(self) -> tuple[Points, ...]:
        """All layers in use, in the order in which they were added."""
        return tuple(self._ids)

    @property
    def ids(self) -> frozenset[int]:
        """All ids that are in use."""
        named = (points.object_id for points in self.reading.objects)
        return frozenset((*self._ids.values(), *named, *self._in_labels))

    def note_labels(self, object_ids: Iterable[int]) -> None:
        """Note which objects the labels hold."""
        self._in_labels = frozenset(object_ids)

    def use(self, layer: Points, own_id: int) -> None:
        """Use a layer's points as prompts, as long as it is in the viewer.

        Parameters
        ----------
        layer : Points
            If it is in use already, only its id is changed.
        own_id : int
            For points without an id of their own.
        """
        if layer not in self._ids and self._on_change is not None:
            self._connect(layer)
        self._ids[layer] = own_id

    def drop(self, layer: Points) -> None:
        """Stop using a layer's points as prompts; they stay in the layer."""
        del self._ids[layer]
        if self._on_change is not None:
            self._disconnect(layer)

    def rename(self, object_id: int, name: str) -> None:
        """Name an object, and its Points layer if it has one."""
        found = self.find(object_id)
        if found is not None and found.layer is not None:
            found.layer.name = name
        self._names[object_id] = name

    def renumber(self, old_id: int, new_id: int) -> None:
        """Give an object another id, and its points the colour of that id.

        Parameters
        ----------
        old_id, new_id : int
            Of an object that was created here, and an id that is free.
        """
        for layer, own_id in tuple(self._ids.items()):
            renumber_points(layer, old_id, new_id, object_colour(new_id))
            if own_id == old_id:
                self._ids[layer] = new_id
            if layer.name == f"object {old_id}":
                layer.name = f"object {new_id}"
        if old_id in self._names:
            name = self._names.pop(old_id)
            is_plain = name == f"object {old_id}"
            self._names[new_id] = f"object {new_id}" if is_plain else name
        self.created_ids = (self.created_ids - {old_id}) | {new_id}
        if self.current_id == old_id:
            self.current_id = new_id

    def remove(self, object_id: int) -> tuple[Points, ...]:
        """Remove the points of an object.

        Returns
        -------
        tuple of Points
            Layers that were for it alone; they are not in use any more.
        """
        emptied = []
        for points in tuple(self._ids):
            others = remove_object_points(points, object_id, self._ids[points])
            if not others and self._ids[points] == object_id:
                self.drop(points)
                emptied.append(points)
        self.created_ids.discard(object_id)
        return tuple(emptied)

    def start_listening(self, on_change: Callable[[], None]) -> None:
        """Call back when points, features or names change.

        Parameters
        ----------
        on_change : callable
            Called without arguments.
        """
        self.stop_listening()
        self._on_change = on_change
        for layer in self._ids:
            self._connect(layer)

    def stop_listening(self) -> None:
        """Stop calling back; the layers stay in use."""
        if self._on_change is not None:
            for layer in self._ids:
                self._disconnect(layer)
        self._on_change = None

    def read(self, view: MovieView | None, present: Collection[object]) -> None:
        """Read all layers again, as points on a movie.

        Parameters
        ----------
        view : MovieView, optional
            Nothing is read without one.
        present : collection of Layer
            The layers of the viewer; others are left out until they are back.
        """
        ids = {layer: own for layer, own in self._ids.items() if layer in present}
        self.has_lost_layers = not self._counted <= ids.keys()
        self._counted = frozenset(ids)
        self.reading = NOTHING_READ if view is None else read_points_layers(view, ids)
        for points in self.reading.objects:
            self._names[points.object_id] = points.name
        if self.current is None and self.reading.objects:
            self.current_id = self.reading.objects[-1].object_id

    def select(self, object_id: int) -> SegmentedObject:
        """Make an object the current one.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        found = self.require(object_id)
        self.current_id = object_id
        return found

    def on_points_selected(self, layer: Points) -> None:
        """Make the object current that the next point of a layer belongs to."""
        ids = [one.object_id for one in self.reading.objects if one.layer is layer]
        next_id = next_object_id(layer)
        if ids:
            self.current_id = next_id if next_id in ids else ids[0]

    def require(self, object_id: int) -> SegmentedObject:
        """Look an object up by its id.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        found = self.find(object_id)
        if found is None:
            raise PromptError(
                f"there is no object {object_id}; the objects are "
                f"{', '.join(str(one.object_id) for one in self.listed)}"
            )
        return found

    @property
    def _bare(self) -> frozenset[int]:
        """Objects that the labels hold and that have no points."""
        return self._in_labels - {points.object_id for points in self.reading.objects}

    def _without_points(self, object_id: int) -> SegmentedObject:
        name = self._names.get(object_id, f"object {object_id}")
        return SegmentedObject(object_id, name)

    def _connect(self, layer: Points) -> None:
        for emitter in _emitters(layer):
            emitter.connect(self._note_change)

    def _disconnect(self, layer: Points) -> None:
        for emitter in _emitters(layer):
            emitter.disconnect(self._note_change)

    def _note_change(self, _: Any = None) -> None:
        if self._on_change is not None:
            self._on_change()


def _emitters(layer: Points) -> tuple[Any, ...]:
    """Events of everything that a reading depends on, the placement included."""
    names = ("data", "features", "name", *PLACEMENT_EVENTS)
    return tuple(getattr(layer.events, name) for name in names)
