from __future__ import annotations

import pytest

pytest.importorskip("napari.layers")

from threading import Thread
from types import SimpleNamespace

import numpy as np
import zarr
from hypothesis import given
from hypothesis import strategies as st
from made_up import found_by
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_sam_decoder.propagation import FrameResult
from napari_sam_decoder.widgets.layers import LabelsDraft, MovieView, scan_labels
from napari_sam_decoder.widgets.layers.guarded_labels import (
    GuardedLabels,
    LabelSnapshot,
)
from napari_sam_decoder.widgets.layers.labels_layers import new_labels_layer

RNG = np.random.default_rng(0)


def plane(value=0):
    labels = np.full((20, 30), value, np.uint16)
    labels[5:9, 4:8] = 7
    return labels


def changed(snapshot, place, now):
    return snapshot.changed(place, now, snapshot.plane(place, now))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.uint32])
def test_a_plane_comes_back_as_it_was(dtype):
    snapshot, labels = LabelSnapshot(), RNG.integers(0, 99, (20, 30)).astype(dtype)
    snapshot.put((3,), labels)
    left = snapshot.plane((3,), np.zeros((20, 30)))
    np.testing.assert_array_equal(left, labels)
    assert left.dtype == dtype
    assert list(snapshot) == [(3,)]


def test_changes_are_found_whatever_the_memory_layout_and_type():
    snapshot, now = LabelSnapshot(), np.asfortranarray(plane().astype(np.int64))
    snapshot.put((3,), plane())
    assert changed(snapshot, (3,), now) is None
    now[1, 2] = 9
    np.testing.assert_array_equal(np.argwhere(changed(snapshot, (3,), now)), [[1, 2]])


def test_of_an_unknown_plane_no_change_is_known():
    snapshot = LabelSnapshot()
    assert (3,) not in snapshot
    assert changed(snapshot, (3,), plane()) is None


def test_a_blank_layer_is_known():
    snapshot = LabelSnapshot(is_blank=True)
    assert (3,) in snapshot
    np.testing.assert_array_equal(changed(snapshot, (3,), plane()), plane() != 0)
    snapshot.put((3,), plane())
    assert changed(snapshot, (3,), plane()) is None


def test_what_is_known_already_is_not_begun_again():
    snapshot = LabelSnapshot()
    snapshot.begin((3,), plane())
    snapshot.begin((3,), plane(1))
    assert changed(snapshot, (3,), plane()) is None


def test_of_the_oldest_planes_only_a_checksum_is_kept_where_room_is_short():
    noise = RNG.integers(0, 2**16, (2, 50, 50)).astype(np.uint16)
    snapshot = LabelSnapshot(room=6000)
    for place in (0, 1):
        snapshot.put((place,), noise[place])
    assert set(snapshot) == {(0,), (1,)}
    assert all(changed(snapshot, (place,), noise[place]) is None for place in (0, 1))
    noise[:, 3, 3] += 1
    assert changed(snapshot, (0,), noise[0]).all(), "nobody knows where"
    assert changed(snapshot, (1,), noise[1]).sum() == 1
    snapshot.put((0,), noise[0])
    assert changed(snapshot, (0,), noise[0]) is None


def test_labels_of_another_shape_are_not_compared():
    snapshot = LabelSnapshot()
    snapshot.put((3,), plane())
    assert changed(snapshot, (3,), plane()[1:]) is None


SHAPE = (5, 30, 30)
AREA = SHAPE[1] * SHAPE[2]


class Desk:
    """A movie, its labels, and results as runs bring them."""

    def __init__(self, data=None, axis=None, shape=SHAPE, place=()):
        self.movie = Image(np.zeros(shape, np.uint8), name="movie")
        self.view = MovieView.of(self.movie, axis, place)
        is_blank = data is None
        self.layer = (
            new_labels_layer(self.view, "labels")
            if is_blank
            else Labels(data, name="labels")
        )
        self.layer.brush_size = 6
        self.state = GuardedLabels(self.layer, self.view, is_blank=is_blank)
        if not is_blank:
            found_by(
                scan_labels(
                    self.view, data, lambda *at: self.state.note(self.view, *at)
                )
            )

    def run(self, frame, labels=None, ids=(1,), *, replace=False):
        if labels is None:
            labels = np.ones(self.view.frame_shape, np.uint16)
        return self.state.write(self.view, frame, labels, ids, replace=replace)

    def plane(self, frame):
        return np.asarray(self.layer.data[self.view.index(frame)])

    def painted(self):
        return {
            frame: set(self.state.objects(self.view, frame))
            for frame in range(len(self.view))
            if self.state.objects(self.view, frame)
        }


