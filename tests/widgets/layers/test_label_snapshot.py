from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.widgets.layers.label_snapshot import LabelSnapshot

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
