from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import torch
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_decoder.errors import MovieError, OptionError
from napari_sam_decoder.frames import (
    Contrast,
    FrameGeometry,
    Movie,
    Window,
    guess_axes,
)
from napari_sam_decoder.frames.contrast import SOFT_TISSUE

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


def test_a_movie_without_numbers_is_refused_unless_its_limits_are_set():
    nothing = np.full((2, 8, 8), np.nan)
    with pytest.raises(MovieError, match=r"frames 0, 1 is a number.*contrast limits"):
        Movie(nothing).rgb(1)
    assert not Movie(nothing, contrast=(0, 1)).rgb(1).any()


def test_a_frame_without_numbers_among_others_is_black():
    array = np.linspace(0, 1, 128).reshape(2, 8, 8)
    array[0] = np.nan
    assert not Movie(array).rgb(0).any()
    assert Movie(array).rgb(1).any()


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
        (np.zeros((2, 8, 8, 2)), None, "name its axes.*choose one"),
        (np.zeros((2, 8, 8, 5)), "TYXC", "5 channels.*choose one"),
        (np.zeros(5), None, "not a movie"),
        (np.zeros((2, 3, 8, 8, 3)), None, "not a movie"),
        (np.zeros((2, 8, 8)), "TYXC", "do not fit"),
        (np.zeros((2, 8, 8)), "XTZ", "not a movie"),
        (np.zeros((2, 8, 8), complex), None, "not intensities"),
        ([[[1, 2], [3, 4]], [[1], [2]]], None, "cannot be converted to a numpy array"),
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


def test_the_network_sees_x_before_y():
    geometry = FrameGeometry.fit((20, 30), 60)
    asked = geometry.to_prompt([(10, 15)], [False], (2, 3, 12, 18))
    np.testing.assert_allclose(asked.points, [[30, 20]])
    np.testing.assert_array_equal(asked.signs, [0])
    np.testing.assert_allclose(asked.box, [6, 4, 36, 24])


def test_a_box_alone_has_no_points_and_points_no_box():
    geometry = FrameGeometry.fit((20, 30), 60)
    assert geometry.to_prompt([], [], (2, 3, 12, 18)).points.shape == (0, 2)
    assert geometry.to_prompt([(10, 15)], [True]).box is None


LAYOUTS = {
    "big endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "little endian": lambda array: array.astype(array.dtype.newbyteorder("<")),
    "columns first": np.asfortranarray,
    "reversed": lambda array: array[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "every second": lambda array: np.repeat(array, 2, 2)[:, :, ::2],
    "dask": lambda array: da.from_array(array.astype(array.dtype.newbyteorder(">"))),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [*DTYPES, "float64"])
def test_bytes_may_lie_in_any_order(layout, dtype):
    array = ramp((5, 8, 9), dtype)
    movie = Movie(LAYOUTS[layout](array))
    assert movie.dtype == array.dtype
    assert movie.raw(3).dtype.isnative
    np.testing.assert_array_equal(movie.raw(3), array[3])
    np.testing.assert_array_equal(movie.rgb(3), Movie(array).rgb(3))


def test_contrast_of_bytes_in_another_order():
    array = ramp((8, 9), "uint16")
    contrast = Contrast(10, 90)
    np.testing.assert_array_equal(
        contrast.apply(array.astype(">u2")), contrast.apply(array)
    )


def test_a_read_only_file_in_memory(tmp_path):
    array = ramp((5, 8, 9), ">i2")
    np.save(tmp_path / "m.npy", np.asfortranarray(array))
    movie = Movie(np.load(tmp_path / "m.npy", mmap_mode="r"))
    np.testing.assert_array_equal(movie.rgb(3), Movie(ramp((5, 8, 9), "i2")).rgb(3))


@pytest.mark.parametrize("axes", ["TCYX", "CTYX", "TYXC", "CZYX"])
def test_a_channel_is_chosen(axes):
    array = ramp((5, 8, 9), "uint16")
    stacked = np.stack([array, array + 7], axes.index("C"))
    movie = Movie(stacked, axes=axes, channel=1)
    assert movie.axes == axes.replace("C", "")
    np.testing.assert_array_equal(movie.raw(3), array[3] + 7)
    with pytest.raises(MovieError, match="no channel 2"):
        Movie(stacked, axes=axes, channel=2)
    with pytest.raises(MovieError, match="2 channels: choose one"):
        Movie(stacked, axes=axes)


def test_channels_of_unnamed_axes_are_not_guessed():
    with pytest.raises(MovieError, match=r"which axis .* name the axes"):
        Movie(ramp((5, 8, 9)), channel=1)
    with pytest.raises(MovieError, match="not a movie by itself"):
        Movie(ramp((5, 2, 8, 9)), channel=1)


@pytest.mark.parametrize("colours", [3, 4])
def test_colours_may_come_first(colours):
    array = ramp((5, 8, 9, colours), "uint8")
    first = np.moveaxis(array, -1, 1)
    movie = Movie(first, axes="TCYX")
    assert (movie.axes, movie.shape) == ("TYXC", array.shape)
    np.testing.assert_array_equal(movie.rgb(2), Movie(array).rgb(2))
    picture = Movie(first[0], axes="CYX")
    np.testing.assert_array_equal(picture.raw(0), array[0])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.int64, torch.bool])
