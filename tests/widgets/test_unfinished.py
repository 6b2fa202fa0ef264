"""What a person is asked before something ends that is under way."""

from __future__ import annotations

import threading
from time import monotonic, sleep

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore")
pytestmark = pytest.mark.gui

from hand import Asked  # noqa: E402
from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from stage import squares  # noqa: E402

from napari_sam_decoder.project import Project  # noqa: E402
from napari_sam_decoder.widgets.dock import SamDecoderDock as Dock  # noqa: E402
from napari_sam_decoder.widgets.job_queue import wait_until  # noqa: E402
from napari_sam_decoder.widgets.movie_state import ModelOptions  # noqa: E402
from napari_sam_decoder.widgets.unfinished import (  # noqa: E402
    Answer,
    ask_before,
    unfinished_anywhere,
    unfinished_learning,
)

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"
REVIEW = "Review (SAM decoder)"
FRAMES, ALLOWED = 8, 3
PATIENCE = 30


@pytest.fixture
def asked(qapp):
    asked = Asked()
    yield asked
    asked.stop()


@pytest.fixture
def viewer(make_napari_viewer, sam):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(squares(FRAMES)[0], name="squares")
    viewer.dims.set_point(0, 0)
    return viewer


@pytest.fixture
def frame(viewer):
    frame, _ = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    return frame


@pytest.fixture
def bench(frame, sam):
    """An object that a run follows: a few frames are done, the next one never is."""
    bench = frame.widget().workbench
    bench.configure(ModelOptions(cache=None))
    sam.gate = threading.Semaphore(ALLOWED)
    bench.new_object()
    bench.add_points([0, 16, 15])
    bench.propagate()
    assert wait_until(lambda: done(bench) == ALLOWED, PATIENCE)
    yield bench
    sam.gate.release(100)


def done(bench):
    run = bench.controller.writer.run
    return 0 if run is None else run.progress.done


def is_there(bench):
    return bench.labels.data.any(axis=(1, 2)).tolist()


PART = [True] * ALLOWED + [False] * (FRAMES - ALLOWED)


def press_close(frame):
    QTest.mouseClick(frame.title.close_button, Qt.MouseButton.LeftButton)


def test_nothing_is_asked_where_nothing_is_under_way(viewer, frame, asked):
    press_close(frame)
    assert asked.texts == []
    assert viewer.window._qt_window.findChildren(Dock) == []


def test_a_dock_stays_open_during_a_run_if_that_is_wanted(bench, frame, asked, sam):
    asked.button = "Cancel"
    press_close(frame)
    assert len(asked.texts) == 1
    assert "Labels of 'squares' are being computed (3 / 8" in asked.texts[0]
    assert "frames that are done stay" in asked.texts[0]
    assert frame.isVisible()
    sam.gate.release(100)
    bench.wait()
    assert all(is_there(bench))


def test_a_dock_may_be_hidden_while_its_run_goes_on(bench, frame, asked, sam):
    asked.button = "Keep running and hide"
    press_close(frame)
    assert not frame.isVisible()
    assert not bench.is_closed
    sam.gate.release(100)
    bench.wait()
    assert all(is_there(bench))


def test_what_is_done_stays_when_a_dock_is_closed(bench, viewer, frame, asked):
    asked.button = "Stop and close"
    press_close(frame)
    assert bench.is_closed
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    again = dock.workbench
    assert is_there(again) == PART
    assert again.controller.state.outcome == "Stopped; done so far: 3 frames."
    again.undo()
    assert not any(is_there(again)), "it is one step of the history"


def test_closing_one_of_two_docks_ends_nothing(bench, viewer, frame, asked):
    review, _ = viewer.window.add_plugin_dock_widget(PLUGIN, REVIEW)
    press_close(review)
    assert asked.texts == []
    assert done(bench) == ALLOWED
    asked.button = "Cancel"
    press_close(frame)
    assert len(asked.texts) == 1


def test_a_window_stays_open_if_that_is_wanted(bench, viewer, asked):
    asked.button = "Keep running"
    window = viewer.window._qt_window
    assert not window.close()
    assert window.isVisible()
    assert len(asked.texts) == 1
    assert bench.controller.is_running


def test_napari_forgets_that_it_was_asked_to_quit(bench, viewer, asked):
    asked.button = "Keep running"
    window = viewer.window._qt_window
    assert not window.close(quit_app=True)
    assert len(asked.texts) == 1
    assert not window._quit_app


def test_what_is_done_is_in_the_project_when_a_window_is_closed(bench, viewer, asked):
    assert wait_until(lambda: bench.controller.state.project.path, PATIENCE)
    path, labels = bench.controller.state.project.path, bench.labels.data.copy()
    asked.button = "Stop and close"
    window = viewer.window._qt_window
    assert window.close()
    assert len(asked.texts) == 1
    viewer.close()
    assert wait_until(lambda: bench.is_closed, PATIENCE)
    project, (kept,) = opened(path)
    project.close()
    np.testing.assert_array_equal(kept, labels)


