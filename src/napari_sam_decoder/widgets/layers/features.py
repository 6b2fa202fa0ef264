"""What the features of a napari Points layer say about its points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.arguments import HIGHEST_HYPOTHESIS, HIGHEST_ID
from napari_sam_decoder.formats import is_blank, parse_label

if TYPE_CHECKING:
    from napari.layers import Points

__all__ = ["HYPOTHESIS", "LABEL", "OBJECT_ID", "PointFeatures", "as_object_id"]

LABEL = "label"
OBJECT_ID = "object_id"
HYPOTHESIS = "hypothesis"


@dataclass(frozen=True)
class PointFeatures:
    """The features of N points; None stands for a value that cannot be understood.

    Attributes
    ----------
    labels : list of bool or None
        True on the object, which a point without a label is; False beside it.
    object_ids : list of int or None
        1 or more.
    hypotheses : list of int or None
        1 to 3, or 0 where none was picked.
    """

    labels: list[bool | None]
    object_ids: list[int | None]
    hypotheses: list[int | None]

    @classmethod
    def of(cls, layer: Points, own_id: int) -> PointFeatures:
        """Read the features of a layer.

        Parameters
        ----------
        layer : napari.layers.Points
            Each of the features may be missing.
        own_id : int
            The object of points that name none.
        """
        return cls(
            [parse_label(value) for value in _column(layer, LABEL)],
            [_object_id(value, own_id) for value in _column(layer, OBJECT_ID)],
            [_hypothesis(value) for value in _column(layer, HYPOTHESIS)],
        )


def as_object_id(value: object) -> int | None:
    """Read what a point says of its object; None if it names none that can be."""
    return None if is_blank(value) else _object_id(value, 0)


def _column(layer: Points, name: str) -> list[Any]:
    if name not in layer.features:
        return [None] * len(layer.data)
    values: list[Any] = layer.features[name].tolist()
    return values


def _object_id(value: object, own_id: int) -> int | None:
    if is_blank(value):
        return own_id
    whole = _whole(value)
    return whole if whole is not None and 1 <= whole <= HIGHEST_ID else None


def _hypothesis(value: object) -> int | None:
    if is_blank(value):
        return 0
    whole = _whole(value)
    return whole if whole in range(HIGHEST_HYPOTHESIS + 1) else None


def _whole(value: Any) -> int | None:
    """Read 3, 3.0 or "3"; tables with blanks hold whole numbers as floats."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    is_whole = math.isfinite(number) and number.is_integer()
    return int(number) if is_whole else None
