from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import SHAPE, result_on, view_of
from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.project import RunRequest
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.widgets.layers import MovieView
from napari_sam_decoder.widgets.movie_state import MovieState, PendingRun
from napari_sam_decoder.widgets.result_writer import LABELS_NAME, ResultWriter

pytestmark = pytest.mark.gui

KEEP, REPLACE = RunRequest(), RunRequest(replace=True)


def prompts_of(*object_ids):
    return PromptSet(Prompt(object_id, 0, points=[(5, 5)]) for object_id in object_ids)


@pytest.fixture
def writer(qapp, viewer):
    owner = QObject()
    writer = ResultWriter(viewer, owner)
    yield writer
    owner.deleteLater()


@pytest.fixture
def state():
    return MovieState()


@pytest.fixture
def painted(viewer):
    """A labels layer of somebody else, full of object 3."""
    return viewer.add_labels(np.full(SHAPE, 3, np.uint16), name="mine")


def begin(writer, state, view, prompts, request):
    """Begin a run on the current movie, which will have four results."""
    writer.begin(PendingRun(state, view, prompts, request), prompts, 4)


class Screen:
    """Counts how often a layer is drawn."""

    def __init__(self, layer):
        self.drawn = 0
        layer.events.set_data.connect(self._note)

    def _note(self, _):
        self.drawn += 1


def will_draw(writer):
    return any(timer.isActive() for timer in writer.findChildren(QTimer))


def test_the_first_run_makes_a_layer_above_the_movie(writer, viewer, view, state):
    points = viewer.add_points(np.empty((0, 3)), name="points")
    begin(writer, state, view, prompts_of(1), KEEP)
    assert [layer.name for layer in viewer.layers] == [
        view.layer.name,
        LABELS_NAME,
        "points",
    ]
    assert state.labels_layer is viewer.layers[LABELS_NAME]
    assert viewer.layers.selection.active is points
    assert writer.run.progress.total == 4


def test_the_next_run_goes_on_in_the_same_layer(writer, viewer, view, state):
    for object_ids in ((1,), (1, 2)):
        begin(writer, state, view, prompts_of(*object_ids), KEEP)
        writer.end(was_stopped=False)
    assert len(viewer.layers) == 2


def test_a_new_layer_holds_every_id(writer, view, state):
    """Ids of tracks that come from elsewhere may be large."""
    begin(writer, state, view, prompts_of(70_000), KEEP)
    assert state.labels_layer.data.dtype == np.uint32


def test_results_go_to_the_chosen_layer(writer, view, painted, state):
    assert state.choose_labels(view, painted) == ()
    begin(writer, state, view, prompts_of(1), REPLACE)
    writer.write(result_on(2), shown_frame=0)
    assert painted.data[:, 0, 0].tolist() == [3, 3, 1, 3]
    assert state.labels_layer is painted


def test_a_layer_that_does_not_fit_is_refused_and_the_old_one_stays(
    writer, view, painted, state
):
    state.choose_labels(view, painted)
    with pytest.raises(LabelsError, match="does not fit"):
        state.choose_labels(view, Labels(np.zeros((2, 3, 4), int)))
    assert state.labels_layer is painted


def test_ids_that_do_not_fit_the_layer_are_refused(writer, view, state):
    state.choose_labels(view, Labels(np.zeros(SHAPE, np.uint8), name="small"))
    with pytest.raises(LabelsError, match="'small' holds uint8"):
        begin(writer, state, view, prompts_of(300), KEEP)
    assert writer.run is None


def test_what_is_odd_about_a_layer_is_told(writer, view, state):
    moved = Labels(np.zeros(SHAPE, int), name="moved", translate=(0, 5, 5))
    (notice,) = state.choose_labels(view, moved)
    assert "'moved' lies elsewhere" in notice


