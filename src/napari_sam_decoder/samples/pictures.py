"""A movie of real things, cut out of pictures that come with scikit-image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from skimage import data, draw, filters, measure

from napari_sam_decoder.samples.sample_movie import SampleMovie, place_clicks

__all__ = ["moving_pictures"]

N_FRAMES = 40
SHAPE = (480, 640)
# Width of the transition from a pasted thing to what lies behind it; pixels.
SOFTNESS = 1.5
# How far the deformation moves a point, relative to the thing's radius.
BEND = 0.04
BLUR_SIGMA = 0.6
# Standard deviation in grey levels.
NOISE = 3.0

BACKDROP_COLOURS = np.array([[112.0, 132.0, 136.0], [150.0, 160.0, 148.0]])
BACKDROP_GRAIN = 45
# The backdrop is this much larger than the picture, so that it can move behind it.
BACKDROP_MARGIN = 40

# Outline of head and shoulders in `skimage.data.astronaut`, clockwise, (row, column);
# the bottom is rounded off above the helmet that hides the arm.
HEAD_AND_SHOULDERS = (
    (32, 188), (20, 209), (15, 233), (19, 256), (32, 278), (52, 293), (75, 300),
    (97, 300), (115, 292), (129, 279), (137, 269), (147, 263), (163, 258), (174, 257),
    (190, 277), (208, 293), (228, 303), (238, 310), (246, 325), (262, 338), (280, 348),
    (302, 354), (325, 350), (343, 328), (356, 300), (366, 255), (369, 205), (364, 150),
    (350, 105), (326, 72), (300, 52), (278, 48), (258, 58), (240, 73), (226, 90),
    (212, 105), (200, 116), (188, 115), (173, 122), (162, 130), (152, 147), (148, 170),
    (149, 184), (143, 182), (132, 180), (125, 173), (117, 170), (108, 161), (96, 156),
    (80, 153), (60, 155), (46, 164), (38, 177),
)  # fmt: skip
# The rim of the cup in `skimage.data.coffee`: centre and half axes, then a tilt.
CUP = (111.5, 290.5, 92.5, 117.5)
CUP_TILT = -0.15
# Windows that hold one thing each in `skimage.data.coins` and `skimage.data.cell`.
COIN = (slice(150, 224), slice(310, 384))
CELL = (slice(290, 460), slice(340, 515))

CREDIT = (
    "Pictures that come with scikit-image: astronaut (NASA, public domain), coffee "
    "(Rachel Michetti, CC0), coins (Brooklyn Museum, no known copyright restrictions) "
    "and cell (Paul Müller and others, CC0)."
)


@dataclass(frozen=True, eq=False)
class _Cutout:
    """A thing in a picture.

    Attributes
    ----------
    colours : (Y, X, 3) array of float
        The picture, 0 to 255.
    distance : (Y, X) array of float
        From the thing's outline in pixels, positive inside.
    """

    colours: np.ndarray
    distance: np.ndarray

    @cached_property
    def centre(self) -> np.ndarray:
        """Centroid of the inside, (row, column)."""
        centre: np.ndarray = np.argwhere(self.distance > 0).mean(axis=0)
        return centre

    @cached_property
    def radius(self) -> float:
        """Greatest distance of the outline from the centre; pixels."""
        offsets = np.argwhere(self.distance > 0) - self.centre
        return float(np.linalg.norm(offsets, axis=1).max())


@dataclass(frozen=True, eq=False)
class _Motion:
    """How a cut-out moves.

    Attributes
    ----------
    centres : (T, 2) array of float
    scales : (T,) array of float
    angles : (T,) array of float
        Radians.
    phases : (T, 2) array of float
        Of the waves that bend the thing along rows and columns; radians.
    """

    centres: np.ndarray
    scales: np.ndarray
    angles: np.ndarray
    phases: np.ndarray


@dataclass(frozen=True, eq=False)
class _Actor:
    """A thing that plays in the movie."""

    cutout: _Cutout
    motion: _Motion


def moving_pictures(seed: int = 0) -> SampleMovie:
    """Move a person, a cup of coffee, a coin and a cell over a calm backdrop.

    The four things are cut out of photographs; they sway, turn, grow, shrink and bend
    without leaving the picture or covering each other.

    Parameters
    ----------
    seed : int
        Paths, deformation, backdrop and noise follow from it.

    Returns
    -------
    SampleMovie
        Frames of shape (40, 480, 640, 3), dtype uint8.
    """
    rng = np.random.default_rng(seed)
    actors = _cast(rng)
    backdrop = _paint_backdrop(rng)
    frames = np.empty((N_FRAMES, *SHAPE, 3), np.uint8)
    truth = np.zeros((N_FRAMES, *SHAPE), np.uint16)
    for frame in range(N_FRAMES):
        canvas = _pan(backdrop, frame)
        for object_id, actor in enumerate(actors, start=1):
            window, is_inside = _paste(actor, frame, canvas)
            truth[frame][window][is_inside] = object_id
        frames[frame] = _photograph(canvas, rng)
    return SampleMovie(
        name="pictures",
        frames=frames,
        truth=truth,
        clicks=place_clicks(truth, _areas(truth, len(actors))),
        description=(
            "A person, a cup of coffee, a coin and a cell, cut out of photographs, "
            "that move and bend over a calm backdrop."
        ),
        credit=CREDIT,
    )


def _areas(truth: np.ndarray, count: int) -> np.ndarray:
    """Pixels of each object on each frame, (T, N); none is ever cut off."""
    return np.array(
        [np.bincount(ids.ravel(), minlength=count + 1)[1:] for ids in truth]
    )


def _cast(rng: np.random.Generator) -> list[_Actor]:
    coin = _cut_bright(data.coins(), COIN)
    cell = _cut_bright(data.cell(), CELL)
    return [
        _Actor(_cut_person(), _move(rng, ((150, 165), (165, 200)), 0.55)),
        _Actor(_cut_cup(), _move(rng, ((135, 440), (150, 500)), 0.72)),
        _Actor(coin, _move(rng, ((385, 120), (370, 240)), 1.6)),
        _Actor(cell, _move(rng, ((345, 500), (360, 430)), 0.95)),
    ]


def _cut_person() -> _Cutout:
    picture = data.astronaut()
    return _cut(picture, draw.polygon2mask(picture.shape[:2], HEAD_AND_SHOULDERS))


def _cut_cup() -> _Cutout:
    picture = data.coffee()
    mask = np.zeros(picture.shape[:2], bool)
    mask[draw.ellipse(*CUP, rotation=CUP_TILT)] = True
    return _cut(picture, mask)


def _cut_bright(picture: np.ndarray, window: tuple[slice, slice]) -> _Cutout:
    """Cut the largest bright thing out of a window of a grey picture."""
    part = picture[window]
    pieces = measure.label(part > filters.threshold_otsu(part))
    largest = 1 + np.bincount(pieces.ravel())[1:].argmax()
    mask = np.zeros(picture.shape, bool)
    mask[window] = ndimage.binary_fill_holes(pieces == largest)
    return _cut(np.stack([picture] * 3, axis=-1), mask)


def _cut(picture: np.ndarray, mask: np.ndarray) -> _Cutout:
    inside = ndimage.distance_transform_edt(mask)
    outside = ndimage.distance_transform_edt(~mask)
    # Smooth the pixel steps, and step inside by a pixel: none of the surroundings.
    distance = ndimage.gaussian_filter(inside - outside, 1.5) - 1
    return _Cutout(picture.astype(float), distance)


def _move(
    rng: np.random.Generator,
    way: tuple[tuple[float, float], tuple[float, float]],
    scale: float,
) -> _Motion:
    start, end = np.array(way, dtype=float)
    time = np.linspace(0, 1, N_FRAMES)[:, None]
    turns = 2 * np.pi * time * rng.uniform(0.6, 1.2, 4) + rng.uniform(0, 2 * np.pi, 4)
    waves = np.sin(turns)
    return _Motion(
        centres=start + (end - start) * time + 12 * waves[:, :2],
        scales=scale * (1 + 0.07 * waves[:, 2]),
        angles=0.25 * waves[:, 3],
        phases=rng.uniform(0, 2 * np.pi, 2) + 2 * np.pi * time,
    )


def _paste(
    actor: _Actor, frame: int, canvas: np.ndarray
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Draw the thing on the canvas; tell in which window, and which of its pixels."""
    window = _window(actor, frame)
    places = _trace_back(actor, frame, window)
    scale = actor.motion.scales[frame]
    distance = scale * _sample(actor.cutout.distance, places)
    alpha = np.clip(0.5 + distance / SOFTNESS, 0, 1)
    for channel in range(3):
        colour = _sample(actor.cutout.colours[..., channel], places)
        behind = canvas[..., channel][window]
        behind += alpha * (colour - behind)
    return window, distance > 0


