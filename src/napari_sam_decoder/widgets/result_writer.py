"""Writes the results of a run into a Labels layer while the window stays usable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_sam_decoder.project import made_with
from napari_sam_decoder.widgets.layers import check_target, new_labels_layer
from napari_sam_decoder.widgets.previews import add_quietly
from napari_sam_decoder.widgets.runs import ProgressEstimate, ShownRun

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam_decoder.project import Step
    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.movie_state import MovieState, PendingRun
    from napari_sam_decoder.widgets.runs import ShownCorrection

__all__ = ["LABELS_NAME", "ResultWriter"]

LABELS_NAME = "SAM labels"
REPAINT_MS = 100


class ResultWriter(QObject):
    """Writes results of the run under way, whether its movie is current or not.

    Parameters
    ----------
    viewer : ViewerModel
        Where new Labels layers are added.
    parent : QObject
        Takes it along when it is deleted.

    Attributes
    ----------
    run : ShownRun or ShownCorrection or None
        Under way, on this movie or on another.
    running : MovieState or None
        The state of the movie of the run.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.run: ShownRun | ShownCorrection | None = None
        self.running: MovieState | None = None
        self._repaint = QTimer(self)
        self._repaint.setSingleShot(True)
        self._repaint.setInterval(REPAINT_MS)
        self._repaint.timeout.connect(self._refresh)

    def begin(
        self,
        pending: PendingRun,
        prompts: PromptSet,
        visits: int,
        session: Session | None = None,
    ) -> None:
        """Prepare a Labels layer for the results of a run.

        Parameters
        ----------
        pending : PendingRun
            Says on which movie, and whether to replace.
        prompts : PromptSet
            Those of the run.
        visits : int
            Results to come.
        session : Session, optional
            Makes the results; the run then records how.

        Raises
        ------
        LabelsError
            If the layer cannot take the objects.
        """
        state, view, replace = pending.state, pending.view, pending.request.replace
        highest_id = max(prompts.object_ids)
        target = state.target
        if target is None:
            layer = new_labels_layer(view, LABELS_NAME, highest_id)
            add_quietly(self._viewer, layer, above=view.layer)
            target = state.add_target(layer, view, is_blank=True)
        check_target(view, target.layer, highest_id)
        run = ShownRun(
            view,
            target,
            prompts,
            replace,
            pending.request,
            progress=ProgressEstimate(visits),
        )
        self.start(state, run, pending.cause, session)
        with run.recording():
            target.begin(view, prompts, pending.request)

    def start(
        self,
        state: MovieState,
        run: ShownRun | ShownCorrection,
        cause: Step | None,
        session: Session | None = None,
    ) -> None:
        """Write results of a run from now on.

        Parameters
        ----------
        state : MovieState
            Of its movie.
        run : ShownRun or ShownCorrection
            A propagation or correction.
        cause : Step, optional
            What is undone together with it.
        session : Session, optional
            Makes the results.
        """
        if session is not None:
            run.made_with = made_with(session)
        run.open_step(state.history, cause)
        self.run, self.running = run, state

    def write(self, result: FrameResult, shown_frame: int | None) -> None:
        """Write a result, and repaint soon if its frame is on the screen.

        Parameters
        ----------
        result : FrameResult
            Of the run.
        shown_frame : int, optional
            The frame on the screen; None if that shows another movie or plane.
        """
        if self.run is None or self.running is None:
            return
        self.run.record(result)
        # In 3-D every repaint draws the whole volume, so it is done once, at the end.
        is_seen = result.frame == shown_frame and self._viewer.dims.ndisplay == 2
        if is_seen and not self._repaint.isActive():
            self._repaint.start()

    def end(self, *, was_stopped: bool) -> str:
        """Finish the run and say what was done."""
        self._refresh()
        run, self.run, self.running = self.run, None, None
        return "" if run is None else run.summary(was_stopped=was_stopped)

    def _refresh(self) -> None:
        self._repaint.stop()
        if self.run is not None:
            self.run.target.layer.refresh(extent=False)
