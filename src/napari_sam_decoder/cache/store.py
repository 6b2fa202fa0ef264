"""The interface of stores of embeddings, and the store in memory."""

from __future__ import annotations

from collections import OrderedDict
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
        self._entries: OrderedDict[int, tuple[bytes, np.ndarray]] = OrderedDict()
        self._lock = Lock()

    def read(self, frame: int, digest: bytes) -> np.ndarray | None:
        """See `EmbeddingStore.read`."""
        with self._lock:
            if frame not in self._entries or self._entries[frame][0] != digest:
                return None
            self._entries.move_to_end(frame)
            quantized = self._entries[frame][1]
        return self._quantizer.dequantize(quantized)

    def write(self, frame: int, digest: bytes, features: np.ndarray) -> np.ndarray:
        """See `EmbeddingStore.write`."""
        quantized = self._quantizer.quantize(features)
        with self._lock:
            self._entries[frame] = (digest, quantized)
            self._entries.move_to_end(frame)
            while len(self._entries) * self._quantizer.nbytes > self._limit:
                self._entries.popitem(last=False)
        return self._quantizer.dequantize(quantized)

    def recorded_digest(self, frame: int) -> bytes | None:
        """See `EmbeddingStore.recorded_digest`."""
        with self._lock:
            return self._entries[frame][0] if frame in self._entries else None

    def present(self) -> set[int]:
        """See `EmbeddingStore.present`."""
        with self._lock:
            return set(self._entries)

    def close(self) -> None:
        """Drop all embeddings."""
        with self._lock:
            self._entries.clear()
