from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from choosing import choose, current_text, texts
from made_up import show_movie
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_sam_decoder.project import RunRequest
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.widgets.movie_state import PendingRun
from napari_sam_decoder.widgets.parts import RunPart
from napari_sam_decoder.widgets.previews import PREVIEW_NAME

pytestmark = pytest.mark.gui


@pytest.fixture
def part(docked):
    part, both = RunPart(), QWidget()
    layout = QVBoxLayout(both)
    layout.addWidget(part)
    layout.addWidget(part.options)
    docked(both)
    return part


def ways(part):
    return part.backward, part.both, part.forward


def click_object(bench):
    bench.new_object()
    bench.add_points((0, 5, 6))
    bench.read()


def test_without_a_movie_there_is_nothing_to_run(part, bench):
    part.show_state(bench)
    assert not part.isEnabled()
    assert part.frames is None


def test_a_run_needs_a_point(part, bench):
    show_movie(bench)
    bench.new_object()
    part.show_state(bench)
    assert not any(way.isEnabled() for way in ways(part))
    click_object(bench)
    part.show_state(bench)
    assert all(way.isEnabled() for way in ways(part))
    assert not part.stop.isEnabled()


def test_each_button_asks_for_its_way(part, bench, heard, qtbot):
    show_movie(bench)
    click_object(bench)
    part.show_state(bench)
    asked = heard(part.run_requested)
    for way in ways(part):
        qtbot.mouseClick(way, Qt.MouseButton.LeftButton)
    assert asked == ["backward", "both", "forward"]


def test_all_frames_are_asked_for_at_first(part, bench):
    show_movie(bench)
    part.show_state(bench)
    assert (part.first.value, part.last.value) == (0, 3)
    assert part.frames is None


def test_some_frames_are_asked_for(part, bench):
    show_movie(bench)
    part.show_state(bench)
    part.first.native.setValue(1)
    part.last.native.setValue(2)
    part.show_state(bench)
    assert part.frames == range(1, 3)
    part.first.native.setValue(0)
    part.last.native.setValue(3)
    assert part.frames is None


def test_what_limits_the_next_run_is_in_sight(part, bench):
    show_movie(bench)
    bench.new_object("nucleus")
    part.show_state(bench)
    assert part.progress.text() == ""
    part.only_current.value = True
    part.replace.value = True
    part.last.value = 2
    assert part.progress.text() == "next run: only nucleus, frames 0 to 2, replacing"
    part.last.value = 3
    bench.rename_object(1, "cell")
    part.show_state(bench)
    assert part.progress.text() == "next run: only cell, replacing"


def test_frames_outside_the_movie_cannot_be_asked_for(part, bench):
    show_movie(bench)
    part.show_state(bench)
    part.last.native.setValue(99)
    assert part.last.value == 3


def test_another_movie_has_other_frames(part, bench):
    show_movie(bench)
    part.show_state(bench)
    part.first.native.setValue(2)
    bench.choose_movie(bench.viewer.add_image(np.zeros((9, 20, 20), np.uint8)))
    part.show_state(bench)
    assert (part.first.value, part.last.value) == (0, 8)
    assert part.frames is None


def test_labels_are_offered_without_the_preview(part, bench, heard):
    show_movie(bench)
    mine = bench.viewer.add_labels(np.zeros((4, 32, 40), int), name="mine")
    bench.viewer.add_labels(np.zeros((4, 32, 40), int), name=PREVIEW_NAME)
    part.show_state(bench)
    assert texts(part.labels.box) == ["new Labels layer", "mine"]
    assert current_text(part.labels.box) == "new Labels layer"
    chosen = heard(part.labels_chosen)
    choose(part.labels.box, "mine")
    choose(part.labels.box, "new Labels layer")
    assert chosen == [mine, None]


def test_the_layer_that_results_go_to_is_shown(part, bench):
    show_movie(bench)
    mine = bench.viewer.add_labels(np.zeros((4, 32, 40), int), name="mine")
    bench.choose_labels(mine)
    part.show_state(bench)
    assert current_text(part.labels.box) == "mine"


def test_a_run_that_waits_for_the_network_can_be_stopped(part, bench, heard, qtbot):
    show_movie(bench)
    click_object(bench)
    bench.propagate()
    part.show_state(bench)
    assert part.progress.text() == "waiting…"
    assert not any(way.isEnabled() for way in ways(part))
    assert not part.labels.box.enabled
    asked = heard(part.stop_requested)
    qtbot.mouseClick(part.stop, Qt.MouseButton.LeftButton)
    assert asked == [None]


def test_the_progress_of_a_run_is_shown(part, bench):
    view = show_movie(bench) and bench.movie
    prompts = PromptSet([Prompt(1, 0, points=[(5, 6)])])
    writer = bench.controller.writer
    pending = PendingRun(bench.controller.state, view, prompts, RunRequest())
    writer.begin(pending, prompts, visits=7)
    writer.run.progress.step()
    part.show_state(bench)
    assert (part.progress.value(), part.progress.maximum()) == (1, 7)
    assert part.progress.text() == "1 / 7"
    assert part.stop.isEnabled()


def test_after_a_run_another_can_be_started(part, bench):
    show_movie(bench)
    click_object(bench)
    bench.propagate()
    bench.wait(20)
    part.show_state(bench)
    assert all(way.isEnabled() for way in ways(part))
    assert not part.stop.isEnabled()
    assert part.progress.text() == ""
    assert current_text(part.labels.box) == bench.labels.name


def test_showing_emits_nothing(part, bench, heard):
    requests = [
        heard(part.run_requested),
        heard(part.labels_chosen),
        heard(part.stop_requested),
    ]
    part.show_state(bench)
    show_movie(bench)
    bench.viewer.add_labels(np.zeros((4, 32, 40), int))
    part.show_state(bench)
    assert requests == [[], [], []]
