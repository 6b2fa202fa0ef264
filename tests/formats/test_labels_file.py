"""Labels read back, whoever wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_sam_decoder.errors import FormatError, LabelsError
from napari_sam_decoder.formats import open_labels, read_provenance

if TYPE_CHECKING:
    from pathlib import Path

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

    with pytest.raises(FormatError, match=r"image.tif holds .* which are no labels"):
        open_labels(tmp_path / "image.tif")


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4, 5)])
def test_arrays_of_other_dimensions(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))

    with pytest.raises(FormatError, match=r"whole numbers of shape \(T, Y, X\)"):
        open_labels(tmp_path / "a.npy")


def test_provenance_of_other_kinds(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"labels cannot be kept in a.png; use"):
        read_provenance(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["gone.tif", "gone.zarr"])
def test_provenance_of_missing_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=rf"cannot read .*{name}"):
        read_provenance(tmp_path / name)


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

    with pytest.raises(LabelsError, match=r"l.tif holds .* no id of an object"):
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
        with pytest.raises(FormatError, match=r"does not keep the ids .* PNG or TIFF"):
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
