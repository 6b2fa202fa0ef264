"""ND2 files, made here: no real one can be handed out with the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from made_nd2 import time_loop, write_nd2, xy_loop, z_loop
from napari_sam_decoder import Session
from napari_sam_decoder.errors import FormatError, IncompleteFileWarning
from napari_sam_decoder.formats import open_movie

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("nd2")

FRAMES = np.arange(6 * 8 * 10 * 2, dtype=np.uint16).reshape(6, 8, 10, 2)
"""T times Z, or T times P; Y, X, C."""
NAMES = ("DAPI", "GFP")


def test_a_movie_of_one_channel(tmp_path: Path) -> None:
    loops = [time_loop(6, seconds=2.5)]
    path = write_nd2(tmp_path / "m.nd2", FRAMES, loops, NAMES, calibration=0.25)

    source = open_movie(path, channel="GFP")

    assert (source.axes, source.name, source.unit) == ("TYX", "m", "micrometer")
    assert source.scale == (2.5, 0.25, 0.25)
    assert source.data.dtype == np.uint16
    np.testing.assert_array_equal(source.data[4], FRAMES[4, ..., 1])
    np.testing.assert_array_equal(source.data[1, 2:4, ::3], FRAMES[1, 2:4, ::3, 1])
    np.testing.assert_array_equal(
        Session(path, channel=0).movie.raw(5), FRAMES[5, ..., 0]
    )


def test_it_can_be_replaced_while_it_is_a_movie(tmp_path: Path) -> None:
    path = write_nd2(tmp_path / "m.nd2", FRAMES, [time_loop(6, 1)], NAMES)
    source = open_movie(path, channel=0)
    path.unlink()
    write_nd2(path, FRAMES + 1, [time_loop(6, 1)], NAMES)

    np.testing.assert_array_equal(source.data[2], FRAMES[2, ..., 0] + 1)


def test_without_calibration_there_is_no_scale(tmp_path: Path) -> None:
    path = write_nd2(tmp_path / "m.nd2", FRAMES[..., :1], [z_loop(6, 0.0)])

    source = open_movie(path)

    assert (source.axes, source.scale) == ("ZYX", None)


def test_a_picture_in_colour(tmp_path: Path) -> None:
    colours = np.arange(8 * 10 * 3, dtype=np.uint8).reshape(1, 8, 10, 3)

    source = open_movie(write_nd2(tmp_path / "m.nd2", colours, [], ("Brightfield",)))

    assert source.axes == "YXC"
    np.testing.assert_array_equal(source.data[...], colours[0])


@pytest.mark.parametrize("is_first", [True, False])
def test_positions_are_chosen_by_name_or_number(tmp_path: Path, is_first: bool) -> None:
    loops = [xy_loop(["well A", "well B"]), time_loop(3, seconds=1.0)]
    loops = loops if is_first else loops[::-1]
    path = write_nd2(tmp_path / "m.nd2", FRAMES, loops, NAMES)

    with pytest.raises(FormatError, match=r"m.nd2 holds 2 .*0 \(well A\), 1 \(well B"):
        open_movie(path, channel=0)
    source = open_movie(path, channel=0, series="well B")

    own = FRAMES[3:] if is_first else FRAMES[1::2]
    np.testing.assert_array_equal(source.data[:], own[..., 0])
    again = open_movie(path, channel=0, series=1)
    np.testing.assert_array_equal(again.data[2], own[2, ..., 0])


def test_recording_that_was_ended_early(tmp_path: Path) -> None:
    loops = [time_loop(5, seconds=1.0), z_loop(2, 1.0)]
    path = write_nd2(tmp_path / "m.nd2", FRAMES[:5], loops, NAMES)

    with pytest.warns(IncompleteFileWarning, match="declares T=5 but holds 2; if"):
        source = open_movie(path, channel=1, at={"z": 1})

    np.testing.assert_array_equal(source.data[:], FRAMES[1:4:2, ..., 1])


def test_positions_that_were_not_reached(tmp_path: Path) -> None:
    loops = [xy_loop(["A", "B"]), time_loop(3, seconds=1.0)]
    path = write_nd2(tmp_path / "m.nd2", FRAMES[:3], loops, NAMES)

    assert open_movie(path, channel=0, series="A").data.shape == (3, 8, 10)
    with pytest.raises(FormatError, match="declares 6 frames and holds 3; copy or exp"):
        open_movie(path, channel=0, series="B")


def test_a_file_cut_off_anywhere(tmp_path: Path) -> None:
    path = write_nd2(tmp_path / "m.nd2", FRAMES, [time_loop(6, 1.0)], NAMES)
    content = path.read_bytes()
    for size in range(0, len(content), 997):
        path.write_bytes(content[:size])

        with pytest.raises(FormatError, match=r"cannot read .*m.nd2, it is corrupt"):
            open_movie(path, channel=0)


def test_more_pixels_than_the_file_could_hold(tmp_path: Path) -> None:
    path = write_nd2(tmp_path / "m.nd2", FRAMES, [time_loop(6, 1.0)], NAMES)
    height = "uiHeight\0".encode("utf-16-le")
    content = bytearray(path.read_bytes())
    content[content.index(height) + len(height) + 2] = 255
    path.write_bytes(content)

    with pytest.raises(
        FormatError, match="declares 6 frames, for which it is too smal"
    ):
        open_movie(path, channel=0)
