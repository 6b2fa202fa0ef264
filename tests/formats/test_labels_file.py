"""Labels read back, whoever wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_sam_decoder.errors import FormatError
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
        LABELS[0].astype(np.float32),
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
