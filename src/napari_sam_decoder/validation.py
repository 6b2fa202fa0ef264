"""What callers give: taken for what it has to be, or refused with a reason.

Numpy and Python take much for a number that nobody meant as one: ``True`` for 1, "0"
for 0, 0.5 for a label that is true. What is let through here means what it says.
"""

from __future__ import annotations

import math
import operator
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    "as_integer",
    "as_path",
    "as_plain_array",
    "parse_number",
]

MAX_OBJECT_ID = 2**32 - 1
"""The largest object id that labels of 32 bits hold."""

MAX_HYPOTHESIS = 3
"""SAM's decoder offers three masks for one click."""

_TOO_LARGE = 2**63

# Python reads "1_0", "infinity" and digits of other scripts as numbers, too.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def as_integer(value: Any, what: str, error: type[SamDecoderError]) -> int:
    """Take a whole number: an int of Python or numpy, not a float, not a bool.

    Parameters
    ----------
    value : object
        As the caller gives it.
    what : str
        What it is, as the subject of a sentence: "a frame".
    error : type
        Raised if it is anything else.
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


def as_finite_number(value: Any, what: str, error: type[SamDecoderError]) -> float:
    """Take a finite number; see `as_integer` for the parameters."""
    found = as_finite_array(value, what, error)
    if found.ndim:
        raise error(f"{what} must be one number, not {value!r}")
    return float(found)


def as_bool(value: Any, what: str, error: type[SamDecoderError]) -> bool:
    """Take True or False; see `as_integer` for the parameters."""
    if not isinstance(value, bool | np.bool_):
        raise error(f"{what} must be True or False, not {value!r}")
    return bool(value)


def as_path(value: Any, what: str, error: type[SamDecoderError]) -> str | Path:
    """Take a name or a path; see `as_integer` for the parameters.

    An empty one is refused: it would be the current folder.
    """
    is_path = isinstance(value, str | os.PathLike)
    if not is_path or not isinstance(os.fspath(value), str) or value == "":
        raise error(f"{what} must be a name or a path, not {value!r}")
    return value if isinstance(value, str) else Path(value)


def as_expanded_path(value: Any, what: str, error: type[SamDecoderError]) -> Path:
    """Take a path and expand ``~``; see `as_integer` for the parameters."""
    found = Path(as_path(value, what, error))
    try:
        return found.expanduser()
    except RuntimeError as reason:
        raise error(
            f"{what} must be a path, but {str(found)!r} begins with no user's home; "
            f"write ./{found} if that is its name"
        ) from reason


def as_finite_array(values: Any, what: str, error: type[SamDecoderError]) -> np.ndarray:
    """Take an array of finite numbers; see `as_integer` for the parameters.

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
    """Take a list of True and False, or of 1 and 0; parameters as in `as_integer`."""
    found = as_plain_array(values, what, error)
    is_row = found.ndim == 1 and (found.size == 0 or found.dtype.kind in "biuf")
    if not is_row or not np.isin(found, (0, 1)).all():
        raise error(
            f"{what} must be a list of True or False, or of 1 or 0, not "
            f"{_shown(values)}"
        )
    return tuple((found == 1).tolist())


def parse_number(text: str) -> float:
    """Read a number as tables and options spell it; NaN if it is none, or too large."""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else math.nan


def as_plain_array(values: Any, what: str, error: type[SamDecoderError]) -> np.ndarray:
    """Take anything that numpy understands as an array; see `as_integer`."""
    if np.ma.is_masked(values):
        raise error(f"{what} must not be masked; leave out what is not meant")
    try:
        return np.asarray(values)
    # Rows of different lengths; tensors that are elsewhere or still being trained.
    except (TypeError, ValueError, RuntimeError) as reason:
        raise error(
            f"{what} must form one array, with as many entries in each row ({reason})"
        ) from reason


def _shown(values: Any) -> str:
    """Show a value that may be long; the first entry that is no number, if any."""
    entries = np.ravel(np.asarray(values, dtype=object)).tolist()
    odd = next((entry for entry in entries if not _is_plain(entry)), values)
    text = "a number that is too large" if _is_huge(odd) else repr(odd)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and abs(value) >= _TOO_LARGE


def _is_plain(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and not _is_huge(value) and math.isfinite(value)
