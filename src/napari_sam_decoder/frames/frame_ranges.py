"""Resolving the frames that a caller selects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.validation import as_integer

__all__ = ["FrameSelection", "select_frame_range", "select_frames"]

FrameSelection: TypeAlias = Iterable[int] | slice | None
"""A range, a list, an array of integers or a slice; None for all frames."""


def select_frames(frames: FrameSelection, length: int) -> Sequence[int]:
    """List the selected frames in the given order.

    Parameters
    ----------
    frames : iterable of int, slice or None
        Counted from 0; None for all. In a slice negative numbers count from the end.
    length : int
        Number of frames of the movie.

    Returns
    -------
    sequence of int
        At least one, all of them in the movie.

    Raises
    ------
    OptionError
        If none are selected, or they are not in the movie.
    """
    if frames is None:
        return range(length)
    selected = (
        _resolve_slice(frames, length)
        if isinstance(frames, slice)
        else _resolve_list(frames)
    )
    if not selected or min(selected) < 0 or max(selected) >= length:
        raise OptionError(
            f"{_format(selected)} are not in the movie, which has {length} frames "
            f"(0:{length})"
        )
    return selected


def select_frame_range(frames: FrameSelection, length: int) -> range:
    """Resolve frames that follow one another, as propagation needs them.

    Parameters
    ----------
    frames, length
        As for `select_frames`.

    Returns
    -------
    range
        Of step 1, not empty.

    Raises
    ------
    OptionError
        As for `select_frames`, and if they do not follow one another.
    """
    selected = select_frames(frames, length)
    if any(later != earlier + 1 for earlier, later in pairwise(selected)):
        raise OptionError(
            f"{_format(selected)} do not follow one another, but objects are carried "
            f"from frame to frame; select {min(selected)}:{max(selected) + 1} and keep "
            "the results that you need; to go backwards only, set the direction"
        )
    return range(selected[0], selected[-1] + 1)


def _resolve_list(frames: Any) -> Sequence[int]:
    if isinstance(frames, range):
        return frames
    is_text = isinstance(frames, str | bytes)
    # A 0-d array has the methods of a list without being one.
    is_one = getattr(frames, "ndim", 1) == 0
    if is_text or is_one or not isinstance(frames, Iterable):
        raise OptionError(
            f"frames are a range, a list or a slice, such as range(10, 20), not "
            f"{frames!r}"
        )
    return tuple(as_integer(frame, "a frame", OptionError) for frame in frames)


def _resolve_slice(frames: slice, length: int) -> Sequence[int]:
    """Resolve a slice; unlike in Python, it must not reach beyond the movie."""
    for part in (frames.start, frames.stop):
        if part is not None and not -length <= _slice_part(part) <= length:
            raise OptionError(
                f"frames {part} in a slice are not in the movie, which has "
                f"{length} frames (0:{length})"
            )
    if frames.step is not None and _slice_part(frames.step) == 0:
        raise OptionError("a slice of frames needs a step other than 0")
    return range(length)[frames]


def _slice_part(part: Any) -> int:
    return as_integer(part, "each part of a slice of frames", OptionError)


def _format(frames: Sequence[int]) -> str:
    if isinstance(frames, range):
        step = "" if frames.step == 1 else f":{frames.step}"
        return f"frames {frames.start}:{frames.stop}{step}"
    listed = ", ".join(map(str, frames[:5]))
    return f"frames {listed or '(none)'}" + (", ..." if len(frames) > 5 else "")
