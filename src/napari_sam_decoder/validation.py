"""Strict conversion of what callers pass: numbers, flags, paths and arrays.

Numpy and Python accept as a number much that was not meant as one: ``True`` as 1, "0"
as 0, 0.5 as a label that is true. Such values are rejected here with a reason.
"""

from __future__ import annotations

import math
import operator
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from napari_sam_decoder.errors import SamDecoderError

__all__ = [
    "MAX_HYPOTHESIS",
    "MAX_OBJECT_ID",
    "as_bool",
    "as_bools",
    "as_expanded_path",
    "as_finite_array",
    "as_finite_number",
    "as_instance",
    "as_integer",
    "as_integers",
    "as_path",
    "as_plain_array",
    "as_text",
    "as_tuple",
    "parse_number",
]

T = TypeVar("T")

MAX_OBJECT_ID = 2**32 - 1
"""The largest object id that labels of 32 bits hold."""

MAX_HYPOTHESIS = 3
"""SAM's decoder proposes three masks for one click."""

_TOO_LARGE = 2**63

# Python also reads "1_0", "infinity" and digits of other scripts as numbers.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def as_integer(value: Any, what: str, error: type[SamDecoderError]) -> int:
    """Accept an int of Python or numpy; reject floats and bools.

    Parameters
    ----------
    value : object
        As the caller passes it.
    what : str
        What the value is, as the subject of a sentence: "a frame".
    error : type
        Class of the error that is raised for any other value.
    """
    try:
        number = operator.index(value)
        is_flag = np.asarray(value).dtype.kind == "b"
    except (TypeError, ValueError):
        is_flag = True
    if is_flag:
        raise error(f"{what} must be a whole number, not {value!r}")
    if abs(number) >= _TOO_LARGE:
        raise error(f"{what} of more than {number.bit_length() - 1} bits is too large")
    return number


def as_integers(
    values: Any, what: str, error: type[SamDecoderError]
) -> tuple[int, ...]:
    """Accept several ints; parameters as in `as_integer`."""
    return tuple(as_integer(one, what, error) for one in as_tuple(values, what, error))


def as_tuple(values: Any, what: str, error: type[SamDecoderError]) -> tuple[Any, ...]:
    """Accept several values, but no text; parameters as in `as_integer`."""
    is_one = isinstance(values, str | bytes | os.PathLike)
    if is_one or not isinstance(values, Iterable):
        raise error(f"{what} must be several, as in [a, b], not {values!r}")
    return tuple(values)


def as_instance(
    value: Any, kind: type[T], what: str, error: type[SamDecoderError]
) -> T:
    """Accept an instance of a class; other parameters as in `as_integer`."""
    if not isinstance(value, kind):
        raise error(f"{what} must be a {kind.__name__}, not {value!r}")
    return value


def as_finite_number(value: Any, what: str, error: type[SamDecoderError]) -> float:
    """Accept a finite number; parameters as in `as_integer`."""
    found = as_finite_array(value, what, error)
    if found.ndim:
        raise error(f"{what} must be one number, not {value!r}")
    return float(found)


def as_bool(value: Any, what: str, error: type[SamDecoderError]) -> bool:
    """Accept True or False; parameters as in `as_integer`."""
    if not isinstance(value, bool | np.bool_):
        raise error(f"{what} must be True or False, not {value!r}")
    return bool(value)


def as_text(value: Any, what: str, error: type[SamDecoderError]) -> str:
    """Accept a string; parameters as in `as_integer`."""
    if not isinstance(value, str):
        raise error(f"{what} must be text, not {value!r}")
    return str(value)


def as_path(value: Any, what: str, error: type[SamDecoderError]) -> str | Path:
    """Accept a name or a path; parameters as in `as_integer`.

    An empty one is rejected: it would be the current folder.
    """
    is_path = isinstance(value, str | os.PathLike)
    if not is_path or not isinstance(os.fspath(value), str) or value == "":
        raise error(f"{what} must be a name or a path, not {value!r}")
    return value if isinstance(value, str) else Path(value)


def as_expanded_path(value: Any, what: str, error: type[SamDecoderError]) -> Path:
    """Accept a path and expand ``~``; parameters as in `as_integer`."""
    found = Path(as_path(value, what, error))
    try:
        return found.expanduser()
    except RuntimeError as reason:
        raise error(
            f"{what} must be a path, but {str(found)!r} names the home of an unknown "
            f"user; write ./{found} if that is its name"
        ) from reason


def as_finite_array(values: Any, what: str, error: type[SamDecoderError]) -> np.ndarray:
    """Accept an array of finite numbers; parameters as in `as_integer`.

    Returns
    -------
    array of float
        Of any shape.
    """
    found = as_plain_array(values, what, error)
    if found.size and found.dtype.kind not in "iuf":
        raise error(f"{what} must be finite numbers, not {_shown(values)}")
    floats: np.ndarray = found.astype(float)
    if not np.isfinite(floats).all():
        raise error(f"{what} must be finite numbers, not {_shown(values)}")
    return floats


def as_bools(values: Any, what: str, error: type[SamDecoderError]) -> tuple[bool, ...]:
    """Accept a list of True and False, or of 1 and 0; parameters as in `as_integer`."""
    found = as_plain_array(values, what, error)
    is_row = found.ndim == 1 and (found.size == 0 or found.dtype.kind in "biuf")
    if not is_row or not ((found == 0) | (found == 1)).all():
        raise error(
            f"{what} must be a list of True or False, or of 1 or 0, not "
            f"{_shown(values)}"
        )
    return tuple((found == 1).tolist())


def parse_number(text: str) -> float:
    """Parse a number from a table or an option; NaN if it is invalid or too large."""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else math.nan


def as_plain_array(values: Any, what: str, error: type[SamDecoderError]) -> np.ndarray:
    """Accept anything that numpy turns into an array; parameters as in `as_integer`."""
    if np.ma.is_masked(values):
        raise error(f"{what} must not be masked; leave the masked entries out")
    try:
        return np.asarray(values)
    # Rows of different lengths; tensors on another device or with a gradient.
    except (TypeError, ValueError, RuntimeError) as reason:
        raise error(
            f"{what} must form one array, with equally many entries per row ({reason})"
        ) from reason


def _shown(values: Any) -> str:
    """Show a value briefly: the first entry that is not a number, if there is one."""
    entries = np.ravel(np.asarray(values, dtype=object)).tolist()
    odd = next((entry for entry in entries if not _is_plain(entry)), values)
    text = "a number that is too large" if _is_huge(odd) else repr(odd)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and abs(value) >= _TOO_LARGE


def _is_plain(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and not _is_huge(value) and math.isfinite(value)
