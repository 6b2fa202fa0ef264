"""Scenes of small objects: a large frame, and the same tiles as small movies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import imageio.v3 as imageio
import numpy as np
from tracking_parts.data import read

from large_frames_parts.mosaics import Mosaic, Place, Tile, rescaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Scene", "Stage", "pictures_as_tiles", "sequence_as_tile"]

FEWEST_PIXELS = 200
UNSEEN = "012"
"""First characters of the names of pictures on which nothing was trained."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A movie, and the objects to be segmented in it.

    Attributes
    ----------
    frames : (T, Y, X) array of uint8
    masks : (T, Y, X) array of int
    objects : tuple of int
    """

    frames: np.ndarray
    masks: np.ndarray
    objects: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Scene:
    """A few objects of a mosaic.

    Attributes
    ----------
    name : str
    mosaic : Mosaic
    places : tuple of Place
    """

    name: str
    mosaic: Mosaic
    places: tuple[Place, ...]

    @classmethod
    def near(cls, name: str, mosaic: Mosaic, count: int) -> Scene:
        """Take the objects nearest to the middle of the frame."""
        middle = np.full(2, mosaic.masks.shape[1] / 2)
        found = sorted(
            _lasting(mosaic),
            key=lambda one: float(np.linalg.norm(_centre(mosaic, one) - middle)),
        )
        return cls(name, mosaic, tuple(found[:count]))

    @classmethod
    def apart(cls, name: str, mosaic: Mosaic, count: int) -> Scene:
        """Take objects that are spread over the frame."""
        found = list(_lasting(mosaic))
        picks = np.random.default_rng(0).permutation(len(found))[:count]
        return cls(name, mosaic, tuple(found[pick] for pick in picks))

    def whole(self) -> Stage:
        """Return the mosaic."""
        ids = tuple(place.object_id for place in self.places)
        return Stage(self.mosaic.frames, self.mosaic.masks, ids)

    def small(self) -> Iterator[Stage]:
        """Yield the tiles with any of the objects."""
        for number in sorted({place.tile for place in self.places}):
            tile = self.mosaic.tiles[number]
            ids = tuple(one.own_id for one in self.places if one.tile == number)
            yield Stage(
                np.ascontiguousarray(tile.frames), np.ascontiguousarray(tile.masks), ids
            )


def _lasting(mosaic: Mosaic) -> Iterator[Place]:
    """Yield the objects that are whole on every frame."""
    kept = [_areas(mosaic.masks[frame]) for frame in range(len(mosaic.masks))]
    own: dict[int, list[np.ndarray]] = {}
    for place in mosaic.places():
        if place.tile not in own:
            masks = mosaic.tiles[place.tile].masks
            own[place.tile] = [np.bincount(mask.ravel()) for mask in masks]
        expected = [
            areas[place.own_id] if place.own_id < len(areas) else 0
            for areas in own[place.tile]
        ]
        seen = [areas.get(place.object_id, 0) for areas in kept]
        if min(seen) >= FEWEST_PIXELS and seen == expected:
            yield place


def _areas(mask: np.ndarray) -> dict[int, int]:
    ids, counts = np.unique(mask, return_counts=True)
    return dict(zip(ids.tolist(), counts.tolist(), strict=True))


def _centre(mosaic: Mosaic, place: Place) -> np.ndarray:
    pixels = np.argwhere(mosaic.masks[0] == place.object_id)
    centre: np.ndarray = pixels.mean(axis=0)
    return centre


def sequence_as_tile(folder: Path, length: int, side: float) -> list[Tile]:
    """Read the first frames of a sequence with its truth."""
    clip = read(folder)
    frames = np.stack([clip.movie.rgb(frame)[..., 0] for frame in range(length)])
    return [rescaled(Tile(frames, clip.masks[:length].astype(np.int32)), side)]


def pictures_as_tiles(
    folder: Path, length: int, side: float, count: int
) -> Sequence[Tile]:
    """Read pictures on which nothing was trained, as movies that stand still."""
    tiles = []
    for path in sorted(folder.glob("*_labels.png")):
        picture = path.with_name(path.name.replace("_labels", ""))
        if path.name[0] not in UNSEEN or len(tiles) == count:
            continue
        pixels, labels = imageio.imread(picture), imageio.imread(path)
        grey = pixels if pixels.ndim == 2 else pixels[..., :3].mean(axis=-1)
        if not (0 < labels.max() < 1000):
            continue
        tile = Tile(grey[None].astype(np.uint8), labels[None].astype(np.int32))
        small = rescaled(tile, side)
        repeated = (
            np.repeat(stack, length, axis=0) for stack in (small.frames, small.masks)
        )
        tiles.append(Tile(*repeated))
    return tiles
