"""What is done with whole objects: going to them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import squares

from napari_sam_decoder.errors import PromptError

pytestmark = pytest.mark.gui

FRAMES = 6
FIRST, SECOND = (16, 14), (44, 46)
"""Where the two squares are on frame 0."""


@pytest.fixture
def bench(fresh):
    movie, _ = squares(FRAMES)
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    return fresh


@pytest.fixture
def labelled(bench):
    """Two objects on all frames, of which the first has a point on frame 0."""
    bench.new_object("one")
    bench.add_points((0, *FIRST))
    bench.new_object("two")
    bench.add_points((0, *SECOND))
    bench.propagate()
    bench.wait()
    return bench


def look_at(bench, frame):
    bench.viewer.dims.set_point(0, frame)


def test_an_object_is_shown_where_it_has_prompts(bench):
    bench.new_object()
    bench.add_points([(4, *FIRST), (2, *FIRST)])
    bench.new_object()
    bench.go_to_object(1)
    assert (bench.objects.current_id, bench.frame) == (1, 2)
    look_at(bench, 4)
    bench.go_to_object(1)
    assert bench.frame == 4, "it is there"
    bench.go_to_object(2)
    assert bench.frame == 4, "it is nowhere"


def test_an_object_of_others_labels_is_shown_where_it_begins(bench):
    labels = np.zeros((FRAMES, 64, 64), np.uint16)
    labels[[2, 3, 5], 5:9, 5:9] = 7
    bench.choose_labels(bench.viewer.add_labels(labels))
    bench.wait()
    bench.go_to_object(7)
    assert bench.frame == 2
    look_at(bench, 5)
    bench.go_to_object(7)
    assert bench.frame == 5
    look_at(bench, 4)
    bench.go_to_object(7)
    assert bench.frame == 2, "it is missing on the frame between"
    (summary,) = bench.summaries
    assert (summary.span, summary.frame_count) == (range(2, 6), 3)


def test_all_that_the_table_shows_follows_a_run(labelled):
    one, two = labelled.summaries
    assert (one.name, one.prompt_frames, one.span) == ("one", (0,), range(FRAMES))
    assert (two.object_id, two.frame_count, two.absent) == (2, FRAMES, 0)


def test_stepping_keeps_to_an_order(labelled):
    labelled.new_object()
    labelled.step_object(1, (2, 3, 1))
    assert labelled.objects.current_id == 1
    labelled.step_object(-1, (2, 1))
    assert labelled.objects.current_id == 2
    with pytest.raises(PromptError, match="press 'New object' first"):
        labelled.step_object(1, ())
