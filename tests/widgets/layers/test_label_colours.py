from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.layers")

from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

from napari_sam_decoder.widgets.layers import CLEAR, LabelColours

DTYPES = (np.uint8, np.uint16, np.int32, np.uint32)
HIDDEN = frozenset({3, 52, 100})
LARGE = (65_535, 65_536, 99_999, 100_000)


def values_of(dtype):
    large = LARGE if np.dtype(dtype).itemsize > 2 else ()
    return np.array([*range(256), *large], dtype)


def colours_of(layer):
    return layer.colormap.map(values_of(layer.data.dtype))


def changed(layer, before):
    values = values_of(layer.data.dtype)
    return set(values[(colours_of(layer) != before).any(axis=1)].tolist())


@pytest.fixture(params=DTYPES, ids=lambda dtype: dtype.__name__)
def layer(request):
    return Labels(np.zeros((4, 4), request.param))


def test_hidden_labels_are_clear_and_all_others_as_before(layer):
    own, before = layer.colormap, colours_of(layer)
    colours = LabelColours(layer)
    colours.use(dict.fromkeys(HIDDEN, CLEAR), range(1, 200))
    assert changed(layer, before) == HIDDEN
    for label in HIDDEN:
        assert not layer.get_color(label).any()
    colours.use(dict.fromkeys({7}, CLEAR))
    assert changed(layer, before) == {7}
    colours.use({})
    assert layer.colormap is own
    assert changed(layer, before) == set()


def test_a_label_may_have_any_colour(layer):
    before = colours_of(layer)
    grey = (0.5, 0.5, 0.5, 0.25)
    LabelColours(layer).use({3: grey, 52: CLEAR})
    assert changed(layer, before) == {3, 52}
    np.testing.assert_allclose(layer.get_color(3), grey)
    assert not layer.get_color(52).any()


def test_what_napari_draws_are_the_same_colours():
    """Of large types it draws a smaller array, in which labels share values."""
    data = np.array([[1, 2, 51, 100_000, 2**31]], np.uint32)
    layer = Labels(data)
    LabelColours(layer).use(dict.fromkeys({2, 100_000}, CLEAR), data[0].tolist())
    texture = layer.colormap._data_to_texture(data)
    assert texture.dtype.itemsize <= 2
    drawn = layer.colormap.colors[texture][0]
    is_drawn = [bool(colour[3]) for colour in drawn]
    assert is_drawn == [True, False, True, False, True]


def test_labels_beyond_the_longest_cycle_are_not_hidden_with_others():
    layer = Labels(np.zeros((4, 4), np.uint32))
    cycle = len(layer.colormap.colors) - 1
    longest = (2**16 - 2) // cycle * cycle
    present = [3, 3 + longest, 3 + longest - cycle, 3 + 2 * longest]
    before = layer.colormap.map(np.array(present, np.uint32))
    LabelColours(layer).use(dict.fromkeys({3}, CLEAR), present)
    now = layer.colormap.map(np.array(present, np.uint32))
    assert not now[0].any()
    np.testing.assert_array_equal(now[1:], before[1:])


def test_colours_that_are_shuffled_meanwhile_stay(layer):
    colours = LabelColours(layer)
    colours.use(dict.fromkeys(HIDDEN, CLEAR))
    layer.new_colormap(5)
    shuffled = Labels(layer.data)
    shuffled.new_colormap(5)
    assert changed(layer, colours_of(shuffled)) == HIDDEN
    colours.use({})
    assert changed(layer, colours_of(shuffled)) == set()


def test_colours_of_ones_own_are_drawn_and_given_back(layer):
    own = DirectLabelColormap(
        color_dict={1: "red", 3: "green", 0: "transparent", None: "yellow"}
    )
    automatic, before = layer.colormap, colours_of(layer)
    colours = LabelColours(layer)
    colours.use(dict.fromkeys({3, 4}, CLEAR))
    layer.colormap = own
    drawn = {one: layer.get_color(one) for one in (1, 3, 4, 5)}
    np.testing.assert_array_equal(drawn[1], [1, 0, 0, 1])
    np.testing.assert_array_equal(drawn[5], [1, 1, 0, 1])
    assert not drawn[3].any()
    assert not drawn[4].any()
    # As napari's own controls go back to automatic colours.
    layer.colormap = layer._random_colormap
    assert changed(layer, before) == {3, 4}
    layer.colormap = layer._direct_colormap
    assert not layer.get_color(3).any()
    colours.use({})
    assert layer.colormap is own
    assert layer._random_colormap is automatic


def test_new_colours_are_used_at_once(layer):
    colours = LabelColours(layer)
    colours.use(dict.fromkeys({2}, CLEAR))
    layer.colormap = CyclicLabelColormap(["transparent", "red", "blue"])
    np.testing.assert_array_equal(layer.get_color(1), [1, 0, 0, 1])
    np.testing.assert_array_equal(layer.get_color(4), [0, 0, 1, 1])
    assert not layer.get_color(2).any()


def test_showing_the_selected_label_alone_goes_on(layer):
    layer.selected_label = 2
    layer.show_selected_label = True
    colours = LabelColours(layer)
    colours.use(dict.fromkeys({3}, CLEAR))
    layer.selected_label = 5
    assert layer.colormap.map(np.array([4], layer.data.dtype)).any() == np.False_
    colours.use({})
    assert layer.colormap.map(np.array([5], layer.data.dtype)).any()
    assert not layer.colormap.map(np.array([2], layer.data.dtype)).any()
    layer.show_selected_label = False
    assert layer.colormap.map(np.array([2], layer.data.dtype)).any()


def test_a_layer_is_watched_only_while_something_is_hidden(layer):
    count = len(layer.events.colormap.callbacks)
    colours = LabelColours(layer)
    colours.use(dict.fromkeys({1}, CLEAR))
    colours.use(dict.fromkeys({2}, CLEAR))
    assert len(layer.events.colormap.callbacks) == count + 1
    colours.use({})
    assert len(layer.events.colormap.callbacks) == count
