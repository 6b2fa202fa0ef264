import json

import numpy as np
import pytest
import tifffile
from terminal import complaint_of, read_labels

from napari_sam_decoder.cli.parser import LABEL_FORMATS
from napari_sam_decoder.formats import (
    EXPORT_FORMATS,
    LabelSink,
    open_movie,
    read_label_movie,
)

LABELS = np.zeros((3, 20, 30), np.uint16)
LABELS[:, 4:9, 5:12] = 1
LABELS[1:, 12:15, 20:25] = 2


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.zarr"
    with LabelSink(path, LABELS.shape, LABELS.dtype) as sink:
        for frame, plane in enumerate(LABELS):
            sink.write(frame, plane)
        sink.finish({"movie": "movie.tif"})
    return path


@pytest.mark.parametrize(
    "name",
    ["a.zarr", "a.ome.tif", "a.tif", "a.json", "a.csv", "a.geff", "a_RES"],
)
def test_labels_are_written_in_the_format_that_the_name_asks_for(
    name, run, labels, tmp_path
):
    code, out, _ = run("convert", labels, tmp_path / name)
    assert code == 0
    assert out.strip().endswith(f": {tmp_path / name}")
    assert (tmp_path / name).exists()


def test_scale_unit_and_axes_can_be_said(run, labels, tmp_path):
    path = tmp_path / "a.tif"
    options = ["--axes", "ZYX", "--scale", "2", "0.5", "0.25", "--unit", "micrometer"]
    assert run("convert", labels, path, *options)[0] == 0
    movie = read_label_movie(path)
    assert (movie.axes, movie.scale) == ("ZYX", (2.0, 0.5, 0.25))
    assert movie.unit == "micrometer"


def test_the_format_can_be_said(run, labels, tmp_path):
    path = tmp_path / "labels.dat"
    assert run("convert", labels, path, "--format", "coco")[0] == 0
    assert len(json.loads(path.read_text())["annotations"]) == 5


def test_what_exists_is_replaced_only_if_that_is_said(run, labels, tmp_path):
    path = tmp_path / "a.tif"
    path.write_text("kept")
    done = run("convert", labels, path)
    assert "--replace" in complaint_of(done)
    assert path.read_text() == "kept"
    assert run("convert", labels, path, "--replace")[0] == 0
    assert np.array_equal(tifffile.imread(path), LABELS)


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["a.xyz"], "--format"),
        (["a.csv", "--axes", "ZYX"], "--axes TYX"),
        (["a.csv", "--target", "Labels"], "--target"),
        (["a.tif", "--scale", "1", "0", "1"], "greater than 0"),
        (["labels.zarr", "--replace"], "another name"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_remedy(
    options, remedy, run, labels, tmp_path
):
    name, *rest = options
    done = run("convert", labels, tmp_path / name, *rest)
    assert remedy in complaint_of(done)
    assert [one.name for one in tmp_path.iterdir()] == ["labels.zarr"]


def test_a_project_is_converted_with_its_provenance(run, movie, points, tmp_path):
    project, labels = tmp_path / "movie.samproject", tmp_path / "labels.zarr"
    options = ["--points", points, "-o", labels, "--project", project]
    assert run("segment", movie, *options, "--cache", "none")[0] == 0
    path = tmp_path / "labels.ome.tif"
    assert run("convert", project, path)[0] == 0
    converted = read_label_movie(path)
    assert np.array_equal(converted.frames[:], read_labels(labels))
    assert converted.provenance["project"] == project.name


def test_labels_know_the_size_of_the_pixels_of_their_movie(run, points, tmp_path):
    movie, labels = tmp_path / "movie.ome.tif", tmp_path / "labels.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (3, 40, 60)).astype(np.uint8)
    sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
    tifffile.imwrite(movie, pixels, ome=True, metadata={"axes": "TYX", **sizes})
    assert run("segment", movie, "--points", points, "-o", labels)[0] == 0
    assert read_label_movie(labels).scale == (1.0, 0.5, 0.25)
    assert read_label_movie(labels).unit == "micrometer"


def test_all_formats_can_be_typed():
    assert set(LABEL_FORMATS) == {one.name for one in EXPORT_FORMATS}


@pytest.mark.parametrize("kind", ["zarr", "tif"])
def test_labels_of_four_axes_are_converted_by_position(run, tmp_path, kind):
    path = tmp_path / f"four.{kind}"
    with LabelSink(path, (2, 3, 8, 9), np.uint16, axes="TZYX") as sink:
        for plane in range(3):
            sink.at({"Z": plane}).write(1, np.full((8, 9), plane + 1))
        sink.finish({"axes": "TZYX", "scale": [60.0, 2.0, 0.5, 0.25], "unit": "um"})
    line = complaint_of(run("convert", path, tmp_path / "l.ome.tif"))
    assert "choose a position along one of T, Z with --at" in line
    assert "from 0 to 2" in complaint_of(
        run("convert", path, tmp_path / "l.ome.tif", "--at", "z=3")
    )

    assert run("convert", path, tmp_path / "l.ome.tif", "--at", "z=1")[0] == 0
    assert run("convert", path, tmp_path / "v.tif", "--at", "t=1")[0] == 0

    source = open_movie(tmp_path / "l.ome.tif")
    assert (source.axes, source.scale) == ("TYX", (60.0, 0.5, 0.25))
    assert np.unique(source.data[1]).tolist() == [2]
    source = open_movie(tmp_path / "v.tif")
    assert (source.axes, source.scale) == ("ZYX", (2.0, 0.5, 0.25))
    assert source.data[:][:, 0, 0].tolist() == [1, 2, 3]
