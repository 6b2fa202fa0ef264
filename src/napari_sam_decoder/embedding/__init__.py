"""The embedding of each frame: read from a store, or computed once and kept there."""

from __future__ import annotations

from napari_sam_decoder.embedding.embedder import (
    EmbeddedFrame,
    Embedder,
    Encoder,
    nearest_first,
)
from napari_sam_decoder.embedding.places import cache_key, open_store

__all__ = [
    "EmbeddedFrame",
    "Embedder",
    "Encoder",
    "cache_key",
    "nearest_first",
    "open_store",
]