def test_tensors_of_torch(dtype):
    array = ramp((5, 8, 9), "uint8")
    tensor = torch.from_numpy(array).to(dtype)
    movie = Movie(tensor)
    np.testing.assert_array_equal(movie.raw(3), tensor[3].numpy())
    assert len(movie) == 5


def test_tensors_with_a_gradient_or_in_few_bits():
    tensor = torch.arange(2 * 8 * 9.0).reshape(2, 8, 9).requires_grad_()
    np.testing.assert_array_equal(Movie(tensor).raw(1), tensor[1].detach().numpy())
    few = Movie(torch.ones(2, 8, 9, dtype=torch.bfloat16))
    assert few.dtype == np.float32


def test_tensors_that_numpy_cannot_hold():
    with pytest.raises(MovieError, match="cannot be converted to a numpy array"):
        Movie(torch.ones(2, 8, 9).to_sparse())


class Named:
    """As an array of xarray: with names of its axes."""

    def __init__(self, array, dims):
        self.array, self.dims = array, dims
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, key):
        return self.array[key]


def test_names_of_axes_are_read():
    array = ramp((5, 2, 8, 9))
    movie = Movie(Named(array, ("time", "channel", "y", "x")), channel=1)
    np.testing.assert_array_equal(movie.raw(4), array[4, 1])
    assert Movie(Named(array[:, 0], ("z", "y", "x"))).axes == "ZYX"
    assert Movie(Named(array[:, 0], ("a", "b", "c"))).axes == "TYX"
    with pytest.raises(MovieError, match="2 channels: choose one"):
        Movie(Named(array, ("time", "channel", "y", "x")))


@pytest.mark.parametrize("holder", ["zarr", "empty zarr", "dict", "npz"])
def test_what_holds_arrays_is_no_array(tmp_path, holder):
    array = ramp((2, 8, 9))
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    if holder == "zarr":
        group.create_array("one", data=array)
    np.savez(tmp_path / "a.npz", one=array)
    what = {
        "dict": {"one": array},
        "npz": np.load(tmp_path / "a.npz"),
    }.get(holder, group)
    named = "none so far" if holder == "empty zarr" else "one"
    with pytest.raises(MovieError, match=rf"holds several; pass one of them .*{named}"):
        Movie(what)


@pytest.mark.parametrize(
    "data", [None, "text", [[object()]], np.array(["a"]), 7, [["a", "b"]]]
)
def test_what_is_no_array_of_numbers(data):
    with pytest.raises(MovieError):
        Movie(data)


def test_masked_arrays_have_pixels_without_a_value():
    masked = np.ma.masked_less(ramp((2, 8, 9)), 3)
    with pytest.raises(MovieError, match=r"masked array .*filled"):
        Movie(masked)
    Movie(masked.filled(0))


def test_dask_arrays_of_unknown_length():
    array = da.from_array(ramp((5, 8, 9)))
    unknown = array[array[:, 0, 0] > 0]
    with pytest.raises(MovieError, match=r"shape .* is not known; compute"):
        Movie(unknown)


def test_frames_of_another_shape_than_promised():
    class Liar:
        shape, dtype = (5, 8, 9), np.dtype("uint8")

        def __getitem__(self, key):
            return np.zeros((8, 8), np.uint8)

    with pytest.raises(MovieError, match=r"declares frames of shape \(8, 9\)"):
        Movie(Liar(), contrast=(0, 1)).raw(1)


@pytest.mark.parametrize("unit", [1e308, 1e300, 1e-290, 1e-300, 1e-306])
def test_the_largest_and_smallest_floats_are_stretched_too(unit):
    array = np.array([[-1.0, 0.0], [0.5, 1.0]]) * unit
    rgb = Movie(array, contrast=(-unit, unit)).rgb(0)
    assert rgb[..., 0].tolist() == [[0, 128], [191, 255]]
    assert Movie(array).rgb(0).max() == 255


