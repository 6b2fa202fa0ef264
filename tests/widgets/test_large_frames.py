"""Frames that are larger than the network's input, in the window."""

from __future__ import annotations

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

import numpy as np

from napari_sam_decoder.propagation import Settings
from napari_sam_decoder.widgets.job_queue import wait_until

pytestmark = pytest.mark.gui

FRAMES, SIDE, SMALLEST = 3, 600, 128
PATIENCE = 60


@pytest.fixture
def large(bench):
    """A workbench on noise whose frames are seen through windows."""
    noise = np.random.default_rng(0).integers(0, 255, (FRAMES, SIDE, SIDE), np.uint8)
    bench.configure_propagation(Settings(smallest_window=SMALLEST))
    bench.choose_movie(bench.viewer.add_image(noise, name="noise"))
    bench.viewer.dims.set_point(0, 1)
    bench.new_object()
    return bench


def embedded(bench):
    return bench.controller.state.embedded


def test_before_the_first_prompt_only_the_frame_on_the_screen_is_embedded(large):
    large.embed()
    assert wait_until(lambda: embedded(large) == {1}, PATIENCE)
    large.wait(PATIENCE)
    assert embedded(large) == {1}


def test_the_windows_of_objects_are_embedded_ahead(large):
    large.add_box(1, (410, 300, 430, 320))
    assert wait_until(lambda: embedded(large) == {*range(FRAMES)}, PATIENCE)
    session = large.controller.state.session
    (window,) = large.controller.state.embedded_windows
    assert window.side == SMALLEST
    assert session.embedded <= {1}, "whole frames that no click needs"
    assert session._embedder.at(window).recorded() == {*range(FRAMES)}
    large.new_object()
    large.add_box(1, (100, 20, 120, 40))
    windows = large.controller.state
    assert wait_until(lambda: len(windows.embedded_windows) == 2, PATIENCE)
    assert wait_until(lambda: embedded(large) == {*range(FRAMES)}, PATIENCE)


def test_the_window_of_the_current_object_is_shown_on_demand(large):
    large.add_box(1, (410, 300, 430, 320))
    large.wait(PATIENCE)
    names = [layer.name for layer in large.viewer.layers]
    assert "SAM window" not in names
    large.show_window(True)
    (window,) = large.controller.state.embedded_windows
    assert large.window_seen == window
    lines = large.viewer.layers["SAM window"].data
    assert lines[:, 0, 1:].min(axis=0).tolist() == [one - 0.5 for one in window.origin]
    assert set(lines[:, 0, 0].tolist()) == {1}
    large.show_frame(2)
    assert large.window_seen is None
    assert not len(large.viewer.layers["SAM window"].data)
    large.show_frame(1)
    assert len(large.viewer.layers["SAM window"].data) == 4
    large.show_window(False)
    assert not len(large.viewer.layers["SAM window"].data)


def test_a_frame_that_is_seen_whole_has_no_window_to_show(bench):
    bench.choose_movie(bench.viewer.add_image(np.zeros((2, 40, 60), np.uint8)))
    bench.new_object()
    bench.add_box(0, (10, 10, 30, 30))
    bench.wait(PATIENCE)
    bench.show_window(True)
    assert bench.window_seen is None
