from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from made_documents import Desk, PlainCut

from disk_labels import DiskLabels
from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.project import GuardedLabels, LabelsChange
from napari_sam_decoder.project.guarded_labels import merge_frame


def test_an_edit_says_what_has_changed():
    now, new = np.zeros((4, 5), int), np.zeros((4, 5), int)
    now[0, 0], new[2, 1:4] = 9, 1
    edit = merge_frame(now, new, {1}, replace=False)
    np.testing.assert_array_equal(np.argwhere(edit.spread((4, 5)))[:, 1], [1, 2, 3])
    np.testing.assert_array_equal(edit.after[edit.before != edit.after], 1)
    assert now[2].sum() == 0, "nothing is written"


def test_pixels_that_are_to_be_kept_are_kept():
    kept = np.zeros((4, 5), bool)
    kept[0] = True
    edit = merge_frame(
        np.zeros((4, 5), int), np.ones((4, 5), int), {1}, replace=True, kept=kept
    )
    np.testing.assert_array_equal(edit.spread((4, 5)), ~kept)


SHAPE = (5, 30, 30)
AREA = SHAPE[1] * SHAPE[2]
SPOT = np.s_[3:8, 3:8]


@pytest.fixture
def desk():
    return Desk(np.zeros(SHAPE, np.uint16), is_blank=True)


def rows(value, stop=15):
    labels = np.zeros(SHAPE[1:], np.uint16)
    labels[:stop] = value
    return labels


def halves(stop):
    """Object 1 above, object 2 below."""
    return np.where(rows(1, stop) > 0, 1, 2).astype(np.uint16)


def stroke(desk):
    desk.paint(2, SPOT, 9)


def assign(desk):
    data = np.array(desk.holder.data)
    data[2, 5, 5] = 9
    desk.holder.data = data


def in_place(desk):
    desk.holder.data[2, 5:7, 5] = 9


def assign_another_type(desk):
    data = np.array(desk.holder.data).astype(np.int64)
    data[2, 5, 5] = 9
    desk.holder.data = data


CHANGES = (stroke, assign, in_place, assign_another_type)


@pytest.mark.parametrize("change", CHANGES)
def test_what_others_have_changed_stays(desk, change):
    for frame in range(5):
        desk.run(frame)
    change(desk)
    changed = desk.plane(2).copy()
    assert desk.objects() == {2: {1, 9}}
    for frame in range(5):
        written = desk.run(frame, rows(1))
        assert written.spared == ({1} if frame == 2 else set())
    np.testing.assert_array_equal(desk.plane(2), changed)
    assert (desk.plane(1) == rows(1)).all()


@pytest.mark.parametrize("change", CHANGES)
def test_so_it_does_on_a_frame_that_no_run_has_come_to(desk, change):
    change(desk)
    changed = desk.plane(2).copy()
    desk.run(2, rows(3), ids=(3,))
    assert (desk.plane(2)[changed > 0] == changed[changed > 0]).all()
    assert set(desk.objects()) == {2}


@pytest.mark.parametrize("change", CHANGES)
def test_so_it_does_in_labels_that_were_brought(change):
    desk = Desk(np.full(SHAPE, 1, np.uint16))
    change(desk)
    assert desk.objects() == {2: {1, 9}}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_undone_is_no_change_and_redone_it_is_one(desk, change):
    for frame in range(5):
        desk.run(frame)
    change(desk)
    desk.sync(2)
    desk.history.undo()
    assert desk.objects() == {}
    desk.history.redo()
    assert desk.objects() == {2: {1, 9}}
    desk.history.undo()
    assert not desk.run(2, rows(1)).spared
    assert (desk.plane(2) == rows(1)).all()


def test_a_script_that_tells_nobody_makes_a_step(desk):
    desk.run(2)
    in_place(desk)
    assert desk.sync(1, 2) == [(2,)]
    assert [one.kind for one in desk.history.done] == ["run", "paint"]
    assert desk.sync(1, 2) == []


