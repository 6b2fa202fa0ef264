from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.project import LabelDifference, LabelSnapshot

RNG = np.random.default_rng(0)


def plane(value=0):
    labels = np.full((20, 30), value, np.uint16)
    labels[5:9, 4:8] = 7
    return labels


def assert_left(snapshot, place, now, expected):
    np.testing.assert_array_equal(snapshot.plane(place, now), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.uint32, np.uint64])
def test_a_plane_comes_back_as_it_was(dtype):
    snapshot, labels = LabelSnapshot(), RNG.integers(0, 99, (20, 30)).astype(dtype)
    snapshot.put((3,), labels)
    left = snapshot.plane((3,), np.zeros((20, 30)))
    np.testing.assert_array_equal(left, labels)
    assert left.dtype == dtype
    assert list(snapshot) == [(3,)]


def test_it_keeps_a_copy_whatever_the_memory_layout():
    snapshot, labels = LabelSnapshot(), np.asfortranarray(plane().astype(np.int64))
    snapshot.put((3,), labels)
    labels[1, 2] = 9
    assert_left(snapshot, (3,), labels, plane())


def test_an_unknown_plane_is_taken_as_it_is():
    snapshot = LabelSnapshot()
    assert (3,) not in snapshot
    assert_left(snapshot, (3,), plane(), plane())


def test_blank_labels_are_known():
    snapshot = LabelSnapshot(is_blank=True)
    assert (3,) in snapshot
    assert list(snapshot) == []
    assert_left(snapshot, (3,), plane(), np.zeros((20, 30)))
    snapshot.put((3,), plane())
    assert_left(snapshot, (3,), plane(1), plane())


def test_what_is_known_already_is_not_begun_again():
    snapshot = LabelSnapshot()
    snapshot.begin((3,), plane())
    snapshot.begin((3,), plane(1))
    assert_left(snapshot, (3,), plane(2), plane())


def test_labels_of_another_shape_are_taken_as_they_are():
    snapshot = LabelSnapshot()
    snapshot.put((3,), plane())
    assert_left(snapshot, (3,), plane()[1:], plane()[1:])


@pytest.mark.parametrize("is_blank", [True, False])
def test_changes_of_a_known_plane_are_taken_into_account(is_blank):
    snapshot = LabelSnapshot(is_blank=is_blank)
    before = np.zeros((20, 30), np.uint16)
    if not is_blank:
        snapshot.put((3,), before)
    snapshot.patch((3,), LabelDifference.between(before, plane()))
    snapshot.patch((3,), LabelDifference.between(plane(), plane(4)))
    assert list(snapshot) == [(3,)]
    for _ in range(2):
        assert_left(snapshot, (3,), before, plane(4))


def test_changes_of_an_unknown_plane_are_not():
    snapshot = LabelSnapshot()
    snapshot.patch((3,), LabelDifference.between(plane(), plane(4)))
    assert (3,) not in snapshot


def test_a_plane_that_is_put_has_all_changes_in_it():
    snapshot = LabelSnapshot(is_blank=True)
    snapshot.patch((3,), LabelDifference.between(plane(), plane(4)))
    snapshot.put((3,), plane(5))
    assert_left(snapshot, (3,), plane(), plane(5))


LARGE = (1100, 700)


def scattered(*corners):
    labels = np.zeros(LARGE, np.uint16)
    for value, (row, column) in enumerate(corners, start=1):
        labels[row : row + 40, column : column + 40] = value
    return labels


def test_a_large_plane_comes_back_as_it_was_changed():
    snapshot = LabelSnapshot()
    first = scattered((0, 0), (500, 500), (1060, 660))
    second = scattered((500, 500), (490, 0), (1050, 300))
    snapshot.put((0,), first)
    snapshot.patch((0,), LabelDifference.between(first, second))
    assert_left(snapshot, (0,), first, second)
    assert snapshot.is_as_left((0,), second)
    assert not snapshot.is_as_left((0,), first)


@pytest.mark.parametrize("place", [(0, 0), (600, 600), (1099, 699)])
@pytest.mark.parametrize("is_blank", [True, False])
def test_a_single_pixel_of_a_large_plane_is_noticed(place, is_blank):
    snapshot, now = LabelSnapshot(is_blank=is_blank), np.zeros(LARGE, np.uint16)
    if not is_blank:
        now = scattered((580, 580))
        snapshot.put((0,), now)
    assert snapshot.is_as_left((0,), now)
    now = now.copy()
    now[place] += 1
    assert not snapshot.is_as_left((0,), now)


def test_an_unknown_plane_is_as_it_was_left():
    assert LabelSnapshot().is_as_left((3,), plane())


def test_tiles_that_become_empty_are_forgotten():
    snapshot, labels = LabelSnapshot(), scattered((600, 600))
    snapshot.put((0,), labels)
    snapshot.patch((0,), LabelDifference.between(labels, np.zeros_like(labels)))
    assert snapshot.is_as_left((0,), np.zeros_like(labels))
    assert_left(snapshot, (0,), labels, np.zeros_like(labels))
