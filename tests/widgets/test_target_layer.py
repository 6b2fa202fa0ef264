from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.layers")

from made_up import SHAPE, found_by, result_on, target_of, view_of

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.project import CORRECTION, RunRequest
from napari_sam_decoder.prompts import Prompt, PromptSet, Scribble
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Verdict
from napari_sam_decoder.widgets.layers import new_labels_layer, scan_labels

FRAMES = range(SHAPE[0])
BLANK = 1
"""The object that is on every frame before anything is painted, and runs again."""


def target_on(view):
    layer = new_labels_layer(view, "labels")
    layer.data[:] = BLANK
    target = target_of(layer, view)
    contents = found_by(
        scan_labels(view, layer.data, lambda *at: target.note(view, *at))
    )
    target.adopt_labels(view, contents, ())
    return target


@pytest.fixture
def target():
    return target_on(view_of())


def kept_frames(target, frames=FRAMES):
    """On which frames a run has spared the object."""
    return {
        frame
        for frame in frames
        if target.write(
            target.view,
            result_on(frame, shape=target.view.frame_shape),
            {1},
            replace=False,
        ).spared
    }


def paint(layer):
    layer.paint((1, 5, 5), 9)


def erase(layer):
    layer.paint((1, 5, 5), 0)


def fill(layer):
    layer.fill((1, 5, 5), 9)


def draw_polygon(layer):
    layer.paint_polygon([[1, 2, 2], [1, 2, 8], [1, 8, 8]], 9)


def drag(layer):
    with layer.block_history():
        layer.paint((1, 5, 5), 9)
        layer.paint((1, 5, 6), 9)


def set_arrays(layer):
    layer.data_setitem(tuple(map(np.array, ([1, 1], [5, 6], [5, 5]))), 9)


HANDS = (paint, erase, fill, draw_polygon, set_arrays, drag)


@pytest.mark.parametrize("by_hand", HANDS)
def test_a_frame_painted_by_hand_is_kept(target, by_hand):
    by_hand(target.layer)
    painted = target.layer.data[1].copy()
    assert (painted != BLANK).any()
    assert kept_frames(target) == {1}
    np.testing.assert_array_equal(target.layer.data[1], painted)


@pytest.mark.parametrize("by_hand", HANDS)
def test_a_painted_frame_is_replaced_when_asked_for(target, by_hand):
    by_hand(target.layer)
    assert not target.write(target.view, result_on(1), {1}, replace=True).spared
    assert (target.layer.data[1] == 1).all()
    assert kept_frames(target) == set()


def test_a_click_that_paints_nothing_new_keeps_nothing(target):
    target.layer.paint((1, 5, 5), BLANK)
    assert kept_frames(target) == set()


def test_strokes_on_several_frames_are_all_kept(target):
    target.layer.paint((0, 5, 5), 9)
    target.layer.paint((3, 5, 5), 9)
    assert kept_frames(target) == {0, 3}


def test_results_are_not_taken_for_paint(target):
    for _ in range(2):
        assert kept_frames(target) == set()


def changed_frames(layer):
    return {frame for frame in FRAMES if (layer.data[frame] != BLANK).any()}


def test_a_thick_brush_keeps_every_frame_that_it_reaches(target):
    target.layer.n_edit_dimensions = 3
    target.layer.brush_size = 3
    target.layer.paint((2, 5, 5), 9)
    painted = changed_frames(target.layer)
    assert painted == {1, 2, 3}
    assert kept_frames(target) == painted


def test_frames_between_two_that_were_filled_are_not_kept(target):
    """One stroke of napari's bucket through the whole movie, all pieces at once."""
    target.layer.data[[0, 3], 5, 5] = 7
    target.layer.n_edit_dimensions = 3
    target.layer.contiguous = False
    target.layer.fill((0, 5, 5), 9)
    assert kept_frames(target) == {0, 3}


def test_frames_are_counted_along_the_axis_that_is_followed():
    target = target_on(view_of(axis=1))
    target.layer.brush_size = 1
    target.layer.paint((1, 5, 6), 9)
    assert kept_frames(target, range(12)) == {5}


VOLUMES = (3, 4, *SHAPE[1:])


