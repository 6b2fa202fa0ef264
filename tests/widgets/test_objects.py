from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.layers")

from made_up import view_of
from napari.layers import Points

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.layers import new_points_layer
from napari_sam_decoder.widgets.objects import NOTHING_READ, ObjectList


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
def book(told):
    book = ObjectList()
    book.start_listening(told)
    return book


@pytest.fixture
def view():
    return view_of()


def object_layer(view, object_id, *points):
    layer = new_points_layer(view, object_id, object_colour(object_id))
    layer.add(np.array(points).reshape(-1, 3))
    return layer


def read(book, view, *layers):
    for own_id, layer in layers:
        book.use(layer, own_id)
    book.read(view, book.layers)


def test_points_in_use_are_prompts(book, view):
    read(book, view, (1, object_layer(view, 1, (2, 5, 6), (2, 7, 8), (3, 1, 1))))
    assert [(prompt.object_id, prompt.frame) for prompt in book.reading.prompts] == [
        (1, 2),
        (1, 3),
    ]


def test_points_without_an_id_get_that_of_their_layer(book, view):
    layer = Points([(0, 5, 5)])
    read(book, view, (7, layer))
    assert book.reading.prompts.object_ids == (7,)
    assert book.own_id(layer) == 7


def test_layers_are_known_in_order(book, view):
    layers = [Points(ndim=3) for _ in range(3)]
    for own_id, layer in zip((5, 2, 9), layers, strict=True):
        book.use(layer, own_id)
    assert book.layers == tuple(layers)
    assert layers[1] in book
    assert Points(ndim=3) not in book


def add_point(layer):
    layer.add((1, 4, 4))


def move_point(layer):
    layer.data = layer.data + 1


def change_feature(layer):
    layer.features = layer.features.assign(object_id=[4] * len(layer.data))


def rename(layer):
    layer.name = "nucleus"


CHANGES = (add_point, move_point, change_feature, rename)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_told(book, view, told, change):
    layer = object_layer(view, 1, (0, 5, 5))
    book.use(layer, 1)
    told.pop()
    change(layer)
    assert told.pop()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("let_go", ["drop", "stop_listening"])
def test_no_change_is_told_of_a_layer_that_was_let_go(book, view, told, change, let_go):
    layer = object_layer(view, 1, (0, 5, 5))
    book.use(layer, 1)
    book.drop(layer) if let_go == "drop" else book.stop_listening()
    told.pop()
    change(layer)
    assert not told.pop()
    assert (layer in book) == (let_go == "stop_listening")


def test_dropped_points_stay_in_their_layer(book, view):
    layer = object_layer(view, 1, (0, 5, 5))
    read(book, view, (1, layer))
    book.drop(layer)
    book.read(view, book.layers)
    assert book.reading.objects == ()
    assert len(layer.data) == 1


def test_without_a_movie_there_is_nothing_to_point_at(book, view):
    read(book, None, (1, object_layer(view, 1, (0, 5, 5))))
    assert book.reading is NOTHING_READ
    assert book.current is None


def test_the_first_object_that_comes_is_worked_on(book, view):
    assert book.current is None
    read(book, view, (1, object_layer(view, 1)))
    assert book.current.object_id == 1
    read(book, view, (2, object_layer(view, 2)))
    assert book.current.object_id == 1


def test_another_object_is_worked_on_when_the_current_one_goes(book, view):
    layers = [object_layer(view, object_id) for object_id in (1, 2, 3)]
    read(book, view, *zip((1, 2, 3), layers, strict=True))
    book.select(1)
    book.drop(layers[0])
    book.read(view, book.layers)
    assert book.current.object_id == 3


def test_an_object_is_selected_by_its_id(book, view):
    layers = [object_layer(view, object_id) for object_id in (1, 2)]
    read(book, view, *zip((1, 2), layers, strict=True))
    assert book.select(2).layer is layers[1]
    assert book.current_id == 2


def test_an_object_that_is_not_there_cannot_be_selected(book, view):
    read(book, view, (1, object_layer(view, 1)), (2, object_layer(view, 2)))
    with pytest.raises(PromptError, match="no object 5; the objects are 1, 2"):
        book.select(5)
    assert book.current.object_id == 2
