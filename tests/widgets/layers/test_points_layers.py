from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Points

from napari_sam_decoder.widgets.layers import (
    MovieView,
    clear_next_hypothesis,
    new_points_layer,
    next_sign,
    pick_hypothesis,
    read_points_layers,
    set_sign,
)
from napari_sam_decoder.widgets.layers.coordinates import WorldMap

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")

RED = np.array([1.0, 0, 0, 1])
WHITE, BLACK = [1, 1, 1, 1], [0, 0, 0, 1]


@pytest.fixture
def view():
    return MovieView.of(Image(np.zeros((5, 120, 400), np.uint8)))


@pytest.fixture
def layer(view):
    return new_points_layer(view, 5, RED)


def labels(layer):
    return layer.features["label"].tolist()


def test_a_new_layer_lies_on_the_image(image, case):
    layer = new_points_layer(MovieView.of(image, case[1]), 5, RED, name="nucleus")
    assert WorldMap.of(layer).is_close(WorldMap.of(image))
    assert (layer.ndim, len(layer.data), layer.name) == (image.ndim, 0, "nucleus")


def test_what_is_clicked_is_read_back(image, case):
    view = MovieView.of(image, case[1])
    layer = new_points_layer(view, 5, RED)
    place = view.origin(len(view) - 1)
    layer.add(layer.world_to_data(image.data_to_world(place)))
    reading = read_points_layers(view, {layer: 1})
    assert [(p.object_id, p.frame) for p in reading.prompts] == [(5, len(view) - 1)]
    assert reading.notices == ()


def test_colours_are_no_axis_of_points():
    layer = new_points_layer(
        MovieView.of(Image(np.zeros((5, 9, 9, 3), np.uint8), rgb=True)), 1, RED
    )
    assert layer.ndim == 3


def test_labels_and_units_are_the_image_s():
    image = Image(
        np.zeros((5, 9, 9)), units=("s", "um", "um"), axis_labels=("t", "y", "x")
    )
    layer = new_points_layer(MovieView.of(image), 1, RED)
    assert layer.units == image.units
    assert layer.axis_labels == ("t", "y", "x")


@pytest.mark.parametrize(("side", "size"), [(400, 6), (20, 1)])
def test_points_are_to_be_seen(side, size):
    view = MovieView.of(Image(np.zeros((900, 10, side), np.uint8)))
    layer = new_points_layer(view, 1, RED)
    layer.add([0, 1, 1])
    assert layer.size.tolist() == [size]


def test_signs_and_colours_of_what_is_added(layer):
    signs = [False, True, True, False, True]
    for row, sign in enumerate(signs):
        set_sign(layer, sign)
        assert next_sign(layer) is sign
        layer.add([0, row, row])
    assert labels(layer) == ["positive" if sign else "negative" for sign in signs]
    expected = [WHITE if sign else BLACK for sign in signs]
    np.testing.assert_array_equal(layer.border_color, expected)
    np.testing.assert_array_equal(layer.face_color, [RED] * 5)
    assert layer.features["object_id"].tolist() == [5] * 5
    assert layer.features["hypothesis"].tolist() == [0] * 5


def test_signs_change_nothing_that_is_there(layer):
    layer.add([[0, 1, 1], [0, 2, 2]])
    layer.selected_data = {0, 1}
    set_sign(layer, False)
    assert labels(layer) == ["positive", "positive"]
    assert set(layer.selected_data) == {0, 1}
    np.testing.assert_array_equal(layer.border_color, [WHITE, WHITE])


def test_a_selected_point_sets_the_sign(layer):
    layer.add([0, 1, 1])
    set_sign(layer, False)
    layer.add([0, 2, 2])
    layer.selected_data = {0}
    assert next_sign(layer)
    layer.selected_data = {1}
    assert not next_sign(layer)


def test_it_works_in_a_viewer(view):
    viewer = ViewerModel()
    viewer.add_layer(view.layer)
    layer = viewer.add_layer(new_points_layer(view, 5, RED))
    layer.mode = "add"
    for sign in (False, True):
        set_sign(layer, sign)
        layer.add([0, 3, 3])
    layer.remove_selected()
    assert labels(layer) == ["negative"]
    set_sign(layer, True)
    layer.add([0, 4, 4])
    assert labels(layer) == ["negative", "positive"]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("count", [0, 2])
