"""TIFF stacks of every make."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_sam_decoder.errors import FormatError, IncompleteFileWarning
from napari_sam_decoder.formats import open_movie, tiff
from napari_sam_decoder.frames import Movie, Window

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

    with pytest.raises(
        FormatError,
        match=rf"movie.ome.tif: the axes {axes} .*C=2.*choose one with --channel",
    ):
        open_movie(path)


def test_pages_of_different_shapes(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(GREY[0], metadata=None)
        writer.write(GREY[0, :7], metadata=None)

    with pytest.raises(FormatError, match=r"--series .*0 \(20 x 30\), 1 \(7 x 30\)"):
        open_movie(path)


@pytest.mark.parametrize("options", [{}, {"ome": True}, {"imagej": True}])
@pytest.mark.parametrize("axes", ["TCYX", "ZCYX", "TZCYX"])
def test_a_channel_is_chosen(
    tmp_path: Path, options: dict[str, Any], axes: str
) -> None:
    pixels = np.stack([GREY, GREY // 2 + 7], 1)
    if axes == "TZCYX":
        pixels = pixels[:, None]
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, pixels, metadata={"axes": axes}, **options)

    data = open_movie(path, channel=1).data

    assert data.shape == GREY.shape
    np.testing.assert_array_equal(data[4], GREY[4] // 2 + 7)
    np.testing.assert_array_equal(data[1:3, 2], (GREY // 2 + 7)[1:3, 2])


def test_a_channel_is_chosen_by_its_name(tmp_path: Path) -> None:
    metadata = {"axes": "CTYX", "Channel": {"Name": ["DAPI", "GFP"]}}
    path = tmp_path / "m.ome.tif"
    tifffile.imwrite(path, np.stack([GREY, GREY + 1]), metadata=metadata)

    np.testing.assert_array_equal(open_movie(path, channel="gfp").data[3], GREY[3] + 1)
    with pytest.raises(FormatError, match=r"no channel 'RFP'.*0 \(DAPI\), 1 \(GFP\)"):
        open_movie(path, channel="RFP")
    with pytest.raises(FormatError, match="no channel 2"):
        open_movie(path, channel=2)


def test_a_series_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "m.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        for name, pixels in (("thumb", GREY[0, ::2, ::2]), ("movie", GREY)):
            axes = "TYX"[-pixels.ndim :]
            writer.write(
                pixels, photometric="minisblack", metadata={"axes": axes, "Name": name}
            )

    with pytest.raises(FormatError, match=r"--series .*0 \(thumb\), 1 \(movie\)"):
        open_movie(path)
    for series in (1, "movie"):
        np.testing.assert_array_equal(open_movie(path, series=series).data[:], GREY)
    with pytest.raises(FormatError, match="no series 2"):
        open_movie(path, series=2)


@pytest.mark.parametrize("noted", ["CYX", "ZYX", "QYX"])
@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"ome": True}])
def test_axes_that_are_asked_for_win(
    tmp_path: Path, noted: str, options: dict[str, Any]
) -> None:
    if options and noted == "QYX":
        noted = "TYX"
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, GREY, metadata={"axes": noted}, **options)

    for asked in ("TYX", "zyx"):
        source = open_movie(path, axes=asked)
        assert source.axes == asked.upper()
        np.testing.assert_array_equal(source.data[5], GREY[5])


def test_axes_that_do_not_fit(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", GREY)

    with pytest.raises(FormatError, match=r"'TZYX' do not fit .*letter for each axis"):
        open_movie(tmp_path / "m.tif", axes="TZYX")


def test_channels_are_taken_as_colours_where_one_says_so(tmp_path: Path) -> None:
    path = tmp_path / "m.ome.tif"
    pixels = np.moveaxis(COLOUR, -1, 1)
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": "TCYX"})

    source = open_movie(path, axes="TCYX")

    assert source.axes == "TYXC"
    np.testing.assert_array_equal(source.data[2], COLOUR[2])


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("is_movie", [True, False])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_four_samples(
    tmp_path: Path, planar: str, is_movie: bool, compression: str | None
) -> None:
    rgba = np.concatenate([COLOUR, COLOUR[..., :1] + 3], -1)
    rgba = rgba if is_movie else rgba[0]
    pixels = rgba if planar == "contig" else np.moveaxis(rgba, -1, -3)
    tifffile.imwrite(
        tmp_path / "m.tif",
        pixels,
        photometric="rgb",
        planarconfig=planar,
        extrasamples=["unassalpha"],
        compression=compression,
    )

    source = open_movie(tmp_path / "m.tif")

    assert source.axes == ("TYXC" if is_movie else "YXC")
    np.testing.assert_array_equal(source.data[...], rgba)


def test_four_grey_samples_are_channels(tmp_path: Path) -> None:
    pixels = np.concatenate([COLOUR, COLOUR[..., :1] + 3], -1)
    tifffile.imwrite(
        tmp_path / "m.tif", pixels, photometric="minisblack", planarconfig="contig"
    )

    with pytest.raises(FormatError, match="4 channels: choose one with --channel"):
        open_movie(tmp_path / "m.tif")
    data = open_movie(tmp_path / "m.tif", channel=3).data
    np.testing.assert_array_equal(data[1], pixels[1, ..., 3])


def frame_by_frame(path: Path, frames: np.ndarray, **options: Any) -> None:
    with tifffile.TiffWriter(path) as writer:
        for frame in frames:
            writer.write(frame, **options)


@pytest.mark.parametrize("frames", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"metadata": None}, {"contiguous": True}]
)
def test_frames_written_one_by_one_are_a_movie(
    tmp_path: Path, frames: np.ndarray, options: dict[str, Any]
) -> None:
    frame_by_frame(tmp_path / "m.tif", frames, **options)

    data = open_movie(tmp_path / "m.tif").data

    np.testing.assert_array_equal(data[3], frames[3])
    np.testing.assert_array_equal(data[:], frames)


@pytest.mark.parametrize("step", [1, 2])
def test_appended_frames_are_a_movie(tmp_path: Path, step: int) -> None:
    for first in range(0, len(GREY), step):
        tifffile.imwrite(tmp_path / "m.tif", GREY[first : first + step], append=True)

    np.testing.assert_array_equal(open_movie(tmp_path / "m.tif").data[:], GREY)


def test_frames_of_several_compressions_keep_their_order(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "m.tif") as writer:
        for number, frame in enumerate(GREY):
            compression = "zlib" if number % 2 else None
            writer.write(
                frame, metadata=None, compression=compression, contiguous=False
            )

    np.testing.assert_array_equal(open_movie(tmp_path / "m.tif").data[:], GREY)


def test_volumes_one_after_another_are_no_movie(tmp_path: Path) -> None:
    for _ in range(2):
        tifffile.imwrite(
            tmp_path / "m.tif", GREY, append=True, metadata={"axes": "ZYX"}
        )

    with pytest.raises(FormatError, match="choose one with --series"):
        open_movie(tmp_path / "m.tif")


def test_overviews_are_left_out(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "m.tif") as writer:
        writer.write(GREY, metadata={"axes": "TYX"}, subifds=1)
        writer.write(GREY[:, ::2, ::2], subfiletype=1)

    np.testing.assert_array_equal(open_movie(tmp_path / "m.tif").data[:], GREY)


IMAGEJ = "ImageJ=1.53t\nimages={0}\nframes={0}\n"
OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYTZC" Type="uint16" '
    'SizeX="30" SizeY="20" SizeT="{0}" SizeZ="1" SizeC="1">'
    '<Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData/>'
    "</Pixels></Image></OME>"
)


def described(path: Path, description: str) -> None:
    with tifffile.TiffWriter(path) as writer:
        for number, frame in enumerate(GREY):
            writer.write(
                frame,
                photometric="minisblack",
                contiguous=False,
                metadata=None,
                description=description if number == 0 else None,
            )


@pytest.mark.parametrize("description", [IMAGEJ, OME], ids=["imagej", "ome"])
def test_more_frames_promised_than_there_are(tmp_path: Path, description: str) -> None:
    described(tmp_path / "m.tif", description.format(9))

    with pytest.warns(IncompleteFileWarning, match="declares 9 images but holds 6"):
        source = open_movie(tmp_path / "m.tif")

    assert source.axes == "TYX"
    np.testing.assert_array_equal(source.data[:], GREY)


@pytest.mark.parametrize("description", [IMAGEJ, OME], ids=["imagej", "ome"])
def test_fewer_frames_promised_than_there_are(tmp_path: Path, description: str) -> None:
    described(tmp_path / "m.tif", description.format(3))

    with pytest.warns(IncompleteFileWarning, match="holds 6 images but declares 3"):
        source = open_movie(tmp_path / "m.tif")

    np.testing.assert_array_equal(source.data[:], GREY[:3])


def test_shape_that_promises_too_much(tmp_path: Path) -> None:
    described(tmp_path / "m.tif", '{"shape": [90, 20, 30]}')

    with pytest.raises(FormatError, match=r"declares 90 images and holds 6;"):
        open_movie(tmp_path / "m.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero(tmp_path: Path, compression: str | None) -> None:
    tifffile.imwrite(
        tmp_path / "m.tif", GREY, photometric="miniswhite", compression=compression
    )

    np.testing.assert_array_equal(open_movie(tmp_path / "m.tif").data[:], 65535 - GREY)


def test_inverted_colours_of_imagej_are_for_looking_only(tmp_path: Path) -> None:
    options = {"imagej": True, "metadata": {"axes": "TYX"}}
    tifffile.imwrite(tmp_path / "m.tif", GREY, photometric="miniswhite", **options)

    np.testing.assert_array_equal(open_movie(tmp_path / "m.tif").data[:], GREY)


def test_palette_becomes_colours(tmp_path: Path) -> None:
    palette = np.zeros((3, 256), np.uint16)
    palette[:, 7] = 0xFFFF, 0x8080, 0
    pixels = np.full((2, 5, 6), 7, np.uint8)
    pixels[0, 0, 0] = 1
    tifffile.imwrite(
        tmp_path / "m.tif", pixels, photometric="palette", colormap=palette
    )

    source = open_movie(tmp_path / "m.tif")

    assert (source.axes, source.data.shape) == ("TYXC", (2, 5, 6, 3))
    assert source.data.dtype == np.uint8
    assert source.data[0][0, :2].tolist() == [[0, 0, 0], [255, 128, 0]]


def test_colours_of_ink_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "m.tif", np.zeros((5, 6, 4), np.uint8), photometric="separated"
    )

    with pytest.raises(FormatError, match="CMYK; convert it to RGB"):
        open_movie(tmp_path / "m.tif")


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
        OME.format(3)
        .replace("<TiffData/>", '<TiffData FirstT="0" IFD="0" PlaneCount="1"/>@')
        .replace("@", '<TiffData FirstT="2" IFD="0" PlaneCount="1"/>')
    )
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, GREY[0], description=description, metadata=None)

    with pytest.warns(IncompleteFileWarning, match="declares 3 images but holds 2"):
        movie = open_movie(path).data

    np.testing.assert_array_equal(movie[0], GREY[0])
    with pytest.raises(FormatError, match=r"declares a frame 1 .*keep the files"):
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

    with pytest.raises(FormatError, match=r"movie.tif is truncated.*copy or export"):
        open_movie(path)


def test_pages_of_no_width(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, np.zeros((2, 4, 6), np.uint8), photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages.first.tags["ImageWidth"].overwrite(0)

    with pytest.raises(FormatError, match=r"cannot read .*m.tif, it is corrupt"):
        open_movie(path)


@pytest.mark.parametrize("target", [0, 2])
def test_pages_that_lead_back(tmp_path: Path, target: int) -> None:
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, np.zeros((3, 4, 6), np.uint8), photometric="minisblack")
    with tifffile.TiffFile(path) as tiff:
        offsets = [page.offset for page in tiff.pages]
        end = offsets[-1] + 2 + 12 * len(tiff.pages[2].tags)
    content = bytearray(path.read_bytes())
    content[end : end + 4] = struct.pack("<I", offsets[target])
    path.write_bytes(content)

    with pytest.raises(FormatError, match=r"m.tif is damaged: its pages lead back"):
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


@pytest.fixture
def pages_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "LARGE_PAGE", 1)


TILED = np.random.default_rng(0).integers(0, 4000, (5, 64, 96), np.uint16)
SOME_PARTS = [
    (1, slice(16, 40), slice(20, 70)),
    (2, slice(None), slice(0, 96, 3)),
    (0, 5, slice(None)),
    (1, 5, 7),
    (1, slice(None, None, -1), slice(4, 9)),
    (1, np.int64(5), [2, 7]),
    (-1,),
    (slice(0, 2), slice(3, 9)),
]


@pytest.mark.usefixtures("pages_are_large")
@pytest.mark.parametrize("key", SOME_PARTS)
@pytest.mark.parametrize(
    "options",
    [
        {"tile": (16, 32), "compression": "zlib"},
        {"rowsperstrip": 8, "compression": "zlib", "byteorder": ">"},
        {"tile": (16, 16)},
        {},
        {"byteorder": ">"},
        {"ome": True, "tile": (16, 16), "metadata": {"axes": "TYX"}},
        {"imagej": True, "metadata": {"axes": "TYX"}},
    ],
)
def test_parts_of_large_pages(
    tmp_path: Path, options: dict[str, Any], key: tuple[Any, ...]
) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", TILED, **options)

    part = open_movie(tmp_path / "movie.tif").data[key]

    np.testing.assert_array_equal(part, TILED[key])
    assert part.dtype.isnative


@pytest.mark.usefixtures("pages_are_large")
@pytest.mark.parametrize("photometric", ["palette", "miniswhite", "rgb"])
def test_parts_of_large_pages_in_colour(tmp_path: Path, photometric: str) -> None:
    pixels = (TILED[:, :, :, None] >> np.arange(3)).astype(np.uint8)
    tables = np.random.default_rng(1).integers(0, 65536, (3, 256), np.uint16)
    path, key = tmp_path / "movie.tif", (1, slice(16, 40), slice(20, 70))
    tifffile.imwrite(
        path,
        pixels if photometric == "rgb" else pixels[..., 0],
        photometric=photometric,
        colormap=tables if photometric == "palette" else None,
        tile=(16, 16),
    )

    movie = open_movie(path)

    np.testing.assert_array_equal(movie.data[key], movie.data[1][key[1:]])


@pytest.mark.usefixtures("pages_are_large")
def test_only_the_tiles_of_a_part_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, TILED, tile=(16, 32), compression="zlib")
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        last, size = page.dataoffsets[-1], page.databytecounts[-1]
    with path.open("r+b") as stored:
        stored.seek(last)
        stored.write(b"\0" * size)

    movie = open_movie(path)

    np.testing.assert_array_equal(movie.data[0, :16, :64], TILED[0, :16, :64])
    with pytest.raises(FormatError, match=r"movie\.tif"):
        movie.data[0, 48:, 64:]
    with pytest.raises(FormatError, match=r"movie\.tif"):
        movie.data[0]


@pytest.mark.usefixtures("pages_are_large")
def test_a_large_picture_is_not_read_at_once(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", TILED[0], tile=(16, 16), compression="zlib")

    source = open_movie(tmp_path / "a.tif")

    assert not isinstance(source.data, np.ndarray)
    np.testing.assert_array_equal(Movie(source.data).raw(0), TILED[0])
    window = Window(8, 16, 30, 20)
    part = Movie(source.data).part(0, window)
    np.testing.assert_array_equal(part, TILED[0][window.place])


def test_levels_of_a_pyramid(tmp_path: Path) -> None:
    path = tmp_path / "movie.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(TILED, subifds=2, tile=(16, 16), metadata={"axes": "TYX"})
        for step in (2, 4):
            writer.write(TILED[:, ::step, ::step], subfiletype=1, tile=(16, 16))

    levels = open_movie(path).coarser

    assert [level.shape for level in levels] == [(5, 32, 48), (5, 16, 24)]
    np.testing.assert_array_equal(levels[1][2], TILED[2, ::4, ::4])


@pytest.mark.parametrize("suffix", tiff.TIFF_SUFFIXES)
def test_suffixes_of_tiff(tmp_path: Path, suffix: str) -> None:
    is_big = suffix == ".btf"
    path = tmp_path / f"movie{suffix.upper()}"
    tifffile.imwrite(path, GREY, bigtiff=is_big, metadata={"axes": "TYX"})

    np.testing.assert_array_equal(open_movie(path).data[3], GREY[3])
