"""Pictures and animations that Pillow reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats import open_labels, open_movie
from napari_sam_decoder.formats.pillow_reader import (
    _pixels,
    picture_layout,
    read_picture,
)

if TYPE_CHECKING:
    from pathlib import Path

RAMP = np.arange(6 * 7, dtype=np.uint8).reshape(6, 7)


@pytest.mark.parametrize(
    ("mode", "shape", "dtype"),
    [
        ("1", (6, 7), bool),
        ("L", (6, 7), np.uint8),
        ("LA", (6, 7), np.uint8),
        ("I;16", (6, 7), np.uint16),
        ("P", (6, 7, 3), np.uint8),
        ("RGB", (6, 7, 3), np.uint8),
        ("RGBA", (6, 7, 4), np.uint8),
    ],
)
def test_modes_of_png(
    tmp_path: Path, mode: str, shape: tuple[int, ...], dtype: type
) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(RAMP).convert(mode).save(path)

    pixels = read_picture(path)

    assert (pixels.shape, pixels.dtype) == (shape, dtype)
    assert picture_layout(path) == (shape, np.dtype(dtype))


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    pixels = np.array([[0, 255, 256], [4095, 40000, 65535]], np.uint16)
    Image.fromarray(pixels).save(tmp_path / "deep.png")

    source = open_movie(tmp_path / "deep.png")

    assert (source.axes, source.name, source.data.dtype) == ("YX", "deep", np.uint16)
    np.testing.assert_array_equal(source.data[:], pixels)


def test_sixteen_bits_in_the_mode_of_older_pillow() -> None:
    pixels = _pixels(Image.new("I", (7, 6), 65535))

    np.testing.assert_array_equal(pixels, np.full((6, 7), 65535, np.uint16))


def test_palette_becomes_colours(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.save(tmp_path / "p.png")

    source = open_movie(tmp_path / "p.png")

    assert source.axes == "YXC"
    np.testing.assert_array_equal(source.data[:], [[[10, 20, 30], [40, 50, 60]]])


def test_cmyk_becomes_colours(tmp_path: Path) -> None:
    Image.new("CMYK", (7, 6)).save(tmp_path / "print.jpg")

    assert open_movie(tmp_path / "print.jpg").data.shape == (6, 7, 3)


def test_truncated_picture(tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:-1000])

    with pytest.raises(FormatError, match=r"cannot read .*p.jpg, it is corrupt"):
        open_movie(path)


def test_animation_in_any_order(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (7, 6), (40 * i, 0, 255 - 40 * i)) for i in range(6)]
    path = tmp_path / "movie.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])

    source = open_movie(path)

    assert (source.axes, source.data.shape) == ("TYXC", (6, 6, 7, 3))
    for index in (5, 0, 3, 2):
        np.testing.assert_array_equal(source.data[index], np.asarray(frames[index]))


def test_broken_animation(tmp_path: Path) -> None:
    (tmp_path / "movie.gif").write_bytes(b"GIF89a")

    with pytest.raises(FormatError, match=r"cannot read .*movie.gif"):
        open_movie(tmp_path / "movie.gif")


def save_moving(path: Path, mode: str) -> np.ndarray:
    frames = np.stack([RAMP, RAMP + 50, RAMP + 100])
    first, *others = (Image.fromarray(frame).convert(mode) for frame in frames)
    first.save(path, save_all=True, append_images=others)
    return frames


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_moving_png_is_a_movie(tmp_path: Path, mode: str) -> None:
    frames = save_moving(tmp_path / "moving.png", mode)

    data = open_movie(tmp_path / "moving.png").data

    for frame in (2, 0, 1):
        grey = data[frame] if mode == "L" else data[frame][..., 1]
        np.testing.assert_array_equal(grey, frames[frame])


def test_labels_in_a_moving_png(tmp_path: Path) -> None:
    frames = save_moving(tmp_path / "labels.png", "L")
    labels = open_labels(tmp_path / "labels.png")
    found = np.stack([labels[frame] for frame in range(3)])
    np.testing.assert_array_equal(found, frames)


def test_a_moving_png_is_no_frame_of_a_folder(tmp_path: Path) -> None:
    save_moving(tmp_path / "f1.png", "L")
    with pytest.raises(FormatError, match=r"f1.png is an animation.*open it by itself"):
        open_movie(tmp_path)


def test_webp(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (6, 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "still.webp", lossless=True)

    source = open_movie(tmp_path / "still.webp")

    assert (source.axes, source.name) == ("YXC", "still")
    np.testing.assert_array_equal(source.data[:], pixels)
    with pytest.raises(FormatError, match=r"still\.webp is a WEBP.*export it as PNG"):
        open_labels(tmp_path / "still.webp")


def test_animated_webp(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 6, 7, 3), np.uint8)
    first, *others = map(Image.fromarray, frames)
    first.save(tmp_path / "a.webp", save_all=True, append_images=others, lossless=True)

    source = open_movie(tmp_path / "a.webp")

    assert source.axes == "TYXC"
    np.testing.assert_array_equal(source.data[2], frames[2])
    np.testing.assert_array_equal(source.data[0], frames[0])


def test_a_folder_of_webp(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 6, 7, 3), np.uint8)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"{number}.webp", lossless=True)

    np.testing.assert_array_equal(open_movie(tmp_path).data[1], frames[1])
