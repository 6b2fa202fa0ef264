"""Folders with one picture per frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

    with pytest.raises(FormatError, match=r"a.tif holds 5 images.*open this file"):
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
    with pytest.raises(
        FormatError, match=r"no images; .* png, jpg, jpeg, bmp, webp, tif"
    ):
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


def fill(folder: Path, names: list[str]) -> None:
    for value, name in enumerate(names):
        picture(value).save(folder / name)


def values(folder: Path, **options: Any) -> list[int]:
    return [int(frame[0, 0]) for frame in open_movie(folder, **options).data[:]]


@pytest.mark.parametrize(
    ("pattern", "first"),
    [
        ("img_{t:09d}_Ch{c}_000.png", "Ch0"),
        ("exp_w{c}{n}_t{t}.png", "w0DAPI"),
        ("movie_t{t:03d}_c{c:02d}.png", "c00"),
        ("t{t:03d}xy1c{c}.png", "c0"),
        ("C{c}-movie{t:04d}.png", "C0"),
        ("img_channel{c:03d}_position000_time{t:09d}_z000.png", "channel000"),
        ("img_{t:09d}_{n}_000.png", "DAPI"),
        ("{n}{t}.png", "DAPI"),
        ("{t}_ch0{c}.png", "CH00"),
        ("{t}_{n}.png", "DAPI"),
    ],
)
def test_channels_are_not_frames(tmp_path: Path, pattern: str, first: str) -> None:
    names = [
        pattern.format(t=t, c=c, n=name)
        for t in range(3)
        for c, name in enumerate(("DAPI", "GFP"))
    ]
    fill(tmp_path, names)

    with pytest.raises(FormatError, match=r"2 channels; choose one with --channel .*0"):
        open_movie(tmp_path)
    assert values(tmp_path, channel=0) == values(tmp_path, channel=first) == [0, 2, 4]
    assert values(tmp_path, channel=1) == [1, 3, 5]


@pytest.mark.parametrize(
    "names",
    [
        ["c001.png", "c002.png", "c003.png"],
        ["w1.png", "w2.png"],
        ["a.png", "b.png"],
        ["s1_c1.png", "s1_c2.png", "s1_c3.png"],
        ["frame_z0.png", "frame_z1.png"],
        ["ch01_001.png", "ch01_002.png"],
        ["0_00.png", "0_30.png", "1_00.png", "1_30.png"],
        [f"ch{number}.png" for number in range(10, 30)],
        ["Jan_1.png", "Jan_2.png", "March_1.png"],
    ],
)
def test_numbers_that_count_frames(tmp_path: Path, names: list[str]) -> None:
    fill(tmp_path, names)

    assert values(tmp_path) == list(range(len(names)))


def test_missing_channel_of_a_folder(tmp_path: Path) -> None:
    fill(tmp_path, ["0_ch0.png", "0_ch1.png", "1_ch0.png", "1_ch1.png"])

    with pytest.raises(FormatError, match=r"no channel 'GFP'.*0 \(ch0\), 1 \(ch1\)"):
        open_movie(tmp_path, channel="GFP")


def test_masks_beside_pictures_are_not_frames(tmp_path: Path) -> None:
    fill(tmp_path, ["1.png", "1_mask.png", "2.png", "2_mask.png"])

    with pytest.raises(FormatError, match=r"0 \(\*.png\), 1 \(\*_mask.png\)"):
        open_movie(tmp_path)
    assert values(tmp_path, channel=0) == [0, 2]


def test_positions_are_a_series(tmp_path: Path) -> None:
    fill(tmp_path, [f"xy{p}_t{t}.png" for p in range(2) for t in range(3)])

    with pytest.raises(FormatError, match=r"2 positions; choose one with --series"):
        open_movie(tmp_path)
    assert values(tmp_path, series="xy1") == [3, 4, 5]


@pytest.mark.parametrize("pattern", ["t{t}_z{z}.png", "z{z}_t{t}.png"])
def test_planes_of_frames_are_an_axis(tmp_path: Path, pattern: str) -> None:
    places = [(t, z) for t in range(3) for z in range(12)]
    for t, z in places:
        pixels = np.full((6, 7), 20 * t + z, np.uint8)
        Image.fromarray(pixels).save(tmp_path / pattern.format(t=t, z=z))

    assert values(tmp_path, at={"z": 10}) == [10, 30, 50]
    assert values(tmp_path, at={"t": 2}) == list(range(40, 52))
    movie = open_movie(tmp_path, at={"t": 0})
    assert (movie.axes, dict(movie.lengths)) == (
        "ZYX",
        {"T": 3, "Z": 12, "Y": 6, "X": 7},
    )
    with pytest.raises(FormatError, match="a position along one of T, Z with --at"):
        open_movie(tmp_path)


def test_a_plane_that_is_missing_is_named(tmp_path: Path) -> None:
    fill(tmp_path, [f"t{t}_z{z}.png" for t in range(3) for z in range(2)])
    (tmp_path / "t1_z1.png").unlink()
    with pytest.raises(FormatError, match=r"beside t1_z0\.png plane z1 is missing"):
        open_movie(tmp_path, at={"z": 0})


def test_channels_within_the_files(tmp_path: Path) -> None:
    for number in range(3):
        pixels = np.full((2, 6, 7), number, np.uint16)
        pixels[1] += 10
        tifffile.imwrite(
            tmp_path / f"{number}.tif", pixels, imagej=True, metadata={"axes": "CYX"}
        )

    assert values(tmp_path, channel=1) == [10, 11, 12]


def test_red_alone(tmp_path: Path) -> None:
    for number in range(2):
        pixels = np.zeros((6, 7, 3), np.uint8)
        pixels[..., 0] = number + 1
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")

    assert values(tmp_path, channel=0) == [1, 2]


def test_a_folder_is_a_volume_where_one_says_so(tmp_path: Path) -> None:
    fill(tmp_path, ["0.png", "1.png"])

    assert open_movie(tmp_path, axes="ZYX").axes == "ZYX"
