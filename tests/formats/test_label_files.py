"""Labels read back, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_sam_decoder.errors import FormatError, LabelsError
from napari_sam_decoder.formats import (
    LabelSink,
    open_labels,
    open_movie,
    read_label_movie,
    read_provenance,
)
from napari_sam_decoder.formats import label_files as module

SHAPE = (4, 5, 6)
SUFFIXES = (".zarr", ".tif", ".tiff")


@pytest.fixture(params=SUFFIXES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"labels{request.param}"


def frame_of(value: int) -> np.ndarray:
    return np.full(SHAPE[1:], value, np.uint16)


def write_whole(path: Path, value: int = 1, **options: Any) -> None:
    with LabelSink(path, SHAPE, "uint16", **options) as sink:
        for frame in range(SHAPE[0]):
            sink.write(frame, frame_of(value + frame))
        sink.finish({"value": value})


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_frames_in_any_order_and_again(target: Path) -> None:
    with LabelSink(target, SHAPE, np.uint16) as sink:
        for frame, value in ((3, 30), (0, 5), (3, 31), (1, 7), (1, 0)):
            sink.write(frame, frame_of(value))
        assert not target.exists()
        sink.finish({})

    labels = open_labels(target)
    assert (labels.shape, labels.dtype) == (SHAPE, np.uint16)
    assert [int(labels[frame].max()) for frame in range(4)] == [5, 0, 0, 31]
    assert names_in(target.parent) == [target.name]


@pytest.mark.parametrize("axes", ["TYX", "ZYX"])
def test_axes_are_noted(target: Path, axes: str) -> None:
    write_whole(target, axes=axes)

    assert open_movie(target).axes == axes


def test_zarr_is_plain_with_one_chunk_per_frame(tmp_path: Path) -> None:
    write_whole(tmp_path / "labels.zarr")

    array = zarr.open_array(tmp_path / "labels.zarr", mode="r")

    assert array.metadata.zarr_format == 3
    assert array.chunks == (1, 5, 6)
    assert array.attrs["axes"] == "TYX"
    assert array.attrs["provenance"] == {"value": 1}


def test_tiff_has_a_compressed_page_per_frame(tmp_path: Path) -> None:
    write_whole(tmp_path / "labels.tif")

    with tifffile.TiffFile(tmp_path / "labels.tif") as tiff:
        assert tiff.series[0].axes == "TYX"
        assert len(tiff.pages) == 4
        assert tiff.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert not tiff.is_bigtiff


def test_three_frames_are_no_colours(tmp_path: Path) -> None:
    with LabelSink(tmp_path / "labels.tif", (3, 8, 9), np.uint8) as sink:
        sink.finish({})

    assert open_movie(tmp_path / "labels.tif").axes == "TYX"


def test_large_tiff_is_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLASSIC_TIFF_BYTES", 4 * 5 * 6 * 2 - 1)
    write_whole(tmp_path / "labels.tif")

    with tifffile.TiffFile(tmp_path / "labels.tif") as tiff:
        assert tiff.is_bigtiff
    assert open_labels(tmp_path / "labels.tif")[2].max() == 3


def test_one_frame(target: Path) -> None:
    with LabelSink(target, (1, 5, 6), np.uint8) as sink:
        sink.write(0, frame_of(9))
        sink.finish({})

    labels = open_labels(target)
    assert labels.shape == (1, 5, 6)
    np.testing.assert_array_equal(labels[0], frame_of(9))


def test_provenance_comes_back(target: Path) -> None:
    given = {
        "model": "größe",
        "contrast": (np.float32(0.5), np.int64(3)),
        "prompts": [{"points": np.array([[1, 2]]), "box": None}],
    }
    with LabelSink(target, SHAPE, np.uint8) as sink:
        sink.finish(given)

    assert read_provenance(target) == {
        "model": "größe",
        "contrast": [0.5, 3],
        "prompts": [{"points": [[1, 2]], "box": None}],
    }


@pytest.mark.parametrize("value", [object(), float("nan")])
def test_provenance_that_is_no_json(target: Path, value: Any) -> None:
    with (
        LabelSink(target, SHAPE, np.uint8) as sink,
        pytest.raises(
            FormatError, match=r"is not valid JSON .*use finite numbers, text"
        ),
    ):
        sink.finish({"value": value})

    assert names_in(target.parent) == []


def test_leaving_without_finish_leaves_nothing(target: Path) -> None:
    with LabelSink(target, SHAPE, np.uint8) as sink:
        sink.write(0, frame_of(1))

    assert names_in(target.parent) == []


def test_an_exception_leaves_the_old_labels(target: Path) -> None:
    write_whole(target, 1)

    def fail_midway() -> None:
        with LabelSink(target, SHAPE, np.uint16) as sink:
            sink.write(0, frame_of(99))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_midway()

    assert open_labels(target)[0].max() == 1
    assert names_in(target.parent) == [target.name]


def test_a_dropped_sink_leaves_nothing(target: Path) -> None:
    sink = LabelSink(target, SHAPE, np.uint8)
    assert len(names_in(target.parent)) == 1

    del sink

    assert names_in(target.parent) == []


def test_old_labels_are_replaced_only_by_finish(target: Path) -> None:
    write_whole(target, 1)
    old = open_labels(target)

    with LabelSink(target, SHAPE, np.uint16) as sink:
        sink.write(0, frame_of(50))
        assert old[0].max() == 1
        sink.finish({})

    assert open_labels(target)[0].max() == 50
    assert names_in(target.parent) == [target.name]


def test_closed_sink_refuses(target: Path) -> None:
    with LabelSink(target, SHAPE, np.uint8) as sink:
        sink.finish({})
        with pytest.raises(FormatError, match="finished or discarded; write to a new"):
            sink.write(0, frame_of(1))
        with pytest.raises(FormatError, match="finished or discarded"):
            sink.finish({})


@pytest.mark.parametrize("frame", [-1, 4])
def test_no_such_frame(target: Path, frame: int) -> None:
    with (
        LabelSink(target, SHAPE, np.uint8) as sink,
        pytest.raises(LabelsError, match=rf"no frame {frame} in .* frames 0 to 3"),
    ):
        sink.write(frame, frame_of(1))


def test_labels_of_another_shape(target: Path) -> None:
    with (
        LabelSink(target, SHAPE, np.uint8) as sink,
        pytest.raises(LabelsError, match=r"shape \(6, 5\) do not fit .*\(5, 6\)"),
    ):
        sink.write(0, np.zeros((6, 5), np.uint8))


def test_labels_too_large_for_the_type(target: Path) -> None:
    with LabelSink(target, SHAPE, np.uint8) as sink:
        sink.write(0, frame_of(255))
        with pytest.raises(LabelsError, match="from 256 to 256 do not fit uint8"):
            sink.write(0, frame_of(256))
        with pytest.raises(LabelsError, match="from -1 to -1 do not fit uint8"):
            sink.write(0, np.full(SHAPE[1:], -1))


@pytest.mark.parametrize("name", ["labels.png", "labels"])
def test_unknown_suffix(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=r"use a name that ends in .zarr, .tif"):
        LabelSink(tmp_path / name, SHAPE, np.uint8)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no folder .*gone for labels.tif; create"):
        LabelSink(tmp_path / "gone" / "labels.tif", SHAPE, np.uint8)


def test_folder_that_is_no_labels_stays(target: Path) -> None:
    target.mkdir()
    (target / "precious.txt").write_text("data")

    with pytest.raises(FormatError, match="in the way and is not a labels file, so it"):
        LabelSink(target, SHAPE, np.uint8)

    assert (target / "precious.txt").exists()


def test_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "labels.zarr").write_text("data")

    with pytest.raises(FormatError, match="in the way"):
        LabelSink(tmp_path / "labels.zarr", SHAPE, np.uint8)


def test_folder_that_came_meanwhile_stays(target: Path) -> None:
    with LabelSink(target, SHAPE, np.uint8) as sink:
        target.mkdir()
        with pytest.raises(FormatError, match="in the way"):
            sink.finish({})

    assert names_in(target.parent) == [target.name]


def test_disk_that_cannot_be_written(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    with LabelSink(target, SHAPE, np.uint8) as sink:
        monkeypatch.setattr(type(sink._array), "__setitem__", no_space)
        with pytest.raises(FormatError, match=r"cannot write .*labels.*No space left"):
            sink.write(0, frame_of(1))

    monkeypatch.setattr(Path, "mkdir", no_space)
    with pytest.raises(FormatError, match=r"cannot write .*free some disk space"):
        LabelSink(target, SHAPE, np.uint8)


def test_failure_to_lay_out_leaves_nothing(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr, "create_array", no_space)

    with pytest.raises(FormatError, match="cannot write"):
        LabelSink(target, SHAPE, np.uint8)

    assert names_in(target.parent) == []


LABELS = np.arange(4 * 8 * 9, dtype=np.uint16).reshape(4, 8, 9)


def test_labels_of_other_software(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "labels.tif", LABELS, photometric="minisblack")
    zarr.create_array(tmp_path / "labels.zarr", data=LABELS)

    for name in ("labels.tif", "labels.zarr"):
        labels = open_labels(tmp_path / name)
        assert (len(labels), labels.shape, labels.dtype) == (4, (4, 8, 9), np.uint16)
        np.testing.assert_array_equal(labels[2], LABELS[2])
        assert read_provenance(tmp_path / name) == {}


def test_a_picture_is_one_frame(tmp_path: Path) -> None:
    Image.fromarray(LABELS[0].astype(np.uint8)).save(tmp_path / "labels.png")

    labels = open_labels(tmp_path / "labels.png")

    assert labels.shape == (1, 8, 9)
    np.testing.assert_array_equal(labels[0], LABELS[0])


@pytest.mark.parametrize(
    "pixels",
    [
        LABELS[0].astype(np.complex64),
        np.zeros((4, 8, 9, 3), np.uint8),
        np.zeros((8, 9, 3), np.uint8),
    ],
)
def test_pixels_that_are_no_labels(tmp_path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "image.tif", pixels)

    with pytest.raises(FormatError, match=r"image.tif holds .* which are not labels"):
        open_labels(tmp_path / "image.tif")


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4, 5)])
def test_arrays_of_other_dimensions(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))

    with pytest.raises(FormatError, match=r"whole numbers of shape \(T, Y, X\)"):
        open_labels(tmp_path / "a.npy")


def test_provenance_of_other_kinds(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"labels cannot be written to a.png; use"):
        read_provenance(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["gone.tif", "gone.zarr"])
def test_provenance_of_missing_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=rf"cannot read .*{name}"):
        read_provenance(tmp_path / name)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("axes", 3),
        ("unit", []),
        ("scale", 1.0),
        ("scale", [1.0, [0.5], 0.5]),
        ("scale", [1.0, "wide", 0.5]),
        ("background", 4),
        ("background", ["x"]),
        ("positions", [None]),
        ("positions", [{"at": {"Z": 3}}]),
        ("objects", [1]),
        ("objects", {"one": {"name": "a"}}),
        ("objects", {"1": "a"}),
        ("objects", {"1": {"name": 3}}),
        ("objects", {"1": {"parent": "x"}}),
    ],
)
def test_damaged_provenance(target: Path, key: str, value: object) -> None:
    with LabelSink(target, (1, 4, 5), np.uint8) as sink:
        sink.finish({key: value})

    for read in (read_provenance, read_label_movie):
        with pytest.raises(FormatError, match=f"{key!r} in the provenance of .*write"):
            read(target)


def test_provenance_of_another_make(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "labels.zarr", data=LABELS)
    array.attrs["provenance"] = "by hand"
    tifffile.imwrite(tmp_path / "labels.tif", LABELS[0], metadata=None)

    assert read_provenance(tmp_path / "labels.zarr") == {}
    assert read_provenance(tmp_path / "labels.tif") == {}


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8"])
@pytest.mark.parametrize("is_movie", [True, False])
def test_whole_numbers_stored_as_floats(
    tmp_path: Path, dtype: str, is_movie: bool
) -> None:
    labels = (LABELS % 1000) if is_movie else LABELS[:1] % 1000
    pixels = labels.astype(dtype)
    np.save(tmp_path / "l.npy", pixels if is_movie else pixels[0])

    found = open_labels(tmp_path / "l.npy", labels.shape)

    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found[:], labels)


@pytest.mark.parametrize("odd", [0.5, -1, np.nan, np.inf, 2.0**40])
def test_floats_that_are_no_ids(tmp_path: Path, odd: float) -> None:
    pixels = np.zeros((3, 8, 9), np.float32)
    pixels[2, 4, 5] = odd
    tifffile.imwrite(tmp_path / "l.tif", pixels, photometric="minisblack")

    with pytest.raises(LabelsError, match=r"l.tif holds .* not an object id"):
        open_labels(tmp_path / "l.tif")


IDS = np.zeros((8, 9), np.uint8)
IDS[2:5, 3:7], IDS[6, 1] = 1, 2
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0]


def save_with_palette(path: Path, ids: np.ndarray) -> None:
    if path.suffix == ".tif":
        palette = np.zeros((3, 256), np.uint16)
        palette[0, 1] = palette[1, 2] = 0x8080
        tifffile.imwrite(path, ids, photometric="palette", colormap=palette)
        return
    picture = Image.frombytes("P", ids.shape[::-1], ids.tobytes())
    picture.putpalette(PALETTE)
    picture.save(path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_entries_of_a_palette_are_ids(tmp_path: Path, suffix: str) -> None:
    save_with_palette(tmp_path / f"l{suffix}", IDS)

    np.testing.assert_array_equal(open_labels(tmp_path / f"l{suffix}")[0], IDS)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_entries_of_palettes_in_a_folder_are_ids(tmp_path: Path, suffix: str) -> None:
    for number in range(3):
        save_with_palette(tmp_path / f"{number}{suffix}", np.roll(IDS, number, 1))

    labels = open_labels(tmp_path)

    assert labels.shape == (3, 8, 9)
    np.testing.assert_array_equal(labels[2], np.roll(IDS, 2, 1))


def test_jpeg_keeps_no_ids(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    for place in (tmp_path / "l.jpg", tmp_path / "f" / "0.jpg"):
        Image.fromarray(IDS).save(place)

    for place in (tmp_path / "l.jpg", tmp_path / "f"):
        with pytest.raises(
            FormatError, match=r"does not preserve object ids.* PNG or TIFF"
        ):
            open_labels(place)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (IDS != 1, IDS == 1),
        (np.where(IDS == 1, 0, 255).astype(np.uint8), np.where(IDS == 1, 255, 0)),
        (np.where(IDS == 1, 0, 65535).astype(np.uint16), np.where(IDS == 1, 65535, 0)),
        (np.full((8, 9), 255, np.uint8), np.zeros((8, 9))),
        (IDS, IDS),
        (IDS.astype(np.uint16), IDS),
        (IDS * 0, IDS * 0),
    ],
    ids=["bits", "mask", "mask16", "nothing", "ids", "ids16", "no ids"],
)
def test_white_is_zero(
    tmp_path: Path, stored: np.ndarray, expected: np.ndarray
) -> None:
    tifffile.imwrite(tmp_path / "l.tif", stored, photometric="miniswhite")

    np.testing.assert_array_equal(open_labels(tmp_path / "l.tif")[0], expected)


def test_masks_of_imagej_with_an_inverted_table_keep_their_numbers(
    tmp_path: Path,
) -> None:
    mask = np.where(IDS == 1, 255, 0).astype(np.uint8)
    tifffile.imwrite(tmp_path / "l.tif", mask, photometric="miniswhite", imagej=True)

    np.testing.assert_array_equal(open_labels(tmp_path / "l.tif")[0], mask)


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_byte_order_is_that_of_the_machine(tmp_path: Path, suffix: str) -> None:
    place, labels = tmp_path / f"l{suffix}", LABELS.astype(">u2")
    if suffix == ".npy":
        np.save(place, labels)
    else:
        tifffile.imwrite(place, labels, byteorder=">", photometric="minisblack")

    found = open_labels(place)

    assert found.dtype.isnative
    assert found[1].dtype.isnative
    np.testing.assert_array_equal(found[:], labels)


def test_a_sink_shows_what_was_written(tmp_path):
    with LabelSink(tmp_path / "labels.zarr", (3, 4, 5), np.uint16, axes="ZYX") as sink:
        sink.write(1, np.zeros((4, 5), np.uint16))
        shown = repr(sink)
    where = tmp_path / "labels.zarr"
    assert shown == f"LabelSink('{where}', ZYX (3, 4, 5), uint16, 1 frames written)"


@pytest.mark.parametrize("name", ["labels.zarr", "labels.tif"])
@pytest.mark.parametrize("columns", [5, 1])
def test_labels_of_four_axes(tmp_path, name, columns):
    path = tmp_path / name
    labels = np.arange(2 * 3 * 4 * columns, dtype=np.uint16)
    labels = labels.reshape(2, 3, 4, columns)
    with LabelSink(path, labels.shape, np.uint16, axes="TZYX") as sink:
        assert len(sink) == 6
        for plane in range(3):
            part = sink.at({"Z": plane})
            assert (len(part), part.shape) == (2, (2, 4, columns))
            for frame in range(2) if plane != 1 else ():
                part.write(frame, labels[frame, plane])
        np.testing.assert_array_equal(sink.at({"Z": 2})[1], labels[1, 2])
        np.testing.assert_array_equal(sink.at({"T": 1, "Z": 2})[0], labels[1, 2])
        assert sink.at({"T": 0}).shape == (3, 4, columns)
        sink.finish({"axes": "TZYX"})

    labels[:, 1] = 0
    for plane in range(3):
        found = open_labels(path, (2, 4, columns), at={"z": plane})
        np.testing.assert_array_equal(found[:], labels[:, plane])
    np.testing.assert_array_equal(open_labels(path, at={"t": 1})[:], labels[1])
    with pytest.raises(FormatError, match="position along one of T, Z with --at"):
        open_labels(path)


@pytest.mark.parametrize(
    ("dtype", "odd"),
    [("i1", -3), ("i4", -1), ("i8", 2**32), ("u8", 2**64 - 1), ("i8", 10_000_000_000)],
)
def test_whole_numbers_that_are_no_ids(tmp_path: Path, dtype: str, odd: int) -> None:
    pixels = np.zeros((3, 8, 9), dtype)
    pixels[2, 4, 5] = odd
    np.save(tmp_path / "l.npy", pixels)

    with pytest.raises(LabelsError, match=r"l.npy holds \S+\d, which is not an"):
        open_labels(tmp_path / "l.npy")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [("i1", "u1"), ("<i4", "u4"), (">u2", "u2"), ("i8", "u4"), ("u8", "u4")],
)
def test_ids_get_an_unsigned_type_of_32_bits_at_most(
    tmp_path: Path, stored: str, expected: str
) -> None:
    labels = np.arange(3 * 8 * 5).reshape(3, 8, 5)
    np.save(tmp_path / "l.npy", labels.astype(stored))

    found = open_labels(tmp_path / "l.npy")

    assert found.dtype == found[1].dtype == np.dtype(expected)
    np.testing.assert_array_equal(found[:], labels)
