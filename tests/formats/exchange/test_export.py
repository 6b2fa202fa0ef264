from pathlib import Path

import pytest
from label_movies import LABELS, label_movie

from napari_sam_decoder import FormatError, LabelsError, OptionError
from napari_sam_decoder.formats import (
    EXPORT_FORMATS,
    export_format,
    read_label_movie,
)


@pytest.mark.parametrize(
    ("name", "format_name"),
    [
        ("a.zarr", "zarr"),
        ("a.ome.tif", "ome-tiff"),
        ("A.OME.TIFF", "ome-tiff"),
        ("a.tif", "imagej"),
        ("a.json", "coco"),
        ("a.csv", "tracks"),
        ("a.geff", "geff"),
        ("01_RES", "ctc"),
    ],
)
def test_the_name_says_the_format(name, format_name):
    assert export_format(Path(name)).name == format_name


def test_a_format_can_be_named():
    assert export_format(Path("anything"), "ctc").name == "ctc"


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(FormatError, match=r"\.ome\.tif.*--format"):
        export_format(Path("labels.xyz"))


def test_an_unknown_format_lists_what_there_is():
    with pytest.raises(OptionError, match=EXPORT_FORMATS[-1].name):
        export_format(Path("labels.tif"), "xyz")


@pytest.mark.parametrize("name", ["ctc", "tracks", "geff"])
def test_tracks_need_time(name, tmp_path):
    chosen = export_format(tmp_path / "output", name)
    with pytest.raises(LabelsError, match="--axes TYX"):
        chosen.write(label_movie(axes="ZYX"), tmp_path / "output")


def test_an_output_may_be_text(tmp_path):
    path = str(tmp_path / "l.ome.tif")
    chosen = export_format(path)
    assert chosen.name == "ome-tiff"
    list(chosen.write(label_movie(), path))
    assert read_label_movie(path).shape == LABELS.shape


@pytest.mark.parametrize("path", [3, None, ""])
def test_an_output_that_is_no_path_is_refused(path):
    with pytest.raises(OptionError, match="an output must be a name or a path"):
        export_format(path)
    with pytest.raises(OptionError, match="an output must be a name or a path"):
        export_format("l.csv").write(label_movie(), path)


def test_only_label_movies_are_written(tmp_path):
    with pytest.raises(OptionError, match="a label movie must be a LabelMovie"):
        export_format("l.csv").write(LABELS, tmp_path / "l.csv")
