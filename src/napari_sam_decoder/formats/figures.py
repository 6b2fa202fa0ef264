"""Figures of results: outlines over frames, an animation, curves over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "Chart",
    "contact_sheet",
    "draw_chart",
    "draw_outlines",
    "save_gif",
    "stack_vertically",
]

# The colour-blind safe palette of Okabe and Ito, without black.
PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
INK = (40, 40, 40)
GRID = (222, 222, 222)
PAPER = (255, 255, 255)
FRAMES_PER_SECOND = 12


@dataclass(frozen=True)
class Chart:
    """Curves over the frames of a movie, each with values in 0..1.

    Attributes
    ----------
    title : str
    curves : mapping of int to (T,) array
        By object id, which also determines the colour. NaN leaves a gap.
    """

    title: str
    curves: Mapping[int, np.ndarray]


def colour_of(object_id: int) -> tuple[int, int, int]:
    """RGB colour of an object in every figure."""
    return PALETTE[(object_id - 1) % len(PALETTE)]


def draw_outlines(rgb: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw the outline of every object over a frame.

    Parameters
    ----------
    rgb : (Y, X, 3) array of uint8
        The frame; not modified.
    labels : (Y, X) array of int
        Object ids, 0 for background.

    Returns
    -------
    (Y, X, 3) array of uint8
    """
    drawn = rgb.copy()
    edges = find_boundaries(labels, mode="inner")
    for object_id in np.unique(labels[edges]):
        drawn[edges & (labels == object_id)] = colour_of(int(object_id))
    return drawn


def save_gif(path: Path, frames: Iterable[np.ndarray], width: int = 384) -> None:
    """Write an animation, scaled down for mails and web pages.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    frames : iterable of (Y, X, 3) arrays of uint8
        At least one.
    width : int, default 384
        In pixels; narrower frames are not scaled.
    """
    pictures = [_fitted(frame, width) for frame in frames]
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=round(1000 / FRAMES_PER_SECOND),
        loop=0,
        optimize=True,
    )


def contact_sheet(
    frames: Sequence[np.ndarray], captions: Sequence[str], columns: int = 4
) -> np.ndarray:
    """Arrange frames in rows, each with a caption above.

    Parameters
    ----------
    frames : sequence of (Y, X, 3) arrays of uint8
        Of equal shape, at least one.
    captions : sequence of str
        One per frame.
    columns : int, default 4
        Frames per row.

    Returns
    -------
    (rows, columns, 3) array of uint8
    """
    pictures = [_fitted(frame, 300) for frame in frames]
    width, height = pictures[0].size[0] + 10, pictures[0].size[1] + 28
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = index % columns * width + 5, index // columns * height
        pen.text((left, top + 5), caption, fill=INK, font=_font(14))
        sheet.paste(picture, (left, top + 24))
    return np.asarray(sheet)


def draw_chart(chart: Chart, width: int, height: int = 240) -> np.ndarray:
    """Draw curves over time, with their means in the legend.

    Parameters
    ----------
    chart : Chart
        At least one curve.
    width, height : int
        Size of the figure, in pixels.

    Returns
    -------
    (height, width, 3) array of uint8
    """
    picture = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(picture)
    area = (52, 34, width - 130, height - 34)
    pen.text((area[0], 8), chart.title, fill=INK, font=_font(15))
    _draw_axes(pen, area, max(len(curve) for curve in chart.curves.values()))
    for row, (object_id, curve) in enumerate(sorted(chart.curves.items())):
        _draw_curve(pen, area, curve, colour_of(object_id))
        place = (area[2] + 12, area[1] + 18 * row)
        _draw_legend(pen, place, object_id, float(np.nanmean(curve)))
    return np.asarray(picture)


def stack_vertically(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Stack figures of equal width vertically."""
    return np.concatenate(pictures)


def _fitted(frame: np.ndarray, width: int) -> Image.Image:
    picture = Image.fromarray(frame)
    if picture.width <= width:
        return picture
    height = max(1, round(picture.height * width / picture.width))
    return picture.resize((width, height), Image.Resampling.BILINEAR)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


Area = tuple[int, int, int, int]


def _draw_axes(pen: ImageDraw.ImageDraw, area: Area, frames: int) -> None:
    left, top, right, bottom = area
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = bottom - value * (bottom - top)
        pen.line([(left, y), (right, y)], fill=GRID)
        pen.text((left - 8, y), f"{value:.2f}", fill=INK, font=_font(12), anchor="rm")
    step = max(1, round(frames / 6 / 5) * 5)
    for frame in range(0, frames, step):
        x = left + frame / max(frames - 1, 1) * (right - left)
        pen.text((x, bottom + 6), str(frame), fill=INK, font=_font(12), anchor="mt")
    pen.text((right, bottom + 18), "frame", fill=INK, font=_font(12), anchor="rt")


def _draw_curve(
    pen: ImageDraw.ImageDraw,
    area: Area,
    curve: np.ndarray,
    colour: tuple[int, int, int],
) -> None:
    left, top, right, bottom = area
    xs = left + np.arange(len(curve)) / max(len(curve) - 1, 1) * (right - left)
    ys = bottom - np.clip(curve, 0, 1) * (bottom - top)
    for index in range(len(curve) - 1):
        if np.isfinite(ys[index : index + 2]).all():
            ends = [(xs[index], ys[index]), (xs[index + 1], ys[index + 1])]
            pen.line(ends, fill=colour, width=2)


def _draw_legend(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], object_id: int, mean: float
) -> None:
    left, top = place
    pen.rectangle([left, top + 4, left + 12, top + 12], fill=colour_of(object_id))
    text = f"{object_id}   mean {mean:.3f}"
    pen.text((left + 18, top), text, fill=INK, font=_font(12))
