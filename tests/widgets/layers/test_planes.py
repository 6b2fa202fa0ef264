from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.frames import Movie
from napari_sam_decoder.widgets.layers.planes import Planes

PIXELS = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)


class Counted:
    """An array that counts how often it is read."""

    def __init__(self, pixels):
        self.shape, self.dtype = pixels.shape, pixels.dtype
        self._pixels = pixels
        self.reads = []

    def __getitem__(self, key):
        self.reads.append(key)
        return self._pixels[key]


def same(pixels, folder):
    return pixels


def dask(pixels, folder):
    return pytest.importorskip("dask.array").from_array(pixels, chunks=1)


def zarr(pixels, folder):
    import zarr

    array = zarr.create_array(folder / "z", shape=pixels.shape, dtype=pixels.dtype)
    array[:] = pixels
    return array


@pytest.mark.parametrize("kind", [same, dask, zarr])
@pytest.mark.parametrize(
    ("axis", "fixed", "expected"),
    [
        (0, ((1, 2),), PIXELS[:, 2]),
        (1, ((0, 1),), PIXELS[1]),
        (3, ((0, 1),), np.moveaxis(PIXELS[1], 2, 0)),
        (2, ((0, 0),), np.moveaxis(PIXELS[0], 1, 0)),
    ],
)
def test_each_frame(kind, axis, fixed, expected, tmp_path):
    planes = Planes(kind(PIXELS, tmp_path), axis, fixed)
    assert planes.shape == expected.shape
    assert planes.dtype == expected.dtype
    for frame, plane in enumerate(expected):
        assert isinstance(planes[frame], np.ndarray)
        np.testing.assert_array_equal(planes[frame], plane)


@pytest.mark.parametrize("kind", [same, dask, zarr])
def test_a_picture(kind, tmp_path):
    planes = Planes(kind(PIXELS[0, 0], tmp_path), None)
    assert planes.shape == (4, 5)
    np.testing.assert_array_equal(Movie(planes, axes="YX").raw(0), PIXELS[0, 0])


def test_frames_in_memory_are_views():
    assert np.shares_memory(Planes(PIXELS, 3, ((0, 1),))[2], PIXELS)


def test_only_the_frame_is_read():
    counted = Counted(PIXELS)
    planes = Planes(counted, 2, ((0, 1),))
    assert (planes.shape, counted.reads) == ((4, 3, 5), [])
    planes[3]
    assert counted.reads == [(1, slice(None), 3, slice(None))]


def test_colours_stay_at_the_end():
    planes = Planes(PIXELS[..., :3], 1)
    assert planes.shape == (3, 2, 4, 3)
    np.testing.assert_array_equal(planes[1], PIXELS[:, 1, :, :3])


def test_there_is_no_frame_after_the_last():
    with pytest.raises(IndexError):
        Planes(PIXELS, 0, ((1, 0),))[2]
