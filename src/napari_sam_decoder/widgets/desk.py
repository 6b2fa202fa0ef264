"""The layers of a viewer that take part in a segmentation, and what they say."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_sam_decoder.errors import MovieError, PromptError
from napari_sam_decoder.widgets.conductor import Conductor
from napari_sam_decoder.widgets.layers import forget_pick, slider_point, unused_notices
from napari_sam_decoder.widgets.objects import ObjectBook
from napari_sam_decoder.widgets.overlay import PreviewOverlay

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.widgets.layers import MovieView, ObjectPoints

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
    failed = Signal(object)
    _clicked = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.conductor = Conductor(viewer, self)
        self.objects = ObjectBook(self._read_soon)
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
        self.conductor.failed.connect(self._on_failed)

    def close(self) -> None:
        """Stop all work and let go of the layers."""
        self.is_closed = True
        self._reading.stop()
        self.conductor.close()
        self.objects.close()
        self._overlay.remove()

    @property
    def movie(self) -> MovieView | None:
        """The chosen image layer as a movie."""
        return self.conductor.movie

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

    @property
    def notices(self) -> tuple[str, ...]:
        """Points that cannot be used, and why."""
        unused = unused_notices(self.conductor.unused)
        return (*self.objects.reading.notices, *unused)

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
        self.objects.read(self.movie)
        for layer in self.objects.layers:
            forget_pick(layer)
        reading = self.objects.reading
        self.conductor.set_prompts(reading.prompts, reading.negatives)
        self.show_previews()

    def take(self, view: MovieView | None) -> None:
        """Take another movie, or another plane of the same one."""
        self.conductor.set_movie(view)
        if view is None:
            self._overlay.remove()
        else:
            point = slider_point(view.layer, self.viewer.dims)
            self.conductor.frame = view.frame_at(point)
        self.read()

    def show_previews(self) -> None:
        """Draw what the prompts of the current frame would give."""
        movie, conductor = self.movie, self.conductor
        masks = conductor.previews.masks(conductor.prompts_here)
        if movie is not None:
            self._overlay.show(movie, self.frame, masks)

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

    def require_object(self) -> ObjectPoints:
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