def test_a_result_on_the_screen_is_drawn_soon(writer, view, qtbot, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    screen = Screen(state.labels_layer)
    writer.write(result_on(0), shown_frame=0)
    assert state.labels_layer.data[0].all()
    assert screen.drawn == 0
    qtbot.waitUntil(lambda: screen.drawn == 1)
    assert not will_draw(writer)


def test_many_results_are_drawn_at_once(writer, view, qtbot, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    screen = Screen(state.labels_layer)
    for _ in range(20):
        writer.write(result_on(0), shown_frame=0)
    qtbot.waitUntil(lambda: screen.drawn == 1)
    assert not will_draw(writer)


def test_results_elsewhere_are_not_drawn(writer, view, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    screen = Screen(state.labels_layer)
    for frame in (1, 2, 3):
        writer.write(result_on(frame), shown_frame=0)
    assert not will_draw(writer)
    assert screen.drawn == 0
    assert state.labels_layer.data[1:].all()


def test_a_volume_is_drawn_at_the_end_only(writer, viewer, view, state):
    viewer.dims.ndisplay = 3
    begin(writer, state, view, prompts_of(1), KEEP)
    screen = Screen(state.labels_layer)
    for frame in range(4):
        writer.write(result_on(frame), shown_frame=frame)
    assert not will_draw(writer)
    assert screen.drawn == 0
    writer.end(was_stopped=False)
    assert screen.drawn == 1


def test_the_end_is_told_and_drawn(writer, view, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    screen = Screen(state.labels_layer)
    writer.write(result_on(1, verdict=Verdict.DOUBTFUL), shown_frame=0)
    told = writer.end(was_stopped=True)
    assert told == "Stopped; done so far: 1 frame, 1 doubtful."
    assert screen.drawn == 1
    assert writer.run is None
    assert writer.end(was_stopped=True) == ""


def test_a_late_result_is_not_written(writer, view, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    writer.end(was_stopped=True)
    writer.write(result_on(1), shown_frame=1)
    assert not state.labels_layer.data.any()
    assert not will_draw(writer)


def test_painted_frames_are_kept_and_told(writer, view, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    state.labels_layer.paint((2, 5, 5), 1)
    painted = state.labels_layer.data[2].copy()
    for frame in range(4):
        writer.write(result_on(frame), shown_frame=0)
    np.testing.assert_array_equal(state.labels_layer.data[2], painted)
    assert "1 kept as you painted them" in writer.end(was_stopped=False)


def test_verdicts_outlive_the_run(writer, view, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    writer.write(result_on(1, verdict=Verdict.DOUBTFUL), shown_frame=0)
    writer.end(was_stopped=False)
    assert state.verdict(1, 1).verdict is Verdict.DOUBTFUL
    state.target = None
    assert state.verdict(1, 1) is None


def test_after_letting_go_the_next_run_makes_another_layer(writer, viewer, view, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    first = state.labels_layer
    state.target = None
    begin(writer, state, view, prompts_of(1), KEEP)
    assert state.labels_layer is not first
    assert len(viewer.layers) == 3


def test_another_plane_of_the_image_keeps_the_layer(writer, view, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    layer = state.labels_layer
    sideways = MovieView.of(view.layer, 1)
    state.keep_fitting_labels(sideways)
    assert state.labels_layer is layer
    begin(writer, state, sideways, prompts_of(1), REPLACE)
    writer.write(result_on(3, shape=sideways.frame_shape), shown_frame=0)
    assert layer.data[:, 3].all()
    assert layer.data.sum() == layer.data[:, 3].sum()


def test_an_image_of_another_shape_lets_the_layer_go(writer, view, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    state.keep_fitting_labels(view_of((4, 12, 15)))
    assert state.labels_layer is None


def test_another_movie_has_labels_of_its_own(writer, view, state):
    begin(writer, state, view, prompts_of(1), KEEP)
    layer = state.labels_layer
    assert MovieState().labels_layer is None
    writer.write(result_on(0), shown_frame=None)
    assert layer.data[0].all(), "the run goes on"
    assert state.labels_layer is layer
