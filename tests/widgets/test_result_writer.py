from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import SHAPE, result_on, view_of
from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.widgets.layers import MovieView
from napari_sam_decoder.widgets.movie_state import MovieWork, RunRequest, WantedRun
from napari_sam_decoder.widgets.result_writer import LABELS_NAME, Recorder

pytestmark = pytest.mark.gui

KEEP, REPLACE = RunRequest(), RunRequest(replace=True)


def prompts_of(*object_ids):
    return PromptSet(Prompt(object_id, 0, points=[(5, 5)]) for object_id in object_ids)


@pytest.fixture
def recorder(qapp, viewer):
    owner = QObject()
    recorder = Recorder(viewer, owner)
    yield recorder
    owner.deleteLater()


@pytest.fixture
def painted(viewer):
    """A labels layer of somebody else, full of object 3."""
    return viewer.add_labels(np.full(SHAPE, 3, np.uint16), name="mine")


def begin(recorder, view, prompts, request):
    """Begin a run on the movie of now, which will have four results."""
    recorder.begin(WantedRun(recorder.work, view, prompts, request), prompts, 4)


class Screen:
    """Counts how often a layer is drawn."""

    def __init__(self, layer):
        self.drawn = 0
        layer.events.set_data.connect(self._note)

    def _note(self, _):
        self.drawn += 1


def will_draw(recorder):
    return any(timer.isActive() for timer in recorder.findChildren(QTimer))


def test_the_first_run_makes_a_layer_above_the_movie(recorder, viewer, view):
    points = viewer.add_points(np.empty((0, 3)), name="points")
    begin(recorder, view, prompts_of(1), KEEP)
    assert [layer.name for layer in viewer.layers] == [
        view.layer.name,
        LABELS_NAME,
        "points",
    ]
    assert recorder.layer is viewer.layers[LABELS_NAME]
    assert viewer.layers.selection.active is points
    assert recorder.run.pace.total == 4


def test_the_next_run_goes_on_in_the_same_layer(recorder, viewer, view):
    for object_ids in ((1,), (1, 2)):
        begin(recorder, view, prompts_of(*object_ids), KEEP)
        recorder.end(was_stopped=False)
    assert len(viewer.layers) == 2


def test_a_new_layer_holds_every_id(recorder, view):
    """Ids of tracks that come from elsewhere may be large."""
    begin(recorder, view, prompts_of(70_000), KEEP)
    assert recorder.layer.data.dtype == np.uint32


def test_results_go_to_the_chosen_layer(recorder, view, painted):
    assert recorder.choose(view, painted) == ()
    begin(recorder, view, prompts_of(1), REPLACE)
    recorder.take(result_on(2), shown_frame=0)
    assert painted.data[:, 0, 0].tolist() == [3, 3, 1, 3]
    assert recorder.layer is painted


def test_a_layer_that_does_not_fit_is_refused_and_the_old_one_stays(
    recorder, view, painted
):
    recorder.choose(view, painted)
    with pytest.raises(LabelsError, match="does not fit"):
        recorder.choose(view, Labels(np.zeros((2, 3, 4), int)))
    assert recorder.layer is painted


def test_ids_that_do_not_fit_the_layer_are_refused(recorder, view):
    recorder.choose(view, Labels(np.zeros(SHAPE, np.uint8), name="small"))
    with pytest.raises(LabelsError, match="'small' holds uint8"):
        begin(recorder, view, prompts_of(300), KEEP)
    assert recorder.run is None


def test_what_is_odd_about_a_layer_is_told(recorder, view):
    moved = Labels(np.zeros(SHAPE, int), name="moved", translate=(0, 5, 5))
    (notice,) = recorder.choose(view, moved)
    assert "'moved' lies elsewhere" in notice


def test_a_result_on_the_screen_is_drawn_soon(recorder, view, qtbot):
    begin(recorder, view, prompts_of(1), KEEP)
    screen = Screen(recorder.layer)
    recorder.take(result_on(0), shown_frame=0)
    assert recorder.layer.data[0].all()
    assert screen.drawn == 0
    qtbot.waitUntil(lambda: screen.drawn == 1)
    assert not will_draw(recorder)


