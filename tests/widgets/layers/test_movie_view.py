from __future__ import annotations

import pytest

pytest.importorskip("napari.layers")

from dataclasses import replace

import dask.array
import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from placements import SHAPES, image_of, numbered, shown_value, viewer_of

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.frames import Movie, Planes
from napari_sam_decoder.widgets.layers import (
    MovieView,
    axis_choices,
    is_automatic,
    shown_limits,
)
from napari_sam_decoder.widgets.layers.coordinates import WorldMap

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")

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


def chunked(pixels, folder):
    return pytest.importorskip("dask.array").from_array(pixels, chunks=1)


def zarr(pixels, folder):
    import zarr

    array = zarr.create_array(folder / "z", shape=pixels.shape, dtype=pixels.dtype)
    array[:] = pixels
    return array


@pytest.mark.parametrize("kind", [same, chunked, zarr])
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


@pytest.mark.parametrize("kind", [same, chunked, zarr])
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


STACK = np.arange(4 * 6 * 7, dtype=np.int16).reshape(4, 6, 7) - 50


def judged(layer, frame=0):
    return is_automatic(MovieView.of(layer), shown_limits(layer), frame)


@pytest.mark.parametrize(
    "pixels",
    [
        STACK,
        STACK[0],
        STACK.astype(np.uint8),
        STACK / 3,
        np.zeros((3, 5, 5), np.float32),
        dask.array.from_array(STACK, chunks=(1, 6, 7)),
        dask.array.from_array(STACK.astype(np.uint16), chunks=(1, 6, 7)),
    ],
)
def test_what_napari_chooses_is_automatic(pixels):
    layer = Image(pixels)
    assert judged(layer)
    layer.contrast_limits = (3, 17)
    assert not judged(layer)


def test_limits_that_come_with_a_layer_were_set_by_somebody():
    assert not judged(Image(STACK, contrast_limits=(-20, 30)))


@pytest.mark.parametrize("shown", [2, 1])
def test_so_are_those_of_the_frame_that_napari_showed_first(shown):
    layer = Image(STACK)
    layer.contrast_limits = (STACK[shown].min(), STACK[shown].max())
    assert judged(layer, frame=shown)


def test_colours_have_none():
    assert shown_limits(Image(np.zeros((3, 6, 7, 3), np.uint8), rgb=True)) is None


def test_limits_that_change_with_the_frame_say_nothing():
    layer = Image(STACK)
    for name in ("auto_contrast", "_keep_auto_contrast"):
        if hasattr(layer, name):
            setattr(layer, name, True)
            break
    assert shown_limits(layer) is None


def picks(layer):
    return [
        (choice.index, choice.name, choice.length) for choice in axis_choices(layer)
    ]


@pytest.mark.parametrize(
    ("shape", "labels", "expected"),
    [
        ((8, 9), None, []),
        ((4, 8, 9), None, [(0, "axis 0", 4), (1, "axis 1", 8), (2, "axis 2", 9)]),
        ((4, 8, 9), ("y", "x", "t"), [(2, "t", 9), (0, "y", 4), (1, "x", 8)]),
        (
            (4, 5, 8, 9),
            ("c", "Depth [um]", "Time (s)", "x"),
            [(2, "Time (s)", 8), (1, "Depth [um]", 5), (0, "c", 4), (3, "x", 9)],
        ),
        ((4, 1, 8, 9), ("t", "z", "y", "x"), [(0, "t", 4)]),
        ((1, 8, 9), ("z", "y", "x"), [(0, "z", 1)]),
        ((1, 1, 8, 9), None, [(0, "axis 0", 1), (1, "axis 1", 1)]),
        ((4, 1, 9), None, [(1, "axis 1", 1)]),
        ((4, 1, 1), None, []),
    ],
)
def test_axes_to_follow(shape, labels, expected):
    assert picks(Image(np.zeros(shape, np.uint8), axis_labels=labels)) == expected


def test_colours_are_no_axis_to_follow():
    picture = Image(np.zeros((8, 9, 3), np.uint8), rgb=True)
    movie = Image(np.zeros((4, 8, 9, 3), np.uint8), rgb=True)
    assert picks(picture) == []
    assert [index for index, _, _ in picks(movie)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("shape", "rgb", "labels", "axis", "axes"),
    [
        ((8, 9), False, None, None, "YX"),
        ((8, 9, 3), True, None, None, "YXC"),
        ((4, 8, 9), False, None, None, "TYX"),
        ((4, 8, 9), False, ("z", "y", "x"), None, "ZYX"),
        ((4, 8, 9), False, ("z", "y", "x"), 1, "TYX"),
        ((4, 8, 9, 4), True, None, None, "TYXC"),
        ((4, 5, 8, 9), False, ("t", "plane", "y", "x"), 1, "ZYX"),
    ],
)
def test_what_a_movie_is_told(shape, rgb, labels, axis, axes):
    layer = Image(np.zeros(shape, np.uint8), rgb=rgb, axis_labels=labels)
    view = MovieView.of(layer, axis)
    movie = Movie(view.frames, axes=view.axes)
    assert view.axes == axes
    assert len(movie) == len(view)
    assert movie.frame_shape == view.frame_shape
    assert view.spatial_shape == shape[: layer.ndim]


