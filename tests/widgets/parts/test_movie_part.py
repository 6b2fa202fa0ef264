from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from choosing import choose, current_text, texts
from made_up import show_movie
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from napari_sam_decoder.samples import SAMPLES
from napari_sam_decoder.widgets.parts import MoviePart

pytestmark = pytest.mark.gui


@pytest.fixture
def part(docked):
    return docked(MoviePart())


def sample_buttons(part):
    buttons = part.findChildren(QPushButton)
    return {button.text(): button for button in buttons if button.text() in SAMPLES}


def test_images_are_offered_and_the_movie_is_shown(part, bench):
    show_movie(bench)
    bench.viewer.add_image(np.zeros((3, 4, 5)), name="other")
    bench.viewer.add_labels(np.zeros((3, 4, 5), int))
    part.show_state(bench)
    assert texts(part.layer.box)[1:] == ["noise", "other"]
    assert current_text(part.layer.box) == "noise"


def test_another_image_is_chosen(part, bench, heard):
    show_movie(bench)
    other = bench.viewer.add_image(np.zeros((3, 4, 5)), name="other")
    part.show_state(bench)
    chosen = heard(part.movie_chosen)
    choose(part.layer.box, "other")
    assert chosen == [other]


def test_without_images_samples_are_offered(part, bench, heard, qtbot):
    part.show_state(bench)
    asked = heard(part.sample_requested)
    for button in sample_buttons(part).values():
        assert button.isVisible()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert asked == list(SAMPLES)


def test_samples_are_offered_no_more_once_there_is_an_image(part, bench):
    show_movie(bench)
    part.show_state(bench)
    assert not any(button.isVisible() for button in sample_buttons(part).values())


def test_axes_are_offered_by_name_and_length(part, bench, heard):
    layer = show_movie(bench)
    layer.axis_labels = ("t", "y", "x")
    bench.choose_movie(layer, 1)
    part.show_state(bench)
    assert texts(part.axis_box) == ["t (4)", "y (32)", "x (40)"]
    assert part.axis_box.currentText() == "y (32)"
    chosen = heard(part.axis_chosen)
    choose(part.axis_box, "x (40)")
    assert chosen == [2]


def test_the_likeliest_axis_comes_first_whatever_its_place(part, bench, heard):
    layer = show_movie(bench)
    layer.axis_labels = ("y", "x", "time")
    bench.choose_movie(layer)
    part.show_state(bench)
    assert part.axis_box.currentText() == "time (40)"
    chosen = heard(part.axis_chosen)
    choose(part.axis_box, "x (32)")
    assert chosen[-1] == 1


def test_there_is_no_axis_to_choose_without_a_movie(part, bench):
    layer = show_movie(bench)
    part.show_state(bench)
    assert part.axis_box.isVisible()
    bench.viewer.layers.remove(layer)
    part.show_state(bench)
    assert not part.axis_box.isVisible()


def test_a_picture_has_no_axis_to_choose(part, bench):
    show_movie(bench, (32, 40))
    part.show_state(bench)
    assert not part.axis_box.isVisible()
    assert part.progress.text() == "0 / 1 frames embedded"


def test_without_a_movie_there_is_nothing_to_embed(part, bench):
    part.show_state(bench)
    assert not part.progress.isEnabled()
    assert not part.toggle.isEnabled()
    assert part.progress.text() == ""


def test_embedding_is_started_and_stopped_by_one_button(part, bench, heard, qtbot):
    show_movie(bench)
    toggled = heard(part.embedding_toggled)
    part.show_state(bench)
    assert (part.toggle.text(), part.toggle.isEnabled()) == ("Embed", True)
    qtbot.mouseClick(part.toggle, Qt.MouseButton.LeftButton)
    assert toggled == [None]
    bench.embed()
    qtbot.waitUntil(lambda: bench.controller.is_embedding)
    part.show_state(bench)
    assert part.toggle.text() == "Stop"


def test_the_progress_of_the_embedding_is_shown(part, bench, qtbot):
    show_movie(bench)
    part.show_state(bench)
    assert part.progress.text() == "0 / 4 frames embedded"
    bench.embed()
    qtbot.waitUntil(lambda: len(bench.controller.state.embedded) == 4)
    part.show_state(bench)
    assert part.progress.value() == part.progress.maximum() == 4
    assert part.progress.text() == "4 / 4 frames embedded"
    assert not part.toggle.isEnabled()


def test_showing_emits_nothing(part, bench, heard):
    requests = [
        heard(signal)
        for signal in (part.movie_chosen, part.axis_chosen, part.embedding_toggled)
    ]
    part.show_state(bench)
    show_movie(bench)
    part.show_state(bench)
    assert requests == [[], [], []]


def show_channels(bench):
    pixels = np.random.default_rng(0).integers(0, 255, (4, 3, 32, 40), np.uint8)
    layer = bench.viewer.add_image(pixels, name="channels")
    layer.axis_labels = ("t", "c", "y", "x")
    bench.choose_movie(layer)
    return layer


def test_a_channel_is_chosen(part, bench):
    layer = show_channels(bench)
    bench.viewer.dims.set_current_step(1, 0)
    part.show_state(bench)
    (box,) = part.planes.boxes
    assert box.text().startswith("c: ")
    chosen = []
    part.plane_chosen.connect(lambda *place: chosen.append(place))
    for _ in range(2):
        QTest.keyClick(box, Qt.Key.Key_Up)
    assert chosen == [(1, 1), (1, 2)]

    bench.choose_plane(1, 2)

    part.show_state(bench)
    assert bench.movie.fixed == ((1, 2),)
    assert bench.viewer.dims.current_step[:2] == (bench.frame, 2)
    np.testing.assert_array_equal(bench.movie.frames[3], layer.data[3, 2])
    assert len(chosen) == 2


def test_the_channel_follows_the_slider(part, bench):
    show_channels(bench)
    bench.viewer.dims.set_current_step(1, 1)
    part.show_state(bench)
    assert [box.value() for box in part.planes.boxes] == [1]


def test_other_axes_have_other_planes(part, bench):
    layer = show_channels(bench)
    part.show_state(bench)
    bench.choose_movie(layer, 1)
    part.show_state(bench)
    assert [box.prefix() for box in part.planes.boxes] == ["t: "]
    assert part.planes.isVisible()


def test_a_movie_of_three_axes_has_no_planes_to_choose(part, bench):
    show_movie(bench)
    part.show_state(bench)
    assert part.planes.boxes == []
    assert not part.planes.isVisible()