def test_a_layer_without_signs_gets_them(count, ndim):
    layer = Points(np.zeros((count, ndim)))
    assert next_sign(layer)
    set_sign(layer, False)
    layer.add(np.ones(ndim))
    assert labels(layer) == ["positive"] * count + ["negative"]


@pytest.mark.parametrize(
    "values", [[True, True], [1, 1], [1.0, np.nan], ["a", "b"], [None, "positive"]]
)
def test_signs_keep_the_type_of_their_column(values):
    layer = Points(np.zeros((2, 2)), features={"label": values, "n": [1, 2]})
    dtype = layer.features["label"].dtype
    for sign in (False, True):
        set_sign(layer, sign)
        layer.add([1, 1])
        assert next_sign(layer) is sign
    assert layer.features["label"].dtype == dtype
    view = MovieView.of(Image(np.zeros((9, 9))))
    added = [
        prompt.signs[-2:] for prompt in read_points_layers(view, {layer: 1}).prompts
    ]
    assert added == [(False, True)]


@pytest.mark.parametrize("values", [["positive"] * 2, [True] * 2, [1, 1]])
def test_categories_are_widened(values):
    layer = Points(np.zeros((2, 2)), features={"label": values})
    layer.features = layer.features.astype({"label": "category"})
    set_sign(layer, False)
    layer.add([1, 1])
    assert not next_sign(layer)
    assert labels(layer)[:2] == values
    view = MovieView.of(Image(np.zeros((9, 9))))
    assert next(iter(read_points_layers(view, {layer: 1}).prompts)).signs == (
        True,
        True,
        False,
    )


def test_a_label_that_is_not_understood_is_not_positive():
    layer = Points(np.zeros((1, 2)), features={"label": ["maybe"]})
    assert not next_sign(layer)


def pick(view, layer, number, place=(5, 2)):
    pick_hypothesis(view, layer, *place, 5, number)


def test_a_pick_is_written_to_its_points(view, layer):
    layer.add([[2, 1, 1], [2, 2, 2], [3, 2, 2]])
    set_sign(layer, False)
    pick(view, layer, 3)
    assert layer.features["hypothesis"].tolist() == [3, 3, 0]
    assert read_points_layers(view, {layer: 5}).prompts.at(5, 2).hypothesis == 3
    assert not next_sign(layer)
    layer.add([4, 4, 4])
    assert layer.features["hypothesis"].tolist() == [3, 3, 0, 0]
    pick(view, layer, None)
    assert not layer.features["hypothesis"].any()


def test_a_pick_keeps_colours(view, layer):
    layer.add([2, 1, 1])
    set_sign(layer, False)
    layer.add([2, 2, 2])
    pick(view, layer, 1)
    np.testing.assert_array_equal(layer.border_color, [WHITE, BLACK])
    np.testing.assert_array_equal(layer.face_color, [RED, RED])


@pytest.mark.parametrize("place", [(4, 2), (5, 1)])
def test_points_of_others_keep_their_pick(view, layer, place):
    layer.add([2, 1, 1])
    before = layer.features
    pick(view, layer, 3, place)
    assert layer.features is before


def test_a_pick_for_a_layer_without_features(view):
    layer = Points([(2, 1, 1), (2, np.nan, 1), (1, 1, 1)])
    pick(view, layer, 2)
    assert layer.features["hypothesis"].tolist() == [2, 0, 0]


def test_points_on_other_planes_keep_their_pick():
    view = MovieView.of(Image(np.zeros((5, 6, 9, 9))), 0, (0, 3, 0, 0))
    layer = Points([(2, 3, 1, 1), (2, 4, 1, 1)])
    pick(view, layer, 2)
    assert layer.features["hypothesis"].tolist() == [2, 0]


def test_points_with_too_few_axes_take_no_pick(view):
    layer = Points([(2.0, 1.0)])
    pick(view, layer, 2)
    assert "hypothesis" not in layer.features


def test_a_pick_is_not_handed_to_the_next_point(view, layer):
    layer.add([2, 1, 1])
    pick(view, layer, 2)
    layer.selected_data = {0}
    clear_next_hypothesis(layer)
    layer.add([3, 1, 1])
    assert layer.features["hypothesis"].tolist() == [2, 0]


def test_there_may_be_no_pick_to_forget():
    layer = Points([(2.0, 1.0)])
    clear_next_hypothesis(layer)
    assert "hypothesis" not in layer.features
