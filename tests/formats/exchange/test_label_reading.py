import numpy as np
import pytest
import tifffile
from label_movies import LABELS, label_movie, written

from napari_sam_decoder import OptionError
from napari_sam_decoder.formats import LabelSink, read_label_movie
from napari_sam_decoder.formats.exchange.tiff_files import write_ome_tiff

NOTED = {
    "scale": [0.5, 0.25],
    "unit": "micrometer",
    "objects": {
        "1": {"name": "the first", "parent": None},
        "3": {"name": "", "parent": 2},
    },
}


def test_names_parents_and_sizes_are_those_of_the_provenance(tmp_path):
    with LabelSink(tmp_path / "labels.zarr", LABELS.shape, "uint16") as sink:
        sink.finish(NOTED)
    movie = read_label_movie(tmp_path / "labels.zarr")
    assert (movie.names, movie.parents) == ({1: "the first"}, {3: 2})
    assert (movie.scale, movie.unit) == ((1.0, 0.5, 0.25), "micrometer")


def test_sizes_of_the_file_itself_count_first(tmp_path):
    path = tmp_path / "labels.ome.tif"
    written(write_ome_tiff, label_movie(provenance=NOTED), path)
    assert read_label_movie(path).scale == (3.0, 0.5, 0.25)


def test_axes_can_be_said(tmp_path):
    path = tmp_path / "labels.ome.tif"
    written(write_ome_tiff, label_movie(), path)
    assert read_label_movie(path, "ZYX").axes == "ZYX"
    with pytest.raises(OptionError, match="TYX or ZYX"):
        read_label_movie(path, "YX")


def test_labels_of_another_program_have_neither_names_nor_provenance(tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", LABELS, photometric="minisblack")
    movie = read_label_movie(tmp_path / "labels.tif")
    assert np.array_equal(movie.frames[:], LABELS)
    assert (movie.axes, dict(movie.names), dict(movie.provenance)) == ("TYX", {}, {})
