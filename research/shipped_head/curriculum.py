"""All training examples of the shipped head, generated once and kept on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.thread_pool import ThreadPool
from napari_sam_decoder.training.examples import write_example
from shipped_head.distillation import distil_example
from shipped_head.photographs import photographs
from shipped_head.sam_examples import record_example
from shipped_head.scenes import object_scene
from shipped_head.tissue import cell_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam
    from shipped_head.sam_examples import SamExample

    Make = Callable[[np.random.Generator], SamExample | None]

__all__ = ["Curriculum", "generate_examples"]

AT_A_TIME = 2
"""Pictures are generated in parallel: drawing takes as long as embedding."""


@dataclass(frozen=True)
class Curriculum:
    """The number of pictures of each kind, and the seed.

    Attributes
    ----------
    things : int
        Objects in front of photographs.
    cells : int
        Cells under a microscope.
    views : int
        Photographs, whose truth comes from an enlarged view.
    seed : int
        Determines all pictures.
    """

    things: int = 1100
    cells: int = 250
    views: int = 100
    seed: int = 0

    @property
    def total(self) -> int:
        """Number of pictures."""
        return self.things + self.cells + self.views

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield kind and number of each picture, the kinds one after the other."""
        for kind in ("things", "cells", "views"):
            for number in range(getattr(self, kind)):
                yield kind, number


def generate_examples(
    curriculum: Curriculum,
    folder: Path,
    sam: Sam,
    drawings: Sequence[np.ndarray] = (),
) -> Iterator[bool]:
    """Generate the training examples that a folder lacks.

    Parameters
    ----------
    curriculum : Curriculum
        Kinds, numbers and seed.
    folder : Path
        Created if missing.
    sam : Sam
        Frozen.
    drawings : sequence of (Y, X, 4) array of uint8
        See `object_scene`.

    Yields
    ------
    bool
        After each picture, whether it gave an example. Close the iterator to stop.

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
        "things": lambda rng: record_example(
            object_scene(rng, pictures, drawings), sam, rng
        ),
        "cells": lambda rng: record_example(cell_scene(rng), sam, rng),
        "views": lambda rng: distil_example(
            pictures[int(rng.integers(len(pictures)))], sam, rng
        ),
    }

    def work(name: tuple[str, int]) -> bool:
        kind, number = name
        path = folder / f"{kind}-{number:05d}.npz"
        if path.exists():
            return True
        place = [*make].index(kind)
        example = make[kind](np.random.default_rng([curriculum.seed, place, number]))
        if example is not None:
            write_example(example, path)
        return example is not None

    yield from ThreadPool(AT_A_TIME).imap(work, curriculum.names())