@pytest.mark.parametrize("axis", [3, -1, 7])
def test_an_axis_that_is_not_there(axis):
    with pytest.raises(MovieError, match=f"no axis {axis}; choose one from 0 to 2"):
        MovieView.of(Image(np.zeros((4, 8, 9))), axis)


def test_a_picture_has_no_axis_to_follow():
    with pytest.raises(MovieError, match=r"single picture .*leave the axis out"):
        MovieView.of(Image(np.zeros((8, 9))), 0)


@pytest.mark.parametrize(
    ("shape", "axis"), [((4, 1, 9), 0), ((4, 1, 1), None), ((1, 9), None)]
)
def test_frames_of_one_pixel(shape, axis):
    with pytest.raises(MovieError, match=r"only one pixel .*choose another"):
        MovieView.of(Image(np.zeros(shape)), axis)


@pytest.mark.parametrize("shape", [(0, 8, 9), (3, 0, 8, 9)])
def test_an_empty_layer(shape):
    with pytest.raises(MovieError, match=r"is empty; choose another layer"):
        MovieView.of(Image(np.zeros(shape), contrast_limits=(0, 1)))


def test_the_finest_level_is_read():
    fine, coarse = np.ones((4, 16, 18), np.uint8), np.zeros((4, 8, 9), np.uint8)
    view = MovieView.of(Image([fine, coarse], multiscale=True))
    assert view.spatial_shape == fine.shape
    assert view.frames[1].all()
    (frames,) = view.coarser_frames
    assert frames.shape == coarse.shape
    assert not frames[1].any()


def test_levels_with_fewer_frames_are_not_used():
    levels = [np.zeros((4 >> n, 16 >> n, 18 >> n), np.uint8) for n in range(2)]
    view = MovieView.of(Image(levels, multiscale=True), 0)
    assert view.coarser_frames == ()
    assert len(MovieView.of(Image([levels[0]] * 2, multiscale=True)).coarser) == 1


class Unread:
    """A level that must not be read."""

    def __init__(self, shape):
        self.shape, self.dtype, self.ndim = shape, np.dtype(np.uint8), len(shape)

    def __getitem__(self, key):
        raise AssertionError(f"{key} was read")


def test_the_usual_limits_of_a_pyramid_are_those_of_its_coarsest_level():
    coarse = np.arange(8 * 9, dtype=np.uint8).reshape(8, 9)
    layer = Image([np.zeros((16, 18), np.uint8), coarse], multiscale=True)
    view = replace(MovieView.of(layer), data=Unread((16, 18)))
    assert is_automatic(view, layer.contrast_limits, 0)
    assert not is_automatic(view, (3.0, 9.0), 0)


def test_later_pixels_are_not_seen():
    layer = Image(np.zeros((4, 8, 9), np.uint8))
    view = MovieView.of(layer)
    layer.data = np.ones((5, 8, 9), np.uint8)
    assert len(view) == 4
    assert not view.frames[0].any()


def test_sameness():
    layer = Image(np.zeros((4, 5, 8, 9), np.uint8))
    view = MovieView.of(layer)
    assert view.is_same_as(MovieView.of(layer))
    assert not view.is_same_as(MovieView.of(layer, 1))
    assert not view.is_same_as(MovieView.of(layer, world_point=(0, 3, 0, 0)))
    assert not view.is_same_as(MovieView.of(Image(layer.data)))
    layer.data = layer.data.copy()
    assert not view.is_same_as(MovieView.of(layer))


def test_pixels_of_the_world_are_found_again(image, case):
    view = MovieView.of(image, case[1])
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, view.spatial_shape, (20, image.ndim))
    world = np.array([image.data_to_world(pixel) for pixel in pixels])
    longer = np.concatenate([np.full((20, 2), 1e5), world], axis=1)
    frames = pixels[:, case[1]] if case[1] is not None else np.zeros(20)
    expected = np.column_stack([frames, pixels[:, view.frame_axes]])
    np.testing.assert_allclose(view.locate(world), expected, atol=1e-8)
    np.testing.assert_allclose(view.locate(longer), expected, atol=1e-8)


def test_the_plane_of_a_frame(image, case):
    rng = np.random.default_rng(1)
    place = rng.integers(0, SHAPES[image.ndim])
    view = MovieView.of(image, case[1], image.data_to_world(place))
    movie = Movie(view.frames, axes=view.axes)
    for frame in range(len(view)):
        plane = image.data[view.index(frame)]
        assert plane.shape == view.frame_shape
        assert (plane == frame).all()
        np.testing.assert_array_equal(plane, movie.raw(frame))


