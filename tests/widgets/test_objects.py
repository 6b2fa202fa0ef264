from __future__ import annotations

import pytest

pytest.importorskip("napari.layers")

import numpy as np
from made_up import view_of

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.project import NO_PROMPTS, ObjectRecord, PointRow, ShapeRow
from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.layers import new_boxes_layer, new_points_layer
from napari_sam_decoder.widgets.objects import ObjectList, SegmentedObject


class Told:
    def __init__(self):
        self._times = 0

    def __call__(self):
        self._times += 1

    def pop(self):
        """Whether it was called since the last time."""
        was_called, self._times = self._times > 0, 0
        return was_called


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def picked():
    return []


@pytest.fixture
def view():
    return view_of()


@pytest.fixture
def book(told, picked, view):
    """Two objects without a point."""
    book = ObjectList()
    book.start_listening(told, picked.append)
    book.use(new_points_layer(view))
    book.use(new_boxes_layer(view))
    for object_id in (1, 2):
        book.create(object_id)
    read(book, view)
    return book


def read(book, view):
    book.read(view, book.layers)


def click(book, view, *places, object_id=1):
    book.select(object_id)
    book.points_layer.add(np.array(places))
    read(book, view)


def ids(book):
    return [one.object_id for one in book.listed]


BOX = ShapeRow("rectangle", ((2, 1, 1), (2, 1, 5), (2, 5, 5), (2, 5, 1)), 2)


def test_points_are_prompts_of_the_object_that_was_selected(book, view):
    click(book, view, (2, 5, 6), (2, 7, 8), (3, 1, 1))
    click(book, view, (1, 5, 6), object_id=2)
    found = [(prompt.object_id, prompt.frame) for prompt in book.reading.prompts]
    assert found == [(1, 2), (1, 3), (2, 1)]
    assert book.points[-1] == PointRow((1, 5, 6), 2)


def test_boxes_are_prompts(book, view):
    book.show((), (BOX,))
    read(book, view)
    assert book.reading.prompts.at(2, 2).box == (1, 1, 5, 5)
    assert book.find(2).frames == (2,)


def test_objects_exist_without_a_point(book):
    assert ids(book) == [1, 2]
    assert [one.name for one in book.listed] == ["object 1", "object 2"]
    assert book.find(1).frames == ()
    assert book.find(3) is None


def test_objects_exist_as_long_as_labels_or_points_name_them(book, view):
    book.note_labels([2, 7])
    assert ids(book) == [1, 2, 7]
    assert book.created_ids == {1, 2}
    book.note_labels([])
    book.points_layer.add([0, 1, 1])
    book.points_layer.features = book.points_layer.features.assign(object_id=[9])
    read(book, view)
    assert ids(book) == [1, 2, 9]


def test_names_are_kept_in_the_records(view):
    records = {4: ObjectRecord("nucleus", is_created=False)}
    book = ObjectList(records)
    assert book.find(4).name == "nucleus"
    assert book.created_ids == frozenset()
    book.rename(4, "nucleolus")
    assert records[4] == ObjectRecord("nucleolus", is_created=False)
    book.create(5, "vesicle")
    assert records[5] == ObjectRecord("vesicle")


def test_an_object_is_no_layer_and_says_where_points_are():
    found = SegmentedObject(3, "nucleus")
    for name in ("add", "layer", "data"):
        with pytest.raises(AttributeError, match=r"Workbench\.add_points\(points, obj"):
            getattr(found, name)
    assert not hasattr(found, "_private")


def test_layers_are_known(book, view):
    assert book.layers == (book.points_layer, book.boxes_layer)
    assert book.points_layer in book
    assert new_points_layer(view) not in book


def test_a_layer_takes_the_place_of_an_earlier_one(book, view, told):
    click(book, view, (0, 1, 1))
    earlier = book.points_layer
    book.use(new_points_layer(view))
    told.pop()
    earlier.add([0, 2, 2])
    assert not told.pop()
    read(book, view)
    assert book.points == ()
    assert book.has_lost_layers, "these points were not deleted"
    book.points_layer.add([0, 2, 2])
    assert told.pop()


def add_point(layer):
    layer.add((1, 4, 4))


def move_point(layer):
    layer.data = layer.data + 1


def change_feature(layer):
    layer.features = layer.features.assign(object_id=[4] * len(layer.data))


CHANGES = (add_point, move_point, change_feature)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_told(book, view, told, change):
    click(book, view, (0, 5, 5))
    told.pop()
    change(book.points_layer)
    assert told.pop()


@pytest.mark.parametrize("change", CHANGES)
def test_no_change_is_told_once_nobody_listens(book, view, told, change):
    click(book, view, (0, 5, 5))
    layer = book.points_layer
    book.stop_listening()
    told.pop()
    change(layer)
    assert not told.pop()
    assert layer in book


def test_what_the_list_writes_itself_is_not_told(book, view, told, picked):
    click(book, view, (0, 5, 5))
    told.pop()
    picked.clear()
    book.show((PointRow((0, 1, 1), 2),), (BOX,))
    book.pick((2, 0), 3)
    read(book, view)
    assert not told.pop()
    assert picked == []


