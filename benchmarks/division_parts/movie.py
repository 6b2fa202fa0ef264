"""A time-lapse of cells that drift and grow, of which some divide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Division", "DivisionMovie", "dividing_cells"]

FRAMES, SIZE = 28, 288
SITES = 3
"""Cells stand on a grid of so many rows and columns, and drift from there."""
RADIUS = 18, 23
"""Pixels, at the start."""
GROWTH = 0.004
"""Share of its radius that a cell grows by, per frame."""
DIVIDING = 3
"""Cells of a movie that divide; the others look the same, and do not."""
PASSING = 2
"""Cells that come close to a neighbour that does not divide, and go on."""
FIRST_DIVISION, LAST_DIVISION = 8, 18
ROUNDING, PARTING = 5, 6
"""Frames in which a cell rounds up, and in which it becomes two."""
AXES_RATIO = 1.35
"""Of an ellipse that is a cell; 1 once it has rounded up."""
NARROWEST_GAP = 2
"""Pixels between two outlines that pass each other."""

NECK = 6.0
"""The larger, the sooner the neck between two halves breaks."""
REACH = 4
"""Radii from its centre beyond which there is nothing of a cell."""
BACKGROUND, BODY, RIM = 0.25, 0.2, 0.12
BRIGHTER = 0.1
"""What a cell gains in brightness as it rounds up."""
TEXTURE, NOISE = 0.05, 0.02
PSF_SIGMA = 1.0


@dataclass(frozen=True)
class Division:
    """A cell that becomes two.

    Attributes
    ----------
    mother : int
    daughters : (int, int)
    frame : int
        The first on which there are two.
    """

    mother: int
    daughters: tuple[int, int]
    frame: int


@dataclass(frozen=True, eq=False)
class DivisionMovie:
    """A movie, and what is true of it.

    Attributes
    ----------
    frames : (T, Y, X) array of uint8
    truth : (T, Y, X) array of uint16
        Ids of the cells, 0 for the background; daughters have their own.
    divisions : tuple of Division
    """

    frames: np.ndarray
    truth: np.ndarray
    divisions: tuple[Division, ...]


@dataclass(frozen=True, eq=False)
class _Cell:
    """A cell: its (T, 2) centres, its shape, and when it begins to part, if ever."""

    centres: np.ndarray
    radius: float
    angle: float
    brightness: float
    parting: int | None = None

    def lobes(self, frame: int) -> list[np.ndarray]:
        """Centres of its two halves, or its only centre."""
        if self.parting is None or frame < self.parting:
            return [self.centres[frame]]
        age = frame - self.parting + 1
        # They part fast, and then wander on slowly.
        reach = self.radius * (min(age / PARTING, 1) + 0.03 * max(0, age - PARTING))
        away = reach * np.array([np.sin(self.angle), np.cos(self.angle)])
        return [self.centres[frame] - away, self.centres[frame] + away]

    def surroundings(self, frame: int) -> tuple[tuple[slice, slice], np.ndarray]:
        """A window that holds all of the cell, and the (2, h, w) places in it."""
        reach = int(REACH * self.radius)
        low = (self.centres[frame].astype(int) - reach).clip(0, SIZE)
        high = (self.centres[frame].astype(int) + reach).clip(0, SIZE)
        rows, columns = slice(low[0], high[0]), slice(low[1], high[1])
        return (rows, columns), np.mgrid[rows, columns].astype(float)

    def distance(self, frame: int, places: np.ndarray) -> np.ndarray:
        """(Y, X) distance from the outline as a share of the radius, positive inside.

        Two halves that part stay joined by a neck for a while.
        """
        rounded, halved = self.roundness(frame), self.halved(frame)
        radius = self.radius * (1 + GROWTH * frame)
        size = radius * (1 - halved * (1 - 1 / np.sqrt(2)))
        ratio = AXES_RATIO + (1 - AXES_RATIO) * rounded
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        depths = []
        for centre in self.lobes(frame):
            rows, columns = places - centre[:, None, None]
            along = (rows * sine + columns * cosine) / np.sqrt(ratio)
            across = (rows * cosine - columns * sine) * np.sqrt(ratio)
            depths.append(1 - np.hypot(along, across) / size)
        if len(depths) == 1:
            return depths[0]
        first, second = depths
        # A smooth maximum: where both are near, they are joined.
        return np.logaddexp(NECK * first, NECK * second) / NECK

    def roundness(self, frame: int) -> float:
        """0..1: from an ellipse to a disc, before it parts."""
        if self.parting is None:
            return 0.0
        return float(np.clip((frame - self.parting) / ROUNDING + 1, 0, 1))

    def halved(self, frame: int) -> float:
        """0..1: from one cell to two, which together have the area of the one."""
        if self.parting is None:
            return 0.0
        return float(np.clip((frame - self.parting + 1) / PARTING, 0, 1))


def dividing_cells(seed: int = 0) -> DivisionMovie:
    """Simulate cells, of which some divide, and others pass each other.

    Parameters
    ----------
    seed : int
        Places, shapes, times and noise follow from it.

    Returns
    -------
    DivisionMovie
        Frames of shape (28, 288, 288).
    """
    rng = np.random.default_rng(seed)
    cells = _populate(rng)
    truth, divisions = _lay_out(cells)
    scene = BACKGROUND + 0.02 * _soft(rng, 20)
    textures = [_soft(rng, 4) for _ in cells]
    frames = np.stack(
        [_photograph(cells, textures, scene, frame, rng) for frame in range(FRAMES)]
    )
    return DivisionMovie(frames, truth, divisions)


def _populate(rng: np.random.Generator) -> list[_Cell]:
    sites = [(row, column) for row in range(SITES) for column in range(SITES)]
    rng.shuffle(sites)
    cells = [
        _cell(rng, site, int(rng.integers(FIRST_DIVISION, LAST_DIVISION + 1)))
        for site in sites[:DIVIDING]
    ]
    cells += [_cell(rng, site) for site in sites[DIVIDING:]]
    lonely = range(DIVIDING, len(cells))
    for index in rng.choice(lonely, PASSING, replace=False):
        cells[index] = _passing(rng, cells, int(index))
    return cells


def _cell(
    rng: np.random.Generator, site: Sequence[int], parting: int | None = None
) -> _Cell:
    spacing = SIZE / SITES
    start = (np.array(site) + 0.5) * spacing + rng.uniform(-6, 6, 2)
    drift = rng.uniform(-0.3, 0.3, 2)
    sway = np.cumsum(rng.normal(0, 0.4, (FRAMES, 2)), axis=0)
    return _Cell(
        centres=start + drift * np.arange(FRAMES)[:, None] + sway,
        radius=float(rng.uniform(*RADIUS)),
        angle=float(rng.uniform(0, np.pi)),
        brightness=float(rng.uniform(0.9, 1.1)),
        parting=parting,
    )


def _passing(rng: np.random.Generator, cells: list[_Cell], index: int) -> _Cell:
    """Let a cell come up to its nearest neighbour that does not divide, and leave."""
    cell = cells[index]
    others = [one for one in cells if one is not cell and one.parting is None]
    near = min(others, key=lambda one: np.hypot(*(one.centres[0] - cell.centres[0])))
    towards = near.centres - cell.centres
    length = np.hypot(*towards.T)[:, None]
    reach = cell.radius + near.radius + NARROWEST_GAP
    # Ellipses are longer than they are wide, so that some touch.
    gap = np.maximum(length - reach, 0)
    share = np.sin(np.pi * np.linspace(0, 1, FRAMES))[:, None] ** 2
    centres = cell.centres + towards / length * gap * share
    return _Cell(centres, cell.radius, cell.angle, cell.brightness)


def _lay_out(cells: list[_Cell]) -> tuple[np.ndarray, tuple[Division, ...]]:
    """Ids of the cells on each frame; daughters get theirs once the neck has broken."""
    truth = np.zeros((FRAMES, SIZE, SIZE), np.uint16)
    divisions: list[Division] = []
    following = len(cells) + 1
    for object_id, cell in enumerate(cells, start=1):
        daughters: tuple[int, int] | None = None
        for frame in range(FRAMES):
            window, places = cell.surroundings(frame)
            ids, inside = truth[frame][window], cell.distance(frame, places) > 0
            if daughters is None and ndimage.label(inside)[1] == 2:
                daughters = following, following + 1
                following += 2
                divisions.append(Division(object_id, daughters, frame))
            if daughters is None:
                ids[inside] = object_id
                continue
            first, second = (
                np.hypot(*(places - lobe[:, None, None])) for lobe in cell.lobes(frame)
            )
            ids[inside & (first <= second)] = daughters[0]
            ids[inside & (first > second)] = daughters[1]
    return truth, tuple(divisions)


def _photograph(
    cells: list[_Cell],
    textures: list[np.ndarray],
    scene: np.ndarray,
    frame: int,
    rng: np.random.Generator,
) -> np.ndarray:
    light = scene.copy()
    for cell, texture in zip(cells, textures, strict=True):
        window, places = cell.surroundings(frame)
        depth = cell.distance(frame, places) * cell.radius
        offset = np.rint(cell.centres[frame] - SIZE / 2).astype(int)
        moved = np.roll(texture, tuple(offset), axis=(0, 1))[window]
        shine = BODY * cell.brightness + BRIGHTER * cell.roundness(frame)
        rim = RIM * np.exp(-(((depth - 2.5) / 1.5) ** 2))
        body = np.clip(depth / 2, 0, 1) * (shine + TEXTURE * moved)
        inside = depth > 0
        light[window][inside] = (scene[window] + body + rim)[inside]
    blurred = ndimage.gaussian_filter(light, PSF_SIGMA)
    noisy = blurred + NOISE * rng.standard_normal(blurred.shape)
    return (255 * noisy).clip(0, 255).astype(np.uint8)


def _soft(rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Smooth noise; standard deviation 1."""
    noise = ndimage.gaussian_filter(
        rng.standard_normal((SIZE, SIZE)), sigma, mode="wrap"
    )
    soft: np.ndarray = noise / noise.std()
    return soft
