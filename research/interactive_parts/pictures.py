"""Pictures with the truth and their embeddings: nuclei, and synthetic scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from interactive_parts.fibres import filament_scene, neurite_scene
from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.thread_pool import ThreadPool
from napari_sam_decoder.training.examples import LabelledPicture
from shipped_head.photographs import photographs
from shipped_head.scenes import object_scene
from shipped_head.tissue import cell_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam
    from shipped_head.scenes import SyntheticScene

    Make = Callable[[int], LabelledPicture]

__all__ = ["Kind", "NucleusPictures", "embed_pictures", "flattened", "synthetic_kinds"]

AT_A_TIME = 2
"""Drawing a scene takes as long as embedding one."""

SUFFIX = "_labels"
HELD_OUT = "012"
"""Pictures whose names begin so are for measuring."""

NEURITES = 0.75
"""Share of the fibres; the others are filaments."""

SIMILAR = 8
"""A mosaic is made of a picture and some of so many that resemble it."""


@dataclass(frozen=True)
class Kind:
    """Pictures that are made in the same way.

    Attributes
    ----------
    count : int
        How many.
    make : callable
        Gives the picture of a number, 0..count - 1; always the same one.
    """

    count: int
    make: Make


class NucleusPictures:
    """Photographs of nuclei, by themselves, in part, and side by side.

    Parameters
    ----------
    paths : sequence of Path
        ``NAME.png``, each with ``NAME_labels.png`` beside it.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._looks = np.array([_look(path) for path in paths])

    @classmethod
    def of_folder(cls, folder: Path, held_out: bool) -> NucleusPictures:
        """Take the pictures for training, or those that are held out for measuring."""
        return cls(
            [
                path
                for path in sorted(folder.glob("*.png"))
                if not path.stem.endswith(SUFFIX)
                and (path.name[0] in HELD_OUT) == held_out
            ]
        )

    def __len__(self) -> int:
        return len(self._paths)

    def whole(self, number: int) -> LabelledPicture:
        """Read a picture as it is."""
        path = self._paths[number]
        with Image.open(path) as opened:
            picture = np.asarray(opened.convert("RGB"))
        with Image.open(path.with_name(f"{path.stem}{SUFFIX}.png")) as opened:
            return LabelledPicture(picture, np.asarray(opened).astype(np.uint16))

    def at_some_scale(self, number: int) -> LabelledPicture:
        """Read every third picture whole, half of every third, and a mosaic else."""
        rng = np.random.default_rng(number)
        view = (self._whole, self._half, self._mosaic)[number % 3]
        return view(number, rng)

    def _whole(self, number: int, rng: np.random.Generator) -> LabelledPicture:
        return self.whole(number)

    def _half(self, number: int, rng: np.random.Generator) -> LabelledPicture:
        """A quarter of a picture; the whole one where that quarter is empty."""
        whole = self.whole(number)
        sides = [length // 2 for length in whole.labels.shape]
        part = _cropped(whole, sides, rng)
        return part if part.labels.any() else whole

    def _mosaic(self, number: int, rng: np.random.Generator) -> LabelledPicture:
        """Four pictures that look alike, cropped to the same size."""
        distances = np.linalg.norm(self._looks - self._looks[number], axis=1)
        similar = np.argsort(distances, kind="stable")[1 : SIMILAR + 1]
        others = rng.choice(similar, 3, replace=len(similar) < 3)
        tiles = [self.whole(index) for index in (number, *others)]
        sides = np.min([tile.labels.shape for tile in tiles], axis=0)
        tiles = [_cropped(tile, sides, rng) for tile in tiles]
        first = np.cumsum([0, *(tile.labels.max() for tile in tiles[:-1])])
        labels = [
            np.where(tile.labels > 0, tile.labels + start, 0).astype(np.uint16)
            for tile, start in zip(tiles, first, strict=True)
        ]
        return LabelledPicture(_tiled([tile.picture for tile in tiles]), _tiled(labels))


def synthetic_kinds() -> dict[str, Kind]:
    """Return the kinds of pictures that are drawn: things, cells and fibres."""
    surfaces = [*photographs().values()]
    return {
        "things": Kind(350, _drawn(0, lambda rng: object_scene(rng, surfaces))),
        "cells": Kind(300, _drawn(1, lambda rng: cell_scene(rng, None))),
        "fibres": Kind(150, _drawn(2, _fibre_scene)),
    }


def _fibre_scene(rng: np.random.Generator) -> SyntheticScene:
    is_of_neurites = rng.random() < NEURITES
    return neurite_scene(rng) if is_of_neurites else filament_scene(rng)


def flattened(scene: SyntheticScene) -> LabelledPicture:
    """Give each pixel to the smallest object that covers it."""
    labels = np.zeros(scene.picture.shape[:2], np.uint16)
    sizes = scene.masks.sum(axis=(1, 2))
    for index in np.argsort(-sizes, kind="stable"):
        labels[scene.masks[index]] = 1 + index
    return LabelledPicture(scene.picture, labels)


def embed_pictures(kinds: Mapping[str, Kind], folder: Path, sam: Sam) -> Iterator[Path]:
    """Write the pictures that a folder lacks, all kinds evenly mixed.

    Parameters
    ----------
    kinds : mapping of str to Kind
        By their names.
    folder : Path
        Created if missing.
    sam : Sam
        Frozen.

    Yields
    ------
    Path
        ``KIND-NUMBER.npz`` after each: ``picture`` (Y, X, 3) uint8, ``labels`` (Y, X)
        uint16 with 0 for the background, ``features`` (256, 64, 64) float16.

    Raises
    ------
    DecodingError
        If the network fails.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def work(item: tuple[str, int]) -> Path:
        kind, number = item
        path = folder / f"{kind}-{number:05d}.npz"
        if not path.exists():
            _write(kinds[kind].make(number), path, sam)
        return path

    yield from ThreadPool(AT_A_TIME).imap(work, _mixed(kinds))


def _mixed(kinds: Mapping[str, Kind]) -> list[tuple[str, int]]:
    """All kinds and numbers, so that each beginning has its share of every kind."""
    items = [
        ((number + 0.5) / kind.count, name, number)
        for name, kind in kinds.items()
        for number in range(kind.count)
    ]
    return [(name, number) for _, name, number in sorted(items)]


def _write(labelled: LabelledPicture, path: Path, sam: Sam) -> None:
    features = sam.encode(labelled.picture).features.astype(np.float16)
    with atomic_write(path, ".partial.npz") as partial:
        np.savez(
            partial,
            picture=labelled.picture,
            labels=labelled.labels.astype(np.uint16),
            features=features,
        )


def _drawn(place: int, draw: Callable[[np.random.Generator], SyntheticScene]) -> Make:
    return lambda number: flattened(draw(np.random.default_rng([place, number])))


def _look(path: Path) -> np.ndarray:
    """(4,) array: the mean colour, 0..1, and the logarithm of the side."""
    with Image.open(path) as opened:
        colour = np.asarray(opened.convert("RGB")).mean(axis=(0, 1)) / 255
        return np.array([*colour, np.log(min(opened.size))])


def _cropped(
    labelled: LabelledPicture,
    sides: Sequence[int] | np.ndarray,
    rng: np.random.Generator,
) -> LabelledPicture:
    """A random part of that size."""
    rows, columns = (
        slice(start := int(rng.integers(length - side + 1)), start + int(side))
        for length, side in zip(labelled.labels.shape, sides, strict=True)
    )
    return LabelledPicture(
        labelled.picture[rows, columns], labelled.labels[rows, columns]
    )


def _tiled(four: Sequence[np.ndarray]) -> np.ndarray:
    rows = [np.concatenate(four[start : start + 2], axis=1) for start in (0, 2)]
    return np.concatenate(rows, axis=0)
