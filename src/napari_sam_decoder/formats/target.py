"""Where labels may be written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.failures import writing

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
        is neither a TIFF file nor a single zarr array, such as a group of images.
    """
    require_suffix(path)
    with writing(path):
        has_folder, is_free = path.parent.is_dir(), _is_free(path)
    if not has_folder:
        raise FormatError(
            f"there is no folder {path.parent} for {path.name}; make it first"
        )
    if not is_free:
        raise FormatError(
            f"{path} is in the way and is no labels file, so it stays; move it or "
            "choose another name"
        )


def _is_free(path: Path) -> bool:
    """Whether nothing is there, or something that may be replaced."""
    if is_tiff(path):
        return not path.is_dir()
    return _is_array(path) or not path.exists()


def _is_array(path: Path) -> bool:
    """Labels are one array; a group may hold images and much else."""
    if (path / ".zarray").is_file():
        return True
    if not (path / "zarr.json").is_file():
        return False
    try:
        description = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(description, dict) and description.get("node_type") == "array"
