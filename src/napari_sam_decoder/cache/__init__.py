"""Embeddings of frames, kept in memory or on disk, each valid for its own pixels only.

A cache on disk is keyed by the model, the contrast and the shape of the movie, and each
frame by its pixels. A cache of another job is rejected with the difference named.
"""

from __future__ import annotations

from napari_sam_decoder.cache.key import CacheKey, array_digest, parts_digest
from napari_sam_decoder.cache.location import (
    cache_root,
    default_location,
    evict_least_recent,
    size_limit,
)
from napari_sam_decoder.cache.maintenance import (
    CacheInfo,
    FrameCheck,
    clear,
    compact,
    describe,
    list_caches,
    read_storage,
    verify,
)
from napari_sam_decoder.cache.quantization import Quantizer, Storage
from napari_sam_decoder.cache.store import EmbeddingStore, MemoryStore
from napari_sam_decoder.cache.zarr_store import ZarrStore

__all__ = [
    "CacheInfo",
    "CacheKey",
    "EmbeddingStore",
    "FrameCheck",
    "MemoryStore",
    "Quantizer",
    "Storage",
    "ZarrStore",
    "array_digest",
    "cache_root",
    "clear",
    "compact",
    "default_location",
    "describe",
    "evict_least_recent",
    "list_caches",
    "parts_digest",
    "read_storage",
    "size_limit",
    "verify",
]