def tomogram(air=0.3, seed=0):
    """A phantom in Hounsfield units: air, lung, fat, organs and a little bone."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(
        [-1000, -800, -100, 60, 700],
        (3, 60, 60),
        p=[air, 0.1, 0.3, 0.59 - air, 0.01],
    )
    return (kinds + rng.normal(0, 15, kinds.shape)).astype(np.int16)


@pytest.mark.parametrize("air", [0.0, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_tomograms_are_seen_as_organs_are_looked_at(air, dtype):
    contrast = Movie(tomogram(air).astype(dtype)).contrast
    assert (contrast.low, contrast.high) == SOFT_TISSUE


@pytest.mark.parametrize(
    "pixels",
    [
        np.random.default_rng(0).normal(0, 400, (3, 60, 60)),
        np.random.default_rng(0).normal(0, 400, (3, 60, 60)).astype(np.int16),
        -np.random.default_rng(0).gamma(2, 400, (3, 60, 60)),
        tomogram() + 1024,
        np.random.default_rng(0).integers(0, 256, (3, 60, 60)).astype(np.uint8),
    ],
)
def test_no_other_pictures_are(pixels):
    contrast = Movie(pixels).contrast
    low, high = np.percentile(pixels, (0.1, 99.9))
    assert (contrast.low, contrast.high) == pytest.approx((low, high))


def test_a_contrast_that_is_given_is_what_a_tomogram_gets():
    contrast = Movie(tomogram(), contrast=(-1000, 700)).contrast
    assert (contrast.low, contrast.high) == (-1000, 700)


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3), (4, 40, 50), (4, 40, 50, 3)])
def test_a_cut_movie_has_the_pixels_and_contrast_of_the_whole(shape):
    movie = Movie(ramp(shape))
    window = Window(10, 20, 16, 25)
    cut = movie.cut(window)
    last = len(movie) - 1
    assert (len(cut), cut.frame_shape) == (len(movie), (16, 25))
    np.testing.assert_array_equal(cut.raw(last), movie.raw(last)[window.place])
    np.testing.assert_array_equal(cut.rgb(last), movie.rgb(last)[window.place])


def test_of_a_lazy_array_only_the_window_is_read():
    read = []

    def block(block_info):
        (_, _), rows, columns = block_info[None]["array-location"]
        read.append((rows, columns))
        return np.zeros(block_info[None]["chunk-shape"], np.uint8)

    lazy = da.map_blocks(
        block,
        dtype=np.uint8,
        chunks=((1,) * 2, (64,) * 16, (64,) * 16),
        meta=np.array(()),
    )
    movie = Movie(lazy, contrast=(0, 1)).cut(Window(128, 64, 64, 64))
    del read[:]
    movie.raw(1)
    assert read == [((128, 192), (64, 128))]


def test_what_can_only_give_whole_frames_is_cut_afterwards():
    class Frames:
        shape, dtype = (3, 40, 50), np.dtype("uint8")

        def __getitem__(self, frame):
            return np.full((40, 50), frame, np.uint8)

    cut = Movie(Frames(), contrast=(0, 1)).cut(Window(1, 2, 10, 20))
    np.testing.assert_array_equal(cut.raw(2), np.full((10, 20), 2))


class Watched:
    """An array that is not in memory, with a note of how many pixels were read."""

    def __init__(self, array):
        self.array, self.read = array, 0
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, key):
        found = self.array[key]
        self.read += found.size
        return found


@pytest.mark.parametrize("axes", ["TCZYX", "ZXTYC"])
def test_only_the_planes_of_a_position_are_read(axes):
    array = ramp((5, 2, 3, 8, 9), "uint16")
    watched = Watched(array.transpose(["TCZYX".index(letter) for letter in axes]))
    movie = Movie(watched, axes=axes, channel=1, at={"z": 2})
    assert (movie.axes, movie.shape, movie.position) == ("TYX", (5, 8, 9), {"Z": 2})
    assert watched.read == 0
    np.testing.assert_array_equal(movie.raw(3), array[3, 1, 2])
    assert watched.read == 8 * 9
    assert movie.contrast == Movie(array[:, 1, 2]).contrast
    assert watched.read == (1 + 5) * 8 * 9


def test_a_position_needs_the_names_of_axes():
    array = ramp((5, 3, 8, 9))
    movie = Movie(Named(array, ("time", "z", "y", "x")), at={"time": 4})
    assert (movie.axes, movie.position) == ("ZYX", {"T": 4})
    np.testing.assert_array_equal(movie.raw(1), array[4, 1])
    with pytest.raises(MovieError, match="name its axes with --axes"):
        Movie(array, at={"z": 0})


def test_the_only_position_is_not_one_of_several():
    array = ramp((5, 1, 8, 9))
    movie = Movie(array, axes="TZYX", at={"z": 0})
    assert (movie.axes, movie.position) == ("TYX", {})


def test_a_movie_that_was_cut_out_knows_where():
    movie = Movie(ramp((5, 8, 9)), position={"z": 3, "t": 1})
    assert movie.position == {"T": 1, "Z": 3}
