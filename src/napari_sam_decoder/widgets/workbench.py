"""Everything that a person or a script can do with the dock."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_sam_decoder.errors import MovieError, OptionError, PromptError
from napari_sam_decoder.frames import select_frame_range
from napari_sam_decoder.project import RunRequest
from napari_sam_decoder.propagation import Direction
from napari_sam_decoder.validation import MAX_OBJECT_ID, as_bool, as_integer
from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.controller import Controller
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.layers import (
    MovieView,
    clear_next_hypothesis,
    covering_layer,
    go_to_frame,
    new_points_layer,
    next_sign,
    pick_hypothesis,
    set_next_object,
    set_sign,
    show_frames,
    slider_point,
)
from napari_sam_decoder.widgets.previews import PreviewOverlay
from napari_sam_decoder.widgets.viewer_events import ViewerEvents

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer, Points

    from napari_sam_decoder.frames import FrameSelection
    from napari_sam_decoder.project import History
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import Settings
    from napari_sam_decoder.widgets.movie_state import ModelOptions, MovieState
    from napari_sam_decoder.widgets.objects import ObjectList, SegmentedObject

__all__ = ["Workbench"]

READING_DELAY_MS = 20
"""How long dragged points must stay in place before they are read."""
_PAUSE_S = 0.1
SCAN_TIMEOUT_S = 3600


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
        self._overlay = PreviewOverlay(viewer)
        # Dragging a point changes it many times a second; one reading is enough.
        self._clicked.connect(self._read_click, Qt.ConnectionType.QueuedConnection)
        self._last_touched = -_PAUSE_S
        self._is_read_queued = False
        self._reading = QTimer(self)
        self._reading.setSingleShot(True)
        self._reading.setInterval(READING_DELAY_MS)
        self._reading.timeout.connect(self.read)
        self.controller.previewed.connect(self.show_previews)
        self.controller.changed.connect(self.changed.emit)
        self.controller.informed.connect(self.informed.emit)
        self.controller.failed.connect(self._on_failed)
        self._spare: Points | None = None
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
        self._reading.stop()
        self.objects.stop_listening()
        self.controller.close()
        self._overlay.remove()

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
    def notices(self) -> tuple[str, ...]:
        """What cannot be used or does not fit, and why."""
        own = (*self.objects.reading.notices, *self.controller.notices)
        view = () if self.movie is None else self._view_notices(self.movie)
        return (*own, *view, *self._viewer_events.notices)

    def _view_notices(self, view: MovieView) -> Iterator[str]:
        """Say when another image is seen than the one that is clicked."""
        cover = covering_layer(view.layer, self.viewer.layers)
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

    def read(self) -> None:
        """Read the points again and act on them."""
        self._reading.stop()
        self._is_read_queued = False
        before = self._pointed_at
        self.objects.read(self.movie, self.viewer.layers)
        for layer in self.objects.layers:
            clear_next_hypothesis(layer)
        if self._pointed_at != before:
            self.controller.state.outcome = ""
        self.controller.update_points(are_withdrawn=self.objects.has_lost_layers)
        self.show_previews()

    def set_movie(self, view: MovieView | None) -> None:
        """Work on another movie, or another plane of the same one, or on none."""
        self.objects.stop_listening()
        self.controller.set_movie(view)
        self.objects.start_listening(self._read_soon)
        if view is not None:
            self._show_own_layers(view)
        if view is None:
            self._overlay.clear()
        else:
            point = slider_point(view.layer, self.viewer.dims)
            self.controller.frame = view.frame_at(point)
        self.read()
        if view is not None:
            self._viewer_events.follow(self.controller.state, view.layer)

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
            current = self.objects.current
            own = None if current is None else current.layer
            selection.active = view.layer if own is None else own

    def show_previews(self) -> None:
        """Draw the masks that the prompts of the current frame give."""
        movie, controller = self.movie, self.controller
        masks = controller.state.previews.masks(controller.prompts_here)
        if movie is not None:
            self._overlay.show(movie, self.frame, masks)

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
            raise PromptError("there is no object yet: press 'New object' first")
        return self.objects.current

    def _on_failed(self, error: Exception) -> None:
        self.failure = error
        self.failed.emit(error)

    def new_object(self, name: str | None = None) -> Points:
        """Add a Points layer for one more object, and let clicks go to it.

        Its id is new: no labels of the movie's shape hold it, and it was not given
        before. Large labels are scanned for that first; the window stays alive
        meanwhile.

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
        """Use the points of an existing layer as prompts.

        Parameters
        ----------
        layer : napari.layers.Points
            With the features ``label`` (positive or negative) and ``object_id``.
            Without them, all points are positive and belong to one object.
        """
        if layer not in self.objects:
            own_id = self._new_id()
            before = {*self.controller.prompts, *self.controller.negatives}
            self.objects.use(layer, own_id)
            self.objects.read(self.movie, self.viewer.layers)
            present = {*self.controller.prompts, *self.controller.negatives}
            self.controller.attribute_labels(present - before)
            self.controller.state.outcome = ""
            self.read()

    def drop_points(self, layer: Points) -> None:
        """Stop using the points of a layer as prompts."""
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
        self.controller.state.outcome = ""
        self._let_clicks_go_to(self.objects.select(object_id))

    def set_sign(self, is_positive: bool) -> None:
        """Make the next clicks positive or negative.

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
        set_sign(self._points_of(listed), is_positive)
        self._let_clicks_go_to(self.require_object())

    @property
    def is_next_positive(self) -> bool:
        """Whether the next click is a positive point."""
        current = self.objects.current
        layer = None if current is None else current.layer
        return layer is None or next_sign(layer)

    def choose_hypothesis(self, number: int | None) -> None:
        """Pick a hypothesis for the current object on the current frame.

        Parameters
        ----------
        number : {1, 2, 3} or None
            None for the best one, chosen automatically.

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
        """Return a new id, once it is known which ones are taken."""
        view, taken = self.require_movie(), None
        while taken is None:
            view = self.require_movie()
            taken = self.controller.ids.taken(view)
            if taken is None:
                wait_until(self._is_known, SCAN_TIMEOUT_S)
            if self.is_closed:
                raise MovieError("the dock was closed; open it and try again")
        target = self.controller.state.target
        highest = MAX_OBJECT_ID if target is None else target.highest_id
        object_id = self.controller.ids.give(view, taken, highest)
        self.objects.created_ids.add(object_id)
        return object_id

    def _is_known(self) -> bool:
        return self.is_closed or not self.controller.is_scanning

    def _points_of(self, listed: SegmentedObject) -> Points:
        """Return the layer that takes an object's clicks, made if there is none."""
        if listed.layer is not None:
            return listed.layer
        spare = self._spare
        is_free = spare is not None and spare in self.objects and not len(spare.data)
        if spare is None or not is_free or spare not in self.viewer.layers:
            self._spare = self._make_layer(listed.object_id, listed.name)
            return self._spare
        # Reused: selecting one object after another must not add a layer for each.
        set_next_object(spare, listed.object_id, object_colour(listed.object_id))
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
        set_next_object(layer, listed.object_id, object_colour(listed.object_id))
        self.viewer.layers.selection.active = layer
        layer.mode = "add"
        self.changed.emit()

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

    def on_points_selected(self, layer: Points) -> None:
        """Work on the object of a Points layer, and on its movie."""
        if layer not in self.objects:
            for state in self.controller.movies:
                if layer in state.objects and state.view is not None:
                    self.choose_movie(state.view.layer)
                    break
        current = self.objects.current
        if current is None or current.layer is not layer:
            self.objects.on_points_selected(layer)
            self.changed.emit()

    def on_pixels_replaced(self, layer: Image) -> None:
        """Work on the new pixels of a movie."""
        state = self.controller.movies.find(layer)
        if state is None:
            return
        self.controller.release_movie(state, "has other pixels now")
        if state is self.controller.state:
            try:
                self.choose_movie(layer)
            except MovieError as error:
                self.choose_movie(None)
                self.informed.emit(str(error))

    def on_movie_removed(self, layer: Layer) -> None:
        """Stop working on a layer that was removed, if it is a movie."""
        state = self.controller.movies.find(layer)
        if state is None:
            return
        self.controller.release_movie(state, "was removed")
        self.show_hidden_layers(state)
        if state is self.controller.state:
            self.choose_movie(None)

    def on_labels_removed(self, layer: Labels) -> None:
        """Forget a Labels layer that was removed, perhaps during a run."""
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
            from all frames, in the background.

        Raises
        ------
        OptionError
            If ``labels`` is neither.
        PromptError
            If there is no such object, or it is being computed.
        """
        if labels not in ("keep", "remove"):
            raise OptionError(f"labels must be 'keep' or 'remove', not {labels!r}")
        found = self.objects.require(object_id)
        self.controller.require_not_running(object_id)
        for layer in self.objects.remove(object_id):
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self.controller.dismiss_object(object_id)
        self.read()
        if labels == "remove" and self.labels is not None:
            self.controller.erase_object(object_id, found.name)
        else:
            self.controller.state.outcome = f"{found.name!r} was deleted."
        self.controller.advance()

    def configure(self, options: ModelOptions) -> None:
        """Use another model, device, contrast or cache from now on.

        Parameters
        ----------
        options : ModelOptions
            All of them.
        """
        self.controller.set_options(options)

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
            self.controller.state.target = None
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

        Raises
        ------
        MovieError
            If no movie is chosen.
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
        self.controller.propagate(request)

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

    def limit_history(self, limit: int) -> None:
        """Change how much memory undo may take, on all movies of the viewer.

        Parameters
        ----------
        limit : int
            Bytes; the oldest actions are forgotten beyond.

        Raises
        ------
        OptionError
            If it is below 1.
        """
        if limit < 1:
            raise OptionError(f"undo needs some memory, not {limit} bytes")
        self.controller.movies.history_limit = limit
        for state in (*self.controller.movies, self.controller.state):
            state.history.limit = limit
        self.changed.emit()

    def stop(self) -> None:
        """Stop the run or correction; finished frames stay."""
        self.controller.stop()

    def wait(self, timeout: float = 600) -> None:
        """Keep the window alive until runs and previews are done.

        Parameters
        ----------
        timeout : float, default 600
            Seconds.

        Raises
        ------
        TimeoutError
            If they are not done by then.
        SamDecoderError
            Whatever went wrong in the background meanwhile.
        """
        is_done = wait_until(lambda: self.is_idle, timeout)
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        if not is_done:
            raise TimeoutError(f"not done after {timeout:g} seconds")
