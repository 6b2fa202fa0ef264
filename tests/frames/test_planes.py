from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.frames import Movie, Planes, Window


class Disk:
    """An array that notes how much of it is read."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.read = 0

    def __getitem__(self, key):
        part = self._array[key]
        self.read += part.size
        return part


@pytest.mark.parametrize(("axis", "fixed"), [(0, ((1, 2),)), (1, ((0, 1),)), (3, ())])
def test_of_a_plane_only_the_part_that_is_asked_for_is_read(axis, fixed):
    array = np.arange(4 * 5 * 6 * 7).reshape(4, 5, 6, 7)
    if not fixed:
        array = array[0]
        axis = 2
    disk = Disk(array)
    planes = Planes(disk, axis, fixed)
    whole = planes[1]
    disk.read = 0
    np.testing.assert_array_equal(planes[1, 1:3, 2:4], whole[1:3, 2:4])
    assert disk.read == 4


def test_a_window_of_a_movie_is_read_without_the_rest_of_its_frames():
    disk = Disk(np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), np.uint8))
    movie = Movie(Planes(disk, 0), axes="TYXC", contrast=(0, 255))
    part = movie.cut(Window(8, 16, 4, 6)).rgb(2)
    assert disk.read == 4 * 6 * 3
    np.testing.assert_array_equal(part, movie.rgb(2)[8:12, 16:22])
