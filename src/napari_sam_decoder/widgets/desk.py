"""The layers of a viewer that take part in a segmentation, and what they say."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_sam_decoder.errors import MovieError, PromptError
from napari_sam_decoder.widgets.conductor import Conductor
from napari_sam_decoder.widgets.layers import covering_layer, forget_pick, slider_point
from napari_sam_decoder.widgets.overlay import PreviewOverlay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.objects import ObjectBook, SegmentedObject
    from napari_sam_decoder.widgets.work import MovieWork

__all__ = ["Desk"]

READING_DELAY_MS = 20
"""How long points that are dragged must rest before they are read."""

_REST_S = 0.1


class Desk(QObject):
    """Movie, objects and previews of one dock, kept up to date.

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
        self.conductor = Conductor(viewer, self)
        self.failure: Exception | None = None
        self.is_closed = False
        self._overlay = PreviewOverlay(viewer)
        # Dragging a point changes it many times a second; one reading is enough.
        self._clicked.connect(self._read_click, Qt.ConnectionType.QueuedConnection)
        self._last_touched = -_REST_S
        self._reading = QTimer(self)
        self._reading.setSingleShot(True)
        self._reading.setInterval(READING_DELAY_MS)
        self._reading.timeout.connect(self.read)
        self.conductor.previewed.connect(self.show_previews)
        self.conductor.changed.connect(self.changed.emit)
        self.conductor.informed.connect(self.informed.emit)
        self.conductor.failed.connect(self._on_failed)

    def close(self) -> None:
        """Stop all work and let go of the layers."""
        self.is_closed = True
        for work in self.conductor.all_work:
            self.unhide(work)
        self._reading.stop()
        self.objects.rest()
        self.conductor.close()
        self._overlay.remove()

    @property
    def movie(self) -> MovieView | None:
        """The chosen image layer as a movie."""
        return self.conductor.movie

    @property
    def objects(self) -> ObjectBook:
        """The objects on the movie, and their points."""
        return self.conductor.work.objects

    @property
    def frame(self) -> int:
        """The frame of the movie that the viewer shows."""
        return self.conductor.frame

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way that a person waits for."""
        return self.conductor.is_idle and not self._reading.isActive()

    @property
    def labels(self) -> Labels | None:
        """The Labels layer that results go to; None before there is one."""
        return self.conductor.recorder.layer

    def holds(self, object_id: int) -> bool:
        """Whether the labels have pixels of an object, as far as is known."""
        target = self.conductor.recorder.target
        return target is not None and object_id in target.object_ids

    @property
    def notices(self) -> tuple[str, ...]:
        """Points that cannot be used, and why."""
        own = (*self.objects.reading.notices, *self.conductor.notices)
        return own if self.movie is None else (*own, *self._view_notices(self.movie))

    def _view_notices(self, view: MovieView) -> Iterator[str]:
        """Say that another picture is seen than the one that clicks are meant for."""
        cover = covering_layer(view.layer, self.viewer.layers)
        if not view.layer.visible:
            yield f"'{view.layer.name}' is hidden; show it in the layer list"
        elif cover is not None:
            yield (
                f"'{cover.name}' covers '{view.layer.name}', and clicks are meant for "
                "the latter; hide the one above, or choose it as the movie"
            )

    @property
    def current_prompt(self) -> Prompt | None:
        """The prompt of the current object on the current frame."""
        for prompt in self.conductor.prompts_here:
            if prompt.object_id == self.objects.current_id:
                return prompt
        return None

    def read(self) -> None:
        """Read the points again and act on what they say."""
        self._reading.stop()
        before = self._pointed_at
        self.objects.read(self.movie, self.viewer.layers)
        for layer in self.objects.layers:
            forget_pick(layer)
        if self._pointed_at != before:
            self.conductor.work.outcome = ""
        self.conductor.take_points(are_withdrawn=self.objects.has_lost_layers)
        self.show_previews()

    def take(self, view: MovieView | None) -> None:
        """Take another movie, or another plane of the same one."""
        self.objects.rest()
        self.conductor.set_movie(view)
        self.objects.listen(self._read_soon)
        if view is not None:
            self._show_own_layers(view)
        if view is None:
            self._overlay.remove()
        else:
            point = slider_point(view.layer, self.viewer.dims)
            self.conductor.frame = view.frame_at(point)
        self.read()

    def unhide(self, work: MovieWork) -> None:
        """Show what belongs to a movie and was hidden while another was chosen."""
        removed = []
        for layer in work.hidden:
            if layer in self.viewer.layers:
                # napari 0.6 takes apart a layer that it removes, and cannot show it
                # when it is added again.
                with suppress(KeyError):
                    layer.visible = True
            else:
                removed.append(layer)
        work.hidden = removed

    def _show_own_layers(self, view: MovieView) -> None:
        """Hide points and labels of other movies, and let no click go to them."""
        work = self.conductor.work
        others = [other for other in self.conductor.all_work if other is not work]
        for other in others:
            for layer in other.layers:
                is_shown = layer.visible and layer in self.viewer.layers
                if is_shown and layer not in work.layers:
                    layer.visible = False
                    other.hidden.append(layer)
        self.unhide(work)
        selection = self.viewer.layers.selection
        active = selection.active
        if active not in work.layers and any(active in one.layers for one in others):
            current = self.objects.current
            own = None if current is None else current.layer
            selection.active = view.layer if own is None else own

    def show_previews(self) -> None:
        """Draw what the prompts of the current frame would give."""
        movie, conductor = self.movie, self.conductor
        masks = conductor.previews.masks(conductor.prompts_here)
        if movie is not None:
            self._overlay.show(movie, self.frame, masks)

    @property
    def _pointed_at(self) -> list[Prompt]:
        return [*self.conductor.prompts, *self.conductor.negatives]

    def _read_click(self) -> None:
        """Read, and show the answer if it comes soon, before the window is painted."""
        self.read()
        self.conductor.hurry_preview()

    def _read_soon(self) -> None:
        now = monotonic()
        if now - self._last_touched > _REST_S:
            self._clicked.emit()
        self._last_touched = now
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
