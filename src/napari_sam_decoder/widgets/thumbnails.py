"""Small pictures of the hypotheses, side by side at one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.segmentation import find_boundaries
from skimage.transform import resize

from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.selection import MAX_FRAME_SHARE
from napari_sam_decoder.widgets.colours import rim_colours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_sam_decoder.propagation import Preview

    Position = Sequence[float]

__all__ = ["THUMBNAIL_SIDE", "draw_thumbnails", "places_shown"]

THUMBNAIL_SIDE = 96
"""Pixels; shown at this size and, on fine screens, at half of it."""
_MARGIN = 0.45
_SMALLEST_VIEW = 24
_LARGEST_ZOOM_OUT = 3
_TINT = 0.45
_Window = tuple[slice, slice]


def draw_thumbnails(
    frame: np.ndarray,
    masks: Sequence[np.ndarray],
    colour: np.ndarray,
    places: Iterable[Position] = (),
) -> tuple[np.ndarray, ...]:
    """Draw masks over the part of the frame that shows the object.

    Parameters
    ----------
    frame : (Y, X, 3) array of uint8
        What the network saw.
    masks : sequence of (Y, X) arrays of bool
        At least one.
    colour : (3,) or (4,) array of float
        0..1; alpha is ignored.
    places : iterable of (row, column)
        To be seen as well, unless they are far away.

    Returns
    -------
    tuple of (96, 96, 3) arrays of uint8
        One per mask, all of the same part of the frame, so that they can be compared.
        It is as large as the middle one of the masks asks for, whatever the others
        cover.
    """
    window = _common_window(masks, places)
    crop = _shrink(frame[window] / 255.0)
    return tuple(_draw(crop, _shrink(mask[window]), colour) for mask in masks)


def places_shown(preview: Preview) -> Iterator[Position]:
    """Where the pictures of a preview should reach: to clicks, and all of its mask.

    Parameters
    ----------
    preview : Preview
        With its prompt.
    """
    prompt = preview.prompt
    for place, is_positive in zip(prompt.points, prompt.signs or (), strict=True):
        if is_positive:
            yield place
    if prompt.box is not None:
        yield prompt.box[:2]
        yield prompt.box[2:]
    found = extent(preview.chosen.mask)
    if found is not None:
        rows, columns = found
        yield rows.start, columns.start
        yield rows.stop - 1, columns.stop - 1


def _common_window(masks: Sequence[np.ndarray], places: Iterable[Position]) -> _Window:
    """A square around the middle one of the masks, and places near it."""
    seen = [mask for mask in masks if mask.any()]
    shape = masks[0].shape
    if not seen:
        side = max(shape)
        return _span(shape[0] // 2, side, shape[0]), _span(0, side, shape[1])
    by_size = sorted(seen, key=np.count_nonzero)
    up_to_middle = by_size[: (len(by_size) + 1) // 2]
    objects = [mask for mask in up_to_middle if mask.mean() <= MAX_FRAME_SHARE]
    found = extent((objects or by_size)[-1])
    assert found is not None
    middle = found
    for place in places:
        joined = _joined(middle, place, shape)
        if _longest(joined) <= _LARGEST_ZOOM_OUT * _longest(found):
            middle = joined
    side = max(round(_longest(middle) * (1 + 2 * _MARGIN)), _SMALLEST_VIEW)
    rows, columns = (
        _span((span.start + span.stop - 1) // 2, side, length)
        for span, length in zip(middle, shape, strict=True)
    )
    return rows, columns


def _joined(window: _Window, place: Position, shape: tuple[int, ...]) -> _Window:
    """A window that reaches to a place, as far as the picture goes."""
    rows, columns = (
        slice(min(span.start, pixel), max(span.stop, pixel + 1))
        for span, pixel in zip(
            window,
            np.clip(np.rint(place), 0, np.array(shape) - 1).astype(int).tolist(),
            strict=True,
        )
    )
    return rows, columns


def _longest(window: _Window) -> int:
    longest: int = max(side.stop - side.start for side in window)
    return longest


def _span(centre: int, side: int, length: int) -> slice:
    start = max(0, min(centre - side // 2, length - side))
    return slice(start, min(start + side, length))


def _shrink(image: np.ndarray) -> np.ndarray:
    """Fit into the square, with black margins beside a picture that is not square."""
    scale = THUMBNAIL_SIDE / max(image.shape[:2])
    shape = tuple(max(1, round(length * scale)) for length in image.shape[:2])
    order = 0 if image.dtype == bool else 1
    fitted = resize(image, (*shape, *image.shape[2:]), order=order, anti_aliasing=False)
    canvas = np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE, *image.shape[2:]), fitted.dtype)
    top, left = ((THUMBNAIL_SIDE - length) // 2 for length in shape)
    canvas[top : top + shape[0], left : left + shape[1]] = fitted
    return canvas


def _draw(crop: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> np.ndarray:
    picture = crop.copy()
    paint = np.asarray(colour, float)[:3]
    rim = rim_colours(paint[np.newaxis])[0, :3]
    picture[mask] = (1 - _TINT) * picture[mask] + _TINT * paint
    # As in the viewer: an object may have the colour that it is drawn in.
    picture[find_boundaries(mask, mode="inner")] = paint
    picture[find_boundaries(mask, mode="outer")] = rim
    drawn: np.ndarray = np.rint(picture * 255).astype(np.uint8)
    return drawn
