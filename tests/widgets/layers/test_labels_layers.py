from __future__ import annotations

import numpy as np
import pytest
import zarr
from made_up import found_by
from napari.layers import Image, Labels
from placements import transform

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.project import GuardedLabels, History
from napari_sam_decoder.widgets.layers import MovieView
from napari_sam_decoder.widgets.layers.coordinates import WorldMap
from napari_sam_decoder.widgets.layers.labels_layers import (
    LabelsContents,
    check_target,
    frames_with,
    ids_in,
    new_labels_layer,
    scan_labels,
)

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")

SHAPE = (3, 4, 5)


@pytest.fixture
def view():
    return MovieView.of(Image(np.zeros(SHAPE), name="cells"))


def labels(data=None, **options):
    data = np.zeros(SHAPE, np.uint16) if data is None else data
    return Labels(data, name="result", **options)


def zarr_labels(folder, mode="r+", dtype=np.uint16):
    zarr.create_array(folder / "z", shape=SHAPE, dtype=dtype, chunks=(1, 4, 5))
    return zarr.open_array(folder / "z", mode=mode)


def test_new_labels_lie_on_the_image(image, case):
    view = MovieView.of(image, case[1])
    layer = new_labels_layer(view, "result")
    assert WorldMap.of(layer).is_close(WorldMap.of(image))
    assert (layer.data.shape, layer.data.dtype) == (image.data.shape, np.uint16)
    assert check_target(view, layer, 65535) == ()


def test_new_labels_have_no_colours():
    image = Image(np.zeros((3, 4, 5, 3), np.uint8), rgb=True, axis_labels="tyx")
    layer = new_labels_layer(MovieView.of(image), "result")
    assert layer.data.shape == SHAPE
    assert layer.axis_labels == ("t", "y", "x")


def test_labels_of_another_shape_are_refused(view):
    with pytest.raises(LabelsError, match=r"\(3, 4, 6\) does not fit 'cells' .*choose"):
        check_target(view, labels(np.zeros((3, 4, 6), int)), 1)


def test_multiscale_labels_are_refused(view):
    pyramid = [np.zeros(SHAPE, int), np.zeros((3, 2, 2), int)]
    with pytest.raises(LabelsError, match=r"multiscale, .*choose a new labels layer"):
        check_target(view, labels(pyramid, multiscale=True), 1)


def read_only(folder):
    data = np.zeros(SHAPE, int)
    data.flags.writeable = False
    return data


def memmap(folder):
    np.save(folder / "labels.npy", np.zeros(SHAPE, int))
    return np.load(folder / "labels.npy", mmap_mode="r")


def dask(folder):
    return pytest.importorskip("dask.array").zeros(SHAPE, dtype=int, chunks=1)


def closed_zarr(folder):
    return zarr_labels(folder, "r")


@pytest.mark.parametrize("make", [read_only, memmap, dask, closed_zarr])
def test_labels_that_cannot_be_written_are_refused(view, make, tmp_path):
    layer = labels(make(tmp_path))
    with pytest.raises(
        LabelsError, match="'result' cannot be written to; choose a new"
    ):
        check_target(view, layer, 1)


@pytest.mark.parametrize(
    ("dtype", "highest", "fits"),
    [(np.uint8, 255, True), (np.uint8, 256, False), (np.int16, 40000, False)],
)
def test_ids_must_fit(view, dtype, highest, fits):
    layer = labels(np.zeros(SHAPE, dtype))
    if fits:
        assert check_target(view, layer, highest) == ()
    else:
        with pytest.raises(
            LabelsError, match=f"cannot hold object id {highest}; choose"
        ):
            check_target(view, layer, highest)


def test_labels_elsewhere_are_remarked(view, kind):
    layer = labels(**transform(kind, 3))
    (notice,) = check_target(view, layer, 1)
    assert notice.startswith("'result' lies elsewhere than 'cells'")


def write_frame(view, layer, frame, new, object_ids, *, replace):
    guarded = GuardedLabels(History().document, 1, layer)
    written = guarded.write(view, frame, new, object_ids, replace=replace)
    return written.edit is not None


def in_memory(folder):
    return np.zeros(SHAPE, np.uint16)


@pytest.mark.parametrize("make", [in_memory, zarr_labels])
def test_frames_are_merged(view, make, tmp_path):
    layer = labels(make(tmp_path))
    assert check_target(view, layer, 9) == ()
    layer.data[1] = [[9, 9, 1, 0, 0]] * 4
    data = layer.data
    new = np.array([[0, 1, 0, 1, 0]] * 4, np.uint32)
    assert write_frame(view, layer, 1, new, {1}, replace=False)
    np.testing.assert_array_equal(layer.data[1], [[9, 9, 0, 1, 0]] * 4)
    assert not write_frame(view, layer, 1, new, {1}, replace=False)
    assert write_frame(view, layer, 1, new, {1}, replace=True)
    np.testing.assert_array_equal(layer.data[1], [[9, 1, 0, 1, 0]] * 4)
    assert not layer.data[0].any()
    assert not layer.data[2].any()
    assert layer.data is data


