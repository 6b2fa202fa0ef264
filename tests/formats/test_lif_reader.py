"""LIF files, made here: no real one can be handed out with the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from made_lif import LeicaImage, write_lif
from napari_sam_decoder import Session
from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats import open_movie

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("liffile")

MOVIE = np.arange(4 * 2 * 8 * 10, dtype=np.uint16).reshape(4, 2, 8, 10)
"""T, C, Y, X."""
STEPS = {"T": 2.5, "Y": 0.25e-6, "X": 0.25e-6}


def movie(name: str = "Series001", **options: object) -> LeicaImage:
    return LeicaImage(name, MOVIE, "TCYX", STEPS, **options)  # type: ignore[arg-type]


def test_a_movie_of_one_channel(tmp_path: Path) -> None:
    path = write_lif(tmp_path / "m.lif", [movie(dyes=["Leica/DAPI", "GFP"])])

    source = open_movie(path, channel="DAPI")

    assert (source.axes, source.name, source.unit) == ("TYX", "m", "micrometer")
    assert source.scale == pytest.approx((2.5, 0.25, 0.25))
    assert source.data.dtype == np.uint16
    np.testing.assert_array_equal(source.data[3], MOVIE[3, 0])
    np.testing.assert_array_equal(source.data[1, 2:4, ::3], MOVIE[1, 0, 2:4, ::3])
    np.testing.assert_array_equal(Session(path, channel=1).movie.raw(2), MOVIE[2, 1])


def test_channels_are_called_by_their_colours_where_nothing_else_is_noted(
    tmp_path: Path,
) -> None:
    path = write_lif(tmp_path / "m.lif", [movie(colours=["Green", "Red"])])

    np.testing.assert_array_equal(open_movie(path, channel="red").data[0], MOVIE[0, 1])


def test_channels_of_one_colour_have_no_names(tmp_path: Path) -> None:
    path = write_lif(tmp_path / "m.lif", [movie()])

    with pytest.raises(FormatError, match=r"2 channels.*\): 0, 1$"):
        open_movie(path)


def test_colours(tmp_path: Path) -> None:
    colours = np.arange(3 * 8 * 10 * 3, dtype=np.uint8).reshape(3, 8, 10, 3)
    path = write_lif(tmp_path / "m.lif", [LeicaImage("a", colours, "ZYXC")])

    source = open_movie(path)

    assert (source.axes, source.scale) == ("ZYXC", None)
    np.testing.assert_array_equal(source.data[:], colours)


def test_images_are_chosen_by_name_or_number(tmp_path: Path) -> None:
    other = LeicaImage("Overview", MOVIE[0, 0, :4], "YX")
    path = write_lif(tmp_path / "m.lif", [movie(), other])

    with pytest.raises(FormatError, match=r"holds 2 images.*0 \(Series001\), 1 \(Over"):
        open_movie(path)
    by_name, by_number = open_movie(path, series="overview"), open_movie(path, series=1)

    np.testing.assert_array_equal(by_name.data[...], MOVIE[0, 0, :4])
    np.testing.assert_array_equal(by_number.data[...], MOVIE[0, 0, :4])


def test_scans_whose_planes_are_not_rows_and_columns(tmp_path: Path) -> None:
    pixels = np.ascontiguousarray(MOVIE[:, 0].transpose(1, 0, 2))
    path = write_lif(tmp_path / "m.lif", [LeicaImage("xzy", pixels, "YZX")])

    source = open_movie(path)

    assert source.axes == "ZYX"
    np.testing.assert_array_equal(source.data[2], MOVIE[2, 0])


def test_a_file_cut_off_anywhere(tmp_path: Path) -> None:
    path = write_lif(tmp_path / "m.lif", [movie()])
    content = path.read_bytes()
    for size in range(0, len(content), 101):
        path.write_bytes(content[:size])

        with pytest.raises(FormatError, match=r"m.lif.* (truncated|corrupt).*again"):
            open_movie(path, channel=0)


def test_what_is_whole_of_a_file_that_was_cut_off(tmp_path: Path) -> None:
    path = write_lif(tmp_path / "m.lif", [movie("a"), movie("b")])
    path.write_bytes(path.read_bytes()[:-10])

    np.testing.assert_array_equal(
        open_movie(path, series="a", channel=1).data[3], MOVIE[3, 1]
    )
    with pytest.raises(FormatError, match="image b declares 1280 bytes and holds 1270"):
        open_movie(path, series="b", channel=1)


def test_a_file_without_images(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds no images; check the path"):
        open_movie(write_lif(tmp_path / "m.lif", []))