def test_a_run_that_replaces_is_undone_before_the_stroke_below_it(desk):
    desk.run(2, rows(1))
    desk.paint(2, SPOT, 9)
    painted, before = desk.painted(), desk.plane(2).copy()
    desk.run(2, replace=True)
    assert (desk.plane(2) == 1).all()
    assert desk.objects() == {}
    desk.history.undo()
    np.testing.assert_array_equal(desk.plane(2), before)
    assert desk.painted() == painted
    desk.history.undo()
    np.testing.assert_array_equal(desk.plane(2), rows(1))
    assert desk.painted() == {}


def test_other_objects_are_written_beside_what_was_painted(desk):
    desk.run(2, halves(15), ids=(1, 2))
    desk.paint(2, SPOT, 0)
    painted = desk.plane(2).copy()
    assert desk.run(2, halves(5), ids=(1, 2)).spared == {1}
    np.testing.assert_array_equal(desk.plane(2), painted)
    desk.run(2, 2 * rows(1, 30), ids=(2,))
    np.testing.assert_array_equal(desk.plane(2), painted)
    desk.run(2, rows(3, 30) * (rows(1, 20) == 0), ids=(2, 3))
    assert (desk.plane(2)[20:] == 3).all()
    np.testing.assert_array_equal(desk.plane(2)[:15], painted[:15])


def test_an_object_that_was_wiped_out_stays_away_unless_it_is_to_return(desk):
    desk.run(2, rows(1))
    desk.paint(2, np.s_[:], 0)
    assert desk.objects() == {2: {1}}
    assert desk.run(2, rows(1)).spared == {1}
    assert not desk.plane(2).any()
    assert not desk.run(2, rows(1), returning=(1,)).spared
    np.testing.assert_array_equal(desk.plane(2), rows(1))
    assert desk.objects() == {}
    desk.history.undo()
    assert desk.objects() == {2: {1}}


class Stroke:
    """One that is being drawn: the pixels are there, and nobody was told."""

    def __init__(self, shape):
        self.drawn = np.zeros(shape, bool)
        self.value, self.before = 9, np.zeros(shape, np.uint16)

    def draw(self, desk, frame, window):
        index = (frame, *window)
        self.before[index] = np.where(
            self.drawn[index], self.before[index], desk.holder.data[index]
        )
        self.drawn[index] = True
        desk.holder.data[index] = self.value

    def without(self, plane, place, axes):
        index = axes.index(place)
        mine = self.drawn[index] & (plane == self.value)
        return np.where(mine, self.before[index], plane)

    def end(self):
        self.drawn[:] = False


@pytest.fixture
def drawing(desk):
    """A desk on which a stroke can be half drawn."""
    desk.stroke = Stroke(SHAPE)
    desk.labels = GuardedLabels(
        desk.history.document,
        1,
        desk.holder,
        is_blank=True,
        before_strokes=desk.stroke.without,
    )
    return desk


@pytest.mark.parametrize("replace", [False, True])
def test_a_stroke_under_way_while_a_run_writes_the_frame_twice(drawing, replace):
    drawing.run(2, rows(1))
    states = [drawing.plane(2).copy()]
    drawing.stroke.draw(drawing, 2, np.s_[10:20, 10:20])
    drawing.sync(2)
    drawing.run(2, rows(1, 12), replace=replace)
    drawing.sync(2)
    drawing.run(2, rows(1, 13), replace=replace)
    drawing.stroke.draw(drawing, 2, np.s_[25:28, 10:20])
    drawn = drawing.plane(2).copy()
    assert (drawn[25:28, 10:20] == 9).all()
    assert (drawn[14:20, 10:20] == 9).all()
    assert (drawn[10:13, 10:20] == (1 if replace else 9)).all()
    drawing.stroke.end()
    drawing.sync(2)
    np.testing.assert_array_equal(drawing.plane(2), drawn)
    assert 9 in drawing.objects()[2]
    while drawing.history.next_undo is not drawing.history.done[0]:
        drawing.history.undo()
    np.testing.assert_array_equal(drawing.plane(2), states[0])
    drawing.history.undo()
    assert not drawing.plane(2).any()
    assert drawing.painted() == {}
    while drawing.history.redo():
        pass
    np.testing.assert_array_equal(drawing.plane(2), drawn)


