"""The objects of one movie: their ids, names and points."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Labels, Points, Shapes

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.project import (
    NO_PROMPTS,
    ObjectRecord,
    PointRow,
    ScribbleRow,
    ShapeRow,
    pick_mask,
    read_rows,
)
from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.validation import as_integer
from napari_sam_decoder.widgets.layers import (
    PLACEMENT_EVENTS,
    deselect_drawn,
    hide_prompts,
    ids_in,
    is_mere_click,
    next_sign,
    rows_of,
    selected_objects,
    set_next,
    show_rows,
    tidy,
)
from napari_sam_decoder.widgets.previews import PREVIEW_NAME

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        MutableMapping,
        Sequence,
    )
    from typing import Self

    from napari.components import ViewerModel

    from napari_sam_decoder.project import FrameRecords
    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.widgets.job_queue import JobQueue
    from napari_sam_decoder.widgets.layers import MovieView, PromptLayer
    from napari_sam_decoder.widgets.movie_state import ViewerMovies

__all__ = [
    "ObjectIds",
    "ObjectList",
    "ObjectLook",
    "ObjectSummary",
    "SegmentedObject",
    "free_id",
]

AT_ONCE = 2**30
"""Labels with more bytes are looked at in the background, as those on a disk are."""


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

    def are_known(self, view: MovieView) -> bool:
        """Whether it is known which ids are taken.

        Otherwise large labels are being scanned; ask again later.
        """
        slow = [one for one in self._layers(view) if not _is_quick(one.data)]
        # All of them are looked at now, not one after the other.
        return None not in [self._ids_in(layer) for layer in slow]

    def taken(self, view: MovieView, highest: int, count: int = 1) -> frozenset[int]:
        """List the ids that new objects on a movie must not have.

        Of labels in memory, the largest id stands for all: the new ones are above it.

        Parameters
        ----------
        view : MovieView
            The movie.
        highest : int
            The largest that a new object may have.
        count : int, default 1
            The number of new objects.

        Returns
        -------
        frozenset of int
            As far as they are known.
        """
        known = [self._ids_in(layer) for layer in self._layers(view)]
        taken = self._given(view).union(*(ids or () for ids in known))
        if max(taken, default=0) + count <= highest:
            return taken
        # Too few are free above them, but perhaps between them.
        in_memory = [one.data for one in self._layers(view) if _is_quick(one.data)]
        return taken.union(*map(_ids_at_once, in_memory))

    def give(
        self,
        view: MovieView,
        highest: int,
        count: int = 1,
        besides: Collection[int] = (),
    ) -> tuple[int, ...]:
        """Give new ids; all labels are looked at once.

        Parameters
        ----------
        view : MovieView
            The movie.
        highest : int
            The largest that the labels can hold.
        count : int, default 1
            How many.
        besides : collection of int
            Ids that are taken, too.
        """
        taken = {*self.taken(view, highest, count), *besides}
        given: list[int] = []
        for _ in range(count):
            given.append(free_id(taken, highest))
            taken.add(given[-1])
        self.mark_given(view, given)
        # Labels in memory can be changed at any time, without a notice.
        for layer, (data, _ids) in tuple(self._found.items()):
            if isinstance(data, np.ndarray):
                del self._found[layer]
        return tuple(given)

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
        """Return ids in labels, of quick ones the largest; None while it is unknown."""
        data = layer.data
        if _is_quick(data):
            return frozenset({max(map(_largest, data), default=0)} - {0})
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


def _is_quick(data: Any) -> bool:
    """Whether the largest id in labels is found before anybody notices."""
    is_in_memory = isinstance(data, np.ndarray) and not isinstance(data, np.memmap)
    return is_in_memory and data.nbytes <= AT_ONCE


def _largest(plane: np.ndarray) -> int:
    return int(plane.max(initial=0))


def _ids_at_once(data: np.ndarray) -> frozenset[int]:
    *_, ids = ids_in(data)
    return ids or frozenset()


@dataclass(frozen=True)
class SegmentedObject:
    """One object of a movie.

    Attributes
    ----------
    object_id : int
        Its value in the labels.
    name : str
    frames : tuple of int
        The frames with points or boxes that are used, ascending.
    is_locked : bool
        Whether its prompts and labels stay as they are.
    parent : int or None
        The object that has divided into this one and others.
    is_hidden : bool
        Whether the viewer does not show it.
    is_background : bool
        Whether it is followed, but not part of the result.
    """

    object_id: int
    name: str
    frames: tuple[int, ...] = ()
    is_locked: bool = False
    parent: int | None = None
    is_hidden: bool = False
    is_background: bool = False

    def __getattr__(self, name: str) -> Any:
        """Say where points of objects are, to a script that takes this for a layer."""
        hint = "" if name.startswith("_") else f"; {ONE_LAYER}"
        raise AttributeError(f"an object of a movie has no {name!r}{hint}")


@dataclass(frozen=True)
class ObjectSummary:
    """What the table shows of an object.

    Attributes
    ----------
    object_id : int
        Its value in the labels.
    name : str
    prompt_frames : tuple of int
        The frames with prompts that are used, ascending.
    span : range
        From the first to the last frame on which the labels hold it; empty if they do
        not.
    frame_count : int
        The number of frames on which the labels hold it.
    doubtful, absent : int
        On how many frames its result is doubtful, and on how many it was not found.
    conflicts : tuple of (str, int)
        What other objects do to it, and on how many frames.
    is_locked : bool
        Whether its prompts and labels stay as they are.
    parent : int or None
        The object that has divided into this one and others.
    is_hidden : bool
        Whether the viewer does not show it.
    is_background : bool
        Whether it is followed, but not part of the result.
    """

    object_id: int
    name: str
    prompt_frames: tuple[int, ...] = ()
    span: range = range(0)
    frame_count: int = 0
    doubtful: int = 0
    absent: int = 0
    conflicts: tuple[tuple[str, int], ...] = ()
    is_locked: bool = False
    parent: int | None = None
    is_hidden: bool = False
    is_background: bool = False

    @classmethod
    def of(cls, listed: SegmentedObject, frames: FrameRecords) -> Self:
        """Sum up what is known of an object.

        Parameters
        ----------
        listed : SegmentedObject
            The object.
        frames : FrameRecords
            What is known of it on each frame.
        """
        object_id = listed.object_id
        return cls(
            object_id,
            listed.name,
            listed.frames,
            frames.span(object_id),
            frames.frame_count(object_id),
            frames.doubtful_count(object_id),
            frames.counts(object_id)[Verdict.ABSENT],
            tuple(frames.conflicts(object_id).items()),
            listed.is_locked,
            listed.parent,
            listed.is_hidden,
            listed.is_background,
        )


@dataclass(frozen=True)
class ObjectLook:
    """Which objects of a movie do not look like all others.

    Attributes
    ----------
    hidden : frozenset of int
        Not drawn.
    background : frozenset of int
        Background objects, drawn in grey.
    """

    hidden: frozenset[int] = frozenset()
    background: frozenset[int] = frozenset()


ONE_LAYER = (
    "the points of all objects are in one layer, Workbench.points_layer: add some with "
    "Workbench.add_points(points, object_id)"
)


class ObjectList:
    """The objects of one movie, from commands, points, boxes or adopted labels.

    The list outlives the dock, and objects outlive their points. It watches its layers
    only between `start_listening` and `stop_listening`.

    Parameters
    ----------
    records : mutable mapping of int to ObjectRecord, optional
        The objects that exist even without a point, and their names; a new dictionary
        by default.

    Attributes
    ----------
    points_layer : napari.layers.Points or None
        Holds the points of all objects.
    boxes_layer : napari.layers.Shapes or None
        Holds the boxes of all objects.
    points : tuple of PointRow
        What the points layer held when it was last read.
    shapes : tuple of ShapeRow
        What the boxes layer held when it was last read.
    scribbles : tuple of ScribbleRow
        What was painted on previews.
    reading : PromptReading
        The prompts that these give.
    current_id : int or None
        The object that clicks go to.
    has_lost_layers : bool
        Whether points went with their layer, instead of being deleted, between the last
        two readings.
    """

    def __init__(
        self, records: MutableMapping[int, ObjectRecord] | None = None
    ) -> None:
        self.records = {} if records is None else records
        self.points_layer: Points | None = None
        self.boxes_layer: Shapes | None = None
        self.points: tuple[PointRow, ...] = ()
        self.shapes: tuple[ShapeRow, ...] = ()
        self.scribbles: tuple[ScribbleRow, ...] = ()
        self.reading = NO_PROMPTS
        self.current_id: int | None = None
        self.has_lost_layers = False
        self._view: MovieView | None = None
        self._in_labels: frozenset[int] = frozenset()
        self._counted: tuple[PromptLayer, ...] = ()
        self._on_change: Callable[[], None] | None = None
        self._on_pick: Callable[[int], None] | None = None
        self._is_writing = False
        self._selected: dict[int, frozenset[int]] = {}

    def __contains__(self, layer: object) -> bool:
        return any(layer is own for own in self.layers)

    @property
    def layers(self) -> tuple[PromptLayer, ...]:
        """The layers of points and boxes, as far as they exist."""
        own = self.points_layer, self.boxes_layer
        return tuple(layer for layer in own if layer is not None)

    @property
    def listed(self) -> tuple[SegmentedObject, ...]:
        """All objects, by id."""
        return tuple(self._described(object_id) for object_id in sorted(self.ids))

    @property
    def current(self) -> SegmentedObject | None:
        """The object that clicks go to, if there is one."""
        return self.find(self.current_id)

    def find(self, object_id: int | None) -> SegmentedObject | None:
        """Look an object up by its id."""
        if object_id is None or object_id not in self.ids:
            return None
        return self._described(object_id)

    @property
    def ids(self) -> frozenset[int]:
        """All ids that are in use."""
        return self._pointed_at | self._in_labels

    @property
    def created_ids(self) -> frozenset[int]:
        """Objects that were created here, not adopted from labels."""
        return frozenset(one for one, kept in self.records.items() if kept.is_created)

    @property
    def locked_ids(self) -> frozenset[int]:
        """Objects whose prompts and labels stay as they are."""
        return frozenset(one for one, kept in self.records.items() if kept.is_locked)

    @property
    def hidden_ids(self) -> frozenset[int]:
        """Objects that the viewer does not show."""
        return frozenset(one for one, kept in self.records.items() if kept.is_hidden)

    @property
    def background_ids(self) -> frozenset[int]:
        """Background objects, which are not part of the result."""
        records = self.records.items()
        return frozenset(one for one, kept in records if kept.is_background)

    @property
    def look(self) -> ObjectLook:
        """Which objects do not look like all others."""
        return ObjectLook(self.hidden_ids, self.background_ids)

    def note_labels(self, object_ids: Iterable[int]) -> None:
        """Note which objects the labels hold."""
        self._in_labels = frozenset(object_ids)

    # Objects

    def create(self, object_id: int, name: str | None = None) -> SegmentedObject:
        """Add an object.

        Parameters
        ----------
        object_id : int
            That no other object has.
        name : str, optional
            "object" and its id by default.
        """
        self.records[object_id] = ObjectRecord(name or _plain_name(object_id))
        return self._described(object_id)

    def create_daughter(
        self, object_id: int, parent: int, name: str | None = None
    ) -> None:
        """Add an object that another one has divided into.

        Parameters
        ----------
        object_id : int
            That no other object has.
        parent : int
            The other one; of a background object, the daughter is one, too.
        name : str, optional
            "object" and its id by default.
        """
        is_background = parent in self.background_ids
        self.create(object_id, name)
        self._keep(object_id, parent=parent, is_background=is_background)

    def rename(self, object_id: int, name: str) -> None:
        """Name an object."""
        self._keep(object_id, name=name)

    def lock(self, object_id: int, *, is_locked: bool) -> None:
        """Lock or unlock an object."""
        self._keep(object_id, is_locked=is_locked)

    def hide(self, object_id: int, *, is_hidden: bool) -> None:
        """Hide or show an object."""
        self._keep(object_id, is_hidden=is_hidden)

    def set_background(self, object_id: int, *, is_background: bool) -> None:
        """Make an object a background object, or part of the result."""
        self._keep(object_id, is_background=is_background)

    def set_parent(self, object_id: int, parent: int | None) -> None:
        """Note which object has divided into this one and others; None for none."""
        self._keep(object_id, parent=parent)

    def line_of(self, object_id: int) -> frozenset[int]:
        """Return an object with all that it descends from."""
        line: set[int] = set()
        ancestor: int | None = object_id
        while ancestor is not None and ancestor not in line:
            line.add(ancestor)
            kept = self.records.get(ancestor)
            ancestor = None if kept is None else kept.parent
        return frozenset(line)

    def _keep(self, object_id: int, **said: Any) -> None:
        """Keep something that was said of an object."""
        adopted = ObjectRecord(_plain_name(object_id), is_created=False)
        kept = replace(self.records.get(object_id, adopted), **said)
        if kept != adopted:
            self.records[object_id] = kept
        elif object_id in self.records:
            # There is nothing to say of it any more.
            del self.records[object_id]

    def renumber(self, old_id: int, new_id: int) -> None:
        """Give an object another id, and its points the colour of that id.

        Parameters
        ----------
        old_id, new_id : int
            Of an object that was created here, and an id that is free.
        """
        kept = self.records.pop(old_id, None)
        if kept is not None:
            is_plain = kept.name == _plain_name(old_id)
            name = _plain_name(new_id) if is_plain else kept.name
            self.records[new_id] = replace(kept, name=name)
        if self.current_id == old_id:
            self.current_id = new_id
        self._replace_parent(old_id, new_id)
        self.show(
            _renumbered(self.points, old_id, new_id),
            _renumbered(self.shapes, old_id, new_id),
        )
        self.scribbles = _renumbered(self.scribbles, old_id, new_id)

    def merge(self, object_id: int, into: int) -> None:
        """Give the points and boxes of an object to another one.

        Parameters
        ----------
        object_id : int
            Removed.
        into : int
            The other one, and the parent of those whose parent has gone.
        """
        descends = object_id in self.line_of(into)
        gone = self.records.pop(object_id, None)
        if descends:
            # It would be its own ancestor, also where others are between the two.
            self.set_parent(into, None if gone is None else gone.parent)
        self._replace_parent(object_id, into)
        self.show(
            _renumbered(self.points, object_id, into),
            _renumbered(self.shapes, object_id, into),
        )
        # What was right of one is only a part of both.
        parts = (
            row
            for row in self.scribbles
            if not (row.is_whole and row.object_id in (object_id, into))
        )
        self.scribbles = _renumbered(parts, object_id, into)
        if self.current_id == object_id:
            self.current_id = into

    def _replace_parent(self, old_id: int, new_id: int | None) -> None:
        for object_id, kept in tuple(self.records.items()):
            if kept.parent == old_id:
                self.records[object_id] = replace(kept, parent=new_id)

    def remove(self, object_id: int) -> None:
        """Remove an object, with its points and boxes."""
        self.records.pop(object_id, None)
        self._replace_parent(object_id, None)
        self.show(
            tuple(row for row in self.points if row.object_id != object_id),
            tuple(row for row in self.shapes if row.object_id != object_id),
        )
        self.scribbles = tuple(
            row for row in self.scribbles if row.object_id != object_id
        )

    def select(self, object_id: int) -> SegmentedObject:
        """Make an object the current one.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        found = self.require(object_id)
        self.current_id = object_id = found.object_id
        with self._writing():
            for layer in self.layers:
                # napari's tools would go on with what belongs to another object.
                if selected_objects(layer) - {object_id}:
                    layer.selected_data = set()
        self.prepare_next()
        return found

    def require(self, object_id: int) -> SegmentedObject:
        """Look an object up by its id.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        object_id = as_integer(object_id, "an object id", PromptError)
        found = self.find(object_id)
        if found is None:
            known = ", ".join(str(one.object_id) for one in self.listed) or "none yet"
            raise PromptError(
                f"there is no object {object_id}; the objects are {known}"
            )
        return found

    # Points and boxes

    def use(self, layer: PromptLayer) -> None:
        """Keep points or boxes in a layer from now on, in place of an earlier one.

        Parameters
        ----------
        layer : napari.layers.Points or napari.layers.Shapes
            Made by `new_points_layer` or `new_boxes_layer`.
        """
        is_points = isinstance(layer, Points)
        earlier = self.points_layer if is_points else self.boxes_layer
        if self._on_change is not None:
            if earlier is not None:
                self._disconnect(earlier)
            self._connect(layer)
        if is_points:
            self.points_layer = layer
        else:
            self.boxes_layer = layer
        self.prepare_next()

    def show(self, points: Sequence[PointRow], shapes: Sequence[ShapeRow] = ()) -> None:
        """Replace all points and boxes; those not understood stay in their layers.

        Parameters
        ----------
        points : sequence of PointRow
            Without a points layer in use, they are not shown.
        shapes : sequence of ShapeRow
            Without a boxes layer in use, they are not shown.
        """
        if self._view is None:
            return
        image = self._view.layer
        with self._writing():
            if self.points_layer is not None and self.points_layer in self._counted:
                show_rows(self.points_layer, image, points)
                self.points = tuple(points)
            if self.boxes_layer is not None and self.boxes_layer in self._counted:
                show_rows(self.boxes_layer, image, shapes)
                self.shapes = tuple(shapes)

    def pick(self, place: tuple[int, int], number: int | None) -> None:
        """Pick a mask for an object on a frame.

        Parameters
        ----------
        place : (int, int)
            Object id and frame.
        number : {1, 2, 3} or None
            None to choose automatically again.
        """
        if self._view is not None:
            self.show(
                pick_mask(self._view, self.points, place, number),
                pick_mask(self._view, self.shapes, place, number),
            )
            self.scribbles = pick_mask(self._view, self.scribbles, place, number)

    def confirm(self, row: ScribbleRow) -> None:
        """Take a mask as right, in place of an earlier one of the same plane.

        Parameters
        ----------
        row : ScribbleRow
            A whole one.
        """

        def is_replaced(other: ScribbleRow) -> bool:
            plane = (other.object_id, other.sliced, other.place)
            return other.is_whole and plane == (row.object_id, row.sliced, row.place)

        kept = (other for other in self.scribbles if not is_replaced(other))
        self.scribbles = (*kept, row)

    def draw(self, look: ObjectLook) -> None:
        """Draw the points and boxes of all objects, but for those that are hidden."""
        with self._writing():
            for layer in self.layers:
                hide_prompts(layer, look.hidden, look.background)

    def prepare_next(self, *, are_tidy: bool = False) -> None:
        """Let what is drawn next belong to the current object, and pick no mask.

        Parameters
        ----------
        are_tidy : bool, default False
            Whether the layers were just read.
        """
        current = self.find(self.current_id)
        object_id = None if current is None else current.object_id
        with self._writing():
            if self.points_layer is not None:
                sign = next_sign(self.points_layer)
                set_next(
                    self.points_layer, object_id, is_positive=sign, is_tidy=are_tidy
                )
            if self.boxes_layer is not None:
                set_next(
                    self.boxes_layer, object_id, is_positive=True, is_tidy=are_tidy
                )

    def read(self, view: MovieView | None, present: Collection[object]) -> None:
        """Read all points and boxes again, as prompts on a movie.

        Parameters
        ----------
        view : MovieView, optional
            Nothing is read without one.
        present : collection of Layer
            The layers of the viewer; others are left out until they are back.
        """
        self._view = view
        layers = tuple(layer for layer in self.layers if layer in present)
        self.has_lost_layers = any(layer not in layers for layer in self._counted)
        self._counted = layers
        notices: list[str] = []
        with self._writing():
            self.points = self._read_layer(self.points_layer, self.points, notices)
            self.shapes = self._read_layer(self.boxes_layer, self.shapes, notices)
        self.reading = NO_PROMPTS
        if view is not None:
            found = read_rows(view, self.points, self.shapes, self.scribbles)
            self.reading = replace(found, notices=(*notices, *found.notices))
        if self.current is None:
            self.current_id = max(self._pointed_at, default=None)
        self.prepare_next(are_tidy=view is not None and layers == self.layers)

    def prompts_on(self, view: MovieView) -> PromptSet:
        """Return the prompts on a plane of the movie, which need not be shown."""
        return read_rows(view, self.points, self.shapes, self.scribbles).prompts

    def _read_layer(
        self,
        layer: PromptLayer | None,
        before: tuple[Any, ...],
        notices: list[str],
    ) -> tuple[Any, ...]:
        if layer is None or self._view is None or layer not in self._counted:
            return ()
        tidy(layer)
        deselect_drawn(layer)
        found = rows_of(layer, self._view.layer)
        notices += found.notices
        rows = _without_copied_picks(before, found.rows)
        if rows[:-1] == before and is_mere_click(layer, rows[-1:]):
            rows = before
        if rows != found.rows:
            show_rows(layer, self._view.layer, rows)
        return rows

    # Listening

    def start_listening(
        self,
        on_change: Callable[[], None],
        on_pick: Callable[[int], None] | None = None,
    ) -> None:
        """Call back when points or boxes change.

        Parameters
        ----------
        on_change : callable
            Called without arguments.
        on_pick : callable, optional
            Called with the id of an object when its points or boxes are selected.
        """
        self.stop_listening()
        self._on_change, self._on_pick = on_change, on_pick
        for layer in self.layers:
            self._connect(layer)

    def stop_listening(self) -> None:
        """Stop calling back; the layers stay in use."""
        if self._on_change is not None:
            for layer in self.layers:
                self._disconnect(layer)
        self._on_change = self._on_pick = None

    @property
    def _pointed_at(self) -> frozenset[int]:
        """Objects that exist whatever the labels hold."""
        named = (found.object_id for found in self.reading.objects)
        return frozenset((*self.records, *named))

    def _described(self, object_id: int) -> SegmentedObject:
        kept = self.records.get(object_id) or ObjectRecord(_plain_name(object_id))
        frames = self.reading.of_object(object_id).frames
        return SegmentedObject(
            object_id,
            kept.name,
            frames,
            kept.is_locked,
            kept.parent,
            kept.is_hidden,
            kept.is_background,
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Do not take what is written here for something that a person does."""
        before, self._is_writing = self._is_writing, True
        try:
            yield
        finally:
            self._is_writing = before
            self._selected = self._selections()

    def _selections(self) -> dict[int, frozenset[int]]:
        """The objects that are selected in each layer."""
        return {id(layer): selected_objects(layer) for layer in self.layers}

    def _connect(self, layer: PromptLayer) -> None:
        for emitter in _emitters(layer):
            emitter.connect(self._note_change)
        for emitter in _selection_emitters(layer):
            emitter.connect(self._note_selection)

    def _disconnect(self, layer: PromptLayer) -> None:
        for emitter in _emitters(layer):
            emitter.disconnect(self._note_change)
        for emitter in _selection_emitters(layer):
            emitter.disconnect(self._note_selection)

    def _note_change(self, _: Any = None) -> None:
        if self._on_change is not None and not self._is_writing:
            self._on_change()

    def _note_selection(self, *_: Any) -> None:
        """Work on the object whose points were selected; pasted ones are selected."""
        if self._on_change is None or self._is_writing:
            return
        before, self._selected = self._selected, self._selections()
        changed = (one for key, one in self._selected.items() if one != before.get(key))
        picked = frozenset().union(*changed)
        if len(picked) == 1 and self._on_pick is not None:
            (object_id,) = picked
            self._on_pick(object_id)
        self._on_change()


