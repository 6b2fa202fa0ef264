"""Takes the results of a run into a Labels layer while the window stays usable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_sam_decoder.widgets.layers import check_target, new_labels_layer
from napari_sam_decoder.widgets.overlay import add_quietly
from napari_sam_decoder.widgets.pace import Pace
from napari_sam_decoder.widgets.runs import Run, VerdictBook
from napari_sam_decoder.widgets.target import LabelsTarget

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.runs import RunRequest

__all__ = ["LABELS_NAME", "Recorder"]

LABELS_NAME = "SAM labels"
REPAINT_MS = 100


class Recorder(QObject):
    """The Labels layer that results go to, and the run that fills it.

    Parameters
    ----------
    viewer : ViewerModel
        Where new Labels layers are added.
    parent : QObject
        Takes it along when it is deleted.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.target: LabelsTarget | None = None
        self.run: Run | None = None
        self.verdicts = VerdictBook()
        self._repaint = QTimer(self)
        self._repaint.setSingleShot(True)
        self._repaint.setInterval(REPAINT_MS)
        self._repaint.timeout.connect(self._refresh)

    @property
    def layer(self) -> Labels | None:
        """The Labels layer, unless the next run makes one."""
        return None if self.target is None else self.target.layer

    @property
    def taken_ids(self) -> frozenset[int]:
        """Ids in the layer that are not of this dock's making, as far as known."""
        return (self.target and self.target.foreign_ids) or frozenset()

    @property
    def is_ready(self) -> bool:
        """Whether it is known what the layer holds."""
        return self.target is None or self.target.foreign_ids is not None

    def choose(
        self, view: MovieView, layer: Labels, ids: Collection[int] | None
    ) -> tuple[str, ...]:
        """Let results go to a layer that is there.

        Parameters
        ----------
        view : MovieView
            The movie.
        layer : Labels
            Of the movie's shape.
        ids : collection of int, optional
            Ids of others in it; None if they have to be looked for.

        Returns
        -------
        tuple of str
            What the user should know about the layer.

        Raises
        ------
        LabelsError
            If the layer does not fit, or cannot be written.
        """
        notices = check_target(view, layer, highest_id=1)
        self.release()
        self.target = LabelsTarget(layer, view, ids)
        return notices

    def release(self) -> None:
        """Let go of the layer; the next run makes a new one."""
        self._repaint.stop()
        if self.target is not None:
            self.target.close()
        self.target = None
        self.verdicts.clear()

    def follow(self, view: MovieView) -> None:
        """Keep the layer for another plane of the same image, else let it go."""
        if self.target is not None and self.target.view.layer is view.layer:
            self.target.view = view
        else:
            self.release()

    def begin(
        self, view: MovieView, prompts: PromptSet, request: RunRequest, visits: int
    ) -> None:
        """Make ready for the results of a run.

        Parameters
        ----------
        view : MovieView
            The movie.
        prompts : PromptSet
            Those of the run.
        request : RunRequest
            Says whether to replace.
        visits : int
            Results to come.

        Raises
        ------
        LabelsError
            If the layer cannot take the objects.
        """
        if self.target is None:
            layer = new_labels_layer(view, LABELS_NAME, max(prompts.object_ids))
            add_quietly(self._viewer, layer, above=view.layer)
            self.target = LabelsTarget(layer, view, ())
        check_target(view, self.target.layer, max(prompts.object_ids))
        if not request.replace:
            self.target.require_free(prompts.object_ids)
        self.target.own(prompts.object_ids)
        self.target.ledger.begin(prompts)
        self.run = Run(view, self.target, prompts, request.replace, Pace(visits))

    def take(self, result: FrameResult, shown_frame: int | None) -> None:
        """Write a result, and repaint soon if it is on the screen.

        Parameters
        ----------
        result : FrameResult
            Of the run.
        shown_frame : int, optional
            The frame on the screen; None if that shows another plane of the image.
        """
        if self.run is None:
            return
        self.run.take(result)
        self.verdicts.note(result)
        # In 3-D a repaint sends the whole volume to the screen: once, at the end.
        is_seen = result.frame == shown_frame and self._viewer.dims.ndisplay == 2
        if is_seen and not self._repaint.isActive():
            self._repaint.start()

    def end(self, *, was_stopped: bool) -> str:
        """Finish the run and say what came of it."""
        run, self.run = self.run, None
        self._refresh()
        return "" if run is None else run.summary(was_stopped=was_stopped)

    def _refresh(self) -> None:
        if self.target is not None:
            self.target.layer.refresh(extent=False)
