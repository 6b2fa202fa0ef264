"""Training of the mask decoder on nuclei, cells and fibres."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from interactive_parts.windowed_finetuning import WindowedFinetuning
from napari_sam_decoder.model.transforms import input_shape
from napari_sam_decoder.training.examples import (
    ExampleFolder,
    TrainingExample,
    resize_mask,
    write_example,
)
from napari_sam_decoder.training.finetuning import BatchOptions
from napari_sam_decoder.training.loop import Schedule, train
from napari_sam_decoder.weights.trained_decoders import (
    DecoderMetadata,
    TrainedDecoder,
    save_decoder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.sam import Sam

__all__ = ["CellsTraining", "held_out", "taught", "write_examples"]

MOST_OBJECTS = 8
"""Of one picture: few of its objects are ever drawn."""


HELD_OUT = MappingProxyType({"dsb": 0, "cells": 30, "fibres": 30, "things": 230})
"""By kind: so many pictures are not learned from, beside a kind of their own."""


@dataclass(frozen=True)
class CellsTraining:
    """Everything on which the weights depend, beside the pictures.

    Attributes
    ----------
    schedule : Schedule
        Steps and learning rate.
    batches : BatchOptions
        Prompts of a batch. More rounds than usual: a wrong mask has to be corrected by
        several clicks.
    kinds : tuple of str
        Of which pictures, see `HELD_OUT`.
    """

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            4000, rate=2e-4, warm_up=100, decay=0.01, save_every=100
        )
    )
    batches: BatchOptions = field(
        default_factory=lambda: BatchOptions(prior_share=0.2, rounds=3)
    )
    kinds: tuple[str, ...] = ("dsb", "cells", "fibres", "things")

    def run(
        self, sam: Sam, pictures: Path, work: Path, target: Path, progress: Progress
    ) -> None:
        """Train a copy of the network's decoder, or resume, and write it.

        Parameters
        ----------
        sam : Sam
            The network that embedded the pictures; not changed.
        pictures : Path
            A folder that `embed_pictures` has filled.
        work : Path
            For examples and checkpoints.
        target : Path
            The file to write.
        progress : Progress
            Shows pictures and steps.

        Raises
        ------
        SamDecoderError
            If the folder is corrupt or belongs to another training.
        """
        chosen = [path for kind in self.kinds for path in taught(pictures, kind)]
        examples = work / "examples"
        written = write_examples(chosen, examples, sam.image_size)
        for _ in progress(written, total=len(chosen), what="pictures"):
            pass
        decoder = copy.deepcopy(sam.mask_decoder)
        task = WindowedFinetuning(
            ExampleFolder(examples, TrainingExample), sam, self.batches
        )
        steps = train(decoder, task, self.schedule, work / "state")
        for _ in progress(steps, total=self.schedule.steps, what="training"):
            pass
        trained_on = f"nuclei of the 2018 Data Science Bowl and generated, {self}"
        metadata = DecoderMetadata(sam.weights, trained_on)
        save_decoder(TrainedDecoder(metadata, None, decoder.state_dict()), target)


def taught(pictures: Path, kind: str) -> list[Path]:
    """Return the files of a kind that are learned from."""
    paths = sorted(pictures.glob(f"{kind}-*.npz"))
    return paths[HELD_OUT.get(kind, len(paths)) :]


def held_out(pictures: Path, kind: str) -> list[Path]:
    """Return the files of a kind that are for measuring."""
    paths = sorted(pictures.glob(f"{kind}-*.npz"))
    return paths[: HELD_OUT.get(kind, len(paths))]


def write_examples(
    pictures: list[Path], folder: Path, image_size: int
) -> Iterator[None]:
    """Write the training examples of embedded pictures that a folder lacks.

    Parameters
    ----------
    pictures : list of Path
        Files of `embed_pictures`.
    folder : Path
        Created if missing; examples have the names of their pictures. Pictures without
        objects give none.
    image_size : int
        Side of the network's input.

    Yields
    ------
    None
        After each picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in pictures:
        target = folder / path.name
        if not target.exists():
            example = _read_example(path, image_size)
            if example is not None:
                write_example(example, target)
        yield


def _read_example(path: Path, image_size: int) -> TrainingExample | None:
    """With some of the objects, always the same ones."""
    with np.load(path) as content:
        labels, features = content["labels"], content["features"]
    ids = np.random.default_rng(0).permutation(np.unique(labels[labels > 0]))
    if not len(ids):
        return None
    shape = input_shape((labels.shape[0], labels.shape[1]), image_size)
    truth = [resize_mask(labels == one, shape) for one in ids[:MOST_OBJECTS]]
    return TrainingExample(features, np.array(shape), np.packbits(truth, axis=-1))