def _window(actor: _Actor, frame: int) -> tuple[slice, slice]:
    """The part of the picture that the thing can cover."""
    reach = actor.cutout.radius * actor.motion.scales[frame]
    half = math.ceil((1 + 2 * BEND) * reach + SOFTNESS)
    row, column = np.rint(actor.motion.centres[frame]).astype(int)
    return (
        slice(max(row - half, 0), min(row + half, SHAPE[0])),
        slice(max(column - half, 0), min(column + half, SHAPE[1])),
    )


def _trace_back(actor: _Actor, frame: int, window: tuple[slice, slice]) -> np.ndarray:
    """Where in the cut-out's picture each pixel of the window comes from; (2, h, w)."""
    cutout, motion = actor.cutout, actor.motion
    offsets = np.mgrid[window] - motion.centres[frame][:, None, None]
    cosine, sine = np.cos(motion.angles[frame]), np.sin(motion.angles[frame])
    turn = np.array([[cosine, -sine], [sine, cosine]]) / motion.scales[frame]
    straight = np.tensordot(turn, offsets, axes=1)
    # Rows bend along columns and the reverse, which keeps the map one to one.
    waves = 2.5 * straight[::-1] / cutout.radius + motion.phases[frame][:, None, None]
    bent = straight + BEND * cutout.radius * np.sin(waves)
    places: np.ndarray = bent + cutout.centre[:, None, None]
    return places