def test_other_planes_do_not_count():
    view = view_of(VOLUMES, 0, (0, 2, 0, 0))
    target = target_on(view)
    target.layer.paint((1, 0, 5, 5), 9)
    target.layer.paint((2, 2, 5, 5), 9)
    assert kept_frames(target, range(3)) == {2}
    assert set(np.unique(target.layer.data[1, 0])) == {1, 9}


def test_paint_is_remembered_when_another_plane_becomes_the_movie():
    target = target_on(view_of(VOLUMES, 0, (0, 2, 0, 0)))
    target.layer.paint((1, 0, 5, 5), 9)
    target.view = view_of(VOLUMES, 0, (0, 0, 0, 0))
    assert kept_frames(target, range(3)) == {1}


def test_planes_that_were_not_painted_are_not_kept():
    """Two points far from each other, on different planes of different volumes."""
    target = target_on(view_of(VOLUMES, 0, (0, 0, 0, 0)))
    places = ([0, 2], [1, 0], [5, 5], [5, 5])
    target.layer.data_setitem(tuple(map(np.array, places)), 9)
    assert kept_frames(target, range(3)) == {2}


def test_a_painted_picture_is_kept():
    target = target_on(view_of(SHAPE[1:]))
    assert kept_frames(target, range(1)) == set()
    target.layer.paint((5, 5), 9)
    assert kept_frames(target, range(1)) == {0}


def test_others_keep_their_pixels_unless_replaced():
    view = view_of()
    layer = new_labels_layer(view, "labels")
    layer.data[0, 6:] = 3
    target = target_of(layer, view)
    target.write(view, result_on(0), {1}, replace=False)
    np.testing.assert_array_equal(layer.data[0], [[1] * 14] * 6 + [[3] * 14] * 6)
    target.write(view, result_on(0), {1}, replace=True)
    assert (layer.data[0] == 1).all()


def test_data_that_cannot_take_a_result_any_more_are_refused(target):
    target.write(target.view, result_on(0), {1}, replace=False)
    target.layer.data = np.zeros((2, 3, 4), int)
    with pytest.raises(LabelsError, match=r"does not fit .*; choose"):
        target.write(target.view, result_on(0), {1}, replace=False)


def test_what_was_painted_is_told_as_prompts(target):
    target.layer.paint((1, 5, 5), 9)
    target.layer.paint((2, 5, 5), 9)
    found = list(target.painted(target.view, (BLANK, 9, 5), (0, 1)))
    assert [(prompt.object_id, prompt.frame) for prompt in found] == [(1, 1), (9, 1)]
    for prompt in found:
        mask = target.layer.data[1] == prompt.object_id
        np.testing.assert_array_equal(prompt.mask.to_array(), mask)


def test_negative_points_correct_what_the_labels_hold(target):
    first = Prompt(BLANK, 0, points=[(5, 5)])
    target.prompt_log.begin(PromptSet([first]), RunRequest())
    for frame in FRAMES:
        target.frames.note(result_on(frame, BLANK), by_run=(BLANK,))
    target.layer.data[2] = 0
    beside = [Prompt(BLANK, frame, points=[(1, 1)], signs=[False]) for frame in (1, 2)]
    (found,) = target.corrections(target.view, (first, *beside))
    assert found.prompts == (beside[0],)


FIRST, CLICK = Prompt(1, 0, points=[(5, 5)]), Prompt(1, 2, points=[(8, 8)])
OTHER = Prompt(2, 0, points=[(11, 1)])


def halves(frame, stop, *object_ids):
    """Object 1 above a row, object 2 below."""
    labels = np.where(np.arange(SHAPE[1])[:, None] < stop, 1, 2)
    labels = np.broadcast_to(labels, SHAPE[1:]).astype(np.uint16)
    objects = {one: ObjectResult(one, Verdict.SURE) for one in object_ids}
    return FrameResult(frame, np.where(np.isin(labels, object_ids), labels, 0), objects)


@pytest.fixture
def corrected():
    """A run has made two objects on all frames; then 1 has grown on frame 2."""
    view = view_of()
    target = target_of(new_labels_layer(view, "labels"), view, is_own=True)
    run(target, FIRST, OTHER)
    with target.history.step("Correction", CORRECTION) as step:
        write(target, halves(2, 9, 1, 2), by_run=())
        target.prompt_log.note_correction([CLICK])
    assert step in target.history.done
    assert (target.layer.data[2] == 1).sum() == 9 * SHAPE[2]
    return target