def test_the_same_labels_change_nothing(view):
    layer = labels()
    new = np.full((4, 5), 7, np.uint16)
    assert write_frame(view, layer, 2, new, {7}, replace=False)
    assert not write_frame(view, layer, 2, new, {7}, replace=False)


def test_objects_that_are_gone_are_given_up(view):
    layer = labels(np.full(SHAPE, 7))
    assert write_frame(view, layer, 0, np.zeros((4, 5), int), {7}, replace=False)
    assert not layer.data[0].any()
    assert layer.data[1:].all()


@pytest.mark.parametrize(("axis", "plane"), [(1, np.s_[:, 2]), (2, np.s_[..., 2])])
def test_planes_along_any_axis(view, axis, plane):
    view = MovieView.of(view.layer, axis)
    layer = labels()
    new = np.ones(view.frame_shape, np.uint16)
    assert write_frame(view, layer, 2, new, {1}, replace=False)
    expected = np.zeros(SHAPE)
    expected[plane] = 1
    np.testing.assert_array_equal(layer.data, expected)


def test_only_the_cut_is_written():
    view = MovieView.of(Image(np.zeros((2, *SHAPE))), 0, (0, 2, 0, 0))
    layer = new_labels_layer(view, "result")
    assert write_frame(view, layer, 1, np.ones((4, 5), int), {1}, replace=False)
    assert layer.data[1, 2].all()
    assert layer.data.sum() == 20


def test_pictures_are_written():
    view = MovieView.of(Image(np.zeros((4, 5))))
    layer = new_labels_layer(view, "result")
    assert write_frame(view, layer, 0, np.ones((4, 5), int), {1}, replace=False)
    assert layer.data.all()


def test_labels_of_another_frame_shape_are_refused(view):
    with pytest.raises(LabelsError, match=r"\(5, 4\) do not fit .*choose"):
        write_frame(view, labels(), 0, np.zeros((5, 4), int), {1}, replace=False)


def surveyed(data, axis=None, place=()):
    seen = {}
    view = MovieView.of(Image(np.zeros(data.shape)), axis, place)
    contents = found_by(
        scan_labels(view, data, lambda at, plane: seen.update({at: plane.copy()}))
    )
    return contents, seen


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_ids_that_are_there_and_planes(shape, dtype, tmp_path):
    data = np.zeros(shape, dtype)
    data[..., 1, 1:3] = 4
    data[..., -1] = 9
    data.flat[0] = 7
    array = zarr.create_array(tmp_path / "z", shape=shape, dtype=dtype)
    array[:] = data
    for labels in (data, array):
        contents, seen = surveyed(labels)
        assert contents.ids == {4, 7, 9}
        assert found_by(ids_in(labels)) == {4, 7, 9}
        assert seen.keys() == set(np.ndindex(shape[:-2]))
        for place, plane in seen.items():
            np.testing.assert_array_equal(plane, data[place])


def test_planes_of_a_volume_that_is_cut_along_another_axis():
    data = np.arange(120).reshape(2, 3, 4, 5)
    _, seen = surveyed(data, 2)
    np.testing.assert_array_equal(seen[1, 3], data[1, :, 3])
    _, seen = surveyed(data[0], 1)
    assert seen == {}, "each plane would have to be gathered from all others"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_frames_of_each_object_are_told(axis):
    data = np.zeros((3, 4, 5), int)
    data[1, 2, 3:], data[0, 0, 0] = 7, 2
    contents, _ = surveyed(data, axis)
    expected = [{1}, {2}, {3, 4}][axis]
    assert contents.frames == {7: expected, 2: {0}}


def test_frames_are_told_of_the_cut_that_is_looked_at_and_ids_of_all():
    data = np.zeros((2, 3, 4, 5), int)
    data[0, 2, 1, 1], data[1, 1, 1, 1] = 7, 9
    for axis, place, expected in ((1, (0, 0), {7: {2}}), (0, (0, 1), {9: {1}})):
        contents, _ = surveyed(data, axis, (*place, 0, 0))
        assert contents.frames == expected
        assert contents.ids == {7, 9}


def test_frames_with_an_object_are_found_on_all_cuts():
    data = np.zeros((2, 3, 4, 5), int)
    data[0, 2, 1, 1], data[1, 1, 1, 1], data[1, 0, 1, 1] = 7, 7, 9
    view = MovieView.of(Image(np.zeros(data.shape)), 1)
    found = [(cut.fixed, at) for cut, at in filter(None, frames_with(view, data, 7))]
    assert found == [(((0, 0),), 2), (((0, 1),), 1)]


def test_empty_labels_have_no_ids():
    for shape in (SHAPE, (2, 2, 0)):
        view = MovieView.of(Image(np.zeros((2, 2, 2))))
        data = np.zeros(shape, int)
        contents = found_by(scan_labels(view, data, lambda *_: None))
        assert contents == LabelsContents(frozenset(), {})
