"""Names of what stands beside a file while it is made."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["hidden_sibling", "sibling"]

# File systems take names of 255 bytes.
_LONGEST = 180
_KEPT = 100


def sibling(path: Path, ending: str) -> Path:
    """Name what stands beside a file and is called like it.

    Of a long name only the beginning is kept, with a digest of the whole, so that there
    is room for 50 bytes more.

    Parameters
    ----------
    path : Path
        Of the file.
    ending : str
        What is appended to its name.
    """
    return path.with_name(f"{_shortened(path)}{ending}")


def hidden_sibling(path: Path, ending: str) -> Path:
    """Name what stands beside a file as `sibling` does, but out of sight."""
    return path.with_name(f".{_shortened(path)}{ending}")


def _shortened(path: Path) -> str:
    name = os.fsencode(path.name)
    if len(name) <= _LONGEST:
        return path.name
    digest = hashlib.sha256(name).hexdigest()[:16]
    return f"{name[:_KEPT].decode(errors='ignore')}-{digest}"