def test_undo_during_a_stroke_leaves_what_is_drawn_elsewhere(drawing):
    drawing.run(2, rows(1))
    drawing.stroke.draw(drawing, 2, np.s_[20:25, 10:20])
    drawing.sync(2)
    drawing.history.undo()
    assert set(np.unique(drawing.plane(2))) == {0, 9}
    drawing.stroke.end()
    drawing.sync(2)
    drawing.history.undo()
    assert not drawing.plane(2).any()


def test_a_stroke_under_way_on_a_frame_that_is_not_known_is_not_overwritten():
    desk = Desk(np.zeros(SHAPE, np.uint16))
    stroke = Stroke(SHAPE)
    desk.labels = GuardedLabels(
        desk.history.document, 1, desk.holder, before_strokes=stroke.without
    )
    stroke.draw(desk, 2, np.s_[10:20, 10:20])
    desk.run(2, rows(1, 12))
    assert (desk.plane(2)[10:20, 10:20] == 9).all()
    desk.history.undo()
    assert (desk.plane(2) > 0).sum() == 100


def last_change(desk):
    step = desk.history.done[-1]
    return next(one for one in step.changes if isinstance(one, LabelsChange))


def take_back(desk, change, but_not=()):
    with desk.history.step("Take back", "correction"):
        return desk.labels.take_back(change, but_not)


def test_a_change_is_taken_back_but_for_what_has_changed_since(desk):
    desk.run(2, rows(1, 10))
    desk.run(2, rows(1, 20))
    change = last_change(desk)
    desk.paint(2, np.s_[14:17, 14:17], 9)
    before, stroke = desk.plane(2).copy(), desk.plane(2) == 9
    assert take_back(desk, change)
    after = np.where(stroke, 9, rows(1, 10))
    np.testing.assert_array_equal(desk.plane(2), after)
    assert set(desk.objects()[2]) == {1, 9}
    assert not take_back(desk, change)
    desk.history.undo()
    np.testing.assert_array_equal(desk.plane(2), before)
    desk.history.redo()
    np.testing.assert_array_equal(desk.plane(2), after)


def test_objects_that_were_recomputed_since_get_nothing_back(desk):
    desk.run(2, rows(2), ids=(2,))
    desk.run(2, rows(1), ids=(1,), replace=True)
    assert take_back(desk, last_change(desk), but_not=(2,))
    assert not desk.plane(2).any()


def test_taking_back_and_undoing_that_forgets_no_silent_change(desk):
    """A script has changed the same pixels there and back without telling."""
    desk.run(2, rows(1))
    change = last_change(desk)
    desk.run(2, rows(0), ids=(1,))
    desk.change(2, SPOT, 1)
    take_back(desk, change)
    assert not desk.plane(2).any()
    assert len(desk.history.done) == 2, "the history never knew of it"
    desk.history.undo()
    np.testing.assert_array_equal(desk.plane(2), rows(1))


def test_labels_of_another_shape_are_not_changed_by_undo(desk):
    desk.run(2, rows(1))
    desk.holder.data = np.zeros((5, 40, 40), np.uint16)
    with pytest.raises(LabelsError, match=r"their shape was \(5, 30, 30\); give"):
        desk.history.undo()
    assert not desk.holder.data.any()
    assert len(desk.history.done) == 1
    desk.holder.data = np.zeros(SHAPE, np.uint16)
    desk.holder.data[2] = rows(1)
    desk.history.undo()
    assert not desk.holder.data.any()