@pytest.fixture
def desk():
    return Desk()


def rows(value, stop=15):
    labels = np.zeros(SHAPE[1:], np.uint16)
    labels[:stop] = value
    return labels


def paint(layer):
    layer.paint((2, 5, 5), 1)


def erase(layer):
    layer.paint((2, 5, 5), 0)


def fill(layer):
    layer.fill((2, 5, 5), 9)


def polygon(layer):
    layer.paint_polygon([[2, 2, 2], [2, 2, 8], [2, 8, 8]], 9)


def arrays(layer):
    layer.data_setitem(tuple(map(np.array, ([2, 2], [5, 6], [5, 5]))), 9)


def drag(layer):
    with layer.block_history():
        layer.paint((2, 5, 5), 9)
        layer.paint((2, 5, 9), 9)


STROKES = (erase, fill, polygon, arrays, drag)


def assign(layer):
    data = np.array(layer.data)
    data[2, 5, 5] = 9
    layer.data = data


def in_place(layer):
    layer.data[2, 5, 5] = 9


def in_place_and_refreshed(layer):
    layer.data[2, 5:7, 5] = 9
    layer.refresh()


def assign_the_same_array(layer):
    layer.data[2, 5, 5] = 9
    layer.data = layer.data


def assign_another_type(layer):
    data = np.array(layer.data).astype(np.int64)
    data[2, 5, 5] = 9
    layer.data = data


SCRIPTS = (
    assign,
    in_place,
    in_place_and_refreshed,
    assign_the_same_array,
    assign_another_type,
)


@pytest.mark.parametrize("change", [*STROKES, *SCRIPTS])
def test_what_others_have_changed_stays(desk, change):
    for frame in range(5):
        desk.run(frame)
    change(desk.layer)
    changed = desk.plane(2).copy()
    assert (changed != 1).any()
    assert set(desk.painted()) == {2}
    assert 1 in desk.painted()[2]
    for frame in range(5):
        written = desk.run(frame, rows(1))
        assert written.spared == ({1} if frame == 2 else set())
    np.testing.assert_array_equal(desk.plane(2), changed)
    assert (desk.plane(1) == rows(1)).all()


@pytest.mark.parametrize("change", [paint, *STROKES[1:], *SCRIPTS])
def test_so_it_does_on_a_frame_that_no_run_has_come_to(desk, change):
    change(desk.layer)
    changed = desk.plane(2).copy()
    desk.run(2, rows(3), ids=(3,))
    assert (desk.plane(2)[changed > 0] == changed[changed > 0]).all()
    assert set(desk.painted()) == {2}


@pytest.mark.parametrize("change", SCRIPTS)
def test_so_it_does_in_labels_that_were_brought(change):
    desk = Desk(np.full(SHAPE, 1, np.uint16))
    change(desk.layer)
    assert desk.painted() == {2: {1, 9}}


@pytest.mark.parametrize("stroke", STROKES)
def test_what_was_undone_is_no_change_and_redone_it_is_one(desk, stroke):
    for frame in range(5):
        desk.run(frame)
    stroke(desk.layer)
    desk.layer.undo()
    assert desk.painted() == {}
    desk.layer.redo()
    assert set(desk.painted()) == {2}
    desk.layer.undo()
    assert not desk.run(2, rows(1)).spared
    assert (desk.plane(2) == rows(1)).all()


@pytest.mark.parametrize("stroke", STROKES)
def test_undo_after_a_run_that_replaces_changes_nothing(desk, stroke):
    for frame in range(5):
        desk.run(frame)
    stroke(desk.layer)
    desk.run(2, replace=True)
    for _ in range(3):
        desk.layer.undo()
        desk.layer.redo()
        assert (desk.layer.data == 1).all()
    assert desk.painted() == {}


