"""Rounding embeddings to few bytes and back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod

import numpy as np

from napari_sam_decoder.errors import DecodingError, OptionError

__all__ = ["Quantizer", "Storage"]

_LARGEST = 127
"""Largest int8 value that is used."""


class Storage(StrEnum):
    """Number types to which embeddings are rounded."""

    INT8 = "int8"
    FLOAT16 = "float16"

    @classmethod
    def of(cls, name: str) -> Storage:
        """Return the storage of a name.

        Raises
        ------
        OptionError
            If the name is unknown.
        """
        try:
            return cls(name)
        except ValueError:
            raise OptionError(
                f"embeddings cannot be stored as {name!r}; choose one of "
                f"{', '.join(cls)}"
            ) from None


@dataclass(frozen=True)
class Quantizer:
    """Rounds embeddings to a fixed number of bytes.

    With int8 the bytes hold one float32 scale per channel, chosen so that the largest
    value of the channel becomes ±127, followed by the rounded values. With float16
    they hold the values alone.

    Attributes
    ----------
    shape : tuple of int
        (channels, rows, columns) of an embedding.
    storage : Storage
        Number type to which values are rounded.
    """

    shape: tuple[int, int, int]
    storage: Storage = Storage.INT8

    @property
    def nbytes(self) -> int:
        """Number of bytes of an embedding before compression."""
        scales = 4 * self.shape[0] if self.storage is Storage.INT8 else 0
        return scales + prod(self.shape) * np.dtype(self.storage.value).itemsize

    def quantize(self, features: np.ndarray) -> np.ndarray:
        """Round an embedding.

        Parameters
        ----------
        features : (C, H, W) array of float
            Of the shape of this quantizer.

        Returns
        -------
        (N,) array of uint8
            A copy.

        Raises
        ------
        DecodingError
            If values are not finite, or beyond the range of float16 where they are
            rounded to that.
        """
        if self.storage is Storage.FLOAT16:
            with np.errstate(over="ignore"):
                values = np.array(features, np.float16, order="C")
            _require_finite(values)
            return values.reshape(-1).view(np.uint8)
        flat = np.asarray(features, np.float32).reshape(self.shape[0], -1)
        scales = np.maximum(flat.max(axis=1), -flat.min(axis=1)) / np.float32(_LARGEST)
        _require_finite(scales)
        scaled = flat / np.where(scales > 0, scales, np.float32(1))[:, None]
        np.rint(scaled, out=scaled)
        rounded = scaled.astype(np.int8)
        return np.concatenate(
            [scales.view(np.uint8), rounded.reshape(-1).view(np.uint8)]
        )

    def dequantize(self, quantized: np.ndarray) -> np.ndarray:
        """Restore the rounded embedding.

        Parameters
        ----------
        quantized : (N,) array of uint8
            As returned by `quantize`.

        Returns
        -------
        (C, H, W) array of float32 or float16
            float32 if it was rounded to int8; a copy that the caller may change.
        """
        if self.storage is Storage.FLOAT16:
            return quantized.view(np.float16).reshape(self.shape).copy()
        split = 4 * self.shape[0]
        # A copy, since the scales may not be aligned to four bytes.
        scales = quantized[:split].copy().view(np.float32)
        values = quantized[split:].view(np.int8).reshape(self.shape).astype(np.float32)
        values *= scales[:, None, None]
        return values


def _require_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise DecodingError(
            "the embedding has values that are not finite; compute in float32, or "
            "check the checkpoint"
        )
