from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.frames import select_frame_range, select_frames

LENGTH = 10


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (None, range(10)),
        (range(2, 5), [2, 3, 4]),
        (range(np.int64(2), np.int64(5)), [2, 3, 4]),
        ([2, 3, 4], [2, 3, 4]),
        (np.array([2, 3, 4], np.uint8), [2, 3, 4]),
        (iter([2, 3]), [2, 3]),
        ([7], [7]),
        (slice(2, 5), [2, 3, 4]),
        (slice(None), range(10)),
        (slice(-3, None), [7, 8, 9]),
        (slice(np.int8(8), 10), [8, 9]),
    ],
)
def test_frames_that_follow_one_another(frames, expected):
    if not isinstance(frames, range | slice | list | type(None) | np.ndarray):
        frames = list(frames)
    assert list(select_frames(frames, LENGTH)) == list(expected)
    stretch = select_frame_range(frames, LENGTH)
    assert list(stretch) == list(expected)
    assert (type(stretch), stretch.step) == (range, 1)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (range(0, 10, 2), [0, 2, 4, 6, 8]),
        (range(9, -1, -1), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ([5, 1, 5], [5, 1, 5]),
        (slice(None, None, 3), [0, 3, 6, 9]),
        (slice(None, None, -5), [9, 4]),
        ({4, 1}, [1, 4]),
    ],
)
def test_gaps_are_taken_as_they_are_or_refused(frames, expected):
    listed = select_frames(frames, LENGTH)
    assert sorted(listed) == sorted(expected)
    with pytest.raises(OptionError, match=r"do not follow one another.* select"):
        select_frame_range(frames, LENGTH)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (range(2, 12), r"frames 2:12 are not in the movie, which has 10 frames"),
        (range(-1, 3), "frames -1:3 are not in the movie"),
        (range(0, 12, 11), "frames 0:12:11 are not in the movie"),
        (range(5, 5), "frames 5:5 are not in the movie"),
        (range(5, 2), "frames 5:2 are not in the movie"),
        ([], r"frames \(none\) are not in the movie"),
        ([3, 10], "frames 3, 10 are not in the movie"),
        ([3, -1], "frames 3, -1 are not in the movie"),
        (slice(0, 11), "frames 11 in a slice are not in the movie"),
        (slice(-11, None), "frames -11 in a slice are not in the movie"),
        (slice(4, 2), "are not in the movie"),
        (slice(0, 5, 0), "a step other than 0"),
        (slice(0.5, 5), "each part of a slice of frames must be a whole number"),
        (slice(0, True), "each part of a slice of frames must be a whole number"),
        (5, r"a range, a list or a slice, such as range\(10, 20\), not 5"),
        (True, "a range, a list or a slice"),
        ("0:5", "a range, a list or a slice"),
        (b"05", "a range, a list or a slice"),
        ([0.5], "a frame must be a whole number, not 0.5"),
        ([1.0], "a frame must be a whole number"),
        ([True, False], "a frame must be a whole number, not True"),
        (np.ones(10, bool), "a frame must be a whole number"),
        (np.ones((2, 2), int), "a frame must be a whole number"),
        (np.array(3), "a range, a list or a slice"),
    ],
)
def test_what_are_no_frames_of_the_movie_is_refused(frames, message):
    for ask in (select_frames, select_frame_range):
        with pytest.raises(OptionError, match=message):
            ask(frames, LENGTH)