def test_painting_the_same_as_the_run_that_replaces_it_is_not_undone_either(desk):
    paint(desk.layer)
    desk.run(2, replace=True)
    desk.layer.undo()
    assert np.count_nonzero(desk.plane(2) == 1) == AREA


def test_undo_takes_back_what_a_run_has_left_alone(desk):
    desk.run(2, rows(1))
    desk.layer.paint((2, 20, 20), 1)
    desk.layer.paint((3, 20, 20), 1)
    desk.run(2, rows(2, 30) * (rows(1) == 0), ids=(2,))
    desk.layer.undo()
    assert not desk.plane(3).any()
    before = desk.plane(2).copy()
    desk.layer.undo()
    changed = before != desk.plane(2)
    assert (before[changed] == 1).all(), "only the stroke"
    assert (desk.plane(2)[changed] == 0).all()
    assert desk.painted() == {}


def test_half_of_a_stroke_can_be_undone_when_the_other_was_written(desk):
    desk.layer.paint((2, 15, 15), 9)
    desk.layer.paint((3, 15, 15), 9)
    desk.run(2, rows(1), replace=True)
    desk.layer.undo()
    desk.layer.undo()
    assert not desk.plane(3).any()
    np.testing.assert_array_equal(desk.plane(2), rows(1))
    desk.layer.redo()
    np.testing.assert_array_equal(desk.plane(2)[:15], 1)
    assert set(desk.painted()) == {2}


def halves(stop):
    """Object 1 above, object 2 below."""
    return np.where(rows(1, stop) > 0, 1, 2).astype(np.uint16)


def test_other_objects_are_written_beside_what_was_painted(desk):
    desk.run(2, halves(15), ids=(1, 2))
    desk.layer.paint((2, 5, 5), 0)
    painted = desk.plane(2).copy()
    assert desk.run(2, halves(5), ids=(1, 2)).spared == {1}
    np.testing.assert_array_equal(desk.plane(2), painted)
    desk.run(2, 2 * rows(1, 30), ids=(2,))
    np.testing.assert_array_equal(desk.plane(2), painted)
    desk.run(2, rows(3, 30) * (rows(1, 20) == 0), ids=(2, 3))
    assert (desk.plane(2)[20:] == 3).all()
    np.testing.assert_array_equal(desk.plane(2)[:15], painted[:15])


def test_an_object_that_was_wiped_out_stays_away(desk):
    desk.run(2, rows(1))
    desk.layer.fill((2, 5, 5), 0)
    assert desk.painted() == {2: {1}}
    assert desk.run(2, rows(1)).spared == {1}
    assert not desk.plane(2).any()


def test_a_stroke_under_way_is_not_overwritten(desk):
    desk.run(2, rows(1))
    with desk.layer.block_history():
        desk.layer.paint((2, 20, 20), 1)
        drawn = desk.plane(2).copy()
        desk.run(2, rows(1, 3))
        np.testing.assert_array_equal(desk.plane(2), drawn)
    desk.layer.undo()
    np.testing.assert_array_equal(desk.plane(2), rows(1))


def test_a_stroke_under_way_on_a_frame_that_is_not_known_is_not_overwritten():
    desk = Desk.__new__(Desk)
    Desk.__init__(desk, np.zeros(SHAPE, np.uint16))
    desk.state = GuardedLabels(desk.layer, desk.view, is_blank=False)
    with desk.layer.block_history():
        desk.layer.paint((2, 20, 20), 1)
        drawn = desk.plane(2).copy()
        desk.run(2, rows(1, 3))
        np.testing.assert_array_equal(desk.plane(2), drawn)


def test_a_stroke_under_way_that_is_replaced_is_not_undone(desk):
    with desk.layer.block_history():
        desk.layer.paint((2, 20, 20), 9)
        desk.run(2, replace=True)
        desk.layer.paint((3, 20, 20), 9)
    desk.layer.undo()
    assert (desk.plane(2) == 1).all()
    assert not desk.plane(3).any()


def test_strokes_from_before_count_for_what_was_there_and_are_not_undone_over_results():
    data = np.zeros(SHAPE, np.uint16)
    viewer = ViewerModel()
    layer = viewer.add_labels(data)
    layer.brush_size = 6
    layer.paint((2, 5, 5), 1)
    view = MovieView.of(Image(np.zeros(SHAPE)))
    state = GuardedLabels(layer, view, is_blank=False)
    found_by(scan_labels(view, data, lambda *at: state.note(view, *at)))
    assert not state.objects(view, 2)
    state.write(view, 2, rows(1), (1,), replace=False)
    layer.undo()
    np.testing.assert_array_equal(layer.data[2], rows(1))


