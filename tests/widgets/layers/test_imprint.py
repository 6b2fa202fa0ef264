from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.widgets.layers.imprint import Imprint

RNG = np.random.default_rng(0)


def plane(value=0):
    labels = np.full((20, 30), value, np.uint16)
    labels[5:9, 4:8] = 7
    return labels


def changed(imprint, place, now):
    return imprint.changed(place, now, imprint.plane(place, now))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.uint32])
def test_a_plane_comes_back_as_it_was(dtype):
    imprint, labels = Imprint(), RNG.integers(0, 99, (20, 30)).astype(dtype)
    imprint.put((3,), labels)
    left = imprint.plane((3,), np.zeros((20, 30)))
    np.testing.assert_array_equal(left, labels)
    assert left.dtype == dtype
    assert list(imprint) == [(3,)]


def test_changes_are_found_whatever_the_memory_layout_and_type():
    imprint, now = Imprint(), np.asfortranarray(plane().astype(np.int64))
    imprint.put((3,), plane())
    assert changed(imprint, (3,), now) is None
    now[1, 2] = 9
    np.testing.assert_array_equal(np.argwhere(changed(imprint, (3,), now)), [[1, 2]])


def test_of_an_unknown_plane_no_change_is_known():
    imprint = Imprint()
    assert (3,) not in imprint
    assert changed(imprint, (3,), plane()) is None


def test_a_blank_layer_is_known():
    imprint = Imprint(is_blank=True)
    assert (3,) in imprint
    np.testing.assert_array_equal(changed(imprint, (3,), plane()), plane() != 0)
    imprint.put((3,), plane())
    assert changed(imprint, (3,), plane()) is None


def test_what_is_known_already_is_not_begun_again():
    imprint = Imprint()
    imprint.begin((3,), plane())
    imprint.begin((3,), plane(1))
    assert changed(imprint, (3,), plane()) is None


def test_of_the_oldest_planes_only_a_checksum_is_kept_where_room_is_short():
    noise = RNG.integers(0, 2**16, (2, 50, 50)).astype(np.uint16)
    imprint = Imprint(room=6000)
    for place in (0, 1):
        imprint.put((place,), noise[place])
    assert set(imprint) == {(0,), (1,)}
    assert all(changed(imprint, (place,), noise[place]) is None for place in (0, 1))
    noise[:, 3, 3] += 1
    assert changed(imprint, (0,), noise[0]).all(), "nobody knows where"
    assert changed(imprint, (1,), noise[1]).sum() == 1
    imprint.put((0,), noise[0])
    assert changed(imprint, (0,), noise[0]) is None


def test_labels_of_another_shape_are_not_compared():
    imprint = Imprint()
    imprint.put((3,), plane())
    assert changed(imprint, (3,), plane()[1:]) is None
