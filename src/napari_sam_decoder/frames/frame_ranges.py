"""Which frames of a movie a caller asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.validation import as_integer

__all__ = ["FrameSelection", "select_frame_range", "select_frames"]

FrameSelection: TypeAlias = Iterable[int] | slice | None
"""A range, a list, an array of whole numbers or a slice; None for all frames."""


def select_frames(frames: FrameSelection, length: int) -> Sequence[int]:
    """List the frames that are asked for, in the order given.

    Parameters
    ----------
    frames : iterable of int, slice or None
        Counted from 0; None for all. In a slice, as everywhere in Python, negative
        numbers count from the end.
    length : int
        How many frames the movie has.

    Returns
    -------
    sequence of int
        At least one, each in the movie.

    Raises
    ------
    OptionError
        If there are none, or they are no frames of the movie.
    """
    if frames is None:
        return range(length)
    asked = _cut(frames, length) if isinstance(frames, slice) else _listed(frames)
    if not asked or min(asked) < 0 or max(asked) >= length:
        raise OptionError(
            f"{_spelled(asked)} do not lie in the movie, which has {length} frames "
            f"(0:{length})"
        )
    return asked


def select_frame_range(frames: FrameSelection, length: int) -> range:
    """Take frames that follow one another, as objects are carried through them.

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
    asked = select_frames(frames, length)
    if any(later != earlier + 1 for earlier, later in pairwise(asked)):
        raise OptionError(
            f"{_spelled(asked)} do not follow one another, but objects are carried "
            f"from frame to frame: ask for {min(asked)}:{max(asked) + 1}, and take of "
            "the results what you need; to go backwards only, say so by the direction"
        )
    return range(asked[0], asked[-1] + 1)


def _listed(frames: Any) -> Sequence[int]:
    if isinstance(frames, range):
        return frames
    is_text = isinstance(frames, str | bytes)
    # An array without axes has the methods of a list, and yet is none.
    is_one = getattr(frames, "ndim", 1) == 0
    if is_text or is_one or not isinstance(frames, Iterable):
        raise OptionError(
            f"frames are a range, a list or a slice, such as range(10, 20), not "
            f"{frames!r}"
        )
    return tuple(as_integer(frame, "a frame", OptionError) for frame in frames)


def _cut(frames: slice, length: int) -> Sequence[int]:
    """Count a slice out; where it reaches beyond the movie, no end is assumed."""
    for part in (frames.start, frames.stop):
        if part is not None and not -length <= _whole_part(part) <= length:
            raise OptionError(
                f"frames {part} in a slice do not lie in the movie, which has "
                f"{length} frames (0:{length})"
            )
    if frames.step is not None and _whole_part(frames.step) == 0:
        raise OptionError("a slice of frames needs a step other than 0")
    return range(length)[frames]


def _whole_part(part: Any) -> int:
    return as_integer(part, "each part of a slice of frames", OptionError)


def _spelled(frames: Sequence[int]) -> str:
    if isinstance(frames, range):
        step = "" if frames.step == 1 else f":{frames.step}"
        return f"frames {frames.start}:{frames.stop}{step}"
    listed = ", ".join(map(str, frames[:5]))
    return f"frames {listed or '(none)'}" + (", ..." if len(frames) > 5 else "")
