"""Folders with one picture per frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats import open_movie

if TYPE_CHECKING:
    from pathlib import Path


def picture(value: int, shape: tuple[int, ...] = (6, 7)) -> Image.Image:
    return Image.fromarray(np.full(shape, value, np.uint8))


def test_natural_order_without_what_is_no_picture(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        picture(number).save(tmp_path / f"frame{number}.png")
    picture(99).save(tmp_path / ".hidden.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()

    source = open_movie(tmp_path)

    assert (source.axes, source.name) == ("TYX", tmp_path.name)
    assert source.data.shape == (3, 6, 7)
    assert [int(frame[0, 0]) for frame in source.data[:]] == [1, 2, 10]


@pytest.mark.parametrize("suffix", ["png", "PNG", "jpg", "jpeg", "bmp"])
def test_colours(tmp_path: Path, suffix: str) -> None:
    for number in range(2):
        picture(50 * number, (6, 7, 3)).save(tmp_path / f"{number}.{suffix}")

    source = open_movie(tmp_path)

    assert (source.axes, source.data.shape) == ("TYXC", (2, 6, 7, 3))
    assert source.data.dtype == np.uint8
    assert source.data[1].mean() == pytest.approx(50, abs=2)


@pytest.mark.parametrize("suffix", ["tif", "tiff"])
def test_tiff_frames(tmp_path: Path, suffix: str) -> None:
    movie = np.arange(3 * 8 * 9, dtype=np.uint16).reshape(3, 8, 9)
    for number, frame in enumerate(movie):
        tifffile.imwrite(tmp_path / f"t{number}.{suffix}", frame, compression="lzw")

    source = open_movie(tmp_path)

    assert source.data.dtype == np.uint16
    np.testing.assert_array_equal(source.data[:], movie)


def test_tiff_stack_among_frames(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 8, 9), np.uint8))

    with pytest.raises(FormatError, match=r"a.tif holds 5 pictures.*open this file"):
        open_movie(tmp_path)


def test_other_size_is_named(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "a.png")
    picture(0, (6, 8)).save(tmp_path / "b.png")

    with pytest.raises(FormatError, match=r"b.png has shape .*8\).*a.png has \(6, 7"):
        open_movie(tmp_path)


def test_other_mode_is_named(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((6, 7), np.uint16)).save(tmp_path / "b.png")

    with pytest.raises(FormatError, match=r"b.png has .* type uint16, but a.png"):
        open_movie(tmp_path)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no pictures; .* png, jpg, jpeg, bmp, tif"):
        open_movie(tmp_path)


def test_folder_of_folders(tmp_path: Path) -> None:
    for name in ("masks", "frames", ".git"):
        (tmp_path / name).mkdir()

    with pytest.raises(FormatError, match="but the folders frames, masks; open one"):
        open_movie(tmp_path)


def test_folder_of_many_folders(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"f{number}").mkdir()

    with pytest.raises(FormatError, match=r"f0, f1, f2, f3, f4, \.\.\.; open one"):
        open_movie(tmp_path)


def test_broken_picture_is_found_at_once(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"broken")

    with pytest.raises(FormatError, match=r"cannot read .*b.png"):
        open_movie(tmp_path)
