"""An object that has divided, and the daughters that are offered."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import squares

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.metrics import mask_iou

pytestmark = pytest.mark.gui

FRAMES, PARTED, DIVIDED = 9, 3, 5
"""The first frame in two parts, and that from which it counts as divided."""
START = 20, 28
"""Inside the cell on frame 0."""


def dividing():
    """A cell that becomes two, as bright as a square of the stage."""
    movie, _ = squares(FRAMES)
    grey = movie[0, 16, 14]
    movie = np.zeros_like(movie)
    for frame in range(FRAMES):
        away = 0 if frame < PARTED else 2 + min(frame - PARTED, 3)
        movie[frame, 14:28, 22 - away : 30 - away] = grey
        movie[frame, 14:28, 30 + away : 38 + away] = grey
    return movie


@pytest.fixture
def bench(fresh):
    fresh.choose_movie(fresh.viewer.add_image(dividing(), name="dividing"))
    fresh.viewer.dims.set_point(0, 0)
    return fresh


@pytest.fixture
def divided(bench):
    bench.new_object("mother")
    bench.add_points((0, *START))
    bench.propagate()
    bench.wait()
    return bench


def look_at(bench, frame):
    bench.viewer.dims.set_point(0, frame)


def test_the_division_is_offered_from_its_frame_on(divided):
    offers = {}
    for frame in range(FRAMES):
        look_at(divided, frame)
        offers[frame] = divided.division
    assert [frame for frame in range(FRAMES) if offers[frame]] == [*range(5, FRAMES)]
    assert {one.frame for one in offers.values() if one} == {DIVIDED}


def test_both_daughters_are_made_and_carried_on(divided):
    look_at(divided, 7)
    before = np.array(divided.labels.data)
    steps = len(divided.history.done)
    first, second = divided.accept_division()
    divided.wait()
    now = np.array(divided.labels.data)
    np.testing.assert_array_equal(now[:DIVIDED], before[:DIVIDED])
    for frame in range(DIVIDED, FRAMES):
        halves = [now[frame] == one.object_id for one in (first, second)]
        assert mask_iou(halves[0] | halves[1], before[frame] == 1) > 0.98
        columns = [np.nonzero(half)[1] for half in halves]
        assert (columns[0].max() < 30) != (columns[1].max() < 30), frame
    parents = {one.object_id: one.parent for one in divided.summaries}
    assert parents == {1: None, first.object_id: 1, second.object_id: 1}
    assert divided.division is None
    divided.undo()
    divided.wait()
    np.testing.assert_array_equal(divided.labels.data, before)
    assert [one.object_id for one in divided.summaries] == [1]
    assert len(divided.history.done) == steps
    divided.select_object(1)
    assert divided.division is not None
    divided.redo()
    divided.wait()
    np.testing.assert_array_equal(divided.labels.data, now)


def test_what_has_not_divided_has_no_daughters(bench):
    bench.new_object("alone")
    with pytest.raises(PromptError, match="does not seem to have divided"):
        bench.accept_division()


def test_a_locked_object_is_not_divided(divided):
    divided.lock_object(1)
    with pytest.raises(PromptError, match="locked"):
        divided.accept_division(1)


def test_one_action_splits_or_divides(divided):
    look_at(divided, 2)
    divided.split_or_divide()
    divided.wait()
    assert len(divided.summaries) == 2, "split on frame 2"
    divided.undo()
    divided.wait()
    divided.select_object(1)
    look_at(divided, 6)
    divided.split_or_divide()
    divided.wait()
    assert len(divided.summaries) == 3
