"""The network sees what the person sees, and the dock says what that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore")
pytestmark = pytest.mark.gui

from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from stage import squares  # noqa: E402

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"
CHOSEN = (40, 200)
"""Percentiles of the movie of squares."""


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def layer(viewer):
    layer = viewer.add_image(squares(4)[0], name="squares")
    viewer.dims.set_point(0, 0)
    return layer


@pytest.fixture
def dock(viewer, layer, sam, qtbot):
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    dock._movie_fold.expand(animate=False)
    return dock


@pytest.fixture
def click(dock, qtbot):
    """Click the first square, wait for its mask, and tell what the dock says."""

    def act():
        bench = dock.workbench
        if bench.objects.current is None:
            bench.new_object()
        bench.points_layer.add((0, 16, 14))
        bench.wait()
        return says(dock, qtbot)

    return act


def says(dock, qtbot):
    qtbot.wait(100)
    return dock._movie.contrast.text()


def press_again(dock, qtbot):
    qtbot.waitUntil(dock._movie.as_shown.isVisible, timeout=5000)
    QTest.mouseClick(dock._movie.as_shown, Qt.MouseButton.LeftButton)
    dock.workbench.wait()
    return says(dock, qtbot)


def test_limits_that_nobody_set_are_chosen_from_the_pixels(dock, click):
    assert dock._movie.contrast.text() == ""
    assert click() == "The network sees 40 to 200, from the pixels"
    assert dock.workbench.controller.state.contrast == CHOSEN
    assert not dock._movie.as_shown.isVisible()


def test_limits_that_were_set_are_what_the_network_sees(dock, layer, click):
    layer.contrast_limits = (30, 150)
    assert click() == "The network sees 30 to 150, as it was shown"
    assert dock.workbench.controller.state.contrast == (30, 150)


def test_a_later_change_is_offered_and_does_nothing_by_itself(
    dock, layer, click, qtbot
):
    click()
    bench = dock.workbench
    bench.propagate()
    bench.wait()
    bench.embed()
    qtbot.waitUntil(lambda: len(bench.controller.state.embedded) == 4, timeout=20_000)
    labels, prompts = bench.labels.data.copy(), bench.controller.prompts
    session = bench.controller.state.session
    for high in range(190, 150, -5):
        layer.contrast_limits = (30, high)
        qtbot.wait(30)
        assert not dock._movie.as_shown.isVisible(), "the slider is still dragged"
    qtbot.waitUntil(dock._movie.as_shown.isVisible, timeout=5000)
    assert dock._movie.contrast.text().endswith("the layer now shows 30 to 155.")
    assert any("'Embed again'" in notice for notice in bench.notices)
    assert bench.controller.state.session is session
    text = press_again(dock, qtbot)
    assert text == "The network sees 30 to 155, as it was shown"
    assert not dock._movie.as_shown.isVisible()
    assert bench.notices == ()
    assert bench.controller.state.contrast == (30, 155)
    qtbot.waitUntil(lambda: len(bench.controller.state.embedded) == 4, timeout=20_000)
    np.testing.assert_array_equal(bench.labels.data, labels)
    assert [*bench.controller.prompts] == [*prompts]


def test_limits_that_are_set_back_are_no_more_offered(dock, layer, click, qtbot):
    click()
    limits = layer.contrast_limits
    layer.contrast_limits = (30, 150)
    qtbot.waitUntil(dock._movie.as_shown.isVisible, timeout=5000)
    layer.contrast_limits = limits
    qtbot.waitUntil(lambda: not dock._movie.as_shown.isVisible(), timeout=5000)
    assert says(dock, qtbot) == "The network sees 40 to 200, from the pixels"


def test_limits_set_for_the_network_alone_stay(dock, layer, click, qtbot):
    bench = dock.workbench
    bench.configure(replace(bench.controller.state.options, contrast=(0, 250)))
    assert click() == "The network sees 0 to 250, set by hand"
    layer.contrast_limits = (30, 150)
    qtbot.wait(800)
    assert not dock._movie.as_shown.isVisible()


def test_those_taken_from_the_layer_by_hand_follow_when_asked(
    dock, layer, click, qtbot
):
    bench = dock.workbench
    layer.contrast_limits = (30, 150)
    bench.configure(replace(bench.controller.state.options, contrast=(30.0, 150.0)))
    click()
    layer.contrast_limits = (20, 160)
    assert press_again(dock, qtbot).startswith("The network sees 20 to 160")


def test_another_movie_has_a_contrast_of_its_own(dock, layer, viewer, click, qtbot):
    layer.contrast_limits = (30, 150)
    click()
    other = viewer.add_image(squares(4)[0][:, ::-1], name="other")
    dock.workbench.choose_movie(other)
    assert says(dock, qtbot) == ""
    assert click() == "The network sees 40 to 200, from the pixels"
    dock.workbench.choose_movie(layer)
    assert says(dock, qtbot) == "The network sees 30 to 150, as it was shown"
