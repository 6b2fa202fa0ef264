from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_decoder.errors import MovieError, OptionError
from napari_sam_decoder.frames import Contrast, FrameGeometry, Movie, guess_axes

DTYPES = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int64", "float16"]


def ramp(shape, dtype="float32"):
    return np.linspace(0, 100, int(np.prod(shape))).reshape(shape).astype(dtype)


@pytest.mark.parametrize(
    ("shape", "axes", "frames", "frame_shape"),
    [
        ((8, 9), "YX", 1, (8, 9)),
        ((8, 9, 3), "YXC", 1, (8, 9)),
        ((8, 9, 4), "YXC", 1, (8, 9)),
        ((5, 8, 9), "TYX", 5, (8, 9)),
        ((5, 8, 9, 3), "TYXC", 5, (8, 9)),
        ((5, 8, 9, 4), "TYXC", 5, (8, 9)),
        ((5, 8, 9, 1), "TYXC", 5, (8, 9)),
    ],
)
def test_axes_are_guessed_from_the_shape(shape, axes, frames, frame_shape):
    movie = Movie(ramp(shape))
    assert (movie.axes, len(movie), movie.frame_shape) == (axes, frames, frame_shape)
    assert movie.rgb(frames - 1).shape == (*frame_shape, 3)


def test_a_volume_is_a_movie_along_z():
    movie = Movie(ramp((4, 8, 3)), axes="zyx")
    assert (movie.axes, len(movie), movie.frame_shape) == ("ZYX", 4, (8, 3))


@pytest.mark.parametrize("dtype", [*DTYPES, "float64"])
def test_every_number_type_fills_the_range(dtype):
    rgb = Movie(ramp((3, 16, 16), dtype)).rgb(2)
    assert rgb.dtype == np.uint8
    assert rgb.max() == 255


@pytest.mark.parametrize(
    "wrap",
    [
        np.asarray,
        lambda array: da.from_array(array, chunks=(1, -1, -1)),
        lambda array: zarr.array(array, chunks=(1, 8, 9)),
        np.ndarray.tolist,
    ],
    ids=["numpy", "dask", "zarr", "list"],
)
def test_any_array_gives_the_same_frames(wrap):
    array = ramp((5, 8, 9), "uint16")
    movie = Movie(wrap(array))
    np.testing.assert_array_equal(movie.raw(3), array[3])
    np.testing.assert_array_equal(movie.rgb(3), Movie(array).rgb(3))


def test_only_the_asked_frame_is_read():
    read = []

    class Lazy:
        shape = (1000, 8, 9)
        dtype = np.dtype("uint8")

        def __getitem__(self, frame):
            read.append(frame)
            return np.zeros((8, 9), np.uint8)

    movie = Movie(Lazy(), contrast=(0, 255))
    movie.rgb(7)
    assert read == [7]


def test_contrast_is_measured_on_few_frames_and_only_once():
    read = []

    class Lazy:
        shape = (1000, 8, 9)
        dtype = np.dtype("uint8")

        def __getitem__(self, frame):
            read.append(frame)
            return np.full((8, 9), frame % 200, np.uint8)

    movie = Movie(Lazy())
    assert movie.contrast is movie.contrast
    assert len(read) == 16
    assert (read[0], read[-1]) == (0, 999)


def test_contrast_is_the_same_for_all_frames():
    array = np.zeros((2, 32, 32), np.uint16)
    array[0] = ramp((32, 32), "uint16")
    array[1] = array[0] + 100
    movie = Movie(array)
    assert movie.rgb(0).mean() < 110 < 145 < movie.rgb(1).mean()


def test_one_hot_pixel_leaves_the_contrast_alone():
    array = ramp((4, 64, 64), "uint16")
    calm = Movie(array).contrast
    array[1, 5, 5] = 65535
    assert Movie(array).contrast.high == pytest.approx(calm.high, rel=0.01)


def test_contrast_can_be_set():
    movie = Movie(np.full((2, 8, 8), 50, np.uint16), contrast=(0, 100))
    assert set(np.unique(movie.rgb(0))) == {128}