def run(target, *prompts, frames=FRAMES):
    made = PromptSet(prompts)
    ids = made.object_ids
    with target.history.step("Run", "run", {"objects": list(ids)}):
        target.begin(target.view, made, RunRequest())
        for frame in frames:
            write(target, halves(frame, 5, *ids), by_run=ids)


def write(target, result, by_run):
    target.write(target.view, result, result.objects, replace=True)
    target.frames.note(result, by_run=by_run)


def reconcile(target, *prompts_now):
    with target.history.step("Point deleted", "points"):
        return target.reconcile(target.view, prompts_now)


def test_a_correction_whose_point_is_gone_is_taken_back_and_that_undone(corrected):
    before = corrected.layer.data.copy()
    assert reconcile(corrected, FIRST, OTHER, CLICK) is None
    assert reconcile(corrected, FIRST, OTHER) == 1
    np.testing.assert_array_equal(corrected.layer.data[2], corrected.layer.data[1])
    assert reconcile(corrected, FIRST, OTHER) is None
    assert not corrected.prompt_log.holds(CLICK)
    corrected.layer.undo()
    np.testing.assert_array_equal(corrected.layer.data, before)
    assert corrected.prompt_log.holds(CLICK)
    corrected.layer.redo()
    np.testing.assert_array_equal(corrected.layer.data[2], corrected.layer.data[1])


def test_what_was_drawn_since_stays_when_a_correction_is_taken_back(corrected):
    corrected.layer.paint((2, 7, 5), 9)
    is_drawn = corrected.layer.data[2] == 9
    assert reconcile(corrected, FIRST, OTHER) == 1
    expected = np.where(is_drawn, 9, corrected.layer.data[1])
    np.testing.assert_array_equal(corrected.layer.data[2], expected)


def test_an_object_that_ran_again_since_gets_no_pixel_back(corrected):
    run(corrected, OTHER, frames=(0,))
    assert reconcile(corrected, FIRST, OTHER) == 1
    assert (corrected.layer.data[2, :5] == 1).all()
    assert not corrected.layer.data[2, 5:9].any()
    assert (corrected.layer.data[2, 9:] == 2).all()


def test_what_ran_again_since_is_not_taken_back(corrected):
    run(corrected, FIRST, CLICK)
    before = corrected.layer.data.copy()
    assert reconcile(corrected, FIRST, OTHER) is None
    np.testing.assert_array_equal(corrected.layer.data, before)
    assert corrected.prompt_log.rerun((FIRST, OTHER)) is not None


@pytest.mark.parametrize(
    ("box", "agrees"),
    [
        ((2, 3, 7, 9), True),
        ((1.4, 2.5, 8, 9.5), True),
        ((2, 3, 4, 5), False),
        ((0, 0, 11, 13), False),
        ((8, 10, 11, 13), False),
    ],
)
def test_labels_agree_with_a_box_that_is_around_them(target, box, agrees):
    target.layer.data[1] = 0
    target.layer.data[1, 2:8, 3:10] = 5
    assert target.agrees(target.view, Prompt(5, 1, box=box)) is agrees
    assert not target.agrees(target.view, Prompt(6, 1, box=box))
    top, left, bottom, right = box
    lasso = [(top, left), (top, right), (bottom, right), (bottom, left)]
    assert target.agrees(target.view, Prompt(5, 1, lasso=lasso)) is agrees


@pytest.mark.parametrize(
    ("window", "signs", "agrees"),
    [
        (np.s_[3:5, 4:6], [True], True),
        (np.s_[3:5, 4:6], [False], False),
        (np.s_[0:5, 4:6], [True], False),
        (np.s_[0:2, 0:2], [False], True),
        (np.s_[3:5, 4:6], [False, True], True),
        (np.s_[3:5, 4:6], [True, False], False),
    ],
)
def test_labels_agree_with_scribbles_of_which_the_last_decides(
    target, window, signs, agrees
):
    target.layer.data[1] = 0
    target.layer.data[1, 2:8, 3:10] = 5
    pixels = np.zeros(target.view.frame_shape, bool)
    pixels[window] = True
    scribbles = [Scribble(pixels, is_positive=sign) for sign in signs]
    prompt = Prompt(5, 1, scribbles=scribbles)
    assert target.agrees(target.view, prompt) is agrees
