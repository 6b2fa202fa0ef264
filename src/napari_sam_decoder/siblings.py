"""Names of what stands beside a file while it is made."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["hidden_sibling", "replacing", "sibling"]

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


@contextmanager
def replacing(path: Path, ending: str = ".partial") -> Iterator[Path]:
    """Write a file that appears whole or not at all.

    Parameters
    ----------
    path : Path
        Takes what was written, if nothing is raised inside.
    ending : str, default ".partial"
        Of the file that is written.

    Yields
    ------
    Path
        To write to; nothing is left there in the end.
    """
    partial = hidden_sibling(path, ending)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _shortened(path: Path) -> str:
    name = os.fsencode(path.name)
    if len(name) <= _LONGEST:
        return path.name
    digest = hashlib.sha256(name).hexdigest()[:16]
    return f"{name[:_KEPT].decode(errors='ignore')}-{digest}"
