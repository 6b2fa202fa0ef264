"""Scribbles on a preview: pixels that are painted on it, and how they look there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.frames import PlacedMask
from napari_sam_decoder.project import axes_of
from napari_sam_decoder.prompts import PaintedMask, Scribble
from napari_sam_decoder.widgets.layers.paint_strokes import (
    after_strokes,
    before_strokes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.layers import Labels

    from napari_sam_decoder.frames import Window
    from napari_sam_decoder.widgets.layers.movie_view import MovieView

__all__ = [
    "NEGATIVE_VALUE",
    "POSITIVE_VALUE",
    "mark_scribbles",
    "next_scribble",
    "read_stroke",
    "take_brush",
]

POSITIVE_VALUE, NEGATIVE_VALUE = 2**8 - 2, 2**8 - 1
"""Pixels of scribbles on a preview; no object has these values there."""
BRUSH_PIXELS = 8
"""Width of the brush on the screen, unless the object is small."""
BRUSH_SHARE = 0.25
"""How much of the side of an object the brush covers at most."""
_SIZE_TAKEN = "size of the brush"
_BRUSHES = ("paint", "fill", "polygon")


def read_stroke(
    view: MovieView,
    layer: Labels,
    stroke: tuple[Sequence[Any], Sequence[Any]],
    cover: Window,
) -> tuple[Scribble, ...]:
    """Read what was painted on a preview as scribbles.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Labels
        A part of one frame of it.
    stroke : (sequence, sequence)
        Atoms, and those of them that are not written yet, as `StrokeListener` tells of
        them.
    cover : Window
        The part of the frame.

    Returns
    -------
    tuple of Scribble
        A positive one of what was painted, a negative one of what was erased; as far as
        any pixel has changed.
    """
    axes, (atoms, unwritten) = axes_of(view), stroke
    place = (0,) * len(axes.sliced)
    plane = np.asarray(layer.data[axes.index(place)])
    before = before_strokes(plane, atoms, place, axes)
    after = after_strokes(plane, unwritten, place, axes)
    is_erased = np.isin(after, [0, NEGATIVE_VALUE])
    parts = [((before != after) & part) for part in (~is_erased, is_erased)]
    return tuple(
        Scribble(
            PaintedMask.placed(PlacedMask(part, cover), view.frame_shape), is_positive
        )
        for part, is_positive in zip(parts, (True, False), strict=True)
        if part.any()
    )


def mark_scribbles(
    labels: np.ndarray, scribbles: Iterable[Scribble], part: Window
) -> None:
    """Draw scribbles over a preview; later ones lie on earlier ones.

    Parameters
    ----------
    labels : (rows, columns) array of uint8 or uint16
        Written to.
    scribbles : iterable of Scribble
        On the frame.
    part : Window
        The part of the frame that the labels are.
    """
    for one in scribbles:
        value = POSITIVE_VALUE if one.is_positive else NEGATIVE_VALUE
        labels[one.pixels.seen_in(part)] = value


def take_brush(
    layer: Labels, pixel: float, side: float = np.inf, *, is_positive: bool
) -> None:
    """Let the mouse scribble on a preview.

    Parameters
    ----------
    layer : napari.layers.Labels
        The preview. A size of the brush that a person has chosen stays.
    pixel : float
        Side of a pixel of the screen, in data pixels.
    side : float
        The shorter side of the object in data pixels, as far as it is known.
    is_positive : bool
        True to paint on the object, False to erase.
    """
    layer.selected_label = POSITIVE_VALUE if is_positive else NEGATIVE_VALUE
    # Where a layer is hidden, napari refuses every tool.
    layer.visible = True
    layer.mode = "paint"
    if layer.metadata.get(_SIZE_TAKEN, layer.brush_size) == layer.brush_size:
        size = max(1, round(min(BRUSH_PIXELS * pixel, BRUSH_SHARE * side)))
        layer.brush_size = size
        layer.metadata[_SIZE_TAKEN] = size


def next_scribble(layer: Labels) -> bool | None:
    """Whether the mouse paints on the object, or erases; None where it does neither."""
    mode = str(layer.mode)
    if mode == "erase":
        return False
    if mode not in _BRUSHES:
        return None
    return int(layer.selected_label) not in (0, NEGATIVE_VALUE)
