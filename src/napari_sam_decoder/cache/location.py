"""Where caches go by default, and how much disk space they may take."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_decoder.cache.maintenance import clear, list_caches
from napari_sam_decoder.errors import OptionError, SamDecoderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.cache.key import CacheKey

__all__ = [
    "CACHE_LIMIT_VARIABLE",
    "CACHE_ROOT_VARIABLE",
    "cache_root",
    "default_location",
    "evict_least_recent",
    "size_limit",
]

_LOG = logging.getLogger(__name__)

CACHE_ROOT_VARIABLE = "NAPARI_SAM_DECODER_CACHE"
CACHE_LIMIT_VARIABLE = "NAPARI_SAM_DECODER_CACHE_LIMIT"
_DEFAULT_LIMIT_GB = 20.0


def cache_root() -> Path:
    """Return the folder of the caches for which the user gave no path.

    It is ``embeddings`` in the folder that the environment variable
    ``NAPARI_SAM_DECODER_CACHE`` names, or else in ``napari-sam-decoder`` in the
    user's cache folder.
    """
    chosen = os.environ.get(CACHE_ROOT_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().resolve() / "embeddings"
    import pooch

    return Path(pooch.os_cache("napari-sam-decoder")).expanduser() / "embeddings"


def size_limit() -> int:
    """Return how many bytes all caches in `cache_root` together may take.

    20 GB, or as many GB (10^9 bytes) as the environment variable
    ``NAPARI_SAM_DECODER_CACHE_LIMIT`` says.

    Raises
    ------
    OptionError
        If the variable is not a number of 0 or more.
    """
    text = os.environ.get(CACHE_LIMIT_VARIABLE, "").strip() or str(_DEFAULT_LIMIT_GB)
    try:
        return int(_non_negative(text) * 1e9)
    except (ValueError, OverflowError) as error:
        raise OptionError(
            f"{CACHE_LIMIT_VARIABLE} is {text!r}; set it to a number of GB, as in 20"
        ) from error


def default_location(key: CacheKey, digests: Sequence[bytes]) -> Path:
    """Return the path of a job's cache for which the user gave none.

    Parameters
    ----------
    key : CacheKey
        What the embeddings of the job depend on.
    digests : sequence of bytes
        Digests of a few frames, to distinguish movies of the same shape.

    Returns
    -------
    Path
        In `cache_root`; the same for the same job.
    """
    state = hashlib.blake2b(digest_size=16)
    state.update(json.dumps(key.to_json(), sort_keys=True).encode())
    for digest in digests:
        state.update(digest)
    return cache_root() / f"{state.hexdigest()}.zarr"


def evict_least_recent(root: Path, limit: int) -> None:
    """Remove the least recently used caches until the rest fit the limit.

    Parameters
    ----------
    root : Path
        Folder of the caches.
    limit : int
        In bytes. Caches in use stay, even if they exceed it.
    """
    caches = list_caches(root)
    total = sum(info.bytes for info in caches)
    for info in caches:
        if total <= limit:
            return
        try:
            clear(info.path)
        except SamDecoderError as error:
            _LOG.info("a cache was not removed to free space: %s", error)
        else:
            _LOG.info("removed %s to free space", info.path)
            total -= info.bytes


def _non_negative(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise ValueError(f"{value} is below 0")
    return value
