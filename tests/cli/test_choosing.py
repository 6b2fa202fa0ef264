"""Channels, series and axes that are chosen, and files that lack something."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile
import zarr
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, read_labels

from napari_sam_decoder.formats import read_provenance


@pytest.fixture
def stack():
    pixels = np.random.default_rng(0).integers(0, 4000, (FRAMES, ROWS, COLUMNS))
    return pixels.astype(np.uint16)


@pytest.fixture
def segment(run, points, tmp_path):
    """Segment a movie, and return its labels."""

    def segment_(movie, *more):
        output = tmp_path / "labels.tif"
        done = run("segment", movie, "--points", points, "-o", output, "--quiet", *more)
        if done[0] == 0:
            assert "--replace" in more or done[2] == "" or "warning" in done[2]
        return done, read_labels(output) if output.exists() else None

    return segment_


@pytest.fixture
def expected(segment, movie):
    return segment(movie)[1]


def channels_tiff(path, stack):
    pixels = np.stack([stack[::-1], stack], 1)
    tifffile.imwrite(path / "m.ome.tif", pixels, metadata={"axes": "TCYX"})
    return path / "m.ome.tif"


def channels_zarr(path, stack):
    group = zarr.open_group(path / "m.zarr", mode="w")
    pixels = np.stack([stack[::-1], stack]).astype(">u2")
    group.create_array("0", data=pixels)
    axes = [{"name": name} for name in "ctyx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]
    return path / "m.zarr"


def channels_folder(path, stack):
    (path / "f").mkdir()
    for number, frame in enumerate(stack):
        for channel in range(2):
            name = path / "f" / f"img_{number:03d}_Ch{channel}.tif"
            tifffile.imwrite(name, frame if channel else frame // 3)
    return path / "f"


def channels_npy(path, stack):
    np.save(path / "m.npy", np.stack([stack[::-1], stack], 1).astype(">u2"))
    return path / "m.npy"


@pytest.mark.parametrize(
    ("write", "more"),
    [
        (channels_tiff, ()),
        (channels_zarr, ()),
        (channels_folder, ()),
        (channels_npy, ("--axes", "TCYX")),
    ],
)
def test_a_channel_is_chosen(segment, expected, tmp_path, stack, write, more):
    movie = write(tmp_path, stack)
    done, _ = segment(movie, "--replace", *more)
    assert "--channel" in complaint_of(done)

    done, labels = segment(movie, "--replace", "--channel", "1", *more)

    assert done[0] == 0
    np.testing.assert_array_equal(labels, expected)
    assert read_provenance(tmp_path / "labels.tif")["channel"] == 1


def test_a_series_is_chosen(segment, expected, tmp_path, stack):
    with tifffile.TiffWriter(tmp_path / "s.ome.tif") as writer:
        for name, pixels in (("other", stack[:2]), ("wanted", stack)):
            metadata = {"axes": "TYX", "Name": name}
            writer.write(pixels, photometric="minisblack", metadata=metadata)
    assert "--series" in complaint_of(segment(tmp_path / "s.ome.tif", "--replace")[0])

    done, labels = segment(
        tmp_path / "s.ome.tif", "--replace", "--series", "wanted", "--cache", "none"
    )

    assert done[0] == 0
    np.testing.assert_array_equal(labels, expected)
    assert read_provenance(tmp_path / "labels.tif")["series"] == "wanted"


def test_axes_win_over_what_the_file_says(segment, expected, tmp_path, stack):
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "CYX"})

    done, labels = segment(tmp_path / "a.tif", "--replace", "--axes", "TYX")

    assert done[0] == 0
    np.testing.assert_array_equal(labels, expected)


def test_what_a_file_lacks_is_said_in_one_line(segment, tmp_path, stack):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for number, frame in enumerate(stack):
            writer.write(
                frame,
                contiguous=False,
                metadata=None,
                description=None if number else "ImageJ=1.53t\nimages=9\nframes=9\n",
            )

    (code, _, err), _ = segment(tmp_path / "a.tif")

    assert code == 0
    (line,) = err.splitlines()
    assert "warning: " in line
    assert "declares 9 images but holds 4" in line


@pytest.mark.parametrize("kind", ["npy", "tif", "zarr"])
def test_labels_and_masks_in_any_byte_order(
    run, segment, expected, movie, tmp_path, kind
):
    painted = np.where(expected == 1, 1, 0)[:1].astype(">u2")
    painted[0, 20:30, 20:40] = 1
    names = {}
    for name, pixels in (("mask", painted), ("native", painted.astype("u2"))):
        place = names[name] = tmp_path / f"{name}.{kind}"
        if kind == "npy":
            np.save(place, np.asfortranarray(pixels))
        elif kind == "tif":
            byteorder = ">" if name == "mask" else "<"
            tifffile.imwrite(place, pixels[0], byteorder=byteorder)
        else:
            array = zarr.create_array(
                place, shape=pixels.shape, dtype=pixels.dtype, zarr_format=2
            )
            array[:] = pixels
    found = {}
    for name, place in names.items():
        output = tmp_path / f"{name}_labels.tif"
        done = run("segment", movie, "--masks", place, "-o", output, "--quiet")
        assert done[0] == 0
        found[name] = read_labels(output)

    np.testing.assert_array_equal(found["mask"], found["native"])
    assert (found["mask"][0] == (painted[0] == 1)).all()


def test_reports_and_decoders_of_long_names(run, movie, points, tmp_path):
    labels, report = tmp_path / f"{'l' * 250}.tif", tmp_path / f"{'r' * 250}.csv"
    done = run(
        *("segment", movie, "--points", points, "-o", labels),
        *("--report", report, "--quiet"),
    )
    assert done[0] == 0
    assert report.read_text().startswith("object_id,")
    too_long = tmp_path / f"{'l' * 252}.tif"
    complaint = complaint_of(
        run("segment", movie, "--points", points, "-o", too_long, "--quiet")
    )
    assert "File name too long" in complaint
    assert complaint.endswith("; choose a shorter name")
    decoder = tmp_path / f"{'d' * 240}.safetensors"
    done = run(
        *("train", movie, "--labels", labels, "--fixed", "0", "-o", decoder),
        *("--steps", "1", "--quiet"),
    )
    assert done[0] == 0
    assert decoder.is_file()


@pytest.mark.parametrize(
    "typed",
    [
        *(["segment", "", "-o", "x.tif"], ["segment", "m.npy", "-o", ""]),
        *(["embed", "m.npy", "--cache", ""], ["embed", "m.npy", "--model="]),
        *(["correct", "m.npy", "--labels="], ["cache", "clear", ""]),
        ["segment", "m.npy", "--points", "", "-o", "x.tif"],
    ],
)
def test_an_empty_path_is_not_the_current_folder(run, typed):
    assert "is empty; give a name or a path" in complaint_of(run(*typed))


def test_a_report_never_replaces_a_pipe_or_a_device(run, movie, points, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    typed = ["segment", movie, "--points", points, "-o", tmp_path / "labels.tif"]
    said = complaint_of(run(*typed, "--report", tmp_path / "pipe"))
    assert "cannot be written: it is not a file" in said
    assert (tmp_path / "pipe").is_fifo()