def test_labels_on_disk_work_alike(tmp_path):
    array = zarr.create_array(
        tmp_path / "labels.zarr", shape=SHAPE, dtype=np.uint16, chunks=(1, 30, 30)
    )
    desk = Desk(array)
    for frame in range(5):
        desk.run(frame)
    desk.paint(2, SPOT, 9)
    desk.paint(4, SPOT, 9)
    assert set(desk.objects()) == {2, 4}
    likely = [desk.labels.is_likely(desk.cut, frame) for frame in range(5)]
    assert likely == [False, False, True, False, True]
    assert desk.run(2, rows(1)).spared == {1}
    desk.run(4, replace=True)
    assert (desk.plane(4) == 1).all()
    desk.history.undo()
    assert (desk.plane(4)[SPOT] == 9).all()
    while desk.history.undo():
        pass
    assert desk.objects() == {}
    assert not array[...].any()


@pytest.mark.parametrize("work", ["run", "relabel", "take back", "undo"])
def test_what_a_full_disk_did_not_take_is_as_if_it_had_not_been_tried(work):
    disk = DiskLabels(np.zeros(SHAPE, np.uint16))
    desk = Desk(disk)
    desk.run(2, rows(1))
    (change,) = desk.history.done[-1].changes
    works = {
        "run": lambda: desk.run(2, rows(2), (1, 2)),
        "relabel": lambda: desk.labels.relabel(desk.cut, 2, 1, 7),
        "take back": lambda: desk.labels.take_back(change),
        "undo": desk.history.undo,
    }

    def do():
        if work == "undo":
            works[work]()
        else:
            with desk.history.step(work, "run"):
                works[work]()

    done, disk.room = desk.history.done, 0
    with pytest.raises(LabelsError, match=r"cannot write the labels .*disk space"):
        do()
    assert desk.history.done == done
    np.testing.assert_array_equal(desk.plane(2), rows(1))
    assert desk.objects() == {}
    disk.room = None
    do()
    assert not np.array_equal(desk.plane(2), rows(1))
    assert desk.objects() == {}


def test_labels_out_of_reach_are_told_with_a_remedy():
    disk = DiskLabels(np.zeros(SHAPE, np.uint16))
    desk = Desk(disk)
    desk.run(2, rows(1))
    disk.is_within_reach = False
    with pytest.raises(LabelsError, match=r"cannot read the labels .*permissions"):
        desk.run(3, rows(1))
    with pytest.raises(LabelsError, match="cannot read the labels"):
        desk.history.undo()


def test_changes_are_still_known_when_the_movie_is_followed_along_another_axis(desk):
    for frame in range(5):
        desk.run(frame)
    desk.paint(2, SPOT, 9)
    drawn = np.array(desk.holder.data)
    along = set(np.flatnonzero((drawn == 9).any(axis=(0, 2))).tolist())
    desk.cut = PlainCut(SHAPE, 1)
    assert set(desk.objects()) == along
    for row in range(30):
        desk.run(row, np.ones((5, 30), np.uint16) * 3, ids=(1, 3))
    assert (desk.holder.data[drawn == 9] == 9).all()
    assert (desk.holder.data == 3).any()
    desk.cut = PlainCut(SHAPE, 0)
    assert set(desk.objects()) == {2}
    while desk.history.next_undo.kind == "run":
        desk.history.undo()
    np.testing.assert_array_equal(desk.holder.data, drawn)
    desk.history.undo()
    assert desk.objects() == {}
    desk.history.redo()
    assert set(desk.objects()) == {2}


def test_a_stroke_that_undo_brings_back_on_another_cut_is_guarded(desk):
    desk.paint(2, SPOT, 9)
    desk.run(2, replace=True)
    desk.cut = PlainCut(SHAPE, 1)
    assert desk.objects() == {}
    desk.history.undo()
    assert set(desk.objects()) == {3, 4, 5, 6, 7}
    for row in range(30):
        desk.run(row, np.full((5, 30), 3, np.uint16), ids=(3,))
    assert (desk.holder.data[2][SPOT] == 9).all()