def test_the_frame_is_the_one_that_napari_shows(image, case):
    view = MovieView.of(image, case[1])
    viewer = viewer_of(view)
    axes = list(view.sliced_axes)
    middle = image.data_to_world(np.array(view.spatial_shape) // 2)
    rng = np.random.default_rng(2)
    compared = 0
    for _ in range(6):
        position = rng.uniform(0, np.array(view.spatial_shape) - 1)[axes]
        world = WorldMap.of(image).slices_to_world(axes, position)
        viewer.dims.set_point(axes, world)
        shown = shown_value(viewer, image, middle)
        if shown is not None:
            assert view.frame_at(viewer.dims.point) == shown
            compared += 1
    assert compared >= 3


def test_cuts_are_where_napari_slices(kind):
    planes = np.arange(30, dtype=np.uint8).reshape(5, 6, 1, 1)
    image = image_of(np.broadcast_to(planes, (5, 6, 12, 14)).copy(), kind)
    viewer = viewer_of(MovieView.of(image, 0))
    world = WorldMap.of(image).slices_to_world([0, 1], (2, 4))
    viewer.dims.set_point((0, 1), world)
    view = MovieView.of(image, 0, viewer.dims.point)
    shown = shown_value(viewer, image, image.data_to_world((0, 0, 6, 7)))
    assert shown == view.frames[view.frame_at(viewer.dims.point)][0, 0]
    assert view.fixed != ((1, 0),)


def test_a_layer_beside_one_with_more_axes():
    image = image_of(numbered((5, 12, 14), 0), "scale")
    viewer = ViewerModel()
    viewer.add_image(np.zeros((7, 3, 12, 14)), scale=(9, 0.25, 1, 1))
    viewer.add_layer(image)
    view = MovieView.of(image)
    for frame in range(5):
        viewer.dims.set_point((0, 1), (27, image.data_to_world((frame, 0, 0))[0]))
        assert len(viewer.dims.point) == 4
        assert view.frame_at(viewer.dims.point) == frame


def test_outside_the_movie_the_nearest_frame_counts():
    view = MovieView.of(Image(np.zeros((5, 8, 9)), scale=(2, 1, 1)))
    points = [(-50, 0, 0), (3, 0, 0), (5, 0, 0), (6.9, 0, 0), (1e6, 0, 0)]
    # Halves go to the even frame, as they do in napari.
    assert [view.frame_at(point) for point in points] == [0, 2, 2, 3, 4]


def test_a_picture_has_one_frame():
    view = MovieView.of(Image(np.zeros((8, 9))))
    assert view.frame_at((3.0, 2.0, 1.0)) == 0
    assert view.index(0) == (slice(None), slice(None))


def test_without_a_position_cuts_are_at_the_beginning():
    layer = Image(np.zeros((4, 5, 6, 8, 9)), translate=(0, -3, -2, 0, 0))
    assert MovieView.of(layer).fixed == ((1, 0), (2, 0))
    assert MovieView.of(layer, world_point=(0, -1, 99, 0, 0)).fixed == ((1, 2), (2, 5))
    assert MovieView.of(layer, world_point=(1, 0, 0)).fixed == ((1, 0), (2, 3))


def test_other_planes_along_the_axes_that_are_cut():
    layer = Image(np.arange(3 * 2 * 1 * 5 * 6).reshape(3, 2, 1, 5, 6))
    view = MovieView.of(layer, 0)
    assert [(axis.index, axis.length, index) for axis, index in view.cuts] == [
        (1, 2, 0)
    ]
    other = view.cut_at(1, 1)
    np.testing.assert_array_equal(other.frames[2], layer.data[2, 1, 0])
    for axis, index in ((1, 2), (1, -1), (0, 1), (2, 0), (3, 0)):
        with pytest.raises(MovieError, match="choose among axis 1 from 0 to 1"):
            view.cut_at(axis, index)


def test_a_movie_of_three_axes_is_cut_nowhere():
    view = MovieView.of(Image(np.zeros((3, 5, 6))), 0)
    assert view.cuts == ()
    with pytest.raises(MovieError, match="nothing else"):
        view.cut_at(0, 1)


@pytest.mark.parametrize("labels", ["tczyx", "yxtzc", "zytcx"])
@pytest.mark.parametrize("wanted", ["t", "z"])
def test_rows_and_columns_by_their_names(labels, wanted):
    lengths = dict(zip("tczyx", (3, 2, 4, 5, 6), strict=True))
    pixels = np.arange(720).reshape([lengths[letter] for letter in labels])
    layer = Image(pixels, axis_labels=tuple(labels))
    view = MovieView.of(layer, labels.index(wanted))
    other = "z" if wanted == "t" else "t"
    view = view.cut_at(labels.index(other), 2).cut_at(labels.index("c"), 1)
    assert view.frame_shape == (5, 6)
    assert view.position == {other.upper(): 2}
    at = {other: 2}
    movie = Movie(pixels, axes=labels, channel=1, at=at)
    assert (movie.axes, movie.position) == (view.axes, view.position)
    for frame in range(len(view)):
        np.testing.assert_array_equal(view.frames[frame], movie.raw(frame))


def test_cuts_without_a_name_have_no_position():
    assert MovieView.of(Image(PIXELS)).position == {}
    assert MovieView.of(Image(PIXELS[:1], axis_labels=tuple("tzyx"))).position == {}
