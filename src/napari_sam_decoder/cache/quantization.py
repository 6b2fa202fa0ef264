"""In how many bytes an embedding is kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod

import numpy as np

from napari_sam_decoder.errors import DecodingError, OptionError

__all__ = ["Quantizer", "Storage"]

_STEPS = 127
"""Steps of int8 on either side of zero."""


class Storage(StrEnum):
    """Number types in which embeddings are kept."""

    INT8 = "int8"
    FLOAT16 = "float16"

    @classmethod
    def of(cls, name: str) -> Storage:
        """Return the storage of that name.

        Raises
        ------
        OptionError
            If there is none.
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
    """Embeddings as plain bytes: rounded, and always to the same number of bytes.

    int8 is for values that are rounded to 127 steps on either side of zero, as wide
    as the largest value of their channel needs, after those steps as one float32 per
    channel. float16 is for the values alone.

    Attributes
    ----------
    shape : tuple of int
        (channels, rows, columns) of an embedding.
    storage : Storage
        What the values are rounded to.
    """

    shape: tuple[int, int, int]
    storage: Storage = Storage.INT8

    @property
    def nbytes(self) -> int:
        """Bytes of an embedding, without any compression."""
        steps = 4 * self.shape[0] if self.storage is Storage.INT8 else 0
        return steps + prod(self.shape) * np.dtype(self.storage.value).itemsize

    def quantize(self, features: np.ndarray) -> np.ndarray:
        """Round an embedding.

        Parameters
        ----------
        features : (C, H, W) array of float
            Of the shape of this packing.

        Returns
        -------
        (N,) array of uint8
            In memory of its own.

        Raises
        ------
        DecodingError
            If values are not finite, or not in the range of float16 where that is
            what they are rounded to.
        """
        if self.storage is Storage.FLOAT16:
            with np.errstate(over="ignore"):
                values = np.array(features, np.float16, order="C")
            _require_finite(values)
            return values.reshape(-1).view(np.uint8)
        flat = np.asarray(features, np.float32).reshape(self.shape[0], -1)
        steps = np.maximum(flat.max(axis=1), -flat.min(axis=1)) / np.float32(_STEPS)
        _require_finite(steps)
        counts = flat / np.where(steps > 0, steps, np.float32(1))[:, None]
        np.rint(counts, out=counts)
        rounded = counts.astype(np.int8)
        return np.concatenate(
            [steps.view(np.uint8), rounded.reshape(-1).view(np.uint8)]
        )

    def dequantize(self, packed: np.ndarray) -> np.ndarray:
        """Return the rounded embedding.

        Parameters
        ----------
        packed : (N,) array of uint8
            As `quantize` gives it.

        Returns
        -------
        (C, H, W) array of float32 or float16
            As float32 if it is stored as int8; a copy that the caller may change.
        """
        if self.storage is Storage.FLOAT16:
            return packed.view(np.float16).reshape(self.shape).copy()
        split = 4 * self.shape[0]
        # The steps need not lie at a multiple of four bytes.
        steps = packed[:split].copy().view(np.float32)
        values = packed[split:].view(np.int8).reshape(self.shape).astype(np.float32)
        values *= steps[:, None, None]
        return values


def _require_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise DecodingError(
            "the embedding has values that are not finite; compute in float32, or "
            "check the checkpoint"
        )
