"""Small pictures of the hypotheses, side by side at one scale."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
from skimage.segmentation import find_boundaries
from skimage.transform import resize

from napari_sam_decoder.frames import Window
from napari_sam_decoder.selection import MAX_FRAME_SHARE
from napari_sam_decoder.widgets.colours import rim_colours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_sam_decoder.frames import PlacedMask
    from napari_sam_decoder.propagation import Preview

    Position = Sequence[float]

__all__ = ["THUMBNAIL_SIDE", "common_window", "draw_thumbnails", "places_shown"]

THUMBNAIL_SIDE = 96
"""Pixels; shown at this size and, on fine screens, at half of it."""
_MARGIN = 0.45
_SMALLEST_VIEW = 24
_LARGEST_ZOOM_OUT = 3
_TINT = 0.45


def draw_thumbnails(
    pixels: np.ndarray,
    window: Window,
    masks: Sequence[PlacedMask],
    colour: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Draw masks over a part of the frame.

    Parameters
    ----------
    pixels : (rows, columns, 3) array of uint8
        What the network saw there.
    window : Window
        The part of the frame, see `common_window`.
    masks : sequence of PlacedMask
        At least one.
    colour : (3,) or (4,) array of float
        0..1; alpha is ignored.

    Returns
    -------
    tuple of (96, 96, 3) arrays of uint8
        One per mask, all of the same part of the frame, so that they can be compared.
    """
    crop = _shrink(pixels / 255.0)
    return tuple(_draw(crop, _shrink(one.seen_in(window)), colour) for one in masks)


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
    box = preview.chosen.placed.extent
    if box is not None:
        yield box.origin
        yield box.row + box.rows - 1, box.column + box.columns - 1


def common_window(
    frame_shape: tuple[int, int],
    masks: Sequence[PlacedMask],
    places: Iterable[Position] = (),
) -> Window:
    """Choose the part of a frame over which masks are drawn.

    Parameters
    ----------
    frame_shape : (rows, columns)
        Of the whole frame.
    masks : sequence of PlacedMask
        At least one.
    places : iterable of (row, column)
        To be seen as well, unless they are far away.

    Returns
    -------
    Window
        A square, as far as the frame goes, as large as the middle one of the masks asks
        for, whatever the others cover.
    """
    by_size = sorted((one for one in masks if one.extent), key=lambda one: one.area)
    up_to_middle = by_size[: (len(by_size) + 1) // 2]
    most = MAX_FRAME_SHARE * prod(frame_shape)
    objects = [one for one in up_to_middle if one.area <= most]
    boxes = [one.extent for one in (objects or by_size)[-1:]]
    middle = found = boxes[0] if boxes else None
    if middle is None or found is None:
        return _square(Window.of_frame(frame_shape), max(frame_shape), frame_shape)
    last = np.array(frame_shape) - 1
    for place in places:
        joined = middle.joined(
            Window.around_points([np.clip(np.rint(place), 0, last).tolist()])
        )
        if joined.side <= _LARGEST_ZOOM_OUT * found.side:
            middle = joined
    side = max(round(middle.side * (1 + 2 * _MARGIN)), _SMALLEST_VIEW)
    return _square(middle, side, frame_shape)


def _square(box: Window, side: int, frame_shape: tuple[int, int]) -> Window:
    """A square around the middle of a box, as far as the frame goes."""
    starts, lengths = [], []
    for first, length, whole in zip(box.origin, box.shape, frame_shape, strict=True):
        middle = (2 * first + length - 1) // 2
        starts.append(max(0, min(middle - side // 2, whole - side)))
        lengths.append(min(side, whole - starts[-1]))
    return Window(starts[0], starts[1], lengths[0], lengths[1])


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
