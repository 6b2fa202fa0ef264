"""A finer mask of an object from an enlarged view of it, for one more embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.model.values import (
    BACKGROUND_LOGIT,
    FrameLogits,
    ModelPrompt,
)

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam

__all__ = ["zoom_in"]

VIEW = 1.5
"""Side of the view, in sides of the object."""

SMALLEST_SIDE = 48
"""Of the view, in pixels of the frame."""


def zoom_in(
    sam: Sam, picture: np.ndarray, logits: np.ndarray, prompt: ModelPrompt
) -> tuple[FrameLogits, float] | None:
    """Segment an object again in an enlarged view of it.

    Parameters
    ----------
    sam : Sam
        The network.
    picture : (Y, X, 3) array of uint8
        The whole frame.
    logits : (h, w) array of float32
        Low-res logits of the object on the whole frame.
    prompt : ModelPrompt
        The prompt that gave them.

    Returns
    -------
    FrameLogits
        Logits in the view, of the mask with the highest IoU with the given one.
    float
        Their predicted IoU.

    Notes
    -----
    Returns None if the given mask is empty.
    """
    shape = picture.shape[0], picture.shape[1]
    coarse = sam.upscale(logits[None], shape)[0]
    seen = extent(coarse > 0)
    if seen is None:
        return None
    place = _around(seen, shape)
    window = picture[place]
    geometry = FrameGeometry.fit(window.shape[:2], sam.image_size)
    previous = _lowered(coarse[place], geometry, sam.mask_size, sam.image_size)
    moved = _moved(prompt, FrameGeometry.fit(shape, sam.image_size), geometry, place)
    boxed = ModelPrompt(moved.points, moved.signs, _box(seen, place, geometry))
    candidates = sam.decode(sam.encode(window), [boxed], [previous])
    masks = candidates.low_res_logits[0]
    best = int(np.argmax([mask_iou(mask > 0, previous > 0) for mask in masks]))
    found = sam.upscale(masks[best : best + 1], geometry.frame_shape)[0]
    return FrameLogits(found, place), float(candidates.iou_predictions[0, best])


def _around(seen: tuple[slice, slice], shape: tuple[int, int]) -> tuple[slice, slice]:
    """A square around a window, cropped at the border of the frame."""
    longest = max(side.stop - side.start for side in seen)
    half = max(VIEW * longest, SMALLEST_SIDE) / 2
    middles = [(side.start + side.stop) / 2 for side in seen]
    rows, columns = (
        slice(max(int(middle - half), 0), min(int(middle + half) + 1, length))
        for middle, length in zip(middles, shape, strict=True)
    )
    return rows, columns


def _moved(
    prompt: ModelPrompt,
    whole: FrameGeometry,
    part: FrameGeometry,
    place: tuple[slice, slice],
) -> ModelPrompt:
    """The points inside a window, in its own pixels."""
    corner = np.array([place[0].start, place[1].start])
    points = whole.to_frame(prompt.points) - corner
    inside = np.all((points >= 0) & (points < part.frame_shape), axis=1)
    moved = part.to_model(points[inside]).astype(np.float32)
    return ModelPrompt(moved, prompt.signs[inside])


def _box(
    seen: tuple[slice, slice], place: tuple[slice, slice], geometry: FrameGeometry
) -> np.ndarray:
    """(x0, y0, x1, y1) around the object, in pixels of the view's network input."""
    corner = np.array([side.start for side in place])
    corners = np.array([[side.start for side in seen], [side.stop for side in seen]])
    return geometry.to_model(corners - corner).ravel().astype(np.float32)


def _lowered(
    logits: np.ndarray, geometry: FrameGeometry, mask_size: int, image_size: int
) -> np.ndarray:
    """(mask_size, mask_size) low-res logits of a frame; background in the padding."""
    factor = image_size // mask_size
    rows, columns = (max(1, round(side / factor)) for side in geometry.model_shape)
    picture = Image.fromarray(logits.astype(np.float32))
    lowered = np.full((mask_size, mask_size), BACKGROUND_LOGIT, np.float32)
    resized = picture.resize((columns, rows), Image.Resampling.BILINEAR)
    lowered[:rows, :columns] = np.asarray(resized)
    return lowered
