from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.layers")

from napari.layers import Labels

from napari_sam_decoder.widgets.colours import object_colour, object_colours

IDS = (1, 2, 49, 50, 255, 256, 65535, 65536, 10**6)
LABELLED = [
    (object_id, dtype)
    for dtype in (np.uint8, np.uint16, np.uint32, np.int64)
    for object_id in IDS
    if object_id <= np.iinfo(dtype).max
]


@pytest.mark.parametrize(("object_id", "dtype"), LABELLED)
def test_an_object_looks_as_in_its_labels(object_id, dtype):
    layer = Labels(np.zeros((2, 2), dtype))
    np.testing.assert_allclose(object_colour(object_id), layer.get_color(object_id))


def test_colours_are_opaque_and_not_black():
    for object_id in range(1, 60):
        colour = object_colour(object_id)
        assert colour.shape == (4,)
        assert 0 <= colour.min() <= colour.max() == 1 == colour[3]
        assert colour[:3].any()


def test_neighbours_can_be_told_apart():
    colours = [tuple(object_colour(object_id)) for object_id in range(1, 21)]
    assert len(set(colours)) == 20


def test_colours_by_id():
    colours = object_colours([3, 7])
    assert colours.keys() == {3, 7}
    np.testing.assert_array_equal(colours[7], object_colour(7))
