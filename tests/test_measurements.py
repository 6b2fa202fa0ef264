from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_sam_decoder import LabelsError, OptionError, PixelSize, measure
from napari_sam_decoder.measurements import measure_frame

ONE = PixelSize()


@pytest.fixture
def labels():
    labels = np.zeros((3, 8, 10), np.uint16)
    labels[0, 1:3, 2:6] = 4
    labels[0, 5:8, 7] = 9
    labels[2, 0, 0] = 4
    return labels


@pytest.fixture
def movie():
    rows, columns = np.mgrid[:8, :10]
    return np.stack([10 * frame + rows + columns for frame in range(3)]).astype(float)


def test_every_object_is_measured_on_every_frame(labels, movie):
    found = list(measure(labels, movie))
    assert [(one.frame, one.object_id, one.area) for one in found] == [
        (0, 4, 8),
        (0, 9, 3),
        (2, 4, 1),
    ]
    first = found[0]
    assert (first.centroid_row, first.centroid_column) == (1.5, 3.5)
    assert first.mean_intensity == 5
    assert first.scaled_area == 8
    assert found[2].mean_intensity == 20


def test_units_are_those_of_the_pixels(labels, movie):
    size = PixelSize(0.5, 2.0, "micrometer")
    first = next(measure(labels, movie, size))
    assert (first.area, first.scaled_area) == (8, 8)
    assert (first.centroid_row, first.centroid_column) == (0.75, 7)
    larger = next(measure(labels, movie, PixelSize(3, 3, "nanometer")))
    assert larger.scaled_area == 72


def test_colours_are_taken_together_without_transparency(labels):
    colours = np.zeros((8, 10, 4), np.uint8)
    colours[..., :3], colours[..., 3] = (30, 60, 90), 255
    found = measure_frame(0, labels[0], colours, ONE)
    assert found[9].mean_intensity == 60


def test_frames_are_read_one_by_one(labels, movie):
    read = []

    def note(block, block_info):
        read.append(block_info[0]["array-location"][0])
        return block

    lazy = da.from_array(labels, chunks=(1, 8, 10)).map_blocks(note, dtype=labels.dtype)
    read.clear()
    steps = measure(lazy, da.from_array(movie, chunks=(1, 8, 10)))
    next(steps)
    assert read == [(0, 1)]
    assert [one.object_id for one in steps] == [9, 4]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint32])
def test_large_ids_cost_nothing(dtype):
    labels = np.zeros((4, 4), dtype)
    highest = min(np.iinfo(dtype).max, 2**32 - 1)
    labels[1, 1:3] = highest
    found = measure_frame(7, labels, np.ones((4, 4)), ONE)
    assert found[highest].area == 2
    assert found[highest].frame == 7


def test_empty_frames_have_no_objects():
    assert measure_frame(0, np.zeros((4, 4), int), np.ones((4, 4)), ONE) == {}
    assert measure_frame(0, np.full((4, 4), -3), np.ones((4, 4)), ONE) == {}


@pytest.mark.parametrize("shape", [(3, 8, 9), (2, 8, 10), (8, 10), (3, 8)])
def test_labels_must_fit_the_movie(shape, movie):
    with pytest.raises(LabelsError, match="do not fit"):
        measure(np.zeros(shape, int), movie)


@pytest.mark.parametrize("size", [(0, 1), (1, -1), (np.nan, 1), (1, np.inf)])
def test_pixels_have_a_size(size):
    with pytest.raises(OptionError, match="above 0"):
        PixelSize(*size)


def test_what_is_no_array_or_size_is_refused(labels, movie):
    with pytest.raises(LabelsError, match="labels must be an array, not 3"):
        measure(3, movie)
    with pytest.raises(LabelsError, match="a movie must be an array, not None"):
        measure(labels, None)
    with pytest.raises(OptionError, match="pixel_size= must be a PixelSize, not 2"):
        measure(labels, movie, 2)