def test_an_edit_is_taken_back_but_for_what_has_changed_since(desk):
    desk.run(2, rows(1, 10))
    edit = desk.run(2, rows(1, 20)).edit
    desk.layer.paint((2, 15, 15), 9)
    stroke = desk.plane(2) == 9
    assert desk.state.undo_edit(desk.view, 2, edit)
    np.testing.assert_array_equal(desk.plane(2), np.where(stroke, 9, rows(1, 10)))
    assert set(desk.painted()[2]) == {1, 9}
    assert not desk.state.undo_edit(desk.view, 2, edit)


def test_labels_on_disk_work_alike(tmp_path):
    array = zarr.create_array(
        tmp_path / "labels.zarr", shape=SHAPE, dtype=np.uint16, chunks=(1, 30, 30)
    )
    desk = Desk(array)
    for frame in range(5):
        desk.run(frame)
    desk.layer.paint((2, 5, 5), 9)
    desk.layer.paint((4, 5, 5), 9)
    assert set(desk.painted()) == {2, 4}
    likely = [desk.state.is_likely(desk.view, frame) for frame in range(5)]
    assert likely == [False, False, True, False, True]
    assert desk.run(2, rows(1)).spared == {1}
    desk.run(4, replace=True)
    desk.layer.undo()
    assert (desk.plane(4) == 1).all()
    desk.layer.undo()
    assert desk.painted() == {}


def test_changes_are_still_known_when_the_movie_is_followed_along_another_axis(desk):
    for frame in range(5):
        desk.run(frame)
    desk.layer.paint((2, 5, 5), 9)
    drawn = np.array(desk.layer.data)
    along = set(np.flatnonzero((drawn == 9).any(axis=(0, 2))).tolist())
    desk.view = MovieView.of(desk.movie, 1)
    assert set(desk.painted()) == along
    for row in range(30):
        desk.run(row, np.ones((5, 30), np.uint16) * 3, ids=(1, 3))
    assert (desk.layer.data[drawn == 9] == 9).all()
    desk.view = MovieView.of(desk.movie, 0)
    assert set(desk.painted()) == {2}
    desk.layer.undo()
    assert desk.painted() == {}


def test_other_planes_of_four_axes_do_not_count():
    desk = Desk(axis=0, shape=(3, 4, 20, 20), place=(0, 2, 0, 0))
    desk.layer.paint((1, 0, 5, 5), 9)
    desk.layer.paint((2, 2, 5, 5), 9)
    assert desk.painted() == {2: {9}}
    desk.view = MovieView.of(desk.movie, 0, (0, 0, 0, 0))
    assert desk.painted() == {1: {9}}


def test_a_picture_has_one_plane():
    desk = Desk(shape=(20, 20))
    desk.layer.paint((5, 5), 9)
    assert desk.painted() == {0: {9}}
    desk.run(0, np.ones((20, 20), np.uint16))
    assert (desk.plane(0) == 9).any()
    assert (desk.plane(0) == 1).any()


def test_after_the_end_nothing_is_heard(desk):
    desk.state.close()
    desk.run(4, rows(1))
    desk.layer.paint((2, 5, 5), 9)
    assert not desk.state._touched


