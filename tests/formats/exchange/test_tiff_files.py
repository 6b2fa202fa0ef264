import numpy as np
import pytest
import tifffile
from label_movies import LABELS, PROVENANCE, label_movie, written

from napari_sam_decoder import FormatError, LabelsError
from napari_sam_decoder.formats import read_label_movie, read_provenance
from napari_sam_decoder.formats.exchange import tiff_files
from napari_sam_decoder.formats.exchange.tiff_files import write_imagej, write_ome_tiff


def test_an_ome_tiff_has_axes_sizes_and_unit(tmp_path):
    path = tmp_path / "labels.ome.tif"
    assert written(write_ome_tiff, label_movie(), path) == list(range(6))
    with tifffile.TiffFile(path) as tiff:
        assert tiff.series[0].axes == "TYX"
        assert np.array_equal(tiff.asarray(), LABELS)
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeXUnit"]) == (0.25, "µm")
    assert pixels["TimeIncrement"] == 3.0


def test_a_volume_has_a_depth(tmp_path):
    path = tmp_path / "labels.ome.tif"
    written(write_ome_tiff, label_movie(axes="ZYX"), path)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.series[0].axes == "ZYX"
    assert read_label_movie(path).scale == (3.0, 0.5, 0.25)


def test_imagej_reads_frames_sizes_and_unit(tmp_path):
    path = tmp_path / "labels.tif"
    written(write_imagej, label_movie(), path)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_imagej
        assert tiff.series[0].axes == "TYX"
        assert np.array_equal(tiff.asarray(), LABELS)
        assert tiff.imagej_metadata["unit"] == "micrometer"
        assert tiff.imagej_metadata["finterval"] == 3.0


@pytest.mark.parametrize("write", [write_ome_tiff, write_imagej])
def test_sizes_and_provenance_are_read_back(write, tmp_path):
    path = tmp_path / "labels.ome.tif"
    written(write, label_movie(), path)
    movie = read_label_movie(path)
    assert (movie.scale, movie.unit) == ((3.0, 0.5, 0.25), "micrometer")
    assert read_provenance(path) == PROVENANCE


def test_a_description_by_another_program_is_no_provenance(tmp_path):
    path = tmp_path / "labels.ome.tif"
    described = {"axes": "TYX", "Description": "stained with DAPI"}
    tifffile.imwrite(path, LABELS, ome=True, metadata=described)
    assert read_provenance(path) == {}


@pytest.mark.parametrize("write", [write_ome_tiff, write_imagej])
def test_labels_without_sizes_get_none(write, tmp_path):
    path = tmp_path / "labels.ome.tif"
    written(write, label_movie(scale=None, unit=""), path)
    assert read_label_movie(path).scale is None


def test_an_id_that_imagej_does_not_know_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "labels.tif"
    path.write_text("kept")
    labels = LABELS.astype(np.uint32)
    labels[5, 0, 0] = 70_000
    with pytest.raises(LabelsError, match=r"object 70000 .*ome\.tif"):
        written(write_imagej, label_movie(labels), path)
    assert path.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [path]


def test_more_than_imagej_reads_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_files, "CLASSIC_BYTES", LABELS.nbytes - 1)
    with pytest.raises(FormatError, match=r"4 GB.*ome\.tif"):
        written(write_imagej, label_movie(), tmp_path / "labels.tif")


def test_stopping_in_between_leaves_nothing(tmp_path):
    frames = write_ome_tiff(label_movie(), tmp_path / "labels.ome.tif")
    next(frames)
    frames.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["i8", "u8", "i4", "f8"])
def test_ids_of_any_type_are_written(tmp_path, dtype):
    movie = label_movie(LABELS.astype(dtype))
    for write, name in ((write_ome_tiff, "l.ome.tif"), (write_imagej, "l.tif")):
        written(write, movie, tmp_path / name)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / name), LABELS)


def test_what_is_no_id_is_not_written(tmp_path):
    for odd in (-1, 2**32):
        labels = LABELS.astype(np.int64)
        labels[3, 2, 2] = odd
        with pytest.raises(LabelsError, match="frame 3 of the labels holds"):
            written(write_ome_tiff, label_movie(labels), tmp_path / "l.ome.tif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("unit", "symbol"), [("kilometer", "km"), ("mm", "mm"), ("foo", "reference frame")]
)
def test_only_units_of_ome_are_written(tmp_path, unit, symbol):
    path = tmp_path / "l.ome.tif"
    written(write_ome_tiff, label_movie(unit=unit), path)
    with tifffile.TiffFile(path) as tiff:
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
    assert pixels["PhysicalSizeXUnit"] == symbol