def test_other_planes_of_four_axes_do_not_count():
    shape = (3, 4, 20, 20)
    desk = Desk(np.zeros(shape, np.uint16), 0, ((1, 2),), is_blank=True)
    desk.paint(2, SPOT, 9)
    desk.holder.data[1, 0, 5, 5] = 9
    assert desk.objects() == {2: {9}}
    desk.cut = PlainCut(shape, 0, ((1, 0),))
    assert desk.objects() == {1: {9}}


def test_a_picture_has_one_plane():
    desk = Desk(np.zeros((20, 20), np.uint16), None, is_blank=True)
    desk.paint(0, SPOT, 9)
    assert desk.objects() == {0: {9}}
    desk.run(0, np.ones((20, 20), np.uint16))
    assert set(np.unique(desk.plane(0))) == {1, 9}


def test_what_was_there_before_is_told_once_and_not_undone():
    data = np.zeros(SHAPE, np.uint16)
    data[2, 20:] = 5
    desk, told = Desk(data), []
    desk.history.subscribe(told.append)
    desk.run(2, rows(1))
    desk.run(2, rows(1, 10))
    assert [one.kind for one in told] == ["note", "step", "step"]
    while desk.history.undo():
        pass
    np.testing.assert_array_equal(np.unique(desk.plane(2)), [0, 5])


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_replay_of_all_operations_has_the_same_labels(is_recorded):
    data = np.zeros(SHAPE, np.uint16)
    data[2, 20:] = 5
    desk, copy = Desk(data.copy()), Desk(np.zeros(SHAPE, np.uint16), is_blank=True)
    if is_recorded:
        copy.holder.data[:] = data
    desk.history.subscribe(copy.history.repeat)
    desk.run(2, rows(1))
    desk.paint(2, np.s_[18:22, :], 9)
    desk.history.undo()
    np.testing.assert_array_equal(copy.plane(2), desk.plane(2))


def test_a_plane_is_not_noted_for_a_cut_along_other_axes():
    """It is noted in the background while the labels are being cut in another way."""
    labels = np.zeros((8, 8, 8), np.uint16)
    labels[2] = 1
    cube = Desk(labels)
    other = PlainCut(labels.shape, 1)
    # Nothing is known of the labels but how they are cut.
    state = GuardedLabels(cube.history.document, 2, cube.holder)
    state.cut_along(cube.cut)
    turning = Thread(target=state.objects, args=(other, 2))

    class Sliced(tuple):
        """Axes during whose comparison the labels are turned."""

        __slots__ = ()
        __hash__ = tuple.__hash__

        def __eq__(self, axes):
            turning.start()
            turning.join(timeout=0.2)
            return tuple(self) == tuple(axes)

    class Turned(PlainCut):
        sliced_axes = Sliced((0,))

    state.note(Turned(labels.shape), (2,), labels[2].copy())
    turning.join()
    assert state.objects(other, 2) == frozenset()


def test_what_a_run_writes_is_not_painted_since_an_undone_stroke_was_there(desk):
    """Also where the labels were cut along another axis meanwhile."""
    desk.paint(2, SPOT, 1)
    desk.cut = PlainCut(SHAPE, 1)
    assert desk.objects()
    desk.history.undo()
    assert desk.objects() == {}
    for row in range(30):
        desk.run(row, np.ones((5, 30), np.uint16))
    assert desk.objects() == {}


