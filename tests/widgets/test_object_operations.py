"""What is done with whole objects: going to them, locking and splitting them."""

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


@pytest.mark.parametrize(
    "change",
    [
        lambda bench: bench.delete_object(1),
        lambda bench: bench.merge_objects(1, 2),
        lambda bench: bench.use_points(bench.viewer.add_points([(0, 5, 5)])),
    ],
)
def test_a_click_just_before_is_an_action_of_its_own(labelled, change):
    labelled.select_object(2)
    labelled.wait()
    count = len(labelled.history.done)
    labelled.points_layer.add([3, 44, 43])
    change(labelled)
    labelled.wait()
    titles = [step.title for step in labelled.history.done[count:]]
    labelled.undo()
    assert [3, 44, 43] in labelled.points_layer.data.tolist(), titles


@pytest.fixture
def locked(labelled):
    """The same, of which the first is locked."""
    labelled.lock_object(1)
    return labelled


@pytest.fixture
def told(locked):
    """What a person is told."""
    told = []
    locked.failed.connect(lambda error: told.append(str(error)))
    return told


LOCKED = "'one' is locked .* unlock it first, with a click on the lock"


def pixels_of(bench, object_id):
    return np.asarray(bench.labels.data) == object_id


@pytest.mark.parametrize(
    "attempt",
    [
        lambda bench: bench.add_points((3, 5, 5), 1),
        lambda bench: bench.add_box(3, (1, 1, 9, 9), 1),
        lambda bench: bench.add_scribble(3, np.eye(64), 1),
        lambda bench: (bench.select_object(1), bench.choose_hypothesis(2)),
        lambda bench: bench.propagate(objects=[1]),
        lambda bench: bench.merge_objects(1, 2),
        lambda bench: bench.merge_objects(2, 1),
        lambda bench: bench.delete_object(1),
        lambda bench: bench.use_points(
            bench.viewer.add_points([(0, 5, 5)], features={"object_id": [1]})
        ),
    ],
)
def test_what_would_change_a_locked_object_is_refused(locked, attempt):
    before, rows = locked.labels.data.copy(), locked.history.document.rows("points")
    count = len(locked.history.done)
    with pytest.raises(PromptError, match=LOCKED):
        attempt(locked)
    locked.wait()
    np.testing.assert_array_equal(locked.labels.data, before)
    assert locked.history.document.rows("points") == rows
    assert len(locked.history.done) == count


def test_points_of_a_locked_object_are_put_back(locked, told):
    layer = locked.points_layer
    before = layer.data.copy()
    locked.select_object(1)
    layer.add([2, 30, 30])
    locked.wait()
    layer.selected_data = {0}
    layer.remove_selected()
    locked.wait()
    np.testing.assert_array_equal(layer.data, before)
    with locked.gesture():
        for row in (20, 22):
            layer.data = [(0, row, 14), *before[1:]]
            locked.wait()
    np.testing.assert_array_equal(layer.data, before)
    assert len(told) == 3, "once for each thing that was tried"
    locked.select_object(2)
    layer.add([2, 44, 44])
    locked.wait()
    assert len(layer.data) == len(before) + 1, "others are free"


def test_a_run_of_all_leaves_out_what_is_locked(locked):
    locked.add_points((3, 44, 43), 2)
    locked.wait()
    locked.propagate(replace=True)
    locked.wait()
    run = [step for step in locked.history.done if step.kind == "run"][-1]
    assert run.details["objects"] == [2]
    locked.lock_object(2)
    with pytest.raises(PromptError, match=r"'one', 'two' are locked .* unlock them"):
        locked.propagate()


@pytest.mark.parametrize("replace", [False, True])
def test_no_run_or_correction_of_another_takes_its_pixels(locked, replace):
    before = pixels_of(locked, 1)
    look_at(locked, 2)
    # The second object claims the first one.
    locked.add_points((2, 16, 16), 2)
    locked.wait()
    locked.propagate(objects=[2], replace=replace)
    locked.wait()
    np.testing.assert_array_equal(pixels_of(locked, 1), before)
    locked.undo()
    locked.undo()
    np.testing.assert_array_equal(pixels_of(locked, 1), before)


@pytest.mark.parametrize("label", [0, 2])
def test_a_stroke_over_a_locked_object_is_put_back(locked, told, label):
    before = locked.labels.data.copy()
    locked.labels.brush_size = 9
    locked.labels.paint([2, 16, 24], label)
    locked.wait()
    now = locked.labels.data
    np.testing.assert_array_equal(pixels_of(locked, 1), before == 1)
    assert (now != before).any() == (label == 2), "beside the object it stays"
    assert len(told) == 1
    locked.undo()
    np.testing.assert_array_equal(locked.labels.data, before)


def test_nothing_is_painted_as_a_locked_object(locked, told):
    before = locked.labels.data.copy()
    locked.labels.paint([2, 50, 10], 1)
    locked.labels.fill([4, 0, 63], 1)
    locked.wait()
    np.testing.assert_array_equal(locked.labels.data, before)
    assert told


