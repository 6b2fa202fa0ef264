from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.frames import Movie, Window
from napari_sam_decoder.frames.reduced import BAND_PIXELS, bands


class Disk:
    """An array that notes what is read of it."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.parts = []

    def __getitem__(self, key):
        part = self._array[key]
        self.parts.append(part.size)
        return part


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, bool])
@pytest.mark.parametrize("shape", [(2, 40, 60), (2, 41, 62, 3)])
def test_an_overview_averages_squares_of_pixels(shape, dtype):
    data = (np.random.default_rng(0).random(shape) * 200).astype(dtype)
    axes = "TYX" if len(shape) == 3 else "TYXC"
    overview = Movie(data, axes=axes, contrast=(0, 200)).overview(20)
    assert overview.frame_shape == tuple(-(-side // 3) for side in shape[1:3])
    assert overview.dtype == data.dtype
    found = overview.raw(1)[:13, :20].astype(float)
    squares = data[1, :39, :60].astype(float).reshape(13, 3, 20, 3, *shape[3:])
    rounding = 0.5 if dtype is not np.float32 else 1e-3
    np.testing.assert_allclose(found, squares.mean(axis=(1, 3)), atol=rounding + 1e-9)


def test_a_picture_has_an_overview_too():
    data = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    overview = Movie(data, contrast=(0, 4095)).overview(16)
    assert overview.raw(0).shape == (16, 16)
    assert overview.raw(0)[0, 0] == round(data[:4, :4].mean())


@pytest.mark.parametrize("side", [64, 33])
def test_a_small_movie_is_its_own_overview(side):
    movie = Movie(np.zeros((2, 64, 64), np.uint8))
    assert movie.overview(side) is movie


def test_a_large_frame_is_never_read_as_a_whole(monkeypatch):
    monkeypatch.setattr("napari_sam_decoder.frames.reduced.BAND_PIXELS", 2**12)
    data = np.random.default_rng(0).integers(0, 255, (512, 384), np.uint8)
    disk = Disk(data)
    movie = Movie(disk)
    assert movie.contrast == Movie(data).contrast
    overview = movie.overview(64)
    first = overview.raw(0)
    assert max(disk.parts) <= 2**12
    count = len(disk.parts)
    assert overview.raw(0) is first
    assert len(disk.parts) == count, "remembered"


def test_bands_fill_the_frame():
    columns = BAND_PIXELS // 100
    found = list(bands((1000, columns), 7))
    assert found[0] == Window(0, 0, 98, columns)
    assert sum(one.rows for one in found) == 1000


def pyramid(levels=4, side=256):
    """Levels that can be told apart by their intensity."""
    return [np.full((2, side >> n, side >> n), n, np.uint8) for n in range(levels)]


@pytest.mark.parametrize(("side", "level", "shape"), [(32, 3, 32), (48, 2, 64)])
def test_an_overview_is_read_from_the_coarsest_level_that_will_do(side, level, shape):
    finest, *coarser = (Disk(one) for one in pyramid())
    movie = Movie(finest, contrast=(0, 9), coarser=coarser)
    overview = movie.overview(side)
    assert overview.frame_shape == (shape, shape)
    assert (overview.raw(1) == level).all()
    assert not finest.parts
    assert movie.raw(0).shape == (256, 256)
    assert movie.cut(Window(0, 0, 8, 8)).raw(0).shape == (8, 8)


def test_levels_with_other_frames_are_not_used():
    finest = np.zeros((4, 256, 256), np.uint8)
    halved = np.ones((2, 128, 128), np.uint8)
    overview = Movie(finest, contrast=(0, 9), coarser=[halved]).overview(64)
    assert len(overview) == 4
    assert not overview.raw(3).any()


def test_contrast_is_measured_on_a_coarse_level(monkeypatch):
    monkeypatch.setattr("napari_sam_decoder.frames.movie.SAMPLED_SIDE", 64)
    rng = np.random.default_rng(0)
    finest, *coarser = (
        Disk(rng.integers(0, 255, one.shape, np.uint8)) for one in pyramid()
    )
    contrast = Movie(finest, coarser=coarser).contrast
    assert not finest.parts
    assert contrast.high > 200