class Diary:
    """Notes who decided last on each pixel, and what all was at each step."""

    def __init__(self):
        self.desk = Desk(np.zeros((2, 16, 16), np.uint16), is_blank=True)
        self.left = np.zeros((2, 16, 16), np.uint16)
        self.states = {self.work: self.state()}

    @property
    def work(self):
        return tuple(step.number for step in self.desk.history.done)

    def state(self):
        painted = {
            key: (one.window, [part.tolist() for part in one.unpacked((16, 16))])
            for key, one in self.desk.painted().items()
        }
        return self.desk.holder.data.tolist(), painted, self.left.tolist()

    def do(self, kind, frame, row, column, value):
        history = self.desk.history
        if kind == "undo":
            history.undo()
        elif kind == "redo":
            history.redo()
        elif kind == "paint":
            window = np.s_[max(row - 2, 0) : row + 2, max(column - 2, 0) : column + 2]
            self.desk.paint(frame, window, value)
        elif kind == "script":
            self.desk.change(frame, np.s_[row], value)
            self.desk.sync(0, 1)
        elif kind == "take back":
            self.take_back(column)
        else:
            self.run(frame, row, value, replace=kind == "run over")
        if kind in ("undo", "redo"):
            self.left = np.array(self.states[self.work][2], np.uint16)
        assert self.states.setdefault(self.work, self.state()) == self.state()

    def take_back(self, which):
        done = [one for one in self.desk.history.done if one.kind == "run"]
        if done:
            before = self.desk.holder.data.copy()
            for change in reversed(done[which % len(done)].changes):
                if isinstance(change, LabelsChange):
                    take_back(self.desk, change)
            changed = before != self.desk.holder.data
            self.left[changed] = self.desk.holder.data[changed]

    def run(self, frame, row, value, *, replace):
        labels = np.zeros((16, 16), np.uint16)
        labels[:row] = value or 1
        before, ids = self.desk.plane(frame).copy(), (value or 1,)
        others = before != self.left[frame]
        written = self.desk.run(frame, labels, ids=ids, replace=replace)
        changed = before != self.desk.plane(frame)
        if not replace:
            assert not (changed & others).any()
            assert not (changed & np.isin(before, list(written.spared))).any()
        if replace:
            changed |= (labels > 0) | np.isin(self.left[frame], ids)
        self.left[frame][changed] = self.desk.plane(frame)[changed]
        is_painted = self.left[frame] != self.desk.plane(frame)
        now = {*self.desk.plane(frame)[is_painted], *self.left[frame][is_painted]}
        assert self.desk.objects().get(frame, set()) == now - {0}


STEPS = st.tuples(
    st.sampled_from(
        ["paint", "script", "undo", "undo", "redo", "run", "run over", "take back"]
    ),
    st.integers(0, 1),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(0, 3),
)


@given(st.lists(STEPS, max_size=14))
def test_nobody_overwrites_what_another_has_decided_later(steps):
    diary = Diary()
    for step in steps:
        diary.do(*step)
    while diary.desk.history.done:
        diary.do("undo", 0, 0, 0, 0)
    assert not diary.desk.holder.data.any()
    assert diary.desk.painted() == {}
    while diary.desk.history.undone:
        diary.do("redo", 0, 0, 0, 0)


TURNS = st.tuples(
    st.sampled_from(["paint", "script", "turn", "undo", "redo", "run", "run over"]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 2),
)


@given(st.lists(TURNS, max_size=14))
def test_undo_restores_all_pixels_whichever_way_the_labels_were_cut(steps):
    shape = (4, 4, 6)
    desk = Desk(np.zeros(shape, np.uint16), is_blank=True)
    states = {(): desk.holder.data.tolist()}
    for kind, frame, row, value in steps:
        if kind in ("undo", "redo"):
            getattr(desk.history, kind)()
        elif kind == "turn":
            desk.cut = PlainCut(shape, row % 2)
        elif kind == "paint":
            desk.paint(frame, np.s_[row, 1:4], value)
        elif kind == "script":
            desk.labels.cut_along(desk.cut)
            desk.labels.begin_stroke((frame,), desk.plane(frame).copy())
            desk.change(frame, np.s_[row, 2], value)
            desk.sync(frame)
        else:
            labels = np.zeros((4, 6), np.uint16)
            labels[:row] = value
            desk.run(frame, labels, ids=(value or 1,), replace=kind == "run over")
        work = tuple(step.number for step in desk.history.done)
        now = desk.holder.data.tolist()
        assert states.setdefault(work, now) == now
