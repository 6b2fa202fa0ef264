"""Where labels may be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats.zarr_reader import is_zarr

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_tiff", "require_suffix", "require_target"]

TIFF_SUFFIXES = (".tif", ".tiff")


def is_tiff(path: Path) -> bool:
    """Whether the name promises TIFF."""
    return path.suffix.lower() in TIFF_SUFFIXES


def require_suffix(path: Path) -> None:
    """Refuse names of other formats than zarr and TIFF.

    Raises
    ------
    FormatError
        If the name ends otherwise.
    """
    if not is_tiff(path) and path.suffix.lower() != ".zarr":
        raise FormatError(
            f"labels cannot be kept in {path.name}; use a name that ends in .zarr, "
            ".tif or .tiff"
        )


def require_target(path: Path) -> None:
    """Refuse what cannot be made, or would destroy something else.

    Raises
    ------
    FormatError
        If the name is of another format, there is no folder for it, or what is there
        is neither a TIFF file nor a zarr folder.
    """
    require_suffix(path)
    if not path.parent.is_dir():
        raise FormatError(
            f"there is no folder {path.parent} for {path.name}; make it first"
        )
    if is_tiff(path):
        is_free = not path.is_dir()
    else:
        is_free = is_zarr(path) or not path.exists()
    if not is_free:
        raise FormatError(
            f"{path} is in the way and is no labels file, so it stays; move it or "
            "choose another name"
        )
