"""Takes the results of a run into a Labels layer while the window stays usable."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from qtpy.QtCore import QObject, QTimer

from napari_sam_decoder.widgets.layers import check_target, new_labels_layer
from napari_sam_decoder.widgets.movie_state import MovieState
from napari_sam_decoder.widgets.previews import add_quietly
from napari_sam_decoder.widgets.runs import ProgressEstimate, Run, VerdictTable
from napari_sam_decoder.widgets.target_layer import LabelsTarget

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.widgets.correction_log import AppliedCorrection
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.movie_state import PendingRun

__all__ = ["LABELS_NAME", "ResultWriter"]

LABELS_NAME = "SAM labels"
REPAINT_MS = 100


class ResultWriter(QObject):
    """The Labels layer of the movie of now, and the run that fills it or another.

    Parameters
    ----------
    viewer : ViewerModel
        Where new Labels layers are added.
    parent : QObject
        Takes it along when it is deleted.

    Attributes
    ----------
    state : MovieState
        On the movie of now.
    run : Run or None
        Under way, on this movie or on another.
    running : MovieState or None
        The work that the run belongs to.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.state = MovieState()
        self.run: Run | None = None
        self.running: MovieState | None = None
        self._repaint = QTimer(self)
        self._repaint.setSingleShot(True)
        self._repaint.setInterval(REPAINT_MS)
        self._repaint.timeout.connect(self._refresh)

    @property
    def target(self) -> LabelsTarget | None:
        """Where results go, unless the next run makes a layer."""
        return self.state.target

    @property
    def layer(self) -> Labels | None:
        """The Labels layer, unless the next run makes one."""
        return None if self.target is None else self.target.layer

    @property
    def verdicts(self) -> VerdictTable:
        """What runs have said of the movie of now."""
        return VerdictTable() if self.target is None else self.target.verdicts

    def choose(self, view: MovieView, layer: Labels) -> tuple[str, ...]:
        """Let results go to a layer that is there.

        Parameters
        ----------
        view : MovieView
            The movie.
        layer : Labels
            Of the movie's shape.

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
        known = self.state.targets.get(layer)
        if known is None:
            self._aim(self.state, LabelsTarget(layer, view))
        else:
            known.view = view
            known.reconsider()
            self.state.target = known
        return notices

    def release(self) -> None:
        """Let the next run make a new layer."""
        self.state.target = None

    def fit(self, view: MovieView) -> None:
        """Keep the layers for another cut of the same image, if they fit it still."""
        for layer, target in tuple(self.state.targets.items()):
            if layer.data.shape == view.spatial_shape:
                target.view = view
            else:
                self.forget(self.state, layer)

    def forget(self, state: MovieState, layer: Labels) -> None:
        """Let go of a layer that fits a movie no more, or that the viewer lacks."""
        target = state.targets.pop(layer, None)
        if target is None:
            return
        target.close()
        if target is state.target:
            state.target, state.lost = None, ref(layer)

    def begin(self, pending: PendingRun, prompts: PromptSet, visits: int) -> None:
        """Make ready for the results of a run.

        Parameters
        ----------
        pending : PendingRun
            Says on which movie, and whether to replace.
        prompts : PromptSet
            Those of the run.
        visits : int
            Results to come.

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
            target = LabelsTarget(layer, view, is_blank=True)
            self._aim(state, target)
        check_target(view, target.layer, highest_id)
        target.begin(view, prompts, pending.request)
        progress = ProgressEstimate(visits)
        self.start(
            state, Run(view, target, prompts, replace, progress, pending.request)
        )

    def start(self, state: MovieState, run: Run) -> None:
        """Take results for a run from now on."""
        self.run, self.running = run, state

    def take(self, result: FrameResult, shown_frame: int | None) -> None:
        """Write a result, and repaint soon if it is on the screen.

        Parameters
        ----------
        result : FrameResult
            Of the run.
        shown_frame : int, optional
            The frame on the screen; None if that shows another movie or plane.
        """
        if self.run is None:
            return
        self.run.take(result)
        # In 3-D a repaint sends the whole volume to the screen: once, at the end.
        is_seen = result.frame == shown_frame and self._viewer.dims.ndisplay == 2
        if is_seen and not self._repaint.isActive():
            self._repaint.start()

    def end(self, *, was_stopped: bool) -> str:
        """Finish the run and say what came of it."""
        self._refresh()
        run, self.run, self.running = self.run, None, None
        return "" if run is None else run.summary(was_stopped=was_stopped)

    def undo(self, view: MovieView, taken_back: Collection[AppliedCorrection]) -> int:
        """Take corrections back in the labels; say on how many frames that shows."""
        if self.target is None or not taken_back:
            return 0
        frames = self.target.undo(view, taken_back)
        self.target.layer.refresh(extent=False)
        return len(frames)

    def _aim(self, state: MovieState, target: LabelsTarget) -> None:
        state.targets[target.layer] = state.target = target

    def _refresh(self) -> None:
        self._repaint.stop()
        if self.run is not None:
            self.run.target.layer.refresh(extent=False)
