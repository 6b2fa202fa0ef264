"""The interface of stores of embeddings, and the store in memory."""

from __future__ import annotations

from collections import OrderedDict
from copy import copy
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from napari_sam_decoder.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from napari_sam_decoder.cache.quantization import Quantizer

__all__ = ["DEFAULT_MEMORY_BYTES", "EmbeddingStore", "MemoryStore"]

DEFAULT_MEMORY_BYTES = 4 * 10**9


class EmbeddingStore(Protocol):
    """Embeddings by frame, each valid only for the pixels that it was computed from."""

    def read(self, frame: int, digest: bytes) -> np.ndarray | None:
        """Return the embedding of a frame if it was computed from the same pixels.

        Parameters
        ----------
        frame : int
            Frame of the movie, from 0.
        digest : bytes
            Digest of the frame's pixels, see `array_digest`.

        Returns
        -------
        (C, H, W) array of float32 or float16, or None
            As `Quantizer.dequantize` gives it, a copy that the caller may change. None
            if nothing is stored, if it is of other pixels, or if it is damaged.
        """

    def write(self, frame: int, digest: bytes, features: np.ndarray) -> np.ndarray:
        """Store the embedding of a frame in place of any earlier one.

        Parameters
        ----------
        frame : int
            Frame of the movie, from 0.
        digest : bytes
            Digest of the frame's pixels, see `array_digest`.
        features : (C, H, W) array of float
            Of the shape that the store was made for.

        Returns
        -------
        (C, H, W) array of float32 or float16
            Rounded, as returned by `read`, so that results do not depend on whether
            an embedding was just computed or read.

        Raises
        ------
        DecodingError
            If the features are not finite.
        """

    def recorded_digest(self, frame: int) -> bytes | None:
        """Digest of the pixels that a stored embedding was computed from, if any."""

    def present(self) -> set[int]:
        """Frames that have an embedding, whatever their pixels are now."""

    def part(self, name: str) -> EmbeddingStore:
        """Return the store of the embeddings of a part of each frame.

        Parameters
        ----------
        name : str
            Letters, digits and dots. The same name gives the same embeddings.
        """

    def close(self) -> None:
        """Release what the store holds open."""


class MemoryStore:
    """Embeddings in memory; the least recently used are dropped when space runs out.

    Parameters
    ----------
    quantizer : Quantizer
        Converts embeddings to bytes.
    limit_bytes : int, optional
        Most bytes to keep; one embedding of SAM takes 1 MiB as int8.

    Raises
    ------
    OptionError
        If the limit is negative.
    """

    def __init__(
        self, quantizer: Quantizer, limit_bytes: int = DEFAULT_MEMORY_BYTES
    ) -> None:
        if limit_bytes < 0:
            raise OptionError(
                f"the memory for embeddings must be 0 bytes or more, not {limit_bytes}"
            )
        self._quantizer = quantizer
        self._limit = limit_bytes
        self._name = ""
        # Shared with the stores of parts.
        self._entries: OrderedDict[tuple[str, int], tuple[bytes, np.ndarray]]
        self._entries = OrderedDict()
        self._lock = Lock()

    def read(self, frame: int, digest: bytes) -> np.ndarray | None:
        """See `EmbeddingStore.read`."""
        key = self._name, frame
        with self._lock:
            if key not in self._entries or self._entries[key][0] != digest:
                return None
            self._entries.move_to_end(key)
            quantized = self._entries[key][1]
        return self._quantizer.dequantize(quantized)

    def write(self, frame: int, digest: bytes, features: np.ndarray) -> np.ndarray:
        """See `EmbeddingStore.write`."""
        quantized = self._quantizer.quantize(features)
        key = self._name, frame
        with self._lock:
            self._entries[key] = (digest, quantized)
            self._entries.move_to_end(key)
            while len(self._entries) * self._quantizer.nbytes > self._limit:
                self._entries.popitem(last=False)
        return self._quantizer.dequantize(quantized)

    def recorded_digest(self, frame: int) -> bytes | None:
        """See `EmbeddingStore.recorded_digest`."""
        key = self._name, frame
        with self._lock:
            return self._entries[key][0] if key in self._entries else None

    def present(self) -> set[int]:
        """See `EmbeddingStore.present`."""
        with self._lock:
            return {frame for name, frame in self._entries if name == self._name}

    def part(self, name: str) -> MemoryStore:
        """See `EmbeddingStore.part`."""
        store = copy(self)
        store._name = name
        return store

    def close(self) -> None:
        """Drop all embeddings, those of parts as well."""
        with self._lock:
            self._entries.clear()
