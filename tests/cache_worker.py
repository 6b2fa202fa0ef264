"""A movie and an encoder that cost nothing, and processes that use a cache.

Run as a script, ``PATH`` is a cache that it keeps open until its input ends.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
from portalocker import LockException
from portalocker.portalocker import BaseLocker

from napari_sam_decoder.cache import CacheKey, Quantizer, Storage, array_digest
from napari_sam_decoder.embedding import Embedder, open_store
from napari_sam_decoder.frames import Movie
from napari_sam_decoder.model.values import Embedding

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

__all__ = [
    "FRAMES",
    "SHAPE",
    "CheapEncoder",
    "NoLocks",
    "cheap_movie",
    "chunk",
    "embed_when_told",
    "files_of",
    "key_of",
    "noise",
    "rounded",
]

FRAMES = 12
SHAPE = (64, 64, 64)


class CheapEncoder:
    """Noise seeded by the pixels, so that equal frames give equal embeddings."""

    identity = "cheap-1"
    embedding_shape = SHAPE

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, frame: np.ndarray) -> Embedding:
        self.encoded += 1
        return Embedding(noise(array_digest(frame)), frame.shape[:2])


def noise(seed: bytes) -> np.ndarray:
    rng = np.random.default_rng(list(seed))
    return rng.standard_normal(SHAPE, dtype=np.float32)


def rounded(features: np.ndarray, storage: Storage = Storage.INT8) -> np.ndarray:
    """Features as every store gives them back."""
    quantizer = Quantizer(SHAPE, storage)
    return quantizer.dequantize(quantizer.quantize(features))


def cheap_movie(frames: int = FRAMES, seed: int = 0) -> Movie:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 255, (frames, 12, 10), dtype=np.uint8)
    return Movie(pixels, contrast=(0, 255))


def key_of(frames: int = FRAMES, storage: Storage = Storage.INT8) -> CacheKey:
    return CacheKey(
        model=CheapEncoder.identity,
        contrast=(0.0, 255.0),
        frames=frames,
        frame_shape=(12, 10),
        dtype="uint8",
        axes="TYX",
        embedding_shape=SHAPE,
        storage=storage,
    )


def chunk(path: Path, frame: int = 0) -> Path:
    """The file of a frame that is not packed."""
    return path / "frames" / f"c.{frame}.0"


def files_of(path: Path) -> dict[str, bytes]:
    """Contents of all files of a cache but its lock."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name != ".lock"
    }


class NoLocks(BaseLocker):
    """What portalocker meets on a file system without locks."""

    def lock(self, file_obj: object, flags: object) -> None:
        raise LockException("no locks available")

    def unlock(self, file_obj: object) -> None:
        raise LockException("no locks available")


def embed_when_told(parent: Connection, path: Path) -> None:
    """Fill a cache with the whole movie, frame by frame, and tell of each."""
    movie, encoder = cheap_movie(), CheapEncoder()
    parent.send("ready")
    parent.recv()
    embedder = Embedder(movie, encoder, open_store(movie, encoder, path))
    for step in embedder.fill(range(len(movie))):
        parent.send(step.frame)


def hold(path: str) -> None:
    movie, encoder = cheap_movie(), CheapEncoder()
    store = open_store(movie, encoder, path)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    store.close()


if __name__ == "__main__":
    hold(sys.argv[1])