def _sample(plane: np.ndarray, places: np.ndarray) -> np.ndarray:
    values: np.ndarray = ndimage.map_coordinates(plane, places, order=1, mode="nearest")
    return values


def _paint_backdrop(rng: np.random.Generator) -> np.ndarray:
    """Two colours that blend softly, larger than the picture; (Y, X, 3)."""
    noise = rng.standard_normal([size + BACKDROP_MARGIN for size in SHAPE])
    soft = ndimage.gaussian_filter(noise, BACKDROP_GRAIN)
    mix = np.clip(0.5 + soft / (4 * soft.std()), 0, 1)[..., None]
    backdrop: np.ndarray = BACKDROP_COLOURS[0] * (1 - mix) + BACKDROP_COLOURS[1] * mix
    return backdrop.astype(np.float32)


def _pan(backdrop: np.ndarray, frame: int) -> np.ndarray:
    """A copy of the part of the backdrop that lies behind the frame."""
    turn = 2 * np.pi * frame / N_FRAMES
    row = round(BACKDROP_MARGIN / 2 * (1 + math.sin(turn)))
    column = round(BACKDROP_MARGIN / 2 * (1 + math.cos(turn)))
    return backdrop[row : row + SHAPE[0], column : column + SHAPE[1]].copy()


def _photograph(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    blurred = ndimage.gaussian_filter(canvas, (BLUR_SIGMA, BLUR_SIGMA, 0))
    noise = rng.standard_normal(canvas.shape, dtype=np.float32)
    noisy: np.ndarray = blurred + NOISE * noise
    return noisy.clip(0, 255).astype(np.uint8)