@pytest.mark.parametrize(
    "limits", [(5, 5), (6, 5), (0, np.nan), (-np.inf, 1), (1, 2, 3), 5, ("0", "1")]
)
def test_contrast_that_makes_no_sense_is_refused(limits):
    with pytest.raises(OptionError, match=r"low < high|finite numbers"):
        Contrast.of(limits)


def test_nan_is_black_and_infinities_are_the_limits():
    array = ramp((2, 8, 8), "float32")
    array[0, 0, :3] = np.nan, np.inf, -np.inf
    rgb = Movie(array, contrast=(0, 100)).rgb(0)
    assert rgb[0, :3, 0].tolist() == [0, 255, 0]


def test_a_movie_of_nan_is_black():
    assert not Movie(np.full((2, 8, 8), np.nan)).rgb(1).any()


@pytest.mark.parametrize("value", [0, 7, -3.5])
def test_a_constant_movie_is_black(value):
    assert not Movie(np.full((2, 8, 8), value)).rgb(0).any()


def test_a_few_bright_pixels_on_nothing_are_seen():
    array = np.zeros((1, 64, 64), np.uint8)
    array[0, 3, 3] = 9
    assert Movie(array).rgb(0)[3, 3].tolist() == [255, 255, 255]


def test_huge_floats_do_not_overflow():
    array = np.array([[-1e308, 0.0], [1e308, 5.0]])
    rgb = Movie(array, contrast=(0, 10)).rgb(0)
    assert rgb[..., 0].tolist() == [[0, 0], [255, 128]]


def test_one_pixel_is_a_frame():
    assert Movie(np.ones((3, 1, 1), np.uint8)).rgb(0).shape == (1, 1, 3)


def test_alpha_neither_shows_nor_counts():
    array = np.zeros((2, 8, 8, 4), np.uint8)
    array[..., :3] = ramp((8, 8, 1), "uint8")
    array[..., 3] = 255
    assert Movie(array).contrast.high <= 100


@pytest.mark.parametrize(
    ("array", "axes", "message"),
    [
        (np.zeros((0, 8, 8)), None, "empty"),
        (np.zeros((3, 0, 8)), None, "empty"),
        (np.zeros((2, 8, 8, 2)), None, "2 channels.*pick one"),
        (np.zeros((2, 8, 8, 5)), None, "5 channels.*pick one"),
        (np.zeros(5), None, "is no movie"),
        (np.zeros((2, 3, 8, 8, 3)), None, "is no movie"),
        (np.zeros((2, 8, 8)), "TYXC", "do not fit"),
        (np.zeros((2, 8, 8)), "XYT", "do not fit"),
        (np.zeros((2, 8, 8), complex), None, "no intensities"),
        ([[[1, 2], [3, 4]], [[1], [2]]], None, "cannot form one array"),
    ],
)
def test_what_is_no_movie_is_refused(array, axes, message):
    with pytest.raises(MovieError, match=message):
        Movie(array, axes=axes)


@pytest.mark.parametrize("frame", [-1, 2])
def test_a_frame_that_does_not_exist_is_refused(frame):
    with pytest.raises(MovieError, match="frames 0 to 1"):
        Movie(np.zeros((2, 8, 8))).raw(frame)


def test_two_axes_more_is_no_guess():
    with pytest.raises(MovieError):
        guess_axes((2, 2, 2, 2, 2))


def test_the_description_says_what_it_is():
    assert repr(Movie(np.zeros((2, 8, 9), "u2"))) == "Movie(TYX (2, 8, 9), uint16)"


sides = st.integers(1, 5000)


@given(sides, sides, st.floats(0, 1), st.floats(0, 1))
def test_positions_come_back_from_the_network(rows, columns, down, right):
    geometry = FrameGeometry.fit((rows, columns), 1024)
    position = np.array([[down * (rows - 1), right * (columns - 1)]])
    there = geometry.to_model(position)
    np.testing.assert_allclose(geometry.to_frame(there), position, atol=1e-6)
    assert (there >= 0).all()
    assert (there[0, ::-1] <= geometry.model_shape).all()


def test_positions_map_as_in_the_reference():
    geometry = FrameGeometry.fit((480, 854), 1024)
    x, y = geometry.to_model(np.array([[240, 427]]))[0]
    assert (x, y) == pytest.approx((427 * 1024 / 854, 240 * 576 / 480))