def opened(path):
    project, labels = Project.open(path, on_failure=print)
    return project, labels.values()


def test_a_script_is_not_asked(bench, viewer, asked):
    asked.button = "Keep running"
    viewer.window.remove_dock_widget(viewer.window._qt_window.findChildren(Dock)[0])
    viewer.close()
    assert asked.texts == []


@pytest.mark.parametrize("is_wanted", [False, True])
def test_another_project_of_the_movie_ends_its_run(
    viewer, frame, asked, sam, is_wanted
):
    dock = frame.widget()
    bench = dock.workbench
    first = bench.new_object("from another day")
    assert wait_until(lambda: bench.controller.state.project.path, PATIENCE)
    path = bench.controller.state.project.path
    del first
    press_close(frame)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    # As on the next day: nothing of it is known.
    viewer.layers.clear()
    viewer.add_image(squares(FRAMES)[0], name="squares")
    bench = dock.workbench
    bench.choose_movie(viewer.layers["squares"])
    bench.configure(ModelOptions(cache=None))
    sam.gate = threading.Semaphore(ALLOWED)
    bench.new_object("of today")
    bench.add_points([0, 16, 15])
    bench.propagate()
    assert wait_until(lambda: done(bench) == ALLOWED, PATIENCE)
    asked.button = "Stop and open the project" if is_wanted else "Keep running"
    dock._project_form.open_requested.emit(path)
    assert len(asked.texts) == 1
    assert bench.controller.is_running is not is_wanted
    sam.gate.release(100)
    bench.wait()
    names = [one.name for one in bench.objects.listed]
    assert names == ["from another day" if is_wanted else "of today"]


def test_another_model_ends_learning_only_if_that_is_wanted(viewer, frame, asked):
    dock = frame.widget()
    bench = dock.workbench
    bench.controller.state.wants_learning = True
    asked.button = "Keep running"
    dock._form.model_chosen.emit("sam_vit_b")
    assert "A decoder for 'squares' is being trained" in asked.texts[0]
    assert bench.controller.state.options.model == "mobile_sam"
    dock._form.model_chosen.emit("mobile_sam")
    assert len(asked.texts) == 1, "it is in use already"
    bench.stop_learning()
    assert unfinished_learning(bench.controller) == ()


def test_all_that_closing_would_end_is_named(fresh, publisher):
    movie, truth = squares(FRAMES)
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.choose_labels(fresh.viewer.add_labels(truth, name="labels"))
    fresh.wait()
    controller = fresh.controller
    assert unfinished_anywhere(controller) == ()
    publisher.answer = "endless"
    controller.state.wants_learning = True
    fresh.download_model("toy")
    fresh.measure()
    named = " ".join(unfinished_anywhere(controller))
    assert "A decoder for 'squares' is being trained" in named
    assert "Labels are being measured" in named
    assert "The model toy is being downloaded" in named
    controller.state.learned = object()
    assert "is not in use" not in " ".join(unfinished_anywhere(controller))
    in_window = " ".join(unfinished_anywhere(controller, is_window=True))
    assert "What was learned from 'squares' is not in use, and is lost" in in_window
    controller.state.wants_learning, controller.state.learned = False, None
    fresh.cancel_download("toy")
    fresh.wait()
    assert unfinished_anywhere(controller, is_window=True) == ()


def test_a_removed_movie_is_told_to_have_ended_learning(fresh):
    told = []
    fresh.informed.connect(told.append)
    layer = fresh.viewer.add_image(squares(FRAMES)[0], name="squares")
    fresh.choose_movie(layer)
    fresh.controller.state.wants_learning = True
    fresh.viewer.layers.remove(layer)
    assert told == ["'squares' was removed; learning from it has ended."]


def test_frames_that_are_computed_are_kept_though_the_window_was_busy(fresh):
    layer = fresh.viewer.add_image(squares(FRAMES)[0], name="squares")
    fresh.choose_movie(layer)
    fresh.new_object()
    fresh.add_points([0, 16, 15])
    fresh.embed()
    fresh.wait()
    assert wait_until(lambda: not fresh.controller.is_embedding, PATIENCE)
    fresh.propagate()
    thread, end = fresh.controller._job_queue._long, monotonic() + PATIENCE
    while thread._current is not None and monotonic() < end:
        # No event is delivered meanwhile.
        sleep(0.01)
    fresh.stop()
    assert all(is_there(fresh))


def test_nothing_under_way_needs_no_answer(qapp):
    assert ask_before(None, "close", ()) is Answer.STOP
