"""Lazy frames, and sizes of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_sam_decoder.formats.movie_source import FrameArray, MovieSource, pixel_scale

MOVIE = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


class Reading:
    """Frames of `MOVIE`, with a note of which were asked for."""

    def __init__(self) -> None:
        self.frames: list[int] = []

    def __call__(self, frame: int) -> np.ndarray:
        self.frames.append(frame)
        return MOVIE[frame]


@pytest.mark.parametrize(
    "key",
    [
        2,
        -1,
        np.int64(1),
        slice(1, 3),
        slice(3, 1),
        [0, 3],
        ...,
        (),
        (1, 2),
        (1, slice(1, 3), 4),
        (slice(1, 3), 2),
        (slice(2, 2), 2),
        (..., 1),
        (1, ..., 1),
        np.array([True, False, False, True]),
    ],
)
def test_indexing_is_that_of_numpy(key: Any) -> None:
    frames = FrameArray(MOVIE.shape, MOVIE.dtype, Reading())

    np.testing.assert_array_equal(frames[key], MOVIE[key])
    assert frames[key].dtype == MOVIE.dtype


def test_only_asked_frames_are_read() -> None:
    reading = Reading()

    FrameArray(MOVIE.shape, MOVIE.dtype, reading)[1:3, 0]

    assert reading.frames == [1, 2]


def test_a_frame_of_very_many_is_found_at_once() -> None:
    frames = FrameArray((2**50, 5, 6), MOVIE.dtype, lambda frame: MOVIE[frame % 4])

    np.testing.assert_array_equal(frames[2**49 + 1], MOVIE[1])
    np.testing.assert_array_equal(frames[[2, 2**49]], MOVIE[[2, 0]])
    np.testing.assert_array_equal(frames[:2], MOVIE[:2])


def test_no_such_frame() -> None:
    with pytest.raises(IndexError):
        FrameArray(MOVIE.shape, MOVIE.dtype, Reading())[4]


def test_looks_like_an_array() -> None:
    frames = FrameArray(MOVIE.shape, MOVIE.dtype, Reading())

    assert (len(frames), frames.ndim, frames.dtype) == (4, 3, np.int16)
    assert repr(frames) == "FrameArray((4, 5, 6), int16)"
    np.testing.assert_array_equal(np.asarray(frames, dtype=float), MOVIE)


def test_scale_leaves_out_colours_and_bad_sizes() -> None:
    sizes = {"T": "0", "Y": "0.5", "X": 0.25, "C": 9}

    assert pixel_scale(sizes, "TYXC") == (1.0, 0.5, 0.25)


@pytest.mark.parametrize("size", [None, "wide", -1, float("nan"), float("inf")])
def test_no_usable_size_is_no_scale(size: Any) -> None:
    assert pixel_scale({"Y": size}, "YX") is None


def test_a_source_shows_no_pixels() -> None:
    lazy = FrameArray(MOVIE.shape, MOVIE.dtype, Reading())
    assert repr(MovieSource(lazy, "TYX", None, "cells")) == (
        "MovieSource('cells', TYX (4, 5, 6), int16)"
    )
    assert "unknown axes" in repr(MovieSource(lazy, None, None, "cells"))