def _plain_name(object_id: int) -> str:
    return f"object {object_id}"


def _renumbered(rows: Iterable[Any], old_id: int, new_id: int) -> tuple[Any, ...]:
    return tuple(
        replace(row, object_id=new_id) if row.object_id == old_id else row
        for row in rows
    )


def _without_copied_picks(
    before: tuple[Any, ...], now: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Let points that were added pick no mask that an earlier one has picked.

    napari gives a new point the features of the one that was selected or copied, but a
    pick is meant for the frame of that point alone.
    """
    picks = {row.hypothesis for row in before} - {0}
    if not picks or now[: len(before)] != before:
        return now
    return tuple(
        replace(row, hypothesis=0) if place >= len(before) else row
        for place, row in enumerate(now)
    )


def _emitters(layer: PromptLayer) -> tuple[Any, ...]:
    """Events of everything that a reading depends on, the placement included."""
    names = ("data", "features", *PLACEMENT_EVENTS)
    return tuple(getattr(layer.events, name) for name in names)


def _selection_emitters(layer: PromptLayer) -> tuple[Any, ...]:
    """Events of a selection, which of shapes is a plain set in napari 0.6."""
    changed = getattr(layer.selected_data, "events", None)
    found = () if changed is None else (changed.items_changed,)
    return (*found, layer.events.current_properties)
