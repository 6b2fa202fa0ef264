"""Channels as the colours of one movie."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.frames import Composite, Movie, Window

PIXELS = np.random.default_rng(0).integers(0, 4000, (5, 3, 40, 30)).astype(np.uint16)
LIMITS = ((0, 4000), (100, 900), (2000, 3000))


def channel(number, **more):
    options = {"contrast": LIMITS[number], **more}
    return Movie(PIXELS, axes="TCYX", channel=number, **options)


@pytest.mark.parametrize("count", [2, 3])
def test_each_channel_has_its_contrast(count):
    movies = [channel(number) for number in range(count)]
    composite = Composite(movies)
    assert (composite.axes, composite.shape) == ("TYXC", (5, 40, 30, 3))
    assert composite.dtype == np.uint8
    seen = composite.rgb(2)
    for number, movie in enumerate(movies):
        np.testing.assert_array_equal(seen[..., number], movie.rgb(2)[..., 0])
    assert not seen[..., count:].any()
    assert [(one.low, one.high) for one in composite.limits] == list(LIMITS[:count])


def test_a_window_and_an_overview():
    composite = Composite([channel(0), channel(1)])
    window = Window(3, 4, 10, 12)
    np.testing.assert_array_equal(
        composite.cut(window).raw(1), composite.raw(1)[3:13, 4:16]
    )
    assert composite.overview(10).frame_shape == (10, 8)
    levels = PIXELS[..., ::2, ::2]
    smaller = [channel(number, coarser=[levels]) for number in (0, 1)]
    (level,) = Composite(smaller).levels()
    np.testing.assert_array_equal(level.raw(3), composite.raw(3)[::2, ::2])


def test_a_picture():
    movies = [Movie(PIXELS[0], axes="CYX", channel=one) for one in (0, 1)]
    composite = Composite(movies)
    assert (composite.axes, len(composite)) == ("YXC", 1)
    np.testing.assert_array_equal(composite.rgb(0)[..., 1], movies[1].rgb(0)[..., 0])
    window = Window(3, 4, 10, 12)
    np.testing.assert_array_equal(
        composite.part(0, window), composite.raw(0)[3:13, 4:16]
    )


def test_it_knows_its_position():
    five = PIXELS[:, :, None].repeat(2, axis=2)
    movies = [Movie(five, axes="TCZYX", channel=one, at={"z": 1}) for one in (0, 1)]
    assert Composite(movies).position == {"Z": 1}


def test_what_is_no_composite():
    with pytest.raises(MovieError, match="two or three channels, not 1"):
        Composite([channel(0)])
    with pytest.raises(MovieError, match="grey movies of one size"):
        Composite([channel(0), Movie(PIXELS[:, 1, :8])])
    colours = Movie(np.zeros((2, 8, 9, 3), np.uint8))
    with pytest.raises(MovieError, match="grey movies of one size"):
        Composite([colours, colours])
