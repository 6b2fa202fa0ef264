"""Labels that were there before: their objects and ids, and what a run does to them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import bench_with
from qtpy.QtCore import QTimer
from stage import BACKGROUND, StageSam, squares

from napari_sam_decoder.errors import OptionError, PromptError
from napari_sam_decoder.widgets import objects

pytestmark = pytest.mark.gui

FRAMES = 8


@pytest.fixture
def movie():
    return squares(FRAMES)


@pytest.fixture
def fresh(qapp, monkeypatch, movie):
    """A bench on the movie, without labels."""
    bench = bench_with(StageSam(), monkeypatch)
    bench.choose_movie(bench.viewer.add_image(movie[0], name="squares"))
    bench.viewer.dims.set_point(0, 0)
    yield bench
    bench.close()


@pytest.fixture
def bench(fresh, movie):
    """Labels of yesterday, of two objects that are there to the pixel."""
    use(fresh, movie[1].copy())
    return fresh


def use(bench, labels, name="yesterday"):
    layer = bench.viewer.add_labels(labels, name=name)
    bench.choose_labels(layer)
    bench.wait()
    return layer


def ids_of(bench):
    return [one.object_id for one in bench.objects.listed]


def run(bench, **options):
    bench.propagate(**options)
    bench.wait()


def test_labels_are_accepted_with_their_objects(bench, movie):
    assert ids_of(bench) == [1, 2]
    assert bench.points_layer is None
    assert bench.labels.name == "yesterday"
    np.testing.assert_array_equal(bench.labels.data, movie[1])


def test_a_correction_on_them_works(fresh, movie):
    bench, before = fresh, movie[1].copy()
    before[4][before[4] == 2] = 0
    use(bench, before.copy())
    bench.viewer.dims.set_point(0, 4)
    bench.select_object(2)
    bench.points_layer.add((4, 45, 42))
    bench.wait()
    assert (bench.labels.data[4] == 2).any()
    assert bench.controller.state.outcome.startswith("Corrected: ")
    np.testing.assert_array_equal(bench.labels.data == 1, before == 1)


def test_a_negative_point_corrects_them_too(fresh, movie):
    bench, labels = fresh, movie[1].copy()
    labels[4, 30:36, 30:36] = 2
    use(bench, labels)
    bench.viewer.dims.set_point(0, 4)
    bench.select_object(2)
    bench.set_sign(False)
    bench.points_layer.add((4, 33, 33))
    bench.wait()
    assert bench.labels.data[4, 33, 33] == 0
    assert bench.notices == ()


def test_looking_through_objects_makes_one_layer(bench):
    for object_id in (1, 2, 1, 2):
        bench.select_object(object_id)
    names = [layer.name for layer in bench.viewer.layers]
    assert sorted(names) == ["SAM points", "squares", "yesterday"]
    bench.points_layer.add((3, 45, 42))
    bench.select_object(1)
    bench.points_layer.add((3, 16, 18))
    bench.wait()
    assert {prompt.object_id for prompt in bench.controller.prompts} == {1, 2}


def test_a_new_object_gets_a_fresh_id_and_room_where_nobody_is(bench, movie):
    bench.new_object()
    bench.add_points((0, 16, 15))
    assert ids_of(bench) == [1, 2, 3]
    run(bench)
    np.testing.assert_array_equal(bench.labels.data, movie[1])


def test_a_run_leaves_what_was_there_of_its_object(fresh, movie):
    """The beginning was done yesterday; today it is carried on."""
    bench, before = fresh, movie[1].copy()
    before[5:][before[5:] == 1] = 0
    before[:5, 10:12] = 0
    use(bench, before.copy())
    bench.viewer.dims.set_point(0, 5)
    bench.select_object(1)
    bench.points_layer.add((5, 16, 19))
    bench.wait()
    run(bench, objects=(1,))
    np.testing.assert_array_equal(bench.labels.data[:4], before[:4])
    assert all((frame == 1).any() for frame in bench.labels.data[5:])
    assert "kept as they were in the labels" in bench.controller.state.outcome
    run(bench, objects=(1,), replace=True)
    assert (bench.labels.data[0, 10:12] == 1).any()


def test_points_of_yesterday_make_a_run_recompute_everything(fresh, movie):
    bench, labels = fresh, movie[1].copy()
    labels[3, 10:12] = 0
    use(bench, labels)
    points = bench.viewer.add_points([(0, 16, 15)], features={"object_id": [1]}, ndim=3)
    bench.use_points(points)
    bench.wait()
    assert bench.controller.state.outcome == "", "the labels agree with them already"
    run(bench)
    assert (bench.labels.data[3, 10:12] == 1).any()


def test_points_that_were_there_first_count_as_well(fresh, movie):
    points = fresh.viewer.add_points([(0, 16, 15)], features={"object_id": [1]}, ndim=3)
    fresh.use_points(points)
    labels = movie[1].copy()
    labels[3, 10:12] = 0
    use(fresh, labels)
    assert fresh.controller.corrections == ()
    run(fresh)
    assert (labels[3, 10:12] == 1).any()


def test_an_object_that_began_before_gives_way(fresh, movie):
    """Its id is that of another in the labels that are chosen then."""
    fresh.new_object()
    fresh.add_points((0, 16, 15))
    labels = np.where(movie[1] == 2, 1, 0).astype(np.uint16)
    use(fresh, labels)
    assert ids_of(fresh) == [1, 2]
    assert fresh.points_layer.features["object_id"].tolist() == [2]
    assert fresh.objects.current.object_id == 2
    assert "Object 1 here is object 2 now" in fresh.controller.state.outcome
    run(fresh)
    np.testing.assert_array_equal(fresh.labels.data == 1, movie[1] == 2)
    assert (fresh.labels.data[FRAMES - 1] == 2).any()


def test_an_object_whose_points_lie_on_it_stays_the_same(fresh, movie):
    fresh.new_object()
    fresh.add_points((0, 16, 15))
    run(fresh)
    copy = fresh.labels.data.copy()
    use(fresh, copy, "backup")
    assert ids_of(fresh) == [1]
    assert "now" not in fresh.controller.state.outcome


def test_labels_that_were_left_are_found_as_they_were(fresh):
    fresh.new_object()
    fresh.add_points((0, 16, 15))
    run(fresh)
    first = fresh.labels
    first.paint((3, 60, 60), 7)
    use(fresh, np.zeros_like(first.data), "other")
    fresh.choose_labels(first)
    run(fresh)
    assert first.data[3, 60, 60] == 7, "paint is still known"


def test_removed_labels_are_taken_again_when_they_are_back(bench):
    layer = bench.labels
    bench.viewer.layers.remove(layer)
    assert ids_of(bench) == []
    bench.viewer.add_layer(layer)
    bench.wait()
    assert bench.labels is layer
    assert ids_of(bench) == [1, 2]


def test_an_object_stays_while_the_labels_hold_it(fresh):
    fresh.new_object("nucleus")
    fresh.add_points((0, 16, 15))
    run(fresh)
    before = fresh.labels.data.copy()
    fresh.viewer.layers.remove(fresh.points_layer)
    (left,) = fresh.objects.listed
    assert (left.object_id, left.name, left.frames) == (1, "nucleus", ())
    fresh.new_object()
    fresh.add_points((0, 45, 45))
    run(fresh)
    assert ids_of(fresh) == [1, 2]
    np.testing.assert_array_equal(fresh.labels.data == 1, before == 1)


def test_an_object_without_points_can_be_renamed(bench):
    bench.rename_object(2, "nucleus")
    bench.select_object(2)
    assert bench.objects.current.name == "nucleus"
    with pytest.raises(PromptError, match="there is no object 7"):
        bench.rename_object(7, "nobody")


def test_an_id_is_never_given_twice(fresh, movie):
    fresh.new_object()
    fresh.delete_object(1)
    fresh.new_object()
    assert fresh.objects.current_id == 2
    fresh.delete_object(2)
    fresh.new_object()
    assert fresh.objects.current_id == 3
    held = np.zeros_like(movie[1])
    held[5, 5, 5] = 9
    fresh.viewer.add_labels(held, name="elsewhere")
    fresh.new_object()
    assert fresh.objects.current_id == 10


def test_ids_that_were_erased_are_not_given_again(bench):
    bench.labels.data[:] = 0
    bench.new_object()
    assert bench.objects.current_id == 3


def test_an_id_above_all_others_leaves_room_below(fresh, movie):
    """255 is what many use for pixels that are to be ignored."""
    labels = movie[1].astype(np.uint8)
    labels[:, 0] = 255
    use(fresh, labels)
    fresh.new_object()
    assert fresh.objects.current_id == 3


def test_an_object_gets_an_id_that_fits_labels_chosen_later(fresh, movie):
    labels = np.zeros_like(movie[1], np.uint8)
    labels[:, 0] = 255
    layer = fresh.viewer.add_labels(labels, name="ignored")
    fresh.new_object()
    fresh.add_points((0, 16, 15))
    fresh.choose_labels(layer)
    fresh.wait()
    assert ids_of(fresh) == [1, 255]
    assert fresh.controller.state.outcome.endswith("'ignored' takes no id above 255.")
    run(fresh)
    np.testing.assert_array_equal(layer.data == 1, movie[1] == 1)


def test_an_id_is_free_in_all_labels_where_none_is_above_them(fresh, movie):
    above = np.zeros_like(movie[1], np.uint8)
    above[:, 0] = 255
    use(fresh, above)
    fresh.viewer.add_labels(movie[1], name="with 1 and 2")
    fresh.new_object()
    assert fresh.objects.current_id == 3


def test_labels_in_memory_are_known_at_once(fresh):
    shape = 65, 512, 512
    fresh.viewer.layers.clear()
    fresh.choose_movie(fresh.viewer.add_image(np.zeros(shape, np.uint8)))
    labels = np.zeros(shape, np.uint8)
    fresh.viewer.add_labels(labels, name="many frames")
    for highest in (7, 9):
        labels[-1, 0, 0] = highest
        ids = fresh.controller.ids
        assert max(ids.taken(fresh.movie, 255)) == highest


def test_large_labels_are_looked_at_before_an_id_is_given(fresh, movie, monkeypatch):
    monkeypatch.setattr(objects, "AT_ONCE", 10)
    for _ in range(2):
        fresh.viewer.add_labels(movie[1] + 5, name="large")
    fresh.new_object()
    assert fresh.objects.current_id == 8
    fresh.viewer.layers["large"].data[0, 0, 0] = 20
    fresh.new_object()
    assert fresh.objects.current_id == 21


def test_several_ids_are_given_at_once(fresh, movie, monkeypatch):
    layer = fresh.viewer.add_labels(movie[1].astype(np.uint8))
    layer.data[-1, 0, 0] = 254
    planes, largest = [], objects._largest

    def count(plane):
        planes.append(plane)
        return largest(plane)

    monkeypatch.setattr(objects, "_largest", count)
    assert fresh.controller.ids.give(fresh.movie, 300, 3) == (255, 256, 257)
    assert len(planes) == FRAMES
    layer.data[-1, 0, 1] = 255
    assert fresh.controller.ids.give(fresh.movie, 259, 3) == (258, 259, 3)


@pytest.mark.parametrize("kind", ["points", "shapes"])
def test_what_is_done_while_labels_are_looked_at_stays(fresh, movie, monkeypatch, kind):
    monkeypatch.setattr(objects, "AT_ONCE", 10)
    made = fresh.new_object("one")
    fresh.viewer.add_labels(movie[1], name="large")
    add = getattr(fresh.viewer, f"add_{kind}")
    use = getattr(fresh, f"use_{kind}")
    QTimer.singleShot(0, lambda: fresh.rename_object(made.object_id, "renamed"))
    with pytest.raises(PromptError, match="can be used"):
        use(add(ndim=3))
    assert fresh.objects.require(made.object_id).name == "renamed"
    assert fresh.history.done[-1].title == "Rename 'one' to 'renamed'"


def test_what_is_gone_once_labels_were_looked_at_is_not_split(
    fresh, movie, monkeypatch
):
    monkeypatch.setattr(objects, "AT_ONCE", 10)
    made = fresh.new_object("one")
    fresh.add_points([(0, 16, 15), (4, 16, 18)])
    fresh.viewer.add_labels(movie[1], name="large")
    QTimer.singleShot(0, lambda: fresh.delete_object(made.object_id))
    with pytest.raises(PromptError, match="there is no object"):
        fresh.split_object(made.object_id, 3)
    assert ids_of(fresh) == []


def test_deleting_keeps_the_labels(bench, movie):
    bench.select_object(1)
    bench.points_layer.add((0, 16, 15))
    bench.wait()
    bench.delete_object(1)
    assert ids_of(bench) == [2]
    assert len(bench.points_layer.data) == 0
    np.testing.assert_array_equal(bench.labels.data, movie[1])
    assert bench.controller.state.outcome == "'object 1' was deleted."
    bench.choose_labels(bench.labels)
    bench.wait()
    assert ids_of(bench) == [1, 2], "whoever chooses the labels takes it over again"


def test_deleting_removes_the_labels(bench, movie):
    bench.delete_object(1, "remove")
    assert ids_of(bench) == [2]
    bench.wait()
    expected = np.where(movie[1] == 1, 0, movie[1])
    np.testing.assert_array_equal(bench.labels.data, expected)
    told = f"'object 1' was deleted, with its labels on {FRAMES} frames."
    assert bench.controller.state.outcome == told
    bench.new_object()
    assert bench.objects.current_id == 3


def test_closing_the_dock_before_all_labels_are_removed_is_told(bench):
    state = bench.controller.state
    bench.delete_object(1, "remove")
    bench.close()
    assert state.outcome.startswith("Not all labels of 'object 1' were changed")


def test_an_object_whose_points_were_removed_is_deleted(fresh):
    fresh.new_object()
    fresh.add_points((0, 16, 15))
    run(fresh)
    fresh.viewer.layers.remove(fresh.points_layer)
    fresh.delete_object(1, "remove")
    fresh.wait()
    assert not fresh.labels.data.any()
    assert ids_of(fresh) == []


def test_deleting_leaves_the_points_of_others(fresh):
    points = fresh.viewer.add_points(
        [(0, 16, 15), (0, 45, 45)], features={"object_id": [1, 2]}, ndim=3
    )
    fresh.use_points(points)
    fresh.delete_object(1)
    assert ids_of(fresh) == [2]
    assert len(fresh.points_layer.data) == 1
    assert len(points.data) == 2, "the brought layer stays as it is"


def test_an_object_at_work_is_not_deleted(bench):
    bench.new_object()
    bench.add_points((0, 16, 15))
    bench.propagate()
    with pytest.raises(PromptError, match="object 3 is being computed: wait, or press"):
        bench.delete_object(3)
    bench.wait()
    bench.delete_object(3)
    with pytest.raises(PromptError, match="no object 3; the objects are 1, 2"):
        bench.delete_object(3)
    with pytest.raises(OptionError, match="'keep' or 'remove'"):
        bench.delete_object(2, "perhaps")


def test_what_was_deleted_is_not_eaten_by_corrections(bench, movie):
    bench.delete_object(1)
    bench.viewer.dims.set_point(0, 0)
    bench.select_object(2)
    bench.points_layer.add((0, 16, 15))
    bench.wait()
    np.testing.assert_array_equal(bench.labels.data == 1, movie[1] == 1)


def test_clicks_go_to_the_selected_object_of_a_layer_of_many(fresh):
    points = fresh.viewer.add_points(
        [(0, 16, 15), (0, 45, 45)], features={"object_id": [1, 2]}, ndim=3
    )
    fresh.use_points(points)
    fresh.select_object(1)
    fresh.points_layer.add((3, 16, 18))
    fresh.wait()
    assert fresh.points_layer.features["object_id"].tolist() == [1, 2, 1]


def test_labels_on_a_disk_are_taken_over(fresh, movie, tmp_path):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(tmp_path / "z", shape=movie[1].shape, dtype="uint16")
    array[:] = movie[1]
    array[4] = np.where(movie[1][4] == 2, 0, movie[1][4])
    use(fresh, array)
    assert ids_of(fresh) == [1, 2]
    fresh.viewer.dims.set_point(0, 4)
    fresh.select_object(2)
    fresh.points_layer.add((4, 45, 42))
    fresh.wait()
    assert (np.asarray(array[4]) == 2).any()


def test_each_plane_of_a_volume_is_taken_over(qapp, monkeypatch, movie):
    bench = bench_with(StageSam(), monkeypatch)
    one = movie[0].copy()
    one[movie[1] == 2] = BACKGROUND
    layer = bench.viewer.add_image(np.stack([one, one[:, ::-1]]), name="volumes")
    bench.choose_movie(layer, axis=1)
    bench.viewer.dims.set_point((0, 1), (0, 0))
    labels = np.stack([movie[1] == 1, 3 * (movie[1] == 1)[:, ::-1]]).astype(np.uint16)
    use(bench, labels)
    bench.viewer.dims.set_point(0, 1)
    bench.wait()
    bench.labels.data[1, 4] = 0
    bench.viewer.dims.set_point((0, 1), (1, 4))
    bench.select_object(3)
    bench.points_layer.add((1, 4, 47, 18))
    bench.wait()
    assert (bench.labels.data[1, 4] == 3).any()
    bench.close()
