"""Objects that the viewer does not show, in everything that would show them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import result_on
from stage import squares

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.propagation import Verdict

pytestmark = pytest.mark.gui

FRAMES = 4
FIRST, SECOND = (16, 14), (44, 46)
"""Where the two squares are on frame 0."""


@pytest.fixture
def bench(fresh):
    """Two objects with points on frame 0, of which the first has a box on frame 2."""
    movie, _ = squares(FRAMES)
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    fresh.new_object("one")
    fresh.add_points((0, *FIRST))
    fresh.add_box(2, (9, 9, 25, 25))
    fresh.new_object("two")
    fresh.add_points((0, *SECOND))
    fresh.wait()
    return fresh


@pytest.fixture
def labelled(bench):
    bench.propagate()
    bench.wait()
    return bench


def previewed(bench):
    """The objects whose outlines are drawn on the frame."""
    return set(np.unique(bench._overlay._outline.object_ids))


def colours(bench):
    return {one: tuple(bench.labels.get_color(one)) for one in (1, 2, 3)}


def hidden(bench):
    return {one.object_id for one in bench.objects.listed if one.is_hidden}


def test_neither_preview_nor_prompts_are_drawn(bench):
    assert previewed(bench) == {1, 2}
    bench.hide_object(1)
    assert previewed(bench) == {2}
    assert bench.points_layer.shown.tolist() == [False, True]
    assert not bench.boxes_layer.edge_color[0].any()
    bench.show_object(1)
    assert previewed(bench) == {1, 2}
    assert bench.points_layer.shown.all()
    assert bench.boxes_layer.edge_color[0].any()


def test_its_label_is_not_drawn_and_others_keep_their_colours(labelled):
    own, before = labelled.labels.colormap, colours(labelled)
    labelled.hide_object(1)
    assert colours(labelled) == {**before, 1: (0, 0, 0, 0)}
    labelled.new_object()
    assert colours(labelled) == {**before, 1: (0, 0, 0, 0)}
    labelled.show_object(1)
    assert labelled.labels.colormap is own
    assert colours(labelled) == before


def test_pixels_and_all_else_stay(labelled):
    before = labelled.labels.data.copy()
    labelled.hide_object(1)
    labelled.propagate(replace=True)
    labelled.wait()
    np.testing.assert_array_equal(labelled.labels.data, before)
    assert labelled.summaries[0].span == range(FRAMES)


def test_one_is_shown_alone_until_all_are(labelled):
    labelled.new_object()
    labelled.show_only(2)
    assert hidden(labelled) == {1, 3}
    labelled.show_only(1)
    assert hidden(labelled) == {2, 3}
    labelled.new_object()
    assert hidden(labelled) == {2, 3}, "what is new is seen"
    labelled.show_all_objects()
    assert hidden(labelled) == set()


def test_it_is_undone_and_redone_at_once(labelled):
    before = colours(labelled)
    labelled.new_object()
    count = len(labelled.history.done)
    labelled.show_only(2)
    assert len(labelled.history.done) == count + 1
    labelled.undo()
    assert hidden(labelled) == set()
    assert colours(labelled) == before
    assert labelled.points_layer.shown.all()
    labelled.redo()
    assert hidden(labelled) == {1, 3}
    assert colours(labelled)[1] == (0, 0, 0, 0)
    assert labelled.points_layer.shown.tolist() == [False, True]


def test_what_does_not_change_is_no_step(bench):
    count = len(bench.history.done)
    bench.show_object(1)
    bench.show_all_objects()
    assert len(bench.history.done) == count


def test_a_new_prompt_shows_its_object_again(labelled):
    labelled.show_only(2)
    labelled.add_points((2, *FIRST), 1)
    labelled.wait()
    assert hidden(labelled) == set()
    assert labelled.points_layer.shown.all()
    labelled.undo()
    assert hidden(labelled) == {1}
    assert labelled.points_layer.shown.tolist() == [False, True]


def test_other_prompts_show_nothing(labelled):
    labelled.hide_object(1)
    labelled.add_points((2, *SECOND), 2)
    labelled.wait()
    assert hidden(labelled) == {1}


def test_what_is_not_seen_is_not_clicked(labelled):
    labelled.select_object(2)
    labelled.hide_object(1)
    assert not labelled.pick_object_at((0, *FIRST)), "its point"
    assert not labelled.pick_object_at((1, 11, 12)), "its label"
    assert labelled.objects.current_id == 2
    labelled.show_object(1)
    assert labelled.pick_object_at((0, *FIRST))
    assert labelled.objects.current_id == 1


def test_other_colours_select_nothing(labelled):
    labelled.labels.selected_label = 1
    labelled.select_object(2)
    labelled.labels.new_colormap()
    assert labelled.objects.current_id == 2


def test_its_preview_is_not_clicked(bench):
    bench.hide_object(1)
    assert not bench.pick_object_at((0, 11, 10))
    bench.show_object(1)
    assert bench.pick_object_at((0, 11, 10))


def test_its_points_are_not_selected(bench):
    layer = bench.points_layer
    bench.select_object(1)
    layer.selected_data = {0}
    bench.hide_object(1)
    assert layer.selected_data == set()
    layer.mode = "select"
    assert layer.get_value((0, *FIRST), world=True) is None
    assert layer.get_value((0, *SECOND), world=True) == 1


def test_review_keeps_to_what_is_seen(labelled):
    records = labelled.controller.state.target.frames
    for object_id in (1, 2):
        records.note(result_on(3, object_id, Verdict.DOUBTFUL, (64, 64)))
    labelled.hide_object(1)
    assert [place.object_id for place in labelled.doubtful_places()] == [2]
    labelled.hide_object(2)
    assert labelled.next_doubtful() is None
    outcome = labelled.controller.state.outcome
    assert outcome == "No frame is doubtful of what is shown."


def test_new_labels_do_not_show_it_either(labelled):
    labelled.hide_object(1)
    first = labelled.labels
    labelled.choose_labels(None)
    labelled.propagate()
    labelled.wait()
    assert labelled.labels is not first
    assert not labelled.labels.get_color(1).any()
    labelled.viewer.layers.remove(first)
    assert first.get_color(1).any(), "it is nobody's business any more"


def test_labels_of_others_are_hidden_and_leave_no_trace(bench):
    labels = np.zeros((FRAMES, 64, 64), np.uint16)
    labels[:, 5:9, 5:9] = 7
    bench.choose_labels(bench.viewer.add_labels(labels))
    bench.wait()
    bench.show_only(1)
    assert hidden(bench) == {2, 7}
    bench.show_all_objects()
    assert 7 not in bench.history.document.table("objects")


def test_a_dock_that_is_closed_shows_all(labelled, make_bench):
    own = colours(labelled)
    labelled.hide_object(1)
    labelled.close()
    assert colours(labelled) == own
    assert labelled.objects.points_layer.shown.all()


def test_a_project_remembers_it(labelled, make_bench):
    labelled.hide_object(1)
    path = labelled.controller.state.project.path
    labelled.controller.state.project.flush()
    other = make_bench()
    other.choose_movie(other.viewer.add_image(squares(FRAMES)[0], name="squares"))
    labelled.close()
    labelled.controller.state.project.close()
    other.wait()
    other.resume(path)
    other.wait()
    assert hidden(other) == {1}
    assert not other.labels.get_color(1).any()
    assert other.points_layer.shown.tolist() == [False, True]


@pytest.mark.parametrize("name", ["hide_object", "show_object", "show_only"])
def test_an_object_that_is_not_there_is_refused(bench, name):
    with pytest.raises(PromptError, match="there is no object 9"):
        getattr(bench, name)(9)
