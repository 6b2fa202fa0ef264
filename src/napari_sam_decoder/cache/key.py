"""Settings that a cache must agree with, and the digest of the pixels of a frame."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.cache.quantization import Quantizer, Storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "DIGEST_SIZE",
    "FORMAT_VERSION",
    "CacheKey",
    "array_digest",
    "parts_digest",
]

FORMAT_VERSION = 2
DIGEST_SIZE = 32


@dataclass(frozen=True)
class CacheKey:
    """All that must agree before one job may use the embeddings of another.

    Pixels are not part of it. Each frame is checked by its own digest, so that a movie
    in which some frames changed keeps the embeddings of the others.

    Attributes
    ----------
    model : str
        Identity of the network and its weights.
    contrast : tuple of float
        (low, high), the intensities shown as black and white.
    frames : int
        Number of frames of the movie.
    frame_shape : tuple of int
        (rows, columns) of a frame.
    dtype : str
        Dtype of the movie, such as ``"uint16"``.
    axes : str
        Letters of the movie's axes, such as ``"TYX"``.
    embedding_shape : tuple of int
        (channels, rows, columns) of one embedding.
    storage : Storage
        Number type to which embeddings are rounded.
    version : int
        Version of the layout on disk.
    position : str
        Where the movie was cut out of an array of more axes, such as ``"Z=5"``; empty
        for a whole array.
    """

    model: str
    contrast: tuple[float, float]
    frames: int
    frame_shape: tuple[int, int]
    dtype: str
    axes: str
    embedding_shape: tuple[int, int, int]
    storage: Storage = Storage.INT8
    version: int = FORMAT_VERSION
    position: str = ""

    @property
    def quantizer(self) -> Quantizer:
        """Converts embeddings to bytes and back."""
        return Quantizer(self.embedding_shape, self.storage)

    def to_json(self) -> dict[str, Any]:
        """Return the key as values that JSON preserves exactly.

        Without a position it is the same as before there were positions, so that those
        caches stay valid.
        """
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name != "position" or value
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> CacheKey:
        """Restore a key.

        Parameters
        ----------
        stored : mapping
            As returned by `to_json`; unknown fields are ignored.

        Raises
        ------
        KeyError
            If a field is missing.
        ValueError
            If the storage is unknown.
        """
        values: dict[str, Any] = {
            field.name: _as_tuple(stored[field.name])
            for field in fields(cls)
            if field.name not in ("storage", "position")
        }
        values["position"] = stored.get("position", "")
        # Version 1 had no such field, since there was only float16.
        return cls(**values, storage=Storage(stored.get("storage", Storage.FLOAT16)))

    def differences(self, stored: Mapping[str, Any]) -> list[str]:
        """List the fields in which a stored key differs from this one.

        Parameters
        ----------
        stored : mapping
            As returned by `to_json`, possibly of another version of this package.

        Returns
        -------
        list of str
            One line per field that differs; empty if the two agree.
        """
        wanted = self.to_json()
        return [
            f"{name.replace('_', ' ')}: the cache has {_spelled(stored.get(name))}, "
            f"this job has {_spelled(wanted.get(name))}"
            for name in wanted | dict(stored)
            if stored.get(name) != wanted.get(name)
        ]


def array_digest(array: np.ndarray) -> bytes:
    """Hash the values, the shape and the dtype of an array.

    Parameters
    ----------
    array : array
        Of any shape and numeric dtype; its memory order does not matter.

    Returns
    -------
    bytes
        32 bytes of SHA-256. Processors have instructions for it; it takes a third of
        the time of BLAKE2b.
    """
    array = np.asarray(array)
    return parts_digest([array], array.shape)


def parts_digest(parts: Iterable[np.ndarray], shape: tuple[int, ...]) -> bytes:
    """Hash an array that is read in parts, as `array_digest` does.

    Parameters
    ----------
    parts : iterable of array
        At least one: what they are along the first axis, in its order.
    shape : tuple of int
        Of the whole array.
    """
    state = hashlib.sha256()
    for number, part in enumerate(parts):
        if number == 0:
            state.update(f"{shape}{part.dtype.str}".encode())
        state.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return state.digest()


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _spelled(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return f"({', '.join(map(str, value))})"
    return str(value)
