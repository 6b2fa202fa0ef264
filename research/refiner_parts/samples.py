"""Samples of rollouts on disk, in shards that are written once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import FormatError, wrap_read_errors, wrap_write_errors
from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.interactive import ShownFrame
from napari_sam_decoder.model.refinement import CLUES
from napari_sam_decoder.model.values import GRID_SIDE, Embedding
from refiner_parts.rollouts import Rollouts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from napari_sam_decoder.interactive import Decoder, Refiner
    from refiner_parts.rollouts import Sample

__all__ = ["SAMPLE", "Shards", "packed", "read_shard"]

SAMPLE = np.dtype(
    [
        ("clues", np.int8, (CLUES, GRID_SIDE, GRID_SIDE)),
        ("truth", np.uint8, (GRID_SIDE, GRID_SIDE)),
        ("view", np.uint8),
    ]
)
"""Clues in 127ths, truth in 255ths, and the number of the view."""

PICTURES_PER_SHARD = 4
"""Those of a batch come from one shard, hence from so many pictures."""
MOST_OBJECTS = 8
"""Of one picture."""


@dataclass(frozen=True, eq=False)
class Shards:
    """What is drawn on some of the pictures of a folder.

    Attributes
    ----------
    pictures : sequence of Path
        Files of `embed_pictures`.
    count : int
        Of shards, each of four pictures: about 250 samples.
    own_share : float
        0..1: share of the corrections that the refiner makes, not the truth.
    seed : sequence of int
        Determines all samples.
    """

    pictures: Sequence[Path]
    count: int
    own_share: float
    seed: Sequence[int] = field(default=(0,))

    def write(self, folder: Path, decoder: Decoder, refiner: Refiner) -> Iterator[Path]:
        """Write the shards that a folder lacks.

        Parameters
        ----------
        folder : Path
            Created if missing.
        decoder : Decoder
            The network that embedded the pictures.
        refiner : Refiner
            It makes some of the corrections.

        Yields
        ------
        Path
            After each shard, see `read_shard`.

        Raises
        ------
        DecodingError
            If a network fails.
        FormatError
            If a picture cannot be read, or a shard not written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        chosen = np.random.default_rng(self.seed).permutation(len(self.pictures))
        for number in range(self.count):
            path = folder / f"{number:04d}.npy"
            if not path.exists():
                places = PICTURES_PER_SHARD * number + np.arange(PICTURES_PER_SHARD)
                pictures = [
                    self.pictures[index]
                    for index in chosen.take(places, mode="wrap").tolist()
                ]
                rng = np.random.default_rng([*self.seed, number])
                samples = self._samples(pictures, decoder, refiner, rng)
                _write(rng.permutation(packed(samples)), path)
            yield path

    def _samples(
        self,
        pictures: Iterable[Path],
        decoder: Decoder,
        refiner: Refiner,
        rng: np.random.Generator,
    ) -> Iterator[Sample]:
        for picture in pictures:
            frame, labels = _read_picture(picture, decoder, refiner)
            rollouts = Rollouts(frame, labels, self.own_share)
            yield from rollouts.samples(MOST_OBJECTS, rng)


def packed(samples: Iterable[Sample]) -> np.ndarray:
    """Round samples to an array of `SAMPLE`."""
    rows = [
        (
            np.round(127 * sample.clues).astype(np.int8),
            np.round(255 * sample.truth).astype(np.uint8),
            sample.view,
        )
        for sample in samples
    ]
    return np.array(rows, SAMPLE)


def read_shard(path: Path) -> np.ndarray:
    """Map a shard into memory.

    Returns
    -------
    (N,) array of `SAMPLE`
        Read from the disk when used.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    with wrap_read_errors(path, FormatError, "delete it, and start again"):
        shard: np.ndarray = np.load(path, mmap_mode="r")
    return shard


def _read_picture(
    path: Path, decoder: Decoder, refiner: Refiner
) -> tuple[ShownFrame, np.ndarray]:
    """Return a frame, and its labels."""
    remedy = "delete it, and embed it again"
    with wrap_read_errors(path, FormatError, remedy), np.load(path) as content:
        picture, labels = content["picture"], content["labels"]
        features = content["features"]
    shape = labels.shape[0], labels.shape[1]
    frame = ShownFrame(
        np.ascontiguousarray(np.moveaxis(picture, -1, 0)),
        Embedding(features, shape),
        decoder,
        refiner,
        FrameGeometry.fit(shape, decoder.image_size),
        lambda found: found.iou_predictions,
        partial(decoder.enlarge, frame_shape=shape),
    )
    return frame, labels


def _write(shard: np.ndarray, path: Path) -> None:
    with wrap_write_errors(path), atomic_write(path, ".partial.npy") as partial_path:
        np.save(partial_path, shard)