class Diary:
    """Notes who decided last on each pixel, without looking at any history."""

    def __init__(self):
        self.desk = Desk(shape=(2, 16, 16))
        self.desk.layer.brush_size = 5
        self.left = np.zeros((2, 16, 16), np.uint16)
        self.decided = np.zeros((2, 16, 16), int)
        self.drawn = np.zeros((2, 16, 16), int)
        self.now = 0

    def do(self, kind, frame, row, column, value):
        self.now += 1
        before = np.array(self.desk.layer.data)
        if kind.startswith("run"):
            self.run(frame, row, value, replace=kind == "run over")
            return
        {
            "paint": lambda: self.desk.layer.paint((frame, row, column), value),
            "fill": lambda: self.desk.layer.fill((frame, row, column), value),
            "script": lambda: self.desk.layer.data.__setitem__((frame, row), value),
            "undo": self.desk.layer.undo,
            "redo": self.desk.layer.redo,
        }[kind]()
        changed = before != self.desk.layer.data
        if kind in ("undo", "redo"):
            assert (self.drawn[changed] > self.decided[changed]).all()
        self.drawn[changed] = self.now

    def run(self, frame, row, value, *, replace):
        labels = np.zeros((16, 16), np.uint16)
        labels[:row] = value or 1
        before = self.desk.plane(frame).copy()
        others = before != self.left[frame]
        written = self.desk.run(frame, labels, ids=(value or 1,), replace=replace)
        changed = before != self.desk.plane(frame)
        if not replace:
            assert not (changed & others).any()
            spared = np.isin(before, list(written.spared))
            assert not (changed & spared).any()
        if replace:
            changed |= labels > 0
        self.left[frame][changed] = self.desk.plane(frame)[changed]
        self.decided[frame][changed] = self.now


STEPS = st.tuples(
    st.sampled_from(["paint", "fill", "script", "undo", "redo", "run", "run over"]),
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


def test_a_plane_is_not_noted_for_a_cut_along_other_axes():
    """It is noted in the background while the layer is being cut in another way."""
    labels = np.zeros((8, 8, 8), np.uint16)
    labels[2] = 1
    cube = Desk(labels, shape=labels.shape)
    other = MovieView.of(cube.movie, 1, ())
    # Nothing is known of the labels.
    state = GuardedLabels(cube.layer, cube.view, is_blank=False)
    turning = Thread(target=state.objects, args=(other, 2))

    class Sliced(tuple):
        """Axes during whose comparison the layer is turned."""

        __slots__ = ()
        __hash__ = tuple.__hash__

        def __eq__(self, axes):
            turning.start()
            turning.join(timeout=0.2)
            return tuple(self) == tuple(axes)

    view = SimpleNamespace(sliced_axes=Sliced(cube.view.sliced_axes))
    state.note(view, (2,), labels[2].copy())
    turning.join()
    assert state.objects(other, 2) == frozenset()


PLANES = (3, 4, 5, 6)


@pytest.fixture
def layer():
    return Labels(np.zeros(PLANES, np.uint32))


@pytest.fixture
def draft(layer):
    """The labels of the second volume, followed along its depth."""
    view = MovieView.of(Image(np.zeros(PLANES, np.uint8)), 1, (1, 0, 0, 0))
    return LabelsDraft(view, layer)


def result_with(frame, number):
    return FrameResult(frame, np.full((5, 6), number, np.uint32))


def test_it_has_the_shape_and_type_of_the_movies_labels(draft):
    assert draft.shape == (4, 5, 6)
    assert draft.dtype == np.uint32


def test_a_picture_is_a_movie_of_one_frame():
    layer = Labels(np.full((5, 6), 3, np.uint16))
    draft = LabelsDraft(MovieView.of(Image(np.zeros((5, 6), np.uint8))), layer)
    assert draft.shape == (1, 5, 6)
    assert (draft[0] == 3).all()


def test_it_shows_the_layer_as_it_is_by_now(draft, layer):
    assert not draft[2].any()
    layer.data[1, 2] = 7
    assert (draft[2] == 7).all()
    assert not draft[1].any()


def test_a_result_is_there_before_the_next_one_is_computed(draft, layer):
    def computed():
        yield result_with(2, 7)
        yield result_with(3, draft[2][0, 0] + 1)

    *_, last = draft.follow(computed())
    assert (last.labels == 8).all()
    assert not layer.data.any(), "only the window writes"


def test_a_result_that_was_written_is_read_from_the_layer(draft, layer):
    (result,) = draft.follow([result_with(2, 7)])
    layer.data[1, 2] = 5
    assert (draft[2] == 7).all()
    draft.mark_written(result)
    assert (draft[2] == 5).all(), "the layer may hold more than the result"


def test_a_later_result_of_the_frame_outlasts_an_earlier_one(draft):
    earlier, later = draft.follow([result_with(2, 7), result_with(2, 8)])
    draft.mark_written(earlier)
    assert (draft[2] == 8).all()
    draft.mark_written(later)
    assert not draft[2].any()
