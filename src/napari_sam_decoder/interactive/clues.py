"""What the refiner sees of an object in a window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.model.values import GRID_SIDE

if TYPE_CHECKING:
    from napari_sam_decoder.interactive.actions import Action, Shown
    from napari_sam_decoder.interactive.focus import Focus

__all__ = ["Clues", "distances", "most_of"]

COLOURS = 3
PROPOSALS = 4
DOT = 2.0
"""Radius of a click in cells."""
SOFTNESS = 4.0
"""Logits of proposals are divided by this before they are squashed."""
FAINTEST = 2.0
"""Grey levels; a picture whose contrast is not above this is not amplified much."""
BRIGHTEST = 4.0
"""Deviations at which the picture is clipped."""
MOST_PIXELS = 24
"""Pixels that stand for a scribble where distances from it are measured."""


@dataclass(frozen=True, eq=False)
class Clues:
    """What is known about an object on a frame when an action is answered.

    Attributes
    ----------
    picture : (1 or 3, Y, X) array of uint8
        One channel if all three are equal.
    mask : (Y, X) array of bool
        The object so far; empty before the first action.
    shown : Shown
        All actions, the newest included.
    newest : Action, optional
        None for a box or lasso.
    together : (4, h, h) array of float32, optional
        The decoder's low-res logits for all that was shown.
    alone : (4, h, h) array of float32, optional
        Those for the newest action alone, as if it was positive.
    region : (Y, X) array of bool, optional
        The inside of a box or lasso.
    others : (Y, X) array of bool, optional
        Other objects.
    """

    picture: np.ndarray
    mask: np.ndarray
    shown: Shown
    newest: Action | None = None
    together: np.ndarray | None = None
    alone: np.ndarray | None = None
    region: np.ndarray | None = None
    others: np.ndarray | None = None

    def seen(self, focus: Focus) -> np.ndarray:
        """(CLUES, GRID_SIDE, GRID_SIDE) input of the refiner, in -1..1."""
        so_far = self.mask if self.mask.any() else None
        optional = [so_far, *self._scribbled, self.region, self.others]
        given = [one for one in optional if one is not None]
        sampled, channels = focus.sample([*self.picture, *given]), len(self.picture)
        inside, rest = focus.inside, iter(sampled[channels:])
        nothing = np.zeros_like(inside)
        mask, on_object, beside, region, others = (
            nothing if one is None else next(rest) for one in optional
        )
        clicks = [self.shown.clicks(positive=sign) for sign in (True, False)]
        newest, is_addition = self._newest_pixels, self._is_addition
        dots = _dots(focus, newest)
        added, removed = (dots, nothing) if is_addition else (nothing, dots)
        return np.concatenate(
            [
                _in_colour(_normalised(sampled[:channels], inside)),
                mask[None],
                _squashed(focus, self.together),
                _squashed(focus, self.alone),
                np.maximum(_dots(focus, clicks[0]), on_object)[None],
                np.maximum(_dots(focus, clicks[1]), beside)[None],
                added[None],
                removed[None],
                region[None],
                others[None],
                inside[None],
                _nearness(focus, newest)[None],
            ]
        )

    @cached_property
    def _scribbled(self) -> tuple[np.ndarray | None, ...]:
        """(Y, X) bool: where scribbles are on the object, and where beside it."""
        rows, columns = self.mask.shape
        return tuple(
            self.shown.scribbled((rows, columns), positive=sign)
            for sign in (True, False)
        )

    @property
    def _newest_pixels(self) -> np.ndarray:
        if self.newest is None:
            return np.zeros((0, 2), int)
        return most_of(self.newest.pixels)

    @property
    def _is_addition(self) -> bool:
        return self.newest is None or self.newest.is_positive


def most_of(pixels: np.ndarray, most: int = MOST_PIXELS) -> np.ndarray:
    """Return at most so many of (N, 2) pixels, evenly chosen."""
    chosen = np.linspace(0, len(pixels) - 1, min(most, len(pixels)))
    few: np.ndarray = pixels[chosen.astype(int)]
    return few


def distances(places: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(rows, columns) distance of each place to the nearest of (N, 2) others."""
    down, across = (
        np.square(np.arange(length, dtype=np.float32) - one[:, None])
        for length, one in zip(shape, places.astype(np.float32).T, strict=True)
    )
    nearest: np.ndarray = np.sqrt((down[:, :, None] + across[:, None]).min(axis=0))
    return nearest


def _normalised(picture: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Shift and scale the part of a picture that shows the frame."""
    count = max(float(inside.sum()), 1.0)
    mean = (picture * inside).sum(axis=(1, 2), keepdims=True) / count
    varied = (picture - mean) * inside
    deviation = float(np.sqrt(np.square(varied).sum() / (len(picture) * count)))
    normalised: np.ndarray = varied / ((deviation + FAINTEST) * BRIGHTEST)
    return normalised.clip(-1, 1)


def _in_colour(picture: np.ndarray) -> np.ndarray:
    """(3, rows, columns) of one or three channels."""
    return np.broadcast_to(picture, (COLOURS, *picture.shape[1:]))


def _squashed(focus: Focus, logits: np.ndarray | None) -> np.ndarray:
    if logits is None:
        return np.zeros((PROPOSALS, GRID_SIDE, GRID_SIDE), np.float32)
    return np.tanh(focus.sample_low_res(logits) / SOFTNESS)


def _dots(focus: Focus, pixels: np.ndarray) -> np.ndarray:
    return (1 + (DOT - _distances(focus, pixels)) / 2).clip(0, 1)


def _nearness(focus: Focus, pixels: np.ndarray) -> np.ndarray:
    return (1 - _distances(focus, pixels) / (GRID_SIDE / 2)).clip(0, 1)


def _distances(focus: Focus, pixels: np.ndarray) -> np.ndarray:
    """Distance of each cell to the nearest of (N, 2) pixels, in cells."""
    if not len(pixels):
        return np.full((GRID_SIDE, GRID_SIDE), np.inf, np.float32)
    origin = np.array([focus.row, focus.column]) - 0.5
    return distances((pixels - origin) / focus.cell - 0.5, (GRID_SIDE, GRID_SIDE))
