"""TIFF stacks of every make."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats import open_movie

if TYPE_CHECKING:
    from pathlib import Path

GREY = np.arange(6 * 20 * 30, dtype=np.uint16).reshape(6, 20, 30)
COLOUR = np.arange(4 * 20 * 30 * 3).astype(np.uint8).reshape(4, 20, 30, 3)


@pytest.mark.parametrize(
    ("axes", "options"),
    [
        ("TYX", {}),
        ("TYX", {"photometric": "minisblack", "metadata": None}),
        ("TYX", {"compression": "lzw"}),
        ("TYX", {"compression": "zlib", "predictor": True}),
        ("TYX", {"bigtiff": True}),
        ("TYX", {"byteorder": ">"}),
        ("TYX", {"byteorder": ">", "compression": "zlib"}),
        ("TYX", {"tile": (16, 16)}),
        ("ZYX", {"metadata": {"axes": "ZYX"}}),
        ("TYX", {"metadata": {"axes": "TYX"}}),
        ("ZYX", {"imagej": True, "metadata": {"axes": "ZYX"}}),
        ("TYX", {"imagej": True, "metadata": {"axes": "TYX"}}),
        ("ZYX", {"ome": True, "metadata": {"axes": "ZYX"}}),
    ],
)
def test_grey_stacks(tmp_path: Path, axes: str, options: dict[str, Any]) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, GREY, **options)

    source = open_movie(path)

    assert (source.axes, source.name) == (axes, "movie")
    assert (source.data.shape, source.data.dtype) == (GREY.shape, GREY.dtype)
    np.testing.assert_array_equal(source.data[4], GREY[4])
    np.testing.assert_array_equal(source.data[:], GREY)
    assert source.data[0].dtype.isnative


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_come_last(
    tmp_path: Path, planar: str, compression: str | None
) -> None:
    pixels = COLOUR if planar == "contig" else np.moveaxis(COLOUR, -1, 1)
    tifffile.imwrite(
        tmp_path / "movie.tiff",
        pixels,
        photometric="rgb",
        planarconfig=planar,
        compression=compression,
    )

    source = open_movie(tmp_path / "movie.tiff")

    assert source.axes == "TYXC"
    assert source.data.shape == COLOUR.shape
    np.testing.assert_array_equal(source.data[3], COLOUR[3])


def test_imagej_stack_under_one_page(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, GREY, imagej=True, truncate=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.pages) == 1

    np.testing.assert_array_equal(open_movie(path).data[5], GREY[5])


@pytest.mark.parametrize("pixels", [GREY[0], COLOUR[0]])
def test_single_picture(tmp_path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "cell.tif", pixels)

    source = open_movie(tmp_path / "cell.tif")

    assert source.axes == ("YX" if pixels.ndim == 2 else "YXC")
    np.testing.assert_array_equal(source.data[:], pixels)


def test_axes_of_length_one_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, GREY[:, None, None], metadata={"axes": "TZCYX"})

    source = open_movie(path)

    assert (source.axes, source.data.shape) == ("TYX", GREY.shape)


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("TCYX", (3, 2, 8, 9)), ("CYX", (2, 8, 9)), ("TZCYX", (3, 4, 2, 8, 9))],
)
def test_channels_are_refused(
    tmp_path: Path, axes: str, shape: tuple[int, ...]
) -> None:
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, np.zeros(shape, np.uint8), metadata={"axes": axes})

    with pytest.raises(FormatError, match=rf"movie.ome.tif has the axes {axes}.*C=2"):
        open_movie(path)


def test_pages_of_different_shapes(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(GREY[0], metadata=None)
        writer.write(GREY[0, :7], metadata=None)

    with pytest.raises(FormatError, match=r"different shapes \(20 x 30, 7 x 30\)"):
        open_movie(path)


def test_imagej_scale(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "spacing": 2.5, "unit": "um"}
    tifffile.imwrite(
        tmp_path / "v.tif", GREY, imagej=True, resolution=(4, 2), metadata=metadata
    )

    assert open_movie(tmp_path / "v.tif").scale == (2.5, 0.5, 0.25)


def test_imagej_resolution_without_unit_is_no_scale(tmp_path: Path) -> None:
    metadata = {"axes": "TYX", "finterval": 3.0}
    tifffile.imwrite(
        tmp_path / "m.tif", GREY, imagej=True, resolution=(72, 72), metadata=metadata
    )

    assert open_movie(tmp_path / "m.tif").scale == (3.0, 1.0, 1.0)


def test_imagej_resolution_of_zero_is_no_size(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(
        tmp_path / "v.tif",
        GREY,
        imagej=True,
        resolution=((0, 1), (2, 1)),
        metadata=metadata,
    )

    assert open_movie(tmp_path / "v.tif").scale == (2.0, 0.5, 1.0)


def test_ome_scale(tmp_path: Path) -> None:
    metadata = {
        "axes": "ZYX",
        "PhysicalSizeX": 0.1,
        "PhysicalSizeY": 0.2,
        "PhysicalSizeZ": 0.3,
    }
    tifffile.imwrite(tmp_path / "v.ome.tif", GREY, metadata=metadata)

    assert open_movie(tmp_path / "v.ome.tif").scale == (0.3, 0.2, 0.1)


def test_no_scale(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", GREY)

    assert open_movie(tmp_path / "m.tif").scale is None


def test_missing_page_is_named(tmp_path: Path) -> None:
    for name, frame in (("a", 0), ("b", 1)):
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", GREY[frame])
    description = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYTZC" '
        'Type="uint16" SizeX="30" SizeY="20" SizeT="2" SizeZ="1" SizeC="1">'
        '<Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        '<TiffData FirstT="0" IFD="0" PlaneCount="1"/>'
        "</Pixels></Image></OME>"
    )
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, GREY[0], description=description, metadata=None)

    movie = open_movie(path).data

    np.testing.assert_array_equal(movie[0], GREY[0])
    with pytest.raises(FormatError, match=r"promises a frame 1 .*keep the files"):
        movie[1]


def test_threads_read_the_right_frames(tmp_path: Path) -> None:
    movie = np.arange(40, dtype=np.uint8)[:, None, None].repeat(16, 1).repeat(16, 2)
    tifffile.imwrite(tmp_path / "movie.tif", movie, compression="zlib")
    data = open_movie(tmp_path / "movie.tif").data

    with ThreadPoolExecutor(8) as pool:
        frames = list(pool.map(data.__getitem__, range(40)))

    np.testing.assert_array_equal(frames, movie)


def test_file_is_closed_between_frames(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, GREY, compression="zlib")
    data = open_movie(path).data
    data[0]

    path.unlink()

    with pytest.raises(FormatError, match="cannot read"):
        data[1]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"imagej": True},
        {"imagej": True, "truncate": True},
        {"metadata": None, "photometric": "minisblack"},
        {"metadata": None, "photometric": "minisblack", "bigtiff": True},
    ],
)
def test_truncated_stack(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, GREY, **options)
    path.write_bytes(path.read_bytes()[:-2000])

    with pytest.raises(FormatError, match=r"movie.tif is cut off.*copy or export"):
        open_movie(path)


def test_damaged_page(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, GREY, compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[3].dataoffsets[0]
    damaged = bytearray(path.read_bytes())
    damaged[offset : offset + 8] = bytes(8)
    path.write_bytes(damaged)

    movie = open_movie(path).data

    np.testing.assert_array_equal(movie[2], GREY[2])
    with pytest.raises(FormatError, match=r"cannot read .*movie.tif.*copy or export"):
        movie[3]


@pytest.mark.parametrize("content", [b"", b"II*\0", b"no picture at all"])
def test_no_tiff_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "movie.tif").write_bytes(content)

    with pytest.raises(FormatError, match=r"movie.tif") as caught:
        open_movie(tmp_path / "movie.tif")

    assert "\n" not in str(caught.value)
