"""Whether what is stored of how labels were made has the values that it should have."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["require_provenance_values"]


def require_provenance_values(provenance: Mapping[str, Any], path: Path) -> None:
    """Reject a provenance with values that nobody could use.

    Parameters
    ----------
    provenance : mapping
        As it is stored; entries that are not known may be anything.
    path : Path
        Named in messages.

    Raises
    ------
    FormatError
        If a value is damaged.
    """
    for name, fits in _FITS.items():
        if name in provenance and not fits(provenance[name]):
            raise FormatError(
                f"{name!r} in the provenance of {path} is damaged; write the labels "
                "again, or remove their provenance"
            )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_position(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("prompts"), list)


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _or_nothing(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _are_objects(value: Any) -> bool:
    """Whether it is a name and a parent for each object id."""
    return isinstance(value, dict) and all(
        key.isdecimal()
        and isinstance(one, dict)
        and _or_nothing(_is_text)(one.get("name"))
        and _or_nothing(_is_whole)(one.get("parent"))
        for key, one in value.items()
    )


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "axes": _is_text,
    "unit": _is_text,
    "scale": _or_nothing(_list_of(_is_finite)),
    "background": _list_of(_is_whole),
    "objects": _are_objects,
    "positions": _list_of(_is_position),
}
