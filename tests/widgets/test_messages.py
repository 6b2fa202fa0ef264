from __future__ import annotations

import threading

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import show_movie

from napari_sam_decoder.session import Session
from napari_sam_decoder.widgets.messages import describe

pytestmark = pytest.mark.gui

PICK = "Pick 1, 2 or 3, add a point where the mask is wrong, or press 'Both ways'."
POINT = "Add a point where it is wrong, or press 'Both ways'."


@pytest.fixture
def gate(monkeypatch):
    """Holds up whoever shows a prompt."""
    gate = threading.Event()
    preview = Session.preview

    def wait(session, prompt):
        gate.wait(20)
        return preview(session, prompt)

    monkeypatch.setattr(Session, "preview", wait)
    yield gate
    gate.set()


def click(bench, frame=0):
    bench.points_layer.add((frame, 5, 6))
    bench.read()


def test_without_a_movie_one_is_asked_for(bench):
    assert describe(bench) == "Open a movie or a volume, or try a sample."


def test_without_an_object_one_is_asked_for(bench):
    show_movie(bench)
    assert describe(bench).startswith("Press 'New object'")


def test_an_object_without_points_is_to_be_clicked(bench):
    show_movie(bench)
    bench.new_object("nucleus")
    assert describe(bench) == "Click 'nucleus' in the picture."


def test_the_first_click_waits_for_the_network(bench):
    show_movie(bench)
    bench.new_object()
    click(bench)
    assert describe(bench).startswith("Loading the network")


def test_what_a_click_waits_for_is_told(bench, gate, qtbot):
    show_movie(bench)
    bench.stop_embedding()
    bench.new_object()
    click(bench)
    qtbot.waitUntil(lambda: bench.controller.is_previewing)
    assert describe(bench) == "Embedding frame 0…"
    gate.set()
    bench.wait(20)
    assert describe(bench) == PICK


def test_a_frame_that_is_known_is_only_decoded(bench, gate, qtbot):
    show_movie(bench)
    bench.embed()
    qtbot.waitUntil(lambda: 0 in bench.controller.state.embedded)
    bench.new_object()
    click(bench)
    qtbot.waitUntil(lambda: bench.controller.is_previewing)
    qtbot.waitUntil(lambda: describe(bench) == "Decoding…")


def test_a_frame_without_points_may_get_some(bench):
    show_movie(bench)
    bench.new_object()
    click(bench)
    bench.wait(20)
    bench.viewer.dims.set_point(0, 2)
    assert describe(bench) == POINT


def test_a_run_is_told_and_then_what_came_of_it(bench, qtbot):
    show_movie(bench)
    bench.new_object()
    click(bench)
    bench.propagate()
    qtbot.waitUntil(lambda: bench.controller.writer.run is not None)
    assert describe(bench).startswith("Labels arrive frame by frame")
    bench.wait(20)
    assert describe(bench).startswith("Done: 4 frames")


def test_after_a_run_a_new_object_is_to_be_clicked(bench):
    show_movie(bench)
    bench.new_object()
    click(bench)
    bench.propagate()
    bench.wait(20)
    bench.new_object("nucleus")
    assert describe(bench) == "Click 'nucleus' in the picture."