def test_what_is_unlocked_is_free_again(locked, told):
    locked.unlock_object(1)
    locked.labels.paint([2, 16, 16], 0)
    locked.wait()
    assert not pixels_of(locked, 1)[2, 16, 16]
    locked.undo()
    locked.undo()
    assert locked.objects.require(1).is_locked
    locked.undo()
    assert not locked.objects.require(1).is_locked
    assert told == []


SPOT = np.s_[3, 50:60, 2:10]
"""Far from all objects."""


def paint_elsewhere(bench):
    bench.labels.paint([4, 30, 60], 2)
    bench.wait()


def resumed(bench, make_bench):
    """Go on with the project of a workbench in another one."""
    project = bench.controller.state.project
    project.flush()
    bench.close()
    other = make_bench()
    movie, _ = squares(FRAMES)
    other.choose_movie(other.viewer.add_image(movie, name="squares"))
    other.resume(project.path)
    other.wait()
    return other


@pytest.fixture
def painted(labelled):
    """Of the first object, a spot is painted as well, and then it is locked."""
    labelled.labels.data_setitem(np.nonzero(spot(labelled)), 1)
    labelled.wait()
    labelled.lock_object(1)
    return labelled


def spot(bench):
    mask = np.zeros(bench.labels.data.shape, bool)
    mask[SPOT] = True
    return mask


def test_what_was_painted_before_the_lock_stays_after_resuming(painted, make_bench):
    painted.lock_object(2)
    before = painted.labels.data.copy()
    other = resumed(painted, make_bench)
    paint_elsewhere(other)
    np.testing.assert_array_equal(other.labels.data, before)
    other.undo()
    other.undo()
    assert other.objects.locked_ids == {1}
    paint_elsewhere(other)
    assert other.labels.data[4, 30, 60] == 2
    np.testing.assert_array_equal(pixels_of(other, 1), before == 1)


def test_what_a_script_changed_before_the_lock_stays(labelled):
    labelled.labels.data[SPOT] = 1
    labelled.propagate(objects=[2])
    labelled.wait()
    assert "by a script" in str([step.title for step in labelled.history.done])
    labelled.lock_object(1)
    paint_elsewhere(labelled)
    assert pixels_of(labelled, 1)[SPOT].all()


def test_what_was_painted_between_two_locks_stays(painted):
    painted.unlock_object(1)
    # A script does not let the window catch up in between.
    painted.labels.data[SPOT] = 0
    painted.labels.data_setitem(np.nonzero(spot(painted)), 1)
    painted.lock_object(1)
    paint_elsewhere(painted)
    assert pixels_of(painted, 1)[SPOT].all()


def test_a_stroke_redone_leaves_a_locked_object_alone(locked):
    before = pixels_of(locked, 1)
    locked.labels.brush_size = 9
    locked.labels.paint([2, 16, 24], 2)
    locked.wait()
    painted = locked.labels.data.copy()
    locked.undo()
    locked.redo()
    np.testing.assert_array_equal(locked.labels.data, painted)
    np.testing.assert_array_equal(pixels_of(locked, 1), before)


def test_a_locked_object_can_be_renamed_and_stays_locked(locked):
    locked.rename_object(1, "nucleus")
    assert locked.objects.require(1).is_locked
    assert locked.summaries[0].is_locked


def test_an_object_that_is_computed_is_not_locked(labelled):
    labelled.propagate()
    with pytest.raises(PromptError, match="is being computed"):
        labelled.lock_object(1)
    labelled.wait()


def known(bench):
    """All that is said of objects, and the labels."""
    bench.wait()
    tables = {
        (table.name, table.scope): dict(table)
        for table in bench.history.document.tables
        if table.name in {"objects", "made", "frames", "requests", "adopted", "ids"}
    }
    full = {name: entries for name, entries in tables.items() if entries}
    rows = bench.history.document.rows("points")
    return np.array(bench.labels.data), full, rows, bench.points_layer.data.tolist()


def assert_same(now, before):
    np.testing.assert_array_equal(now[0], before[0])
    assert now[1:] == before[1:]


def test_an_object_is_split_with_its_labels_and_prompts(labelled):
    labelled.add_points((4, 16, 18), 1)
    before = known(labelled)
    daughter = labelled.split_object(1, 3, "daughter")
    after = known(labelled)
    np.testing.assert_array_equal(after[0][:3], before[0][:3])
    moved = np.where(before[0][3:] == 1, daughter.object_id, before[0][3:])
    np.testing.assert_array_equal(after[0][3:], moved)
    mother, other, one = labelled.summaries
    assert (mother.prompt_frames, mother.span) == ((0,), range(3))
    assert (one.prompt_frames, one.span) == ((4,), range(3, FRAMES))
    assert (one.name, one.parent, mother.parent) == ("daughter", 1, None)
    assert other.span == range(FRAMES)
    assert labelled.objects.current_id == daughter.object_id
    assert "from frame 3 on, on 3 frames" in labelled.controller.state.outcome
    assert labelled.notices == (), "the labels are those of the prompts"
    labelled.undo()
    assert_same(known(labelled), before)
    labelled.redo()
    assert_same(known(labelled), after)


