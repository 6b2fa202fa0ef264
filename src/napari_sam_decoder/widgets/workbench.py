"""Everything that a person or a script can do with the dock."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import (
    LabelsError,
    MovieError,
    OptionError,
    ProjectError,
    PromptError,
    wrap_write_errors,
)
from napari_sam_decoder.formats import export_format
from napari_sam_decoder.frames import Window, select_frame_range
from napari_sam_decoder.model.values import OWN_DECODER
from napari_sam_decoder.project import (
    BOX,
    ROWS,
    Candidate,
    Candidates,
    FrameRecords,
    ObjectRecord,
    Place,
    PointRow,
    ReviewOrder,
    RunRequest,
    ScribbleRow,
    ShapeRow,
    copy_decoders,
    ended_confirmations,
    is_learned,
    locked_objects,
    neighbour,
    new_decoder_path,
    ordered_places,
    require_unlocked,
    split_rows,
)
from napari_sam_decoder.prompts import PaintedMask, Scribble
from napari_sam_decoder.propagation import Direction
from napari_sam_decoder.propagation.division import mothers
from napari_sam_decoder.validation import (
    MAX_HYPOTHESIS,
    MAX_OBJECT_ID,
    as_bool,
    as_expanded_path,
    as_finite_array,
    as_integer,
    as_text,
)
from napari_sam_decoder.weights import catalogue
from napari_sam_decoder.weights.catalogue import AUTO_DECODER, require_downloadable
from napari_sam_decoder.widgets.controller import Controller
from napari_sam_decoder.widgets.finding import ObjectSearch
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.label_scans import Relabelling
from napari_sam_decoder.widgets.layers import (
    MARKER_PIXELS,
    MovieView,
    chosen_channels,
    covering_layer,
    fit_to_screen,
    go_to_frame,
    new_boxes_layer,
    new_points_layer,
    next_sign,
    note_sides,
    rows_of,
    set_next,
    show_frames,
    slider_point,
    view_position,
    zoom_on,
)
from napari_sam_decoder.widgets.learning import OFFERED_FROM
from napari_sam_decoder.widgets.measuring import LabelMeasurement
from napari_sam_decoder.widgets.messages import describe_place, describe_rows
from napari_sam_decoder.widgets.movie_state import USE_DECODER
from napari_sam_decoder.widgets.objects import ObjectSummary
from napari_sam_decoder.widgets.opened_projects import open_project
from napari_sam_decoder.widgets.previews import Painter, PreviewOverlay, Scribbled
from napari_sam_decoder.widgets.saving import (
    LabelSaving,
    TrackMaking,
    label_movie_of,
)
from napari_sam_decoder.widgets.target_layer import UndoKeys
from napari_sam_decoder.widgets.tools import SHAPE_MODES, Tool
from napari_sam_decoder.widgets.viewer_events import ViewerEvents
from napari_sam_decoder.widgets.window_outline import WindowOutline
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer, Points, Shapes

    from napari_sam_decoder.frames import FrameSelection, PlacedMask
    from napari_sam_decoder.jobs import Report
    from napari_sam_decoder.jobs.learn import LearnedDecoder
    from napari_sam_decoder.project import History, OfferedDivision, Step
    from napari_sam_decoder.prompts import Prompt, PromptSet
    from napari_sam_decoder.propagation import (
        FoundObject,
        ObjectResult,
        Preview,
        Settings,
    )
    from napari_sam_decoder.weights.catalogue import ModelRow
    from napari_sam_decoder.widgets.downloads import ModelDownload
    from napari_sam_decoder.widgets.label_work import LabelWork
    from napari_sam_decoder.widgets.layers import Channel
    from napari_sam_decoder.widgets.movie_state import ModelOptions, MovieState
    from napari_sam_decoder.widgets.objects import ObjectList, SegmentedObject
    from napari_sam_decoder.widgets.runs import ProgressEstimate
    from napari_sam_decoder.widgets.target_layer import TargetLayer

__all__ = ["Workbench"]

READING_DELAY_MS = 20
"""How long dragged points must stay in place before they are read."""
_PAUSE_S = 0.1
SCAN_TIMEOUT_S = 3600
NO_OBJECT = "there is no object yet: press 'New object' first"
REACH_PIXELS = 3
"""How far beside a point on the screen a click still means it."""
_Own = TypeVar("_Own", "Points", "Shapes")


@dataclass
class _Gesture:
    """What is done from a press of the mouse to its release."""

    first_step: Step | None = None
    is_refused: bool = False


class Workbench(QObject):
    """What the dock does, for its controls and for scripts; knows no widget.

    Methods raise a `SamDecoderError` where a person would see a notification.
    Background jobs go on after they return, see `wait`.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are worked on.
    """

    changed = Signal()
    informed = Signal(str)
    failed = Signal(object)
    _clicked = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.controller = Controller(viewer, self)
        self.failure: Exception | None = None
        self.is_closed = False
        self.review_order = ReviewOrder.HELPFUL
        keys = UndoKeys(self.undo, self.redo)
        self._overlay = PreviewOverlay(viewer, Painter(self._on_painted, keys))
        self._window_outline = WindowOutline(viewer)
        self.is_window_shown = False
        # Dragging a point changes it many times a second; one reading is enough.
        self._clicked.connect(self._read_click, Qt.ConnectionType.QueuedConnection)
        self._last_touched = -_PAUSE_S
        self._is_read_queued = self._is_showing = False
        self._gesture: _Gesture | None = None
        self._hypothesis_shown: int | None = None
        self._reading = QTimer(self)
        self._reading.setSingleShot(True)
        self._reading.setInterval(READING_DELAY_MS)
        self._reading.timeout.connect(self.read)
        self.controller.previewed.connect(self.show_previews)
        self.controller.changed.connect(self.changed.emit)
        self.controller.informed.connect(self.informed.emit)
        self.controller.failed.connect(self._on_failed)
        self.controller.found.connect(self._on_found)
        self.controller.moved.connect(self.show_document)
        self.controller.resumed.connect(self._on_resumed)
        self._viewer_events = ViewerEvents(self)

    def close(self) -> None:
        """Stop all jobs, and disconnect from events and layers, for good.

        What has been done on each movie stays for the next workbench of the viewer.
        """
        if self.is_closed:
            return
        self._viewer_events.close()
        self.is_closed = True
        for state in self.controller.movies:
            self.show_hidden_layers(state)
            state.draw(replace(state.objects.look, hidden=frozenset()))
        self._reading.stop()
        self.objects.stop_listening()
        self.controller.close()
        self._overlay.remove()
        self._window_outline.remove()

    @property
    def movie(self) -> MovieView | None:
        """The chosen image layer as a movie."""
        return self.controller.movie

    @property
    def objects(self) -> ObjectList:
        """The objects of the movie, and their points."""
        return self.controller.state.objects

    @property
    def history(self) -> History:
        """What was done on the movie, and can be undone."""
        return self.controller.state.history

    @property
    def frame(self) -> int:
        """The frame of the movie that the viewer shows."""
        return self.controller.frame

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way that a person waits for."""
        is_read = not (self._is_read_queued or self._reading.isActive())
        return is_read and self.controller.is_idle

    @property
    def labels(self) -> Labels | None:
        """The Labels layer that results go to; None before there is one."""
        return self.controller.state.labels_layer

    def holds(self, object_id: int) -> bool:
        """Whether the labels hold an object, as far as is known."""
        target = self.controller.state.target
        return target is not None and object_id in target.object_ids

    @property
    def summaries(self) -> tuple[ObjectSummary, ...]:
        """All that the table of objects shows, by id."""
        frames = self._frame_records
        return tuple(ObjectSummary.of(one, frames) for one in self.objects.listed)

    @property
    def _frame_records(self) -> FrameRecords:
        """What is known of each object on each frame of the labels."""
        target = self.controller.state.target
        return FrameRecords.apart() if target is None else target.frames

    @property
    def notices(self) -> tuple[str, ...]:
        """What cannot be used or does not fit, and why."""
        own = (*self.objects.reading.notices, *self.controller.notices)
        view = () if self.movie is None else self._view_notices(self.movie)
        return (*own, *view, *self._viewer_events.notices)

    def _view_notices(self, view: MovieView) -> Iterator[str]:
        """Say when another image is seen than the one that is clicked."""
        state = self.controller.state
        cover = covering_layer(view.layer, self.viewer.layers)
        if cover in [one.layer for one in state.channels]:
            cover = None
        if state.new_limits:
            what = "A colour" if state.channels else f"'{view.layer.name}'"
            yield (
                f"{what} shows other contrast limits than the network sees; 'Embed "
                "again', where the movie is chosen, makes it see them"
            )
        if not view.layer.visible:
            yield f"'{view.layer.name}' is hidden; show it in the layer list"
        elif cover is not None:
            yield (
                f"'{cover.name}' covers '{view.layer.name}', which is the movie; hide "
                "the layer above, or choose it as the movie"
            )

    @property
    def current_prompt(self) -> Prompt | None:
        """The prompt of the current object on the current frame."""
        for prompt in self.controller.prompts_here:
            if prompt.object_id == self.objects.current_id:
                return prompt
        return None

    @property
    def current_preview(self) -> Preview | None:
        """What that prompt gives: its hypotheses, and the mask of the one in use.

        None before it is decoded, see `wait`.
        """
        prompt = self.current_prompt
        if prompt is None:
            return None
        shown = self.controller.state.previews.latest(prompt.object_id, prompt.frame)
        if shown is None or shown.preview.prompt != prompt:
            return None
        return shown.preview

    @property
    def progress(self) -> ProgressEstimate | None:
        """How far the run or correction on the movie is; None if there is none."""
        run = self.controller.run
        return None if run is None else run.progress

    def verdict(self, object_id: int, frame: int) -> ObjectResult | None:
        """Say what runs have found out about an object on a frame.

        Parameters
        ----------
        object_id : int
            Its value in the labels.
        frame : int
            Of the movie.

        Returns
        -------
        ObjectResult or None
            With the verdict, why it is doubtful, and its confidence; None where no run
            has been.
        """
        return self.controller.state.verdict(object_id, frame)

    def read(self) -> None:
        """Read the points again and act on them."""
        self._reading.stop()
        self._is_read_queued = False
        if self.controller.is_moving:
            self._reading.start()
            return
        if self._is_showing:
            # Layers that are just being filled are not what a person has done.
            return
        before = self._pointed_at
        self.objects.read(self.movie, self.viewer.layers)
        self._put_back_locked_rows()
        if self._pointed_at != before:
            self.controller.state.outcome = ""
        self._record_prompts(before)
        self.controller.advance()
        self.show_previews()

    def _record_prompts(self, before: Sequence[Prompt]) -> None:
        """Record what has become of the points and boxes, with what follows from it."""
        document, objects = self.history.document, self.objects
        rows = self._rows_now()
        before_rows = {name: document.rows(name) for name in rows}
        ended = self._end_confirmations(before_rows, rows)
        if ended:
            rows["scribbles"] = objects.scribbles
        earlier = [row for name in rows for row in document.rows(name)]
        now = [row for name in rows for row in rows[name]]
        if now == earlier:
            # No action: the movie is seen along another axis, or layers come and go.
            with self.history.note():
                self.controller.take_prompts(are_withdrawn=objects.has_lost_layers)
            return
        gesture, title = self._gesture or _Gesture(), describe_rows(earlier, now)
        with self.history.step(title, "prompts", cause=gesture.first_step) as step:
            self.controller.end_confirmations(ended)
            changed = {*before} ^ {*self._pointed_at}
            keys = {(one.object_id, one.frame) for one in changed}
            known = step.details.get("prompts", [])
            step.details["prompts"] = [*known, *map(list, sorted(keys))]
            for name, content in rows.items():
                document.set_rows(name, content)
            self._show_what_is_prompted(before)
            self.controller.take_prompts(are_withdrawn=objects.has_lost_layers)
        if gesture.first_step is None and step.number:
            gesture.first_step = step

    def _show_what_is_prompted(self, before: Sequence[Prompt]) -> None:
        """Show hidden objects again of which something new is said on a frame."""
        prompted = {one.object_id for one in {*self._pointed_at} - {*before}}
        for object_id in sorted(prompted & self.objects.hidden_ids):
            self.objects.hide(object_id, is_hidden=False)

    def _end_confirmations(
        self, before: Mapping[str, tuple[Any, ...]], now: Mapping[str, tuple[Any, ...]]
    ) -> tuple[tuple[int, int], ...]:
        """Let masks that looked right be corrected where something is shown since."""
        view = self.movie
        ended = {} if view is None else ended_confirmations(view, before, now)
        if ended:
            kept = (row for row in self.objects.scribbles if row not in ended)
            self.objects.scribbles = tuple(kept)
            self.objects.read(view, self.viewer.layers)
        return tuple(ended.values())

    def _rows_now(self) -> dict[str, tuple[Any, ...]]:
        """What layers and previews hold; points that went with their layer are kept."""
        rows: dict[str, tuple[Any, ...]] = {"scribbles": self.objects.scribbles}
        if self.points_layer is not None:
            rows["points"] = self.objects.points
        if self.boxes_layer is not None:
            rows["shapes"] = self.objects.shapes
        return rows

    @contextmanager
    def gesture(self) -> Iterator[None]:
        """Undo all that a person does within at once, such as a slow drag."""
        self._read_what_waits()
        self._gesture = gesture = _Gesture()
        yield
        # The tool of a layer hears of the release of the mouse after this.
        QTimer.singleShot(0, partial(self._end, gesture))

    def _end(self, gesture: _Gesture) -> None:
        if self._gesture is gesture and not self.is_closed:
            self._read_what_waits()
            self._gesture = None

    def _read_what_waits(self) -> None:
        if self._is_read_queued or self._reading.isActive():
            self.read()

    def show_document(self) -> None:
        """Show points and boxes as the history has them, after an undo for example."""
        if self.movie is None:
            return
        document = self.history.document
        points, shapes = document.rows("points"), document.rows("shapes")
        self._is_showing = True
        try:
            if points:
                self._points_layer()
            if shapes:
                self._boxes_layer()
            self.objects.scribbles = document.rows("scribbles")
            self.objects.read(self.movie, self.viewer.layers)
            self.objects.show(points, shapes)
        finally:
            self._is_showing = False
        self.objects.read(self.movie, self.viewer.layers)
        self.show_previews()

    def set_movie(self, view: MovieView | None) -> None:
        """Work on another movie, or another plane of the same one, or on none."""
        self.objects.stop_listening()
        self.controller.set_movie(view)
        self.objects.start_listening(self._read_soon, self._on_object_picked)
        if view is not None:
            self._show_own_layers(view)
            self.fit_to_screen()
        if view is None:
            self._overlay.clear()
            self._window_outline.remove()
        else:
            point = slider_point(view.layer, self.viewer.dims)
            self.controller.frame = view.frame_at(point)
        self.read()
        if view is not None:
            self._viewer_events.follow(self.controller.state, view.layer)
            self.controller.files.follow(self.controller.state)

    def show_hidden_layers(self, state: MovieState) -> None:
        """Show the layers of a movie that were hidden while another was current."""
        removed = []
        for layer in state.hidden:
            if layer in self.viewer.layers:
                # napari 0.6 cannot show a layer again that was removed and added again.
                with suppress(KeyError):
                    layer.visible = True
            else:
                removed.append(layer)
        state.hidden = removed

    def _show_own_layers(self, view: MovieView) -> None:
        """Hide the points and labels of other movies, so that no click goes to them."""
        state = self.controller.state
        others = [other for other in self.controller.movies if other is not state]
        for other in others:
            for layer in other.layers:
                is_shown = layer.visible and layer in self.viewer.layers
                if is_shown and layer not in state.layers:
                    layer.visible = False
                    other.hidden.append(layer)
        self.show_hidden_layers(state)
        selection = self.viewer.layers.selection
        active = selection.active
        if active not in state.layers and any(active in one.layers for one in others):
            points = self.points_layer
            selection.active = view.layer if points is None else points

    def show_previews(self) -> None:
        """Draw the masks that the prompts of the current frame give.

        Nothing is drawn of objects that are hidden.
        """
        movie, controller = self.movie, self.controller
        previews, prompts = controller.state.previews, controller.prompts_here
        controller.state.draw(self.objects.look)
        if movie is not None:
            masks = self._shown(previews.masks(prompts) | self._looked_at())
            greys = self.objects.background_ids | self._dropped_keys()
            masks |= {key: one.placed for key, one in self._candidates_here().items()}
            self._overlay.show(movie, self.frame, masks, self._scribbled(), greys)
            seen = self.window_seen if self.is_window_shown else None
            self._window_outline.show(movie, self.frame, seen)
        if self.points_layer is not None:
            note_sides(self.points_layer, previews.sides(prompts))

    @property
    def window_seen(self) -> Window | None:
        """The part of a large frame in which the current object was answered.

        None where that is the whole frame, or nothing was answered on it.
        """
        object_id, movie = self.objects.current_id, self.movie
        if object_id is None or movie is None or self.current_prompt is None:
            return None
        shown = self.controller.state.previews.latest(object_id, self.frame)
        window = None if shown is None else shown.preview.window
        return None if window == Window.of_frame(movie.frame_shape) else window

    def show_window(self, is_shown: bool) -> None:
        """Outline the part of a large frame in which the current object is seen.

        Parameters
        ----------
        is_shown : bool
            Whether to do so from now on, on each frame with a prompt of the object.
        """
        self.is_window_shown = as_bool(is_shown, "is_shown", OptionError)
        self.show_previews()
        self.changed.emit()

    def _shown(self, masks: Mapping[int, PlacedMask]) -> dict[int, PlacedMask]:
        hidden = self.objects.hidden_ids
        return {one: mask for one, mask in masks.items() if one not in hidden}

    def _scribbled(self) -> Scribbled | None:
        """What is painted of the current object on the current frame, or may be."""
        object_id = self.objects.current_id
        if object_id is None:
            return None
        given = (
            prompt.scribbles
            for prompt in self._pointed_at
            if (prompt.object_id, prompt.frame) == (object_id, self.frame)
        )
        is_hidden = object_id in self.objects.hidden_ids
        scribbles = () if is_hidden else tuple(next(given, ()))
        if scribbles or self._overlay.next_scribble is not None:
            return Scribbled(object_id, scribbles)
        return None

    def show_hypothesis(self, number: int | None) -> None:
        """Show another hypothesis of the current object, without picking it.

        Parameters
        ----------
        number : {1, 2, 3} or None
            Nothing changes where it has not been decoded. None for what is in use.

        Raises
        ------
        PromptError
            If it is no such number.
        """
        self._hypothesis_shown = _as_pick(number) or None
        self.show_previews()

    def _looked_at(self) -> dict[int, PlacedMask]:
        """The mask that a person only looks at, by object id."""
        object_id, number = self.objects.current_id, self._hypothesis_shown
        if object_id is None or number is None or self.current_prompt is None:
            return {}
        shown = self.controller.state.previews.latest(object_id, self.frame)
        if shown is None or number > len(shown.preview.hypotheses):
            return {}
        return {object_id: shown.preview.hypotheses[number - 1].placed}

    @property
    def _pointed_at(self) -> list[Prompt]:
        return [*self.controller.prompts, *self.controller.negatives]

    def _read_click(self) -> None:
        """Read, and wait a moment for the mask before the window is painted."""
        if self._is_read_queued:
            self.read()
            self.controller.wait_for_preview()

    def _read_soon(self) -> None:
        """Read a click once its event is over, and dragged points once they rest."""
        if self._is_read_queued:
            return
        now = monotonic()
        self._is_read_queued = now - self._last_touched > _PAUSE_S
        self._last_touched = now
        if self._is_read_queued:
            self._clicked.emit()
        else:
            self._reading.start()

    def require_movie(self) -> MovieView:
        """Return the movie.

        Raises
        ------
        MovieError
            If none is chosen.
        """
        if self.movie is None:
            raise MovieError("there is no movie: open one, or choose an image layer")
        return self.movie

    def require_object(self) -> SegmentedObject:
        """Return the object that clicks go to.

        Raises
        ------
        PromptError
            If there is none.
        """
        if self.objects.current is None:
            raise PromptError(NO_OBJECT)
        return self.objects.current

    def _on_failed(self, error: Exception) -> None:
        self.failure = error
        self.failed.emit(error)

    # Objects, points and boxes

    @property
    def points_layer(self) -> Points | None:
        """The layer with the points of all objects; None before there is an object."""
        layer = self.objects.points_layer
        return layer if layer in self.viewer.layers else None

    @property
    def boxes_layer(self) -> Shapes | None:
        """The layer with the boxes of all objects; None before there is a box."""
        layer = self.objects.boxes_layer
        return layer if layer in self.viewer.layers else None

    def new_object(self, name: str | None = None) -> SegmentedObject:
        """Add an object, and let clicks go to it.

        Its id is new: no labels of the movie's shape hold it, and it was not given
        before. Large labels are scanned for that first; the window stays alive
        meanwhile.

        Parameters
        ----------
        name : str, optional
            "object" and its id by default.

        Returns
        -------
        SegmentedObject
            Its ``object_id`` is what `add_points` and `add_box` take.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If the name is not text.
        """
        name = _as_name(name)
        self._wait_for_ids()
        [object_id] = self._new_ids(1)
        with self.history.step("New object", "objects"):
            made = self.objects.create(object_id, name)
        self.read()
        if self.points_layer is not None:
            # Where the object is has to be said first.
            set_next(self.points_layer, made.object_id, is_positive=True)
        self.select_object(made.object_id)
        self._let_clicks_be_points()
        return made

    def rename_object(self, object_id: int, name: str) -> None:
        """Name an object.

        Raises
        ------
        PromptError
            If there is no such object, or the name is not text.
        """
        before = self.objects.require(object_id)
        name = as_text(name, "a name", PromptError)
        with self._changing_objects(f"Rename {before.name!r} to {name!r}"):
            self.objects.rename(object_id, name)
        self.changed.emit()

    @contextmanager
    def _changing_objects(self, title: str) -> Iterator[None]:
        """Change objects in a step; what was told of an action before is over then."""
        with self.history.step(title, "objects"):
            yield
        self.controller.state.outcome = ""

    def set_parent(self, object_id: int, parent: int | None) -> None:
        """Say which object has divided into this one and others.

        Parameters
        ----------
        object_id : int
            The daughter.
        parent : int or None
            None if it comes from no other object.

        Raises
        ------
        PromptError
            If there are no such objects, or the parent descends from the daughter.
        """
        daughter = self.objects.require(object_id)
        title = f"{daughter.name!r} has no parent"
        if parent is not None:
            divided = self.objects.require(parent)
            if object_id in self.objects.line_of(parent):
                raise PromptError(
                    f"{divided.name!r} cannot be the parent of {daughter.name!r}, from "
                    "which it descends"
                )
            title = f"{daughter.name!r} is a daughter of {divided.name!r}"
        with self._changing_objects(title):
            self.objects.set_parent(object_id, parent)
        self.changed.emit()

    def split_or_divide(self) -> None:
        """Make daughters of the current object where that is offered, else split it.

        Raises
        ------
        MovieError, PromptError
            As `accept_division` and `split_object`.
        """
        if self.division is None:
            self.split_object()
        else:
            self.accept_division()

    def split_object(
        self,
        object_id: int | None = None,
        frame: int | None = None,
        name: str | None = None,
    ) -> SegmentedObject:
        """Make two objects of one: a new one from a frame on, for example its daughter.

        Parameters
        ----------
        object_id : int, optional
            The object that keeps what comes before the frame, and becomes the parent of
            the new one; the current object by default.
        frame : int, optional
            The first frame of the new one, which gets the prompts and labels from there
            on, labels in the background; the current frame by default.
        name : str, optional
            Of the new one, "object" and its id by default.

        Returns
        -------
        SegmentedObject
            The new one, which is selected.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If there is no such object or frame, if the object is locked or being
            computed, or has nothing before the frame, or nothing from there on; or if
            the name is not text.
        LabelsError
            If the labels are being saved or measured.
        """
        name = _as_name(name)
        self._wait_for_ids()
        view, listed = self.require_movie(), self._object_or_current(object_id)
        start = _existing_frame(view, self.frame if frame is None else frame)
        old_id = listed.object_id
        self.controller.require_not_running(old_id)
        self._require_labels_at_rest()
        self._read_what_waits()
        self._require_both_sides(old_id, start)
        [new_id] = self._new_ids(1)
        title = f"Split {listed.name!r} at frame {start}"
        ids = {"objects": [old_id, new_id]}
        with self.history.step(title, "objects", ids) as step:
            self.objects.create_daughter(new_id, old_id, name)
            self._give_rest(view, old_id, new_id, start)
        self._relabel_rest(listed, new_id, start, step)
        self.read()
        outcome = self.controller.state.outcome
        self.select_object(new_id)
        self.controller.state.outcome = outcome
        return self.objects.require(new_id)

    def _give_rest(self, view: MovieView, old_id: int, new_id: int, start: int) -> None:
        """Give all prompts of an object from a frame on to another one, and records."""
        document = self.history.document
        for kind in ROWS:
            rows = split_rows(view, document.rows(kind), (old_id, new_id), start)
            document.set_rows(kind, rows)
        self.objects.show(document.rows("points"), document.rows("shapes"))
        self.objects.scribbles = document.rows("scribbles")
        self.controller.split(old_id, new_id, start)

    def _relabel_rest(
        self, listed: SegmentedObject, new_id: int, start: int, step: Step
    ) -> None:
        """Give the labels of an object from a frame on to another one."""
        name = self.objects.require(new_id).name
        change = Relabelling(listed.object_id, listed.name, new_id, name, start)
        self.controller.relabel(change, step)

    @property
    def division(self) -> OfferedDivision | None:
        """Where the current object seems to have divided, if it does; None otherwise.

        Only on the frames from there on.
        """
        current = self.objects.current
        if current is None:
            return None
        offered = self._frame_records.division(current.object_id)
        return offered if offered is not None and offered.frame <= self.frame else None

    def accept_division(
        self, object_id: int | None = None
    ) -> tuple[SegmentedObject, SegmentedObject]:
        """Make daughters of the two halves of an object that seems to have divided.

        The object keeps what comes before, and becomes their parent. Each daughter is
        fixed as its half on the frame of the division, and is carried on from there in
        the background. All this is undone at once.

        Parameters
        ----------
        object_id : int, optional
            The current object by default.

        Returns
        -------
        (SegmentedObject, SegmentedObject)
            The daughters, of which the first is selected.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If there is no such object, if it is locked or being computed, or does not
            seem to have divided.
        LabelsError
            If the labels are being saved or measured.
        """
        self._wait_for_ids()
        view, listed = self.require_movie(), self._object_or_current(object_id)
        old_id = listed.object_id
        self.controller.require_not_running(old_id)
        self._require_labels_at_rest()
        self._read_what_waits()
        offered = self._frame_records.division(old_id)
        if offered is None:
            raise PromptError(
                f"{listed.name!r} does not seem to have divided: split it at the frame "
                "on which you see two"
            )
        start = offered.frame
        daughters = self._new_ids(2)
        title = f"{listed.name!r} has divided on frame {start}"
        ids = {"objects": [old_id, *daughters]}
        with self.history.step(title, "objects", ids) as step:
            for new_id in daughters:
                self.objects.create_daughter(new_id, old_id)
            self._give_rest(view, old_id, daughters[0], start)
            for new_id, half in zip(daughters, offered.daughters, strict=True):
                self.objects.confirm(ScribbleRow.confirming(view, start, half, new_id))
            self.history.document.set_rows("scribbles", self.objects.scribbles)
        self._relabel_rest(listed, daughters[0], start, step)
        self.read()
        request = RunRequest(
            Direction.FORWARD, range(start, len(view)), daughters, replace=False
        )
        self.controller.propagate(request, step)
        self.select_object(daughters[0])
        first, second = (self.objects.require(new_id) for new_id in daughters)
        return first, second

    def _require_both_sides(self, object_id: int, start: int) -> None:
        """Refuse to split an object where one of the two would be nothing."""
        found = self.objects.require(object_id)
        span = self._frame_records.span(object_id)
        frames = (*found.frames, *span[:1], *span[-1:])
        if all(frame < start for frame in frames):
            raise PromptError(
                f"{found.name!r} has neither prompts nor labels from frame {start} on: "
                "split it at an earlier frame"
            )
        if all(frame >= start for frame in frames):
            raise PromptError(
                f"{found.name!r} has neither prompts nor labels before frame {start}: "
                "split it at a later frame"
            )

    def lock_object(self, object_id: int) -> None:
        """Keep an object as it is: its prompts and its labels.

        Runs, corrections and strokes leave it alone, also those of other objects.
        Deleting it, or merging it with another one, is refused. Its name can be
        changed.

        Parameters
        ----------
        object_id : int
            Its value in the labels.

        Raises
        ------
        PromptError
            If there is no such object, or it is being computed.
        """
        found = self.objects.require(object_id)
        self.controller.require_not_running(object_id)
        self._read_what_waits()
        with self._changing_objects(f"Lock {found.name!r}"):
            self.objects.lock(object_id, is_locked=True)
        self.changed.emit()

    def unlock_object(self, object_id: int) -> None:
        """Let an object be changed again that was locked.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        found = self.objects.require(object_id)
        with self._changing_objects(f"Unlock {found.name!r}"):
            self.objects.lock(object_id, is_locked=False)
        self.changed.emit()

    def hide_object(self, object_id: int) -> None:
        """Show an object no more in the viewer: neither labels, prompts nor preview.

        All else stays as it is: runs and corrections take it along, and it is saved and
        measured. A new prompt of the object shows it again.

        Parameters
        ----------
        object_id : int
            Its value in the labels.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        found = self.objects.require(object_id)
        self._hide(f"Hide {found.name!r}", {object_id: True})

    def show_object(self, object_id: int) -> None:
        """Show an object again that was hidden.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        found = self.objects.require(object_id)
        self._hide(f"Show {found.name!r}", {object_id: False})

    def show_only(self, object_id: int) -> None:
        """Show an object, and hide all others there are.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        found = self.objects.require(object_id)
        others = {one: one != object_id for one in self.objects.ids}
        self._hide(f"Show only {found.name!r}", others)

    def show_all_objects(self) -> None:
        """Show all objects again."""
        self._hide("Show all objects", dict.fromkeys(self.objects.hidden_ids, False))

    def _hide(self, title: str, is_hidden: Mapping[int, bool]) -> None:
        with self._changing_objects(title):
            for object_id, hidden in sorted(is_hidden.items()):
                self.objects.hide(object_id, is_hidden=hidden)
        self.show_previews()
        self.changed.emit()

    def mark_background(self, object_id: int) -> None:
        """Make an object a background object: "not this one".

        It is prompted, decided and followed like all others, so that these do not take
        its pixels. But it is not part of the result: it is neither saved in labels of a
        project nor measured or counted. The viewer shows it in grey.

        Parameters
        ----------
        object_id : int
            Its value in the labels.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        found = self.objects.require(object_id)
        self._set_background(f"{found.name!r} is a background object", object_id, True)

    def unmark_background(self, object_id: int) -> None:
        """Make a background object part of the result.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        found = self.objects.require(object_id)
        title = f"{found.name!r} is no background object"
        self._set_background(title, object_id, False)

    def _set_background(self, title: str, object_id: int, is_background: bool) -> None:
        with self._changing_objects(title):
            self.objects.set_background(object_id, is_background=is_background)
        self.objects.prepare_next()
        self.show_previews()
        self.changed.emit()

    def require_unlocked(self, *object_ids: int) -> None:
        """Refuse to change objects that are locked.

        Raises
        ------
        PromptError
            If any of them is.
        """
        require_unlocked(self.history.document, object_ids)

    def _put_back_locked_rows(self) -> None:
        """Take back what a person has done to the prompts of locked objects."""
        locked = self.objects.locked_ids
        refused: set[int] = set()
        shown = {}
        for name, now in self._rows_now().items():
            before = self.history.document.rows(name)
            shown[name], touched = _with_locked_rows(before, now, locked)
            refused |= touched
        if not refused:
            return
        objects = self.objects
        objects.show(
            shown.get("points", objects.points), shown.get("shapes", objects.shapes)
        )
        objects.scribbles = shown["scribbles"]
        objects.read(self.movie, self.viewer.layers)
        gesture = self._gesture or _Gesture()
        if not gesture.is_refused:
            gesture.is_refused = True
            self._tell_locked(refused)

    def _tell_locked(self, object_ids: Iterable[int]) -> None:
        try:
            self.require_unlocked(*object_ids)
        except PromptError as error:
            self.failed.emit(error)

    def add_points(
        self,
        points: Any,
        object_id: int | None = None,
        *,
        is_positive: bool = True,
        hypothesis: int | None = None,
    ) -> None:
        """Add points of an object, as clicks would.

        Parameters
        ----------
        points : (N, 3) or (N, D) array-like of float, or one such position
            (frame, row, column) in data pixels of the movie, or a position along each
            of the D axes of its image. Of a picture, (row, column).
        object_id : int, optional
            The current object by default.
        is_positive : bool, default True
            True for points on the object, False for points beside it.
        hypothesis : {1, 2, 3}, optional
            The mask to be used on the frame of the points; by default the best one.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If there is no such object, or if these are not positions.
        """
        view, listed = self.require_movie(), self._object_or_current(object_id)
        sign = as_bool(is_positive, "is_positive", PromptError)
        added = tuple(
            PointRow(tuple(position), listed.object_id, sign, _as_pick(hypothesis))
            for position in _positions(view, points).tolist()
        )
        self._points_layer()
        self.objects.show((*self.objects.points, *added), self.objects.shapes)
        self.read()

    def add_box(self, frame: int, box: Any, object_id: int | None = None) -> None:
        """Add a box around an object, as drawing a rectangle would.

        Parameters
        ----------
        frame : int
            0 <= frame < number of frames.
        box : (row0, column0, row1, column1)
            Two opposite corners in data pixels of the movie, in any order.
        object_id : int, optional
            The current object by default.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If there is no such object or frame, or if this is not a box.
        """
        view, listed = self.require_movie(), self._object_or_current(object_id)
        frame = _existing_frame(view, frame)
        vertices = tuple(map(tuple, _corners(view, frame, box).tolist()))
        added = ShapeRow(BOX, vertices, listed.object_id)
        self._boxes_layer()
        self.objects.show(self.objects.points, (*self.objects.shapes, added))
        self.read()

    def add_scribble(
        self,
        frame: int,
        pixels: Any,
        object_id: int | None = None,
        *,
        is_positive: bool = True,
    ) -> None:
        """Add a scribble of an object, as painting on its preview would.

        Parameters
        ----------
        frame : int
            0 <= frame < number of frames.
        pixels : (Y, X) array-like of bool or integers
            Over the whole frame, not 0 where the scribble is. These pixels belong to
            the object in any case, or do not.
        object_id : int, optional
            The current object by default.
        is_positive : bool, default True
            True for pixels of the object, False for pixels beside it.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If there is no such object or frame, or if the pixels are not those of a
            frame, or none.
        """
        view, listed = self.require_movie(), self._object_or_current(object_id)
        frame = _existing_frame(view, frame)
        scribble = Scribble(PaintedMask.of(pixels), is_positive)
        if scribble.pixels.shape != view.frame_shape:
            raise PromptError(
                f"a scribble of shape {scribble.pixels.shape} does not fit frames of "
                f"shape {view.frame_shape}; give it an array of that shape"
            )
        self._keep_scribbles(frame, (scribble,), listed.object_id)
        self.read()

    def _keep_scribbles(
        self, frame: int, scribbles: Iterable[Scribble], object_id: int
    ) -> None:
        view = self.require_movie()
        after = self.objects.reading.point_count(object_id, frame)
        added = (
            ScribbleRow.on(view, frame, replace(one, after=after), object_id)
            for one in scribbles
        )
        self.objects.scribbles = (*self.objects.scribbles, *added)

    def _on_painted(self, frame: int, scribbles: tuple[Scribble, ...]) -> None:
        """Take a stroke on the preview as scribbles of the current object."""
        if self.movie is None or self.objects.current_id is None:
            self.failed.emit(PromptError(NO_OBJECT))
            # The stroke goes once napari has ended it.
            QTimer.singleShot(0, self._show_previews_again)
            return
        # A point that was added a moment ago came before.
        self._read_what_waits()
        self._keep_scribbles(frame, scribbles, self.objects.current_id)
        self._read_soon()

    def _show_previews_again(self) -> None:
        if not self.is_closed:
            self.show_previews()

    def use_points(self, layer: Points) -> None:
        """Copy the points of another layer into the plugin's, as prompts.

        The layer stays as it is, but is hidden: changing it later changes nothing. The
        object of its first point is selected.

        Parameters
        ----------
        layer : napari.layers.Points
            With the features ``label`` (positive or negative) and ``object_id``.
            Without them, all points are positive and belong to one new object.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If no point of the layer can be used.
        """
        if layer in self.objects:
            return
        self._wait_for_ids()
        with self._taking(layer):
            added = self._taken_from(layer, "points")
            self._points_layer()
            self.objects.show((*self.objects.points, *added), self.objects.shapes)
        self.select_object(added[0].object_id)

    def use_shapes(self, layer: Shapes) -> None:
        """Copy the shapes of another layer into the plugin's, as boxes and lassos.

        The layer stays as it is, but is hidden: changing it later changes nothing. The
        object of its first shape is selected.

        Parameters
        ----------
        layer : napari.layers.Shapes
            With the feature ``object_id``. Without it, all shapes belong to one new
            object. Rectangles are boxes, polygons are lassos.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If no shape of the layer can be used.
        """
        if layer in self.objects:
            return
        self._wait_for_ids()
        with self._taking(layer):
            added = self._taken_from(layer, "shapes")
            self._boxes_layer()
            self.objects.show(self.objects.points, (*self.objects.shapes, *added))
        self.select_object(added[0].object_id)

    def select_object(self, object_id: int) -> None:
        """Let clicks, signs, boxes and hypotheses go to an object.

        Parameters
        ----------
        object_id : int
            Its value in the labels.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        self.controller.state.outcome = ""
        found = self.objects.select(object_id)
        self.history.document.table("options")["object"] = found.object_id
        if self.tool.is_point:
            self._let_clicks_be_points()
        else:
            self.changed.emit()
        self.show_previews()

    def go_to_object(self, object_id: int) -> None:
        """Select an object, and show a frame of it unless it is on the current one.

        That is its first frame with prompts, else the first on which the labels hold
        it; where there is none, the frame stays.

        Parameters
        ----------
        object_id : int
            Its value in the labels.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        self.select_object(object_id)
        view, records = self.movie, self._frame_records
        frames = (
            *self.objects.require(object_id).frames,
            *records.span(object_id)[:1],
        )
        is_here = self.frame in frames or records.has_pixels(object_id, self.frame)
        if view is not None and frames and not is_here:
            go_to_frame(view, self.viewer.dims, frames[0])

    def step_object(self, step: int, among: Sequence[int] | None = None) -> None:
        """Select the next or the previous object; the frame stays.

        Parameters
        ----------
        step : {1, -1}
            After the last comes the first.
        among : sequence of int, optional
            The objects in their order; all by id by default.

        Raises
        ------
        PromptError
            If there is no object yet.
        """
        ids = [one.object_id for one in self.objects.listed] if among is None else among
        if not ids:
            raise PromptError(NO_OBJECT)
        current = self.objects.current_id
        step = as_integer(step, "a step", PromptError)
        if current in ids:
            place = ids.index(current) + step
        else:
            place = 0 if step > 0 else -1
        self.select_object(ids[place % len(ids)])

    # Review

    def show_place(self, object_id: int, frame: int) -> None:
        """Select an object, and show a frame.

        Parameters
        ----------
        object_id : int
            Its value in the labels.
        frame : int
            0 <= frame < number of frames.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If there is no such object or frame.
        """
        view = self.require_movie()
        frame = _existing_frame(view, frame)
        if object_id != self.objects.current_id:
            self.select_object(object_id)
        go_to_frame(view, self.viewer.dims, frame)

    def show_frame(self, frame: int) -> None:
        """Show a frame.

        Parameters
        ----------
        frame : int
            0 <= frame < number of frames.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If there is no such frame.
        """
        view = self.require_movie()
        go_to_frame(view, self.viewer.dims, _existing_frame(view, frame))

    def use_review_order(self, order: str) -> None:
        """Go through doubtful frames in another order from now on.

        Parameters
        ----------
        order : {"helpful", "time", "object"}
            As for `doubtful_places`.

        Raises
        ------
        OptionError
            If there is no such order.
        """
        self.review_order = ReviewOrder.of(order)
        self.changed.emit()

    def doubtful_places(self, order: str | None = None) -> tuple[Place, ...]:
        """List what is doubtful on the movie.

        Objects that are locked or hidden, and background objects, are left out.

        Parameters
        ----------
        order : {"helpful", "time", "object"}, optional
            Where a correction helps most, as a how-to page explains; in time; or in
            time, but of the current object alone. By default what `use_review_order`
            has set, "helpful" at first.

        Returns
        -------
        tuple of Place
            Each with a ``frame`` and an ``object_id``. In the order "helpful" one of
            each series of doubtful frames, else all of them.

        Raises
        ------
        OptionError
            If there is no such order.
        """
        asked, target = self._order(order), self.controller.state.target
        if target is None:
            return ()
        ids = {
            one.object_id
            for one in self.objects.listed
            if not (one.is_locked or one.is_hidden or one.is_background)
        }
        if asked is ReviewOrder.OBJECT:
            ids = {one for one in ids if one == self.objects.current_id}
        return tuple(ordered_places(target.frames, ids, asked))

    def _order(self, order: str | None) -> ReviewOrder:
        return self.review_order if order is None else ReviewOrder.of(order)

    def next_doubtful(self, order: str | None = None) -> Place | None:
        """Show the next doubtful frame, and select its object.

        Parameters
        ----------
        order : {"helpful", "time", "object"}, optional
            As for `doubtful_places`. After the last comes the first.

        Returns
        -------
        Place or None
            None if nothing is doubtful, which the dock says.

        Raises
        ------
        MovieError
            If no movie is chosen.
        OptionError
            If there is no such order.
        """
        return self._step_doubtful(order, 1)

    def previous_doubtful(self, order: str | None = None) -> Place | None:
        """Show the doubtful frame before; else as `next_doubtful`."""
        return self._step_doubtful(order, -1)

    def _step_doubtful(self, order: str | None, step: int) -> Place | None:
        self.require_movie()
        asked, current = self._order(order), self.objects.current_id
        places = self.doubtful_places(asked)
        here = None if current is None else Place(self.frame, current)
        place = neighbour(places, here, step, asked)
        if place is not None:
            self.show_place(place.object_id, place.frame)
        self.controller.state.outcome = describe_place(self, place)
        self.changed.emit()
        return place

    def confirm_frame(
        self, object_id: int | None = None, frame: int | None = None
    ) -> None:
        """Say that an object is right on a frame, as the labels have it there.

        The frame is fixed from then on: it is not doubtful, corrections end there, and
        runs start there, too. Where the labels do not hold the object, it is fixed as
        absent. A point, box or scribble of the object on the frame ends this.

        Parameters
        ----------
        object_id : int, optional
            The current object by default.
        frame : int, optional
            The current frame by default.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If there is no such object or frame, if the object is locked, or if no
            labels hold it.
        LabelsError
            If the labels were replaced by others that do not fit.
        """
        view, listed = self.require_movie(), self._object_or_current(object_id)
        frame = _existing_frame(view, self.frame if frame is None else frame)
        self.require_unlocked(listed.object_id)
        target = self.controller.state.target
        if target is None or listed.object_id not in target.object_ids:
            raise PromptError(
                f"there are no labels of {listed.name!r} yet that could be right: "
                "propagate it first"
            )
        title = f"{listed.name!r} looks right on frame {frame}"
        self._confirm(view, target, [(listed.object_id, frame)], title)
        self.controller.state.outcome = f"{title}."
        self.controller.advance()
        self.show_previews()

    def _confirm(
        self,
        view: MovieView,
        target: TargetLayer,
        places: Sequence[tuple[int, int]],
        title: str,
    ) -> Step:
        """Fix objects on frames, given as pairs, as the labels have them there."""
        self._read_what_waits()
        keys = [list(place) for place in places]
        with self.history.step(title, "prompts", {"prompts": keys}) as step:
            before = self._pointed_at
            for object_id, frame in places:
                mask = PaintedMask.of(target.confirm(view, object_id, frame).mask)
                row = ScribbleRow.confirming(view, frame, mask, object_id)
                self.objects.confirm(row)
            self.objects.read(self.movie, self.viewer.layers)
            self._record_prompts(before)
        return step

    def measure(self, path: str | Path | None = None) -> None:
        """Measure every object of the labels on every frame, in the background.

        One row per object goes into the ``features`` of the Labels layer, where
        ``index`` is the label. What was measured last is `report`.

        Parameters
        ----------
        path : str or Path, optional
            Of a table (CSV) to be written, with a row per object and frame.

        Raises
        ------
        MovieError
            If no movie is chosen.
        LabelsError
            If there are no labels yet.
        FormatError
            If the table cannot be written there.
        """
        view, target = self._require_labels("measure")
        table = None if path is None else as_expanded_path(path, "a table", OptionError)
        if table is not None:
            # Commands need more than a window does.
            from napari_sam_decoder.jobs.outputs import require_folder

            require_folder(table)
        self._start_label_work(
            LabelMeasurement(view, target, self.objects.background_ids, table)
        )

    def save_labels(self, path: str | Path, file_format: str | None = None) -> None:
        """Save the labels in the background, in the format of another program.

        Names and parents of the objects, the layer's scale and the provenance go along;
        background objects are left out.

        Parameters
        ----------
        path : str or Path
            Where they go. What is there is replaced, once all is written.
        file_format : str, optional
            Name of a format, see `EXPORT_FORMATS`; by default as the path says.

        Raises
        ------
        MovieError
            If no movie is chosen.
        LabelsError
            If there are no labels yet, or other work on labels is under way.
        FormatError, OptionError
            If the path asks for no format, or there is none of that name.
        """
        view, target = self._require_labels("save")
        place = as_expanded_path(path, "labels", OptionError).absolute()
        chosen = export_format(place, file_format)
        movie = label_movie_of(self.controller.state, view)
        self._start_label_work(
            LabelSaving(view, target.layer.name, movie, chosen, place)
        )

    def make_tracks(self) -> None:
        """Make a Tracks layer of the objects' centroids, in the background.

        A division is shown by its graph. What was made before is replaced.

        Raises
        ------
        MovieError
            If no movie is chosen.
        LabelsError
            If there are no labels yet, or other work on labels is under way.
        """
        view, target = self._require_labels("follow")
        movie = label_movie_of(self.controller.state, view)
        self._start_label_work(TrackMaking(view, target.layer.name, movie, self.viewer))

    # Candidates

    def find_objects(self) -> None:
        """Look for objects that nobody has shown on the current frame.

        This goes on in the background. What is found where no object is yet becomes
        `candidates`, in place of those from an earlier search.

        Raises
        ------
        MovieError
            If no movie is chosen.
        LabelsError
            If other work on labels is under way.
        """
        self.require_movie()
        self._require_free_worker(ObjectSearch)
        self.controller.find_objects()

    def _on_found(self, search: ObjectSearch, found: list[FoundObject]) -> None:
        """Make candidates of what was found, if its movie is still looked at."""
        view, frame = search.view, search.frame
        if self.movie is None or not self.movie.is_same_as(view):
            return
        if not found:
            self.controller.state.outcome = (
                f"No object was found on frame {frame}. Show one with a click."
            )
            return
        self._read_what_waits()
        title = f"Find {counted(len(found), 'candidate')} on frame {frame}"
        with self._candidate_step(title):
            masks = [one.painted for one in found]
            parents = self._mothers(view, frame, masks)
            self.candidates.replace(
                Candidate.on(view, frame, mask, parent)
                for mask, parent in zip(masks, parents, strict=True)
            )
        # Clicks are to choose among them, and not to be points.
        self.viewer.layers.selection.active = self.movie.layer

    def _mothers(
        self, view: MovieView, frame: int, masks: Sequence[PaintedMask]
    ) -> list[int | None]:
        """Say which objects have divided into what was found, by the labels."""
        if self.labels is None or frame == 0:
            return [None] * len(masks)
        data = self.labels.data
        before, now = (np.asarray(data[view.index(one)]) for one in (frame - 1, frame))
        return mothers(masks, before, now)

    @property
    def candidates(self) -> Candidates:
        """What `find_objects` has found, by number, until it is kept or discarded."""
        return Candidates(self.history.document)

    @contextmanager
    def _candidate_step(self, title: str, cause: Step | None = None) -> Iterator[None]:
        """Record what becomes of candidates, and show it."""
        with self.history.step(title, "objects", cause=cause):
            yield
        self.controller.state.outcome = ""
        self.show_previews()
        self.changed.emit()

    def choose_candidate(self, number: int, *, is_kept: bool) -> None:
        """Keep or drop a candidate.

        Parameters
        ----------
        number : int
            Of the candidate.
        is_kept : bool
            Whether it is to become an object.

        Raises
        ------
        PromptError
            If there is no such candidate.
        """
        self.candidates.require(number)
        is_kept = as_bool(is_kept, "is_kept", PromptError)
        verb = "Keep" if is_kept else "Drop"
        with self._candidate_step(f"{verb} candidate {number}"):
            self.candidates.choose(number, is_kept=is_kept)

    def drop_small_candidates(self, pixels: int) -> None:
        """Drop candidates with fewer pixels, now and in later searches.

        Those that a person keeps or drops stay so.

        Parameters
        ----------
        pixels : int
            0 or more; 0 drops none.

        Raises
        ------
        OptionError
            If it is no such number.
        """
        smallest = as_integer(pixels, "the pixels of a candidate", OptionError)
        if smallest < 0:
            raise OptionError(f"a candidate has 0 pixels or more, not {smallest}")
        title, done = "Drop small candidates", self.history.done
        # A person tries several sizes, and undoes them at once.
        cause = done[-1] if done and done[-1].title == title else None
        with self._candidate_step(title, cause):
            self.candidates.set_smallest(smallest)

    def merge_candidates(self, numbers: Collection[int]) -> int:
        """Make one candidate of several, which is kept.

        Parameters
        ----------
        numbers : collection of int
            Of two candidates or more.

        Returns
        -------
        int
            The number of the one.

        Raises
        ------
        PromptError
            If they are not, or there are no such candidates.
        """
        chosen = sorted(
            {as_integer(one, "a candidate", PromptError) for one in numbers}
        )
        if len(chosen) < 2:
            raise PromptError("choose two candidates or more that are one object")
        for number in chosen:
            self.candidates.require(number)
        with self._candidate_step(f"Merge {len(chosen)} candidates"):
            return self.candidates.merge(chosen)

    def keep_candidates(self) -> tuple[SegmentedObject, ...]:
        """Make objects of the candidates that were not dropped.

        They are fixed as their masks on their frame, where they get labels in the
        background. Where another object seems to have divided into one of them, that
        is its parent. All this is undone at once. `propagate` carries them on.

        Returns
        -------
        tuple of SegmentedObject
            Of which the first is selected.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If no candidate of the movie is kept.
        """
        self._wait_for_ids()
        frame = self.candidates.frame_in(self.require_movie())
        kept = self.candidates.kept
        if frame is None or not kept:
            raise PromptError(
                "there is no candidate to keep: press 'Find objects', and click those "
                "that are objects"
            )
        self._read_what_waits()
        ids = self._new_ids(len(kept))
        title = f"Keep {counted(len(kept), 'object')} on frame {frame}"
        with self.history.step(title, "objects", {"objects": [*ids]}) as step:
            self.candidates.clear()
            for new_id, one in zip(ids, kept.values(), strict=True):
                if one.parent in self.objects.ids:
                    self.objects.create_daughter(new_id, one.parent)
                else:
                    self.objects.create(new_id)
                self.objects.confirm(one.confirmed_as(new_id))
            self.history.document.set_rows("scribbles", self.objects.scribbles)
        self.read()
        # A person has to see them to go on with them.
        here = range(frame, frame + 1)
        request = RunRequest(Direction.BOTH, here, ids, replace=False)
        self.controller.propagate(request, step)
        self.select_object(ids[0])
        return tuple(self.objects.require(new_id) for new_id in ids)

    def discard_candidates(self) -> None:
        """Make objects of none of the candidates.

        Raises
        ------
        PromptError
            If there are none.
        """
        if not self.candidates:
            raise PromptError("there are no candidates: press 'Find objects' first")
        with self._candidate_step(
            f"Discard {counted(len(self.candidates), 'candidate')}"
        ):
            self.candidates.clear()

    @property
    def are_candidates_here(self) -> bool:
        """Whether there are candidates on the current frame."""
        view = self.movie
        return view is not None and self.candidates.frame_in(view) == self.frame

    def _candidates_here(self) -> dict[int, Candidate]:
        """Candidates on the current frame, by the ids that they might get."""
        if not self.are_candidates_here:
            return {}
        above = self._highest_known_id
        return {above + number: one for number, one in self.candidates.items()}

    def _dropped_keys(self) -> frozenset[int]:
        above, candidates = self._highest_known_id, self.candidates
        dropped = (one for one in candidates if not candidates.is_kept(one))
        return frozenset(above + number for number in dropped)

    @property
    def _highest_known_id(self) -> int:
        target = self.controller.state.target
        labelled = () if target is None else target.object_ids
        return max((*self.objects.ids, *labelled), default=0)

    def _candidate_at(self, view: MovieView, place: np.ndarray) -> int | None:
        """Find the candidate at (frame, row, column); None where there is none."""
        pixel = _pixel(view, place)
        if pixel is None or not self.are_candidates_here:
            return None
        return self.candidates.number_at(*pixel)

    def pick_candidate_at(self, world: Sequence[float]) -> bool:
        """Drop the candidate at a position, or keep it if it was dropped.

        Parameters
        ----------
        world : sequence of float
            In the units of the viewer's sliders.

        Returns
        -------
        bool
            Whether there is one.
        """
        view = self.movie
        if view is None:
            return False
        place = view_position(view, self.viewer.dims, world)
        number = self._candidate_at(view, place)
        if number is None:
            return False
        self.choose_candidate(number, is_kept=not self.candidates.is_kept(number))
        return True

    def merge_candidates_along(self, path: Iterable[Sequence[float]]) -> None:
        """Make one candidate of all that a line crosses, if these are several.

        Parameters
        ----------
        path : iterable of sequence of float
            Positions in the units of the viewer's sliders.
        """
        view = self.movie
        if view is None or not self.are_candidates_here:
            return
        places = [view_position(view, self.viewer.dims, one) for one in path]
        found = {self._candidate_at(view, one) for one in _between(places)} - {None}
        numbers = [one for one in found if one is not None]
        if len(numbers) > 1:
            self.merge_candidates(numbers)

    def stop_label_work(self) -> None:
        """Measure, save or search no further; nothing is written."""
        self.controller.stop_label_work()

    def _require_labels(self, verb: str) -> tuple[MovieView, TargetLayer]:
        view, target = self.require_movie(), self.controller.state.target
        if target is None:
            raise LabelsError(
                f"there are no labels to {verb}: propagate an object, or choose labels"
            )
        return view, target

    def _start_label_work(self, work: LabelWork) -> None:
        self._require_free_worker(type(work))
        if self.controller.is_relabelling(self.controller.state):
            raise LabelsError(
                "labels are being changed just now, as by a split; wait a moment"
            )
        self.controller.label_worker.start(self.controller.state, work)

    def _require_labels_at_rest(self) -> None:
        """Refuse to change labels on many frames while these are read for something."""
        if self.labels is not None:
            self._require_free_worker(ObjectSearch)

    def _require_free_worker(self, kind: type[LabelWork]) -> None:
        running = self.controller.label_worker.running
        if running is not None and type(running) is not kind:
            raise LabelsError(
                f"{running.under_way} just now; wait for that, or stop it"
            )

    @property
    def report(self) -> Report | None:
        """What `measure` has found in the labels of the movie; None before that."""
        return self.controller.state.report

    def learn(self, steps: int | None = None) -> None:
        """Train the decoder on the fixed frames of the movie, in the background.

        An object counts on the frames where it was prompted, painted or confirmed, with
        its mask in the labels. One frame, in the middle, is not learned from: on it,
        the decoder is compared with the one in use. What was learned is `learned`,
        until `use_learned` or `discard_learned`; until then nothing else changes.

        Parameters
        ----------
        steps : int, optional
            Of the training, 1 or more; by default as many as it takes, some minutes.

        Raises
        ------
        MovieError
            If no movie is chosen.
        LabelsError
            If fewer than two frames are fixed.
        OptionError
            If something is being learned already, or the number of steps cannot be
            used.
        """
        self.require_movie()
        if steps is not None and as_integer(steps, "steps", OptionError) < 1:
            raise OptionError(f"steps must be 1 or more, not {steps}")
        if self.controller.is_learning or self.controller.learning.running is not None:
            raise OptionError(
                "the decoder is being trained just now: wait, or stop that first"
            )
        missing = self.missing_to_learn
        if missing:
            raise LabelsError(missing)
        self.controller.learn(steps)

    @property
    def fixed_count(self) -> int:
        """The number of frames on which the outline of any object is fixed."""
        return self._frame_records.outlined_count

    @property
    def missing_to_learn(self) -> str:
        """What has to be done before `learn` can; empty if it can."""
        # Commands need more than a window does.
        from napari_sam_decoder.jobs.learn import LEAST_FRAMES

        count = self.fixed_count
        if count >= LEAST_FRAMES:
            return ""
        return (
            f"learning takes {LEAST_FRAMES} fixed frames, and {count} "
            f"{'is' if count == 1 else 'are'} fixed in the labels: propagate, then "
            "correct another frame, paint it, or press 'Looks right' there"
        )

    def stop_learning(self) -> None:
        """Stop `learn`; all stays as it was before."""
        self.controller.stop_learning()

    @property
    def learned(self) -> LearnedDecoder | None:
        """What `learn` has brought, until it is used or discarded; None if nothing."""
        return self.controller.state.learned

    def use_learned(self) -> None:
        """Use what was learned for the movie from now on: later clicks and runs.

        It is kept in a file beside the project; labels and embeddings stay as they are.
        Fixed masks stay in later runs, too, as if each was confirmed with
        `confirm_frame`. `undo` brings the decoder from before back.

        Raises
        ------
        OptionError
            If nothing was learned.
        ProjectError
            If there is no project to keep it with.
        FormatError
            If it cannot be written.
        LabelsError
            If the labels were replaced by others that do not fit; it is still there.
        """
        learned, state = self._require_learned(), self.controller.state
        project = state.project.path
        if project is None:
            raise ProjectError(
                "what was learned is kept beside the project, which is not saved yet: "
                "wait a moment, or press 'Save now'"
            )
        path = new_decoder_path(project)
        with wrap_write_errors(path), atomic_write(path) as partial_file:
            partial_file.write_bytes(learned.content)
        title = f"Use what was learned from {counted(len(learned.frames), 'frame')}"
        try:
            kept = self._keep_fixed_frames(title)
        except Exception:
            # Nothing would ever name the file.
            path.unlink()
            raise
        state.learned = None
        state.outcome = f"{title}: clicks and runs do so from now on."
        self.controller.use_decoder(path, title, kept)

    def _keep_fixed_frames(self, title: str) -> Step | None:
        """Confirm what is fixed, as another decoder would answer its clicks anew."""
        view, target = self.require_movie(), self.controller.state.target
        if target is None:
            return None
        locked = self.objects.locked_ids
        places = [
            (object_id, frame)
            for frame, ids in self._frame_records.outlined.items()
            for object_id in ids
            if object_id not in locked
        ]
        step = self._confirm(view, target, places, title)
        return step if step.parts else None

    def discard_learned(self) -> None:
        """Keep the decoder that is in use.

        Raises
        ------
        OptionError
            If nothing was learned.
        """
        self._require_learned()
        self.controller.state.learned = None
        self.controller.state.outcome = "What was learned is not used."
        self.changed.emit()

    def _require_learned(self) -> LearnedDecoder:
        if self.learned is None:
            raise OptionError("nothing was learned yet: learn from fixed frames first")
        return self.learned

    @property
    def offer(self) -> str:
        """What could be done now to make the work easier; empty if nothing."""
        view = self.movie
        waiting = None if view is None else self.candidates.frame_in(view)
        if waiting not in (None, self.frame):
            return f"candidates on frame {waiting} wait to be kept or discarded there"
        decoder, count = self.controller.state.options.decoder, self.fixed_count
        is_taken = self.controller.is_learning or self.learned is not None
        if is_taken or is_learned(decoder) or count < OFFERED_FROM:
            return ""
        return f"{count} frames are fixed: 'Review…' can learn from them"

    def set_sign(self, is_positive: bool) -> None:
        """Make the next clicks positive or negative points.

        Parameters
        ----------
        is_positive : bool
            True for points on the object, False for points beside it.

        Raises
        ------
        PromptError
            If there is no object yet.
        """
        listed = self.require_object()
        sign = as_bool(is_positive, "is_positive", PromptError)
        layer = self._points_layer()
        set_next(layer, listed.object_id, is_positive=sign)
        self._let_clicks_be_points()

    def draw_boxes(self) -> None:
        """Let the mouse draw boxes around the current object; see `use_tool`.

        Raises
        ------
        PromptError
            If there is no object yet.
        """
        self.use_tool(Tool.BOX)

    def use_tool(self, tool: str) -> None:
        """Let the mouse show the current object in a certain way.

        Until another tool is chosen, or an object is added.

        Parameters
        ----------
        tool : {"positive", "negative", "box", "lasso", "scribble", "eraser"}
            Points on the object or beside it, boxes or outlines around it, or a brush
            that paints pixels of the object or pixels beside it on the preview.

        Raises
        ------
        OptionError
            If there is no such tool.
        PromptError
            If there is no object yet.
        """
        chosen = Tool.of(tool)
        self.require_object()
        if chosen in SHAPE_MODES:
            layer = self._boxes_layer()
            self.viewer.layers.selection.active = layer
            layer.mode = SHAPE_MODES[chosen]
            self.changed.emit()
        elif chosen.is_scribble:
            self._take_brush(is_positive=chosen is Tool.SCRIBBLE)
        else:
            self.set_sign(chosen is Tool.POSITIVE)

    def _take_brush(self, *, is_positive: bool) -> None:
        object_id = self.require_object().object_id
        sides = self.controller.state.previews.sides(self.controller.prompts_here)
        side = sides.get(object_id)
        self._overlay.take_brush(self.require_movie(), side, is_positive=is_positive)
        self.show_previews()
        self.changed.emit()

    @property
    def is_next_positive(self) -> bool:
        """Whether the next click is a positive point."""
        layer = self.objects.points_layer
        return layer is None or next_sign(layer)

    @property
    def tool(self) -> Tool:
        """How the mouse shows the current object; clicks where it does not."""
        is_painting = self._overlay.next_scribble
        if is_painting is not None:
            return Tool.SCRIBBLE if is_painting else Tool.ERASER
        layer = self.boxes_layer
        if layer is not None and self.viewer.layers.selection.active is layer:
            for tool, mode in SHAPE_MODES.items():
                if layer.mode == mode:
                    return tool
        return Tool.POSITIVE if self.is_next_positive else Tool.NEGATIVE

    def choose_hypothesis(self, number: int | None) -> None:
        """Pick a hypothesis for the current object on the current frame.

        Parameters
        ----------
        number : {1, 2, 3} or None
            None for the best one, chosen automatically.

        Raises
        ------
        PromptError
            If it is no such number, or nothing shows the current object on the frame.
        """
        listed, pick = self.require_object(), _as_pick(number)
        if self.current_prompt is None or self.current_prompt.is_settled:
            raise PromptError(
                f"nothing shows {listed.name!r} on frame {self.frame}: click it first"
            )
        self.require_unlocked(listed.object_id)
        self.objects.pick((listed.object_id, self.frame), pick)
        self.read()

    def _object_or_current(self, object_id: int | None) -> SegmentedObject:
        if object_id is None:
            listed = self.require_object()
        else:
            listed = self.objects.require(object_id)
        self.require_unlocked(listed.object_id)
        return listed

    def _wait_for_ids(self) -> None:
        """Wait until it is known which ids are taken.

        The window stays alive meanwhile, and a person may do anything in it. So this
        comes first: before anything is looked at, and before a step is opened.
        """
        while not self.controller.ids.are_known(self.require_movie()):
            wait_until(self._is_known, SCAN_TIMEOUT_S)
            if self.is_closed:
                raise MovieError("the dock was closed; open it and try again")

    def _new_ids(self, count: int) -> tuple[int, ...]:
        """Return new ids, once `_wait_for_ids` has returned."""
        target = self.controller.state.target
        highest = MAX_OBJECT_ID if target is None else target.highest_id
        return self.controller.ids.give(self.require_movie(), highest, count)

    def _is_known(self) -> bool:
        return self.is_closed or not self.controller.is_scanning

    def _points_layer(self) -> Points:
        """Return the layer of points, made if there is none in the viewer."""
        return self._own_layer(self.points_layer, new_points_layer)

    def _boxes_layer(self) -> Shapes:
        """Return the layer of boxes, made if there is none in the viewer."""
        return self._own_layer(self.boxes_layer, new_boxes_layer)

    def _own_layer(self, layer: _Own | None, make: Callable[[MovieView], _Own]) -> _Own:
        view = self.require_movie()
        if layer is not None and layer.ndim == len(view.spatial_shape):
            return layer
        made = make(view)
        self.objects.use(made)
        # What was active stays so: whoever asks for a layer says what the mouse does.
        active = self.viewer.layers.selection.active
        self.viewer.add_layer(made)
        self.viewer.layers.selection.active = active
        self.fit_to_screen()
        self.read()
        return made

    def fit_to_screen(self) -> None:
        """Draw points and boxes at one size, whatever the zoom."""
        for layer in (self.points_layer, self.boxes_layer):
            if layer is not None:
                fit_to_screen(layer, 1 / zoom_on(self.viewer, layer))
        self._overlay.fit_to_screen()

    def cover_screen(self) -> None:
        """Let the brush paint on all that is on the screen."""
        self._overlay.cover_screen()

    def _let_clicks_be_points(self) -> None:
        layer = self._points_layer()
        self.viewer.layers.selection.active = layer
        layer.mode = "add"
        self.changed.emit()

    def _taken_from(self, layer: Points | Shapes, what: str) -> tuple[Any, ...]:
        """Read another layer, and make the objects that it names."""
        view = self.require_movie()
        [own_id] = self._new_ids(1)
        found = rows_of(layer, view.layer, own_id)
        rows = found.rows
        if not rows:
            why = "; ".join(found.notices) or "there are none"
            raise PromptError(f"no {what} of {layer.name!r} can be used: {why}")
        if found.notices:
            self.informed.emit("\n".join(found.notices))
        ids = sorted({row.object_id for row in rows})
        self.require_unlocked(*ids)
        for object_id in ids:
            if object_id not in self.objects.ids:
                name = layer.name if len(ids) == 1 else f"{layer.name} #{object_id}"
                is_created = object_id == own_id
                record = ObjectRecord(str(name), is_created)
                self.objects.records[object_id] = record
        return rows

    @contextmanager
    def _taking(self, layer: Points | Shapes) -> Iterator[None]:
        """Count what is copied from a layer, and hide the layer."""
        self._read_what_waits()
        with self.history.step(f"Take in {layer.name!r}", "prompts"):
            before = {*self.controller.prompts, *self.controller.negatives}
            yield
            self.objects.read(self.movie, self.viewer.layers)
            present = {*self.controller.prompts, *self.controller.negatives}
            self.controller.attribute_labels(present - before)
            self.controller.state.outcome = ""
            self._record_prompts(tuple(before))
        if layer in self.viewer.layers:
            layer.visible = False
        self.informed.emit(
            f"What {layer.name!r} holds was copied to the layer of the SAM decoder; "
            f"{layer.name!r} itself is hidden, and changing it changes no prompt."
        )
        self.read()

    def choose_movie(self, layer: Image | None, axis: int | None = None) -> None:
        """Work on an image layer, or on none.

        Its objects, labels and options are as they were left. A run on the previous
        movie goes on in the background.

        Parameters
        ----------
        layer : napari.layers.Image, optional
            A movie, a volume or a picture.
        axis : int, optional
            Axis of the layer's data along which objects are followed. By default the
            one that was given last; else time, depth, or the first.

        Raises
        ------
        MovieError
            If the layer cannot be read as a movie.
        """
        view = None
        if layer is not None:
            view = self._view_of(layer, axis)
            show_frames(view, self.viewer.dims)
        self.set_movie(view)
        if axis is not None:
            self.controller.state.axis = axis

    def choose_plane(self, axis: int, index: int) -> None:
        """Work on another plane of a layer with more axes, such as another channel.

        Moves the viewer's slider; moving it by hand does the same.

        Parameters
        ----------
        axis : int
            Data axis of the layer, neither that of the frames nor of rows or columns.
        index : int
            Of the plane along it, from 0.

        Raises
        ------
        MovieError
            If no movie is chosen, or it has no such plane.
        """
        view = self.require_movie().cut_at(axis, index)
        go_to_frame(view, self.viewer.dims, self.frame)

    def compose(self, channels: Sequence[Channel | Image | str]) -> None:
        """Let the network see two or three channels as red, green and blue.

        Each is stretched by the contrast limits of its own layer, if you have set them,
        else by its own pixels. Prompts and labels stay, and the project remembers it.

        Parameters
        ----------
        channels : sequence of napari.layers.Image or str
            Red, green and perhaps blue: grey layers of the movie's shape at its place,
            or their names; of a layer with an axis of channels "channel 0" and so on.
            Empty to see the movie alone.

        Raises
        ------
        MovieError
            If no movie is chosen, or these cannot be its colours.
        """
        movie = self.require_movie()
        chosen = chosen_channels(channels, movie, tuple(self.viewer.layers))
        self.controller.use_channels(chosen)
        self.show_previews()

    def on_own_layer_selected(self, layer: Points | Shapes) -> None:
        """Work on the movie whose points or boxes were selected in the layer list."""
        if layer in self.objects:
            self.changed.emit()
            return
        for state in self.controller.movies:
            if layer in state.objects and state.view is not None:
                self.choose_movie(state.view.layer)
                break

    def _on_object_picked(self, object_id: int) -> None:
        """Work on the object whose point, box or label was picked; keep the tool."""
        if self.objects.current_id != object_id and self.objects.find(object_id):
            self.controller.state.outcome = ""
            self.objects.current_id = object_id
            self.objects.prepare_next()
            self.changed.emit()
            self.show_previews()

    def on_label_picked(self, layer: Labels) -> None:
        """Work on the object whose label a tool of napari has picked."""
        target = self.controller.state.target
        if target is not None and layer is target.layer:
            self._on_object_picked(int(layer.selected_label))

    def on_labels_painted(self, layer: Labels) -> None:
        """Tell of a stroke on labels, and no longer of what was done before."""
        state = self.controller.state
        if layer in state.targets:
            state.outcome = ""
            self.changed.emit()
            # napari writes some strokes only after it has told of them.
            QTimer.singleShot(0, partial(self._put_back_strokes, state.targets[layer]))

    def _put_back_strokes(self, target: TargetLayer) -> None:
        """Take back what was painted on locked objects, or as them."""
        is_there = any(target is one for one in self.controller.state.targets.values())
        if self.is_closed or not is_there:
            return
        if target.put_back_locked():
            target.layer.refresh(extent=False)
            self._tell_locked(self.objects.locked_ids)

    def pick_label_at(self, layer: Labels, world: Sequence[float]) -> None:
        """Work on the object whose label in the target is at a position."""
        target, view = self.controller.state.target, self.movie
        if view is not None and target is not None and layer is target.layer:
            pixel = _pixel(view, view_position(view, self.viewer.dims, world))
            if pixel is not None:
                self._on_object_picked(self._label_at(view, *pixel))

    def pick_object_at(
        self, world: Sequence[float], *, keep_tool: bool = False
    ) -> bool:
        """Select the object at a position: that of a point, else of a label or mask.

        A candidate there is dropped, or kept again.

        Parameters
        ----------
        world : sequence of float
            In the units of the viewer's sliders.
        keep_tool : bool, default False
            Whether clicks do what they did before, also where another layer is in use.

        Returns
        -------
        bool
            Whether there is an object or a candidate.
        """
        view = self.movie
        if view is None:
            return False
        if self.pick_candidate_at(world):
            return True
        object_id = self._object_at(view, view_position(view, self.viewer.dims, world))
        if object_id is None or self.objects.find(object_id) is None:
            return False
        active = self.viewer.layers.selection.active
        if keep_tool or active in self.controller.state.layers:
            self._on_object_picked(object_id)
        else:
            self.select_object(object_id)
        return True

    def _object_at(self, view: MovieView, place: np.ndarray) -> int | None:
        """Find the object at (frame, row, column), None for the background."""
        reach = (MARKER_PIXELS / 2 + REACH_PIXELS) / zoom_on(self.viewer, view.layer)
        nearest, found = reach, 0
        hidden = self.objects.hidden_ids
        for prompt in self._pointed_at:
            is_seen = prompt.frame == self.frame and prompt.object_id not in hidden
            for position in prompt.points if is_seen else ():
                distance = float(np.hypot(*(np.array(position) - place[1:])))
                if distance <= nearest:
                    nearest, found = distance, prompt.object_id
        if found:
            return found
        pixel = _pixel(view, place)
        if pixel is None:
            return None
        label = self._label_at(view, *pixel)
        return (0 if label in hidden else label) or self._preview_at(*pixel)

    def _label_at(self, view: MovieView, row: int, column: int) -> int:
        layer = self.labels
        if layer is None or not layer.visible:
            return 0
        index = list(view.index(self.frame))
        for axis, place in zip(view.frame_axes, (row, column), strict=True):
            index[axis] = place
        return int(np.asarray(layer.data[tuple(index)]))

    def _preview_at(self, row: int, column: int) -> int | None:
        here = self.controller.state.previews.masks(self.controller.prompts_here)
        for object_id, mask in reversed(self._shown(here).items()):
            if mask.has(row, column):
                return object_id
        return None

    def on_pixels_replaced(self, layer: Image) -> None:
        """Work on the new pixels of a movie, or of a channel of one."""
        for other in self.controller.movies:
            if any(layer is one.layer for one in other.channels):
                self.controller.reopen(other)
        state = self.controller.movies.find(layer)
        if state is None:
            return
        self.controller.release_movie(state, "has other pixels now")
        state.identity = None
        if state is self.controller.state:
            try:
                self.choose_movie(layer)
            except MovieError as error:
                self.choose_movie(None)
                self.informed.emit(str(error))
        else:
            self.controller.advance()

    def on_movie_removed(self, layer: Layer) -> None:
        """Stop working on a layer that was removed, if it is a movie."""
        state = self.controller.movies.find(layer)
        if state is None:
            return
        self.controller.release_movie(state, "was removed")
        self.show_hidden_layers(state)
        if state is self.controller.state:
            self.choose_movie(None)
        else:
            self.controller.advance()

    def on_labels_removed(self, layer: Labels) -> None:
        """Forget a Labels layer that was removed, perhaps during a run."""
        if layer is self._overlay.layer:
            # Where all layers go, it would come back for ever.
            return
        self.controller.on_labels_removed(layer)
        self.show_previews()

    def on_labels_added(self, layer: Labels) -> None:
        """Let results go to a Labels layer again that was removed and is back."""
        lost = self.controller.state.lost
        if self.labels is None and lost is not None and lost() is layer:
            self.choose_labels(layer)

    def _view_of(self, layer: Image, axis: int | None) -> MovieView:
        point = slider_point(layer, self.viewer.dims)
        state = self.controller.movies.find(layer)
        if axis is None and state is not None and state.axis is not None:
            # Other pixels may have no such axis.
            with suppress(MovieError):
                return MovieView.of(layer, state.axis, point)
        return MovieView.of(layer, axis, point)

    def delete_object(self, object_id: int, labels: str = "keep") -> None:
        """Delete an object, with its points.

        Parameters
        ----------
        object_id : int
            Its value in the labels; it is not given to another object.
        labels : {"keep", "remove"}
            Whether its labels stay, as if they came from elsewhere, or are removed
            from all frames of the chosen labels layer, in the background.

        Raises
        ------
        OptionError
            If ``labels`` is neither.
        PromptError
            If there is no such object, or it is being computed.
        LabelsError
            If labels to be removed are being saved or measured.
        """
        if labels not in ("keep", "remove"):
            raise OptionError(f"labels must be 'keep' or 'remove', not {labels!r}")
        found = self.objects.require(object_id)
        self.require_unlocked(object_id)
        self.controller.require_not_running(object_id)
        if labels == "remove":
            self._require_labels_at_rest()
        self._read_what_waits()
        title = f"Delete {found.name!r}"
        with self.history.step(title, "objects", {"objects": [object_id]}) as step:
            before = self._pointed_at
            self.objects.remove(object_id)
            self.objects.read(self.movie, self.viewer.layers)
            self.controller.dismiss_object(object_id)
            self._record_prompts(before)
        # It starts what is wanted now, which is no part of the step.
        self.read()
        if labels == "remove" and self.labels is not None:
            self.controller.relabel(Relabelling(object_id, found.name), step)
        else:
            self.controller.state.outcome = f"{found.name!r} was deleted."
        self.controller.advance()

    def merge_objects(self, object_id: int, into: int) -> None:
        """Make one object of two, with the points and labels of both.

        Parameters
        ----------
        object_id : int
            The object that goes.
        into : int
            The object that stays, with its name and its colour. Its labels get the
            pixels of the other on all frames of all labels layers, in the background.

        Raises
        ------
        PromptError
            If there are no such two objects, or one of them is being computed.
        LabelsError
            If the labels are being saved or measured.
        """
        gone, kept = self.objects.require(object_id), self.objects.require(into)
        if object_id == into:
            raise PromptError(f"{kept.name!r} cannot be merged into itself")
        self.require_unlocked(object_id, into)
        for one in (object_id, into):
            self.controller.require_not_running(one)
        self._require_labels_at_rest()
        self._read_what_waits()
        title = f"Merge {gone.name!r} into {kept.name!r}"
        with self.history.step(
            title, "objects", {"objects": [object_id, into]}
        ) as step:
            before = self._pointed_at
            self.objects.merge(object_id, into)
            self.objects.read(self.movie, self.viewer.layers)
            self.controller.absorb(object_id, into)
            self._record_prompts(before)
        change = Relabelling(object_id, gone.name, into, kept.name)
        self.controller.relabel(change, step)
        self.select_object(into)
        self.read()

    def configure(self, options: ModelOptions) -> None:
        """Use another model, device, contrast or cache from now on.

        Parameters
        ----------
        options : ModelOptions
            All of them.
        """
        self.controller.set_options(options)

    @property
    def models(self) -> tuple[ModelRow, ...]:
        """All named models, with what each is for and whether it is on this machine."""
        return tuple(catalogue.MODELS.values())

    @property
    def downloads(self) -> Mapping[str, ModelDownload]:
        """Downloads that wait, are under way or have failed, by names of models."""
        return self.controller.downloads.by_name

    def download_model(self, name: str) -> None:
        """Download a named model in the background, and check its hash.

        Its progress is in `downloads`. What goes wrong is told as by any background
        job, and leaves nothing behind.

        Parameters
        ----------
        name : str
            Of one of `models`; nothing is done if that is here or on its way.

        Raises
        ------
        CheckpointError
            If there is no such model.
        DownloadError
            If it has no known address; the message says how to do it by hand.
        """
        row = catalogue.find_row(name)
        if row.is_here:
            return
        require_downloadable(row)
        self.controller.downloads.start(name)

    def cancel_download(self, name: str) -> None:
        """Download a model no further; nothing of it is kept."""
        self.controller.downloads.cancel(name)

    def use_model(self, model: str | Path) -> None:
        """Use another model from now on; frames are embedded anew with it.

        Labels and prompts stay, and so do the embeddings of the model before in its
        cache. A decoder that was trained for one model gives way to the automatic one.

        Parameters
        ----------
        model : str or Path
            Name of one of `models` that is here, or a weights file.

        Raises
        ------
        CheckpointError
            If there is no such model or file, or it was not downloaded yet.
        """
        options = self.controller.state.options
        catalogue.require_here(model)
        if model == options.model:
            return
        decoder = options.decoder
        if decoder not in (AUTO_DECODER, OWN_DECODER):
            decoder = AUTO_DECODER
            self.informed.emit(
                f"The decoder is the automatic one again: {str(options.decoder)!r} was "
                "trained for another model."
            )
        self.configure(replace(options, model=model, decoder=decoder))

    def configure_propagation(self, settings: Settings) -> None:
        """Change how propagation decides, on all movies of the viewer.

        A run that is under way keeps its settings.

        Parameters
        ----------
        settings : Settings
            All of them.
        """
        self.controller.set_settings(settings)

    def choose_labels(self, layer: Labels | None) -> None:
        """Let results go to an existing Labels layer, or to a new one.

        The objects that it holds are listed with their ids, and can be corrected. A new
        object gets an id that it does not hold.

        Parameters
        ----------
        layer : napari.layers.Labels, optional
            Of the image's shape; None for a new one.

        Raises
        ------
        MovieError
            If no movie is chosen.
        LabelsError
            If the layer does not fit the movie.
        """
        self.require_movie()
        if layer is None:
            self.controller.state.choose_new_labels()
        else:
            self.controller.choose_labels(layer)
        self.controller.state.previews.unmark_labelled()
        self.show_previews()
        self.changed.emit()

    def embed(self) -> None:
        """Embed all frames in the background, those around the current one first."""
        self.require_movie()
        self.controller.embed()

    def embed_as_shown(self) -> None:
        """Embed again with the contrast limits that the layer has now.

        Points, labels, and embeddings for other limits stay.

        Raises
        ------
        MovieError
            If no movie is chosen.
        """
        self.require_movie()
        self.controller.embed_as_shown()

    def stop_embedding(self) -> None:
        """Stop embedding ahead of time; what is embedded stays."""
        self.controller.stop_embedding()

    def propagate(
        self,
        direction: str = "both",
        *,
        frames: FrameSelection = None,
        objects: Collection[int] | None = None,
        replace: bool = False,
        each: Collection[int] = (),
    ) -> None:
        """Carry objects from their points through the movie, in the background.

        Parameters
        ----------
        direction : {"both", "forward", "backward"}
            Towards later frames, earlier ones, or both.
        frames : range, list, slice or array of int, optional
            The frames to label, without a gap; all by default.
        objects : collection of int, optional
            All by default.
        replace : bool, default False
            Whether it may overwrite other objects, and what was painted by hand.
        each : collection of int
            Data axes of the layer that are cut. At each position along them the movie
            is segmented from the points there, one after the other.

        Raises
        ------
        MovieError
            If no movie is chosen, or it is not cut along an axis.
        PromptError
            If there are no points at any of these positions.
        OptionError
            If there is no such direction, if frames are outside the movie or have gaps,
            or if objects are not whole numbers.
        """
        movie = self.require_movie()
        asked = None if frames is None else select_frame_range(frames, len(movie))
        chosen = None
        if objects is not None:
            chosen = tuple(
                as_integer(key, "an object id", OptionError) for key in objects
            )
        replace = as_bool(replace, "replace", OptionError)
        request = RunRequest(Direction.of(direction), asked, chosen, replace)
        # Points that were added a moment ago count.
        self.read()
        if each:
            self.controller.propagate_each(self._requests_at(each, request))
            return
        document = self.history.document
        request = request.without_locked(self.controller.prompts, document)
        self.controller.propagate(request)

    def _requests_at(
        self, axes: Collection[int], request: RunRequest
    ) -> list[tuple[MovieView, PromptSet, RunRequest]]:
        """Ask for a run at each position along axes where there are prompts."""
        document, found = self.history.document, []
        locked = locked_objects(document)
        for view in self.require_movie().each(axes):
            prompts = self.objects.prompts_on(view)
            if locked.issuperset(request.choose(prompts).object_ids):
                continue
            asked = request.without_locked(prompts, document)
            found.append((view, prompts, asked))
        if not found:
            raise PromptError(
                "there is no object to carry at any position: show one with a point, "
                "or unlock it"
            )
        return found

    def correct(self) -> None:
        """Correct the labels around points that were added since the last run.

        This starts automatically a moment after a point was added. Here it starts at
        once, in the background, and includes corrections that `stop` or an error has
        prevented. Only the frames around the points are recomputed, as far as their
        result changes. Frames painted by hand and other people's labels stay.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If there is no new point on a frame that a run of its object has reached, or
            if other points of the object were moved or removed since.
        """
        self.require_movie()
        self.read()
        self.controller.correct()
        if not self.controller.corrections:
            raise PromptError(
                "there is nothing to correct: add a point on a frame that a run has "
                "labelled, or propagate"
            )

    def undo(self) -> None:
        """Take back the last action on the movie; a run under way is stopped first.

        An action is what a person or script did, with all that followed from it by
        itself: a point with its correction, a run, a stroke, a new or deleted object.
        """
        self.controller.undo()

    def redo(self) -> None:
        """Do again what was undone last, as long as nothing else was done since."""
        self.controller.redo()

    def resume(self, path: str | Path | None = None) -> None:
        """Go on with what was done on the movie before, in the background.

        What was done in this window so far stays in its own project.

        Parameters
        ----------
        path : str or Path, optional
            Of the project; the one that was written last by default.

        Raises
        ------
        MovieError
            If no movie is chosen.
        ProjectError
            If there is no project of the movie.
        """
        self.require_movie()
        if path is None:
            offers = self.controller.state.offers
            if not offers:
                raise ProjectError("there is no other project of this movie")
            path = offers[0].path
        own = self.controller.state.project.path
        if own is not None and own.absolute() == Path(path).absolute():
            self.informed.emit(f"{own.name} is open here already.")
            return
        self.controller.resume(Path(path))

    def open_project(self, path: str | Path, movie: str | Path | None = None) -> None:
        """Show the movie of a project, and go on with the project in the background.

        Parameters
        ----------
        path : str or Path
            Of the project.
        movie : str or Path, optional
            Where its movie is now; by default where it was.

        Raises
        ------
        ProjectError
            If the file is no project, or its movie is not where it was.
        """
        open_project(self, Path(path), movie)

    def save_now(self) -> None:
        """Try again to save what could not be saved."""
        self.controller.save_now()

    def save_project_as(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Copy the project with its labels to another place or machine.

        The copy has all that was done, also what could not be saved. Decoders that were
        learned are copied beside it.

        Parameters
        ----------
        path : str or Path
            Of the copy.
        overwrite : bool, default False
            Whether a file of that name may be replaced.

        Raises
        ------
        ProjectError
            If there is no project yet, some of what was done cannot be read any more,
            or the copy cannot be written.
        """
        project, history = self.controller.state.project, self.history
        if project.path is None:
            raise ProjectError(
                "there is no project yet: save what was done first, with 'Try again'"
                if history.done
                else "there is no project yet: nothing has been done"
            )
        decoders = {
            decoder
            for step in (*history.done, *history.undone)
            if step.kind == USE_DECODER
            for decoder in step.details["decoders"]
        }
        decoders.add(str(self.controller.state.options.decoder))
        project.copy_to(Path(path), overwrite=overwrite)
        copy_decoders(sorted(decoders), project.path, Path(path))

    def _on_resumed(self, state: MovieState) -> None:
        if state is self.controller.state:
            self.objects.start_listening(self._read_soon, self._on_object_picked)
            self.show_document()
            outcome = state.outcome
            self._go_back_to(self.history.document.table("options"))
            self.controller.hold()
            state.outcome = outcome
            self.controller.advance()

    def _go_back_to(self, options: Mapping[str, Any]) -> None:
        """Work along the axis, and on the object, that were chosen last."""
        axis, object_id = options.get("axis"), options.get("object")
        view = self.require_movie()
        if isinstance(axis, int) and axis != view.axis:
            with suppress(MovieError):
                self.choose_movie(view.layer, axis)
        if isinstance(object_id, int) and self.objects.find(object_id) is not None:
            self.select_object(object_id)

    def limit_history(self, limit: int) -> None:
        """Change how much memory undo may take, on all movies of the viewer.

        Parameters
        ----------
        limit : int
            Bytes; the oldest actions are forgotten beyond.

        Raises
        ------
        OptionError
            If it is no whole number, or below 1.
        """
        limit = as_integer(limit, "the memory for undo", OptionError)
        if limit < 1:
            raise OptionError(f"undo needs some memory, not {limit} bytes")
        self.controller.movies.history_limit = limit
        for state in (*self.controller.movies, self.controller.state):
            state.history.limit = limit
        self.changed.emit()

    def stop(self) -> None:
        """Stop the run or correction; finished frames stay."""
        self.controller.stop()

    def wait(
        self, timeout: float = 600, until: Callable[[], bool] | None = None
    ) -> None:
        """Keep the window alive until runs and previews are done.

        Parameters
        ----------
        timeout : float, default 600
            Seconds.
        until : callable, optional
            Says whether what is waited for is so, by default that nothing is under
            way. Called every 20 ms. Errors end the waiting as well.

        Raises
        ------
        TimeoutError
            If they are not done by then.
        SamDecoderError
            Whatever went wrong in the background meanwhile.
        """
        if until is None:
            is_done = wait_until(lambda: self.is_idle, timeout)
        else:
            is_done = wait_until(lambda: self.failure is not None or until(), timeout)
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        if not is_done:
            raise TimeoutError(f"not done after {timeout:g} seconds")


def _with_locked_rows(
    before: tuple[Any, ...], now: tuple[Any, ...], locked: Collection[int]
) -> tuple[tuple[Any, ...], set[int]]:
    """Give locked objects their rows back; also say whose rows had changed."""
    own, others = (
        [row for row in rows if row.object_id in locked] for rows in (before, now)
    )
    if own == others:
        return now, set()
    touched = {row.object_id for row in {*own} ^ {*others}}
    free, free_before = (
        [row for row in rows if row.object_id not in locked] for rows in (now, before)
    )
    return (before if free == free_before else (*own, *free)), touched or {*locked}


def _pixel(view: MovieView, place: np.ndarray) -> tuple[int, int] | None:
    """Row and column of (frame, row, column), if they are in the picture."""
    row, column = np.rint(place[1:]).astype(int).tolist()
    height, width = view.frame_shape
    return (row, column) if 0 <= row < height and 0 <= column < width else None


def _between(places: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield places with others between them, a pixel apart at most."""
    yield from places[:1]
    for start, end in pairwise(places):
        count = int(np.ceil(np.abs(end - start).max()))
        yield from np.linspace(start, end, count + 1)[1:]


def _existing_frame(view: MovieView, frame: int) -> int:
    number = as_integer(frame, "a frame", PromptError)
    if not 0 <= number < len(view):
        raise PromptError(
            f"there is no frame {number}; the movie has frames 0 to {len(view) - 1}"
        )
    return number


def _positions(view: MovieView, points: Any) -> np.ndarray:
    """(N, D) positions along every axis of the image."""
    found = np.atleast_2d(as_finite_array(points, "points", PromptError))
    ndim = len(view.spatial_shape)
    if found.size == 0:
        return np.empty((0, ndim))
    if found.ndim == 2 and found.shape[1] == ndim:
        return found
    if found.ndim == 2 and found.shape[1] == 3 and view.axis is not None:
        return _along_image(view, found)
    raise PromptError(
        f"points are (frame, row, column), or positions along the {ndim} axes of "
        f"{view.layer.name!r}; an array of shape {found.shape} holds no such points"
    )


def _along_image(view: MovieView, places: np.ndarray) -> np.ndarray:
    """Put (N, 3) frames, rows and columns on the planes that the movie is cut at."""
    found = np.repeat(np.array([view.origin(0)], dtype=float), len(places), axis=0)
    if view.axis is not None:
        found[:, view.axis] = places[:, 0]
    found[:, list(view.frame_axes)] = places[:, 1:]
    return found


def _corners(view: MovieView, frame: int, box: Any) -> np.ndarray:
    """(4, D) corners of a box along every axis of the image."""
    found = as_finite_array(box, "a box", PromptError)
    if found.shape != (4,):
        raise PromptError(
            "a box is (row0, column0, row1, column1), not an array of shape "
            f"{found.shape}"
        )
    top, left, bottom, right = found
    flat = [(top, left), (top, right), (bottom, right), (bottom, left)]
    return _along_image(view, np.array([(frame, *corner) for corner in flat]))


def _as_name(name: str | None) -> str | None:
    return None if name is None else as_text(name, "a name", PromptError)


def _as_pick(hypothesis: int | None) -> int:
    if hypothesis is None:
        return 0
    number = as_integer(hypothesis, "a hypothesis", PromptError)
    if not 1 <= number <= MAX_HYPOTHESIS:
        raise PromptError(f"a hypothesis is 1, 2 or 3, not {number}")
    return number