def test_rows_that_are_shown_are_what_is_read(book, view):
    rows = PointRow((0, 1, 1), 2, hypothesis=3), PointRow((1, 1, 1), 1)
    book.show(rows, (BOX,))
    read(book, view)
    assert (book.points, book.shapes) == (rows, (BOX,))


def test_a_pick_is_not_handed_to_points_that_are_added(book, view):
    click(book, view, (2, 1, 1))
    book.pick((1, 2), 2)
    layer = book.points_layer
    layer.selected_data = {0}
    layer.add([3, 1, 1])
    read(book, view)
    assert [row.hypothesis for row in book.points] == [2, 0]


def test_points_that_are_pasted_are_told_and_pick_nothing(told):
    """napari has no event for it, and 0.9.2 pastes on pictures only."""
    picture, book = view_of((12, 14)), ObjectList()
    book.use(new_points_layer(picture))
    book.start_listening(told)
    book.create(1)
    click(book, picture, (1, 1))
    book.pick((1, 0), 2)
    told.pop()
    book.points_layer.selected_data = {0}
    book.points_layer._copy_data()
    book.points_layer._paste_data()
    assert told.pop()
    read(book, picture)
    assert [(row.object_id, row.hypothesis) for row in book.points] == [(1, 2), (1, 0)]


def test_a_pick_that_a_script_writes_counts(book, view):
    click(book, view, (2, 1, 1), (3, 1, 1))
    features = book.points_layer.features
    book.points_layer.features = features.assign(hypothesis=[2, 3])
    read(book, view)
    assert [row.hypothesis for row in book.points] == [2, 3]


def test_a_pick_for_a_box(book, view):
    book.show((), (BOX,))
    read(book, view)
    book.pick((2, 2), 1)
    read(book, view)
    assert book.reading.prompts.at(2, 2).hypothesis == 1


def test_selecting_points_picks_their_object(book, view, picked):
    click(book, view, (0, 5, 5))
    click(book, view, (0, 6, 6), object_id=2)
    layer = book.points_layer
    picked.clear()
    layer.selected_data = {0}
    assert set(picked) == {1}
    picked.clear()
    layer.selected_data = {0, 1}
    assert picked == [], "of several objects none is meant"


def test_selecting_a_box_picks_its_object(book, view, picked):
    book.show((), (BOX,))
    read(book, view)
    book.boxes_layer.mode = "select"
    book.boxes_layer.selected_data = {0}
    assert set(picked) == {2}


def test_selecting_an_object_lets_go_of_points_of_others(book, view):
    click(book, view, (0, 5, 5))
    book.points_layer.selected_data = {0}
    book.select(2)
    assert not book.points_layer.selected_data
    book.points_layer.add([0, 6, 6])
    read(book, view)
    assert [row.object_id for row in book.points] == [1, 2]


def test_without_a_movie_there_is_nothing_to_point_at(book, view):
    click(book, view, (0, 5, 5))
    book.read(None, book.layers)
    assert book.reading is NO_PROMPTS


def test_points_of_a_layer_that_is_gone_do_not_count_until_it_is_back(book, view):
    click(book, view, (0, 5, 5))
    book.read(view, ())
    assert book.points == ()
    assert book.has_lost_layers
    assert ids(book) == [1, 2], "objects outlive their points"
    read(book, view)
    assert book.points == (PointRow((0, 5, 5), 1),)
    assert not book.has_lost_layers


def test_the_last_object_is_worked_on_when_the_current_one_goes(book, view):
    book.create(3)
    book.select(1)
    click(book, view, (0, 5, 5))
    book.remove(1)
    read(book, view)
    assert book.points == ()
    assert book.current.object_id == 3
    for object_id in (2, 3):
        book.remove(object_id)
    read(book, view)
    assert book.current is None
    book.points_layer.add([0, 1, 1])
    read(book, view)
    assert book.points == (), "a point of nobody is not understood"
    assert len(book.reading.notices) == 1


def test_an_object_that_is_not_there_cannot_be_selected(book):
    book.select(2)
    with pytest.raises(PromptError, match="no object 5; the objects are 1, 2"):
        book.select(5)
    assert book.current.object_id == 2
    with pytest.raises(PromptError, match="no object 5; the objects are none yet"):
        ObjectList().select(5)


def test_an_object_gets_another_id_with_its_points_and_colour(book, view):
    click(book, view, (0, 5, 5))
    click(book, view, (0, 6, 6), object_id=2)
    book.rename(2, "nucleus")
    book.renumber(1, 8)
    book.renumber(2, 9)
    read(book, view)
    assert [(one.object_id, one.name) for one in book.listed] == [
        (8, "object 8"),
        (9, "nucleus"),
    ]
    assert book.current_id == 9
    assert [row.object_id for row in book.points] == [8, 9]
    expected = [object_colour(8), object_colour(9)]
    np.testing.assert_allclose(book.points_layer.face_color, expected)
    book.points_layer.add([0, 7, 7])
    read(book, view)
    assert book.points[-1].object_id == 9
