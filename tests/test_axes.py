"""The choice of axes, and arrays seen along these."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from napari_sam_decoder.axes import (
    SelectedArray,
    as_position,
    axis_letters,
    colours_or_channels,
    resolve_entry,
    select_axes,
)
from napari_sam_decoder.errors import MovieError, OptionError


@pytest.mark.parametrize(
    ("letters", "shape", "axes", "kept"),
    [
        ("TYX", (1, 4, 5), "TYX", (0, 1, 2)),
        ("tyx", (3, 4, 5), "TYX", (0, 1, 2)),
        ("TYXS", (3, 4, 5, 3), "TYXC", (0, 1, 2, 3)),
        ("TSYX", (3, 4, 4, 5), "TYXC", (0, 2, 3, 1)),
        ("SYX", (3, 4, 5), "YXC", (1, 2, 0)),
        ("TCZYX", (1, 1, 7, 4, 5), "ZYX", (2, 3, 4)),
        ("CYX", (1, 4, 5), "YX", (1, 2)),
        ("TCYX", (3, 1, 1, 1), "TYX", (0, 2, 3)),
        ("TCSYX", (3, 1, 3, 4, 5), "TYXC", (0, 3, 4, 2)),
    ],
)
def test_axes_of_length_one_are_left_out_where_needed(letters, shape, axes, kept):
    pick = select_axes(letters, shape)
    assert (pick.axes, pick.kept) == (axes, kept)


@pytest.mark.parametrize(
    ("letters", "shape", "message"),
    [
        ("TCYX", (3, 2, 4, 5), "C=2.*2 channels: choose one with --channel"),
        ("CYX", (2, 4, 5), "0, 1$"),
        ("TYXS", (3, 4, 5, 2), "2 channels: choose one"),
        ("SYX", (5, 4, 5), r"the axes CYX \(C=5, Y=4, X=5\) hold 5 channels"),
        ("TZCYX", (3, 4, 1, 6, 6), "not a movie of T or Z"),
        ("XT", (3, 4), "not a movie of T or Z"),
        ("TYX", (3, 4, 5, 6), "do not fit"),
        ("YYX", (3, 4, 5), "do not fit"),
    ],
)
def test_what_is_no_movie(letters, shape, message):
    with pytest.raises(MovieError, match=message):
        select_axes(letters, shape)


@pytest.mark.parametrize("letters", ["TCYX", "CTYX", "TYXC", "TSYX"])
@pytest.mark.parametrize("key", [1, -1, slice(1, 3), (..., 2), (1, slice(2)), [0, 2]])
def test_a_channel_of_any_array(letters, key):
    movie = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    axis = max(letters.find("C"), letters.find("S"))
    pixels = np.stack([movie, movie + 100], axis)
    pick = select_axes(letters, pixels.shape, 1)
    for seen in (pick.of(pixels), SelectedArray(pixels, pick)):
        np.testing.assert_array_equal(seen[key], movie[key] + 100)
        assert (seen.shape, seen.ndim, len(seen)) == ((3, 4, 5), 3, 3)


@pytest.mark.parametrize("key", [1, (1, 2), (slice(None), 2), (0, 1, 2), (..., 1)])
def test_colours_come_last(key):
    movie = np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3)
    planar = np.moveaxis(movie, -1, 1)
    pick = select_axes("TSYX", planar.shape)
    for seen in (pick.of(planar), SelectedArray(planar, pick)):
        np.testing.assert_array_equal(seen[key], movie[key])
        np.testing.assert_array_equal(np.asarray(seen), movie)


def test_a_picked_array_says_what_it_is():
    pick = select_axes("TSYX", (2, 3, 4, 5))
    assert repr(SelectedArray(np.zeros((2, 3, 4, 5)), pick)) == (
        "PickedArray((2, 4, 5, 3), float64)"
    )


def test_a_view_costs_no_memory():
    pixels = np.zeros((3, 2, 4, 5))
    assert np.shares_memory(select_axes("TCYX", pixels.shape, 1).of(pixels), pixels)


def test_what_has_no_channels_has_channel_0_only():
    assert select_axes("TYX", (3, 4, 5), 0).axes == "TYX"
    with pytest.raises(MovieError, match="no channel 1"):
        select_axes("TYX", (3, 4, 5), 1)


@pytest.mark.parametrize(
    ("wanted", "place"), [(0, 0), ("GFP", 1), ("dapi", 0), ("488", 2), (488, 2)]
)
def test_entries_by_number_and_name(wanted, place):
    names = ["DAPI", "GFP", "488"]
    assert resolve_entry(wanted, 3, names, "channel", "--channel") == place


def test_names_in_another_case_must_be_clear():
    assert resolve_entry("a", 2, ["A", "a"], "channel", "--channel") == 1
    with pytest.raises(MovieError, match="more than one"):
        resolve_entry("a", 2, ["A", "A"], "channel", "--channel")


@pytest.mark.parametrize(
    ("names", "letters"),
    [
        (("time", "y", "x"), "TYX"),
        (("T", "Channel", "row", "col"), "TCYX"),
        (("a", "y", "x"), None),
        (("y", "row", "x"), None),
        ((None,), None),
    ],
)
def test_letters_by_names(names, letters):
    assert axis_letters(names) == letters


@pytest.mark.parametrize(
    ("letters", "shape", "expected"),
    [
        ("TYXC", (2, 3, 4, 3), "TYXS"),
        ("TYXC", (2, 3, 4, 2), "TYXC"),
        ("TCYX", (2, 3, 4, 5), "TCYX"),
        ("CYXS", (2, 3, 4, 3), "CYXS"),
    ],
)
def test_colours_or_channels(letters, shape, expected):
    assert colours_or_channels(letters, shape) == expected


LENGTHS = dict(zip("TCZYX", (3, 2, 4, 5, 6), strict=True))
FIVE = np.arange(3 * 2 * 4 * 5 * 6).reshape(3, 2, 4, 5, 6)


@pytest.mark.parametrize("letters", ["".join(one) for one in permutations("TCZYX")])
def test_a_movie_of_five_axes_in_any_order(letters):
    pixels = FIVE.transpose(["TCZYX".index(letter) for letter in letters])
    through_time = select_axes(letters, pixels.shape, 1, at={"z": 2})
    through_depth = select_axes(letters, pixels.shape, 1, at={"time": 0})
    assert (through_time.axes, through_depth.axes) == ("TYX", "ZYX")
    for see in (through_time.of, lambda data: SelectedArray(data, through_time)):
        seen = see(pixels)
        np.testing.assert_array_equal(seen[...], FIVE[:, 1, 2])
        np.testing.assert_array_equal(seen[1], FIVE[1, 1, 2])
        np.testing.assert_array_equal(seen[2, 1:3, 4], FIVE[2, 1, 2, 1:3, 4])
    np.testing.assert_array_equal(through_depth.of(pixels), FIVE[0, 1])


@pytest.mark.parametrize(
    ("at", "error", "message"),
    [
        ({}, MovieError, "position along one of T, Z with --at .*such as z=0"),
        ({"z": 4}, MovieError, "no position 4 along Z .* from 0 to 3 with --at"),
        ({"z": -1}, MovieError, "no position -1 along Z .* from 0 to 3"),
        ({"w": 0}, MovieError, "no axis W in TZYX .* leave it out of --at"),
        ({"y": 0}, OptionError, "neither row nor column"),
        ({"c": 0}, OptionError, "choose it with --channel"),
        ({"z": 1.5}, OptionError, "position along Z must be a whole number"),
        ({"z": 1, "depth": 2}, OptionError, "one number for each axis"),
        ({"plane 5": 1}, OptionError, "one number for each axis"),
        ("z=5", OptionError, "a number for each axis, as in {'z': 5}"),
    ],
)
def test_positions_that_there_are_not(at, error, message):
    with pytest.raises(error, match=message):
        select_axes("TZYX", (3, 4, 5, 6), at=at)


def test_a_position_is_known_by_letters():
    assert as_position({"depth": 5, "Time": np.int64(1)}) == {"T": 1, "Z": 5}
    assert as_position(None) == {}