def test_many_results_are_drawn_at_once(recorder, view, qtbot):
    begin(recorder, view, prompts_of(1), KEEP)
    screen = Screen(recorder.layer)
    for _ in range(20):
        recorder.take(result_on(0), shown_frame=0)
    qtbot.waitUntil(lambda: screen.drawn == 1)
    assert not will_draw(recorder)


def test_results_elsewhere_are_not_drawn(recorder, view):
    begin(recorder, view, prompts_of(1), KEEP)
    screen = Screen(recorder.layer)
    for frame in (1, 2, 3):
        recorder.take(result_on(frame), shown_frame=0)
    assert not will_draw(recorder)
    assert screen.drawn == 0
    assert recorder.layer.data[1:].all()


def test_a_volume_is_drawn_at_the_end_only(recorder, viewer, view):
    viewer.dims.ndisplay = 3
    begin(recorder, view, prompts_of(1), KEEP)
    screen = Screen(recorder.layer)
    for frame in range(4):
        recorder.take(result_on(frame), shown_frame=frame)
    assert not will_draw(recorder)
    assert screen.drawn == 0
    recorder.end(was_stopped=False)
    assert screen.drawn == 1


def test_the_end_is_told_and_drawn(recorder, view):
    begin(recorder, view, prompts_of(1), KEEP)
    screen = Screen(recorder.layer)
    recorder.take(result_on(1, verdict=Verdict.DOUBTFUL), shown_frame=0)
    told = recorder.end(was_stopped=True)
    assert told == "Stopped; done so far: 1 frame, 1 doubtful."
    assert screen.drawn == 1
    assert recorder.run is None
    assert recorder.end(was_stopped=True) == ""


def test_a_late_result_is_not_written(recorder, view):
    begin(recorder, view, prompts_of(1), KEEP)
    recorder.end(was_stopped=True)
    recorder.take(result_on(1), shown_frame=1)
    assert not recorder.layer.data.any()
    assert not will_draw(recorder)


def test_painted_frames_are_kept_and_told(recorder, view):
    begin(recorder, view, prompts_of(1), KEEP)
    recorder.layer.paint((2, 5, 5), 1)
    painted = recorder.layer.data[2].copy()
    for frame in range(4):
        recorder.take(result_on(frame), shown_frame=0)
    np.testing.assert_array_equal(recorder.layer.data[2], painted)
    assert "1 kept as you painted them" in recorder.end(was_stopped=False)


def test_verdicts_outlive_the_run(recorder, view):
    begin(recorder, view, prompts_of(1), KEEP)
    recorder.take(result_on(1, verdict=Verdict.DOUBTFUL), shown_frame=0)
    recorder.end(was_stopped=False)
    assert recorder.verdicts.counts(1) == {Verdict.DOUBTFUL: 1}
    recorder.release()
    assert not recorder.verdicts.counts(1)


def test_after_letting_go_the_next_run_makes_another_layer(recorder, viewer, view):
    begin(recorder, view, prompts_of(1), KEEP)
    first = recorder.layer
    recorder.release()
    begin(recorder, view, prompts_of(1), KEEP)
    assert recorder.layer is not first
    assert len(viewer.layers) == 3


def test_another_plane_of_the_image_keeps_the_layer(recorder, view):
    begin(recorder, view, prompts_of(1), KEEP)
    layer = recorder.layer
    sideways = MovieView.of(view.layer, 1)
    recorder.fit(sideways)
    assert recorder.layer is layer
    begin(recorder, sideways, prompts_of(1), REPLACE)
    recorder.take(result_on(3, shape=sideways.frame_shape), shown_frame=0)
    assert layer.data[:, 3].all()
    assert layer.data.sum() == layer.data[:, 3].sum()


def test_an_image_of_another_shape_lets_the_layer_go(recorder, view):
    begin(recorder, view, prompts_of(1), KEEP)
    recorder.fit(view_of((4, 12, 15)))
    assert recorder.layer is None


def test_another_movie_has_labels_of_its_own(recorder, view):
    first = recorder.work
    begin(recorder, view, prompts_of(1), KEEP)
    layer = recorder.layer
    recorder.work = MovieWork()
    assert recorder.layer is None
    recorder.take(result_on(0), shown_frame=None)
    assert layer.data[0].all(), "the run goes on"
    recorder.work = first
    assert recorder.layer is layer
