"""All lessons that the shipped decoder learns from, made once and kept on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.thread_pool import ThreadPool
from napari_sam_decoder.training.coarse import prepare_lesson
from napari_sam_decoder.training.lessons import write_lesson
from shipped_head.distillation import distil_lesson
from shipped_head.photographs import photographs
from shipped_head.scenes import photographed_things
from shipped_head.tissue import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.lessons import Lesson

    Make = Callable[[np.random.Generator], Lesson | None]

__all__ = ["Curriculum", "prepare"]

SIDE_BY_SIDE = 2
"""Pictures that are worked on at a time: drawing them takes as long as embedding."""


@dataclass(frozen=True)
class Curriculum:
    """How many pictures of each kind, and by which seed.

    Attributes
    ----------
    things : int
        Made-up things in front of photographs.
    cells : int
        Made-up cells under a microscope.
    views : int
        Photographs as they are, of which the truth is a closer look.
    seed : int
        All pictures follow from it.
    """

    things: int = 1100
    cells: int = 250
    views: int = 100
    seed: int = 0

    @property
    def total(self) -> int:
        """Pictures in all."""
        return self.things + self.cells + self.views

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield kind and number of each picture, the kinds one after the other."""
        for kind in ("things", "cells", "views"):
            for number in range(getattr(self, kind)):
                yield kind, number


def prepare(
    curriculum: Curriculum,
    folder: Path,
    sam: Sam,
    drawings: Sequence[np.ndarray] = (),
) -> Iterator[bool]:
    """Make the lessons that a folder lacks.

    Parameters
    ----------
    curriculum : Curriculum
        Which ones.
    folder : Path
        Where they are kept; made if it is not there.
    sam : Sam
        Frozen.
    drawings : sequence of (Y, X, 4) array of uint8
        See `photographed_things`.

    Yields
    ------
    bool
        After each picture, whether there is something to be learned from it. Close
        the iterator to stop; the lessons that are there are not made again.

    Raises
    ------
    DecodingError
        If the network fails.
    FormatError
        If a drawing cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [*photographs().values()]
    make: dict[str, Make] = {
        "things": lambda rng: prepare_lesson(
            photographed_things(rng, pictures, drawings), sam, rng
        ),
        "cells": lambda rng: prepare_lesson(cells(rng), sam, rng),
        "views": lambda rng: distil_lesson(
            pictures[int(rng.integers(len(pictures)))], sam, rng
        ),
    }

    def work(name: tuple[str, int]) -> bool:
        kind, number = name
        path = folder / f"{kind}-{number:05d}.npz"
        if path.exists():
            return True
        place = [*make].index(kind)
        lesson = make[kind](np.random.default_rng([curriculum.seed, place, number]))
        if lesson is not None:
            write_lesson(lesson, path)
        return lesson is not None

    yield from ThreadPool(SIDE_BY_SIDE).imap(work, curriculum.names())