def test_a_daughter_is_corrected_and_its_mother_is_not(labelled):
    daughter = labelled.split_object(1, 3).object_id
    labelled.wait()
    before = pixels_of(labelled, 1)
    labelled.add_points((4, 16, 24), daughter, is_positive=False)
    labelled.wait()
    assert not pixels_of(labelled, daughter)[4, 16, 24]
    np.testing.assert_array_equal(pixels_of(labelled, 1), before)


def test_an_object_of_others_labels_is_split(bench):
    labels = np.zeros((FRAMES, 64, 64), np.uint16)
    labels[:, 5:9, 5:9] = 7
    layer = bench.viewer.add_labels(labels)
    bench.choose_labels(layer)
    bench.wait()
    look_at(bench, 2)
    bench.select_object(7)
    daughter = bench.split_object().object_id
    bench.wait()
    assert [set(np.unique(frame)) - {0} for frame in layer.data] == [
        *[{7}] * 2,
        *[{daughter}] * 4,
    ]
    assert bench.holds(7)
    assert bench.holds(daughter)


@pytest.mark.parametrize(
    ("frame", "why"),
    [(0, "neither prompts nor labels before frame 0"), (9, "there is no frame 9")],
)
def test_there_must_be_something_on_both_sides(labelled, frame, why):
    count = len(labelled.history.done)
    with pytest.raises(PromptError, match=why):
        labelled.split_object(1, frame)
    made = labelled.new_object()
    with pytest.raises(PromptError, match="neither prompts nor labels from frame 3"):
        labelled.split_object(made.object_id, 3)
    assert len(labelled.history.done) == count + 1


def test_a_locked_object_is_not_split(locked):
    with pytest.raises(PromptError, match=LOCKED):
        locked.split_object(1, 3)


def test_parents_are_chosen_and_follow_what_becomes_of_them(labelled):
    third = labelled.new_object().object_id
    labelled.set_parent(third, 2)
    labelled.set_parent(2, 1)
    with pytest.raises(PromptError, match="from which it descends"):
        labelled.set_parent(1, third)
    with pytest.raises(PromptError, match="from which it descends"):
        labelled.set_parent(1, 1)
    with pytest.raises(PromptError, match="there is no object 9"):
        labelled.set_parent(1, 9)
    parents = [one.parent for one in labelled.summaries]
    assert parents == [None, 1, 2]
    labelled.merge_objects(2, 1)
    labelled.wait()
    assert [one.parent for one in labelled.summaries] == [None, 1]
    labelled.undo()
    labelled.delete_object(2)
    labelled.wait()
    assert [one.parent for one in labelled.summaries] == [None, None]
    labelled.undo()
    labelled.set_parent(2, None)
    assert [one.parent for one in labelled.summaries] == [None, None, 2]


def test_a_mother_is_merged_into_her_daughter(labelled):
    daughter = labelled.split_object(1, 3).object_id
    labelled.wait()
    labelled.merge_objects(1, daughter)
    labelled.wait()
    assert labelled.objects.require(daughter).parent is None
    assert pixels_of(labelled, daughter).any(axis=(1, 2)).all()


@pytest.mark.parametrize("is_adopted", [False, True])
def test_no_object_becomes_its_own_ancestor_by_a_merger(bench, is_adopted):
    if is_adopted:
        labels = np.full((FRAMES, 64, 64), 1, np.uint16)
        bench.choose_labels(bench.viewer.add_labels(labels))
        bench.wait()
    else:
        bench.new_object()
    for mother in (1, 2):
        bench.set_parent(bench.new_object().object_id, mother)
    assert [one.parent for one in bench.summaries] == [None, 1, 2]
    bench.merge_objects(1, 3)
    bench.wait()
    assert {one.object_id: one.parent for one in bench.summaries} == {2: 3, 3: None}
    bench.undo()
    assert [one.parent for one in bench.summaries] == [None, 1, 2]


def test_locks_and_parents_are_in_the_project(labelled, make_bench):
    daughter = labelled.split_object(1, 3).object_id
    labelled.lock_object(2)
    before = known(labelled)
    summaries = labelled.summaries
    other = resumed(labelled, make_bench)
    assert_same(known(other), before)
    assert other.summaries == summaries
    with pytest.raises(PromptError, match="'two' is locked"):
        other.delete_object(2)
    other.undo()
    other.undo()
    other.wait()
    assert other.objects.find(daughter) is None
    assert pixels_of(other, 1).any(axis=(1, 2)).all()
