"""What napari's activity dock shows of long jobs."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("qtpy.QtCore")
pytestmark = pytest.mark.gui

from napari.utils import progress  # noqa: E402
from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from qtpy.QtWidgets import QLabel, QProgressBar, QPushButton, QWidget  # noqa: E402
from stage import squares  # noqa: E402

from napari_sam_decoder.errors import DecodingError  # noqa: E402
from napari_sam_decoder.widgets.activity import long_jobs  # noqa: E402
from napari_sam_decoder.widgets.job_queue import wait_until  # noqa: E402
from napari_sam_decoder.widgets.movie_state import ModelOptions  # noqa: E402

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"
FRAMES, ALLOWED = 8, 3
PATIENCE = 30


@pytest.fixture
def viewer(make_napari_viewer, sam):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(squares(FRAMES)[0], name="squares")
    viewer.dims.set_point(0, 0)
    return viewer


@pytest.fixture
def frame(viewer):
    frame, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    dock.workbench.configure(ModelOptions(cache=None))
    return frame


@pytest.fixture
def bench(frame, sam):
    """An object to be followed, on the first few frames without a pause."""
    bench = frame.widget().workbench
    sam.gate = threading.Semaphore(ALLOWED)
    bench.new_object()
    bench.add_points([0, 16, 15])
    bench.controller.state.wants_embedding = False
    yield bench
    sam.gate.release(100)


def shown(viewer):
    """Description, value and maximum of each bar in napari's dialogue."""
    dialogue = viewer.window._qt_window._activity_dialog
    bars = [one for one in dialogue.findChildren(QWidget) if hasattr(one, "eta_label")]
    return [
        (
            one.findChild(QLabel).text(),
            one.findChild(QProgressBar).value(),
            one.findChild(QProgressBar).maximum(),
        )
        for one in bars
    ]


def see(viewer, *expected):
    assert wait_until(lambda: shown(viewer) == [*expected], PATIENCE), shown(viewer)


RUN = "squares: Run of object 1: "


def test_a_run_is_shown_until_it_is_done(bench, viewer, sam):
    bench.propagate()
    see(viewer, (RUN, ALLOWED, FRAMES))
    sam.gate.release(2)
    see(viewer, (RUN, ALLOWED + 2, FRAMES))
    sam.gate.release(100)
    bench.wait()
    see(viewer)
    assert not progress._all_instances


def test_a_run_can_be_stopped_there(bench, viewer):
    bench.propagate()
    see(viewer, (RUN, ALLOWED, FRAMES))
    dialogue = viewer.window._qt_window._activity_dialog
    dialogue.show()
    (button,) = dialogue.findChildren(QPushButton)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not bench.controller.is_running
    assert bench.controller.state.outcome == "Stopped; done so far: 3 frames."
    see(viewer)


def test_a_run_that_fails_is_shown_no_more(bench, viewer, sam):
    bench.propagate()
    see(viewer, (RUN, ALLOWED, FRAMES))
    sam.error = DecodingError("the network failed: use less")
    sam.gate.release(100)
    see(viewer)
    assert isinstance(bench.failure, DecodingError)


def test_embedding_goes_on_beside_measuring(frame, viewer, sam):
    bench = frame.widget().workbench
    bench.choose_labels(viewer.add_labels(squares(FRAMES)[1], name="labels"))
    bench.wait()
    sam.gate = threading.Semaphore(ALLOWED)
    bench.embed()
    see(viewer, ("squares: embedding: ", ALLOWED, FRAMES))
    bench.measure()
    titles = [job.title for job in long_jobs(bench.controller)]
    assert titles == ["squares: embedding", "squares: measuring"]
    bench.stop_embedding()
    sam.gate.release(100)
    see(viewer)


def test_learning_and_downloads_are_shown(frame, publisher):
    bench = frame.widget().workbench
    publisher.answer = "endless"
    bench.download_model("toy")
    (job,) = long_jobs(bench.controller)
    assert job.title == "Download of toy"
    job.stop()
    assert [*long_jobs(bench.controller)] == []


def remove_dock(viewer, frame):
    viewer.window.remove_dock_widget(frame)


def close_window(viewer, frame):
    viewer.close()


@pytest.mark.parametrize("end", [remove_dock, close_window])
def test_nothing_is_shown_once_the_dock_is_gone(bench, viewer, frame, end):
    bench.propagate()
    see(viewer, (RUN, ALLOWED, FRAMES))
    end(viewer, frame)
    assert not progress._all_instances
