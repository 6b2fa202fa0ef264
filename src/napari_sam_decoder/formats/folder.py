"""Folders that hold a movie as one picture per frame."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats.failure import reading
from napari_sam_decoder.formats.pillow_files import picture_layout, read_picture
from napari_sam_decoder.formats.source import FrameArray, MovieSource
from napari_sam_decoder.formats.tiff import TiffStack

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

__all__ = ["open_folder"]

TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", *TIFF_SUFFIXES)
SHOWN_FOLDERS = 5


def open_folder(path: Path) -> MovieSource:
    """Open a folder of pictures, in the natural order of their names (2 before 10).

    Hidden files and files that are no pictures are left out. The header of every
    picture is read, so that one that does not fit is found before any long work.

    Raises
    ------
    FormatError
        If there are no pictures, or if they differ in size, colours or type.
    """
    with reading(path):
        pictures = sorted(filter(_is_picture, path.iterdir()), key=_natural)
    if not pictures:
        raise FormatError(_without_pictures(path))
    shape, dtype = _layout(pictures[0])
    for picture in pictures[1:]:
        if _layout(picture) != (shape, dtype):
            raise FormatError(_unlike(picture, pictures[0]))
    data = FrameArray(
        (len(pictures), *shape), dtype, lambda frame: _read(pictures[frame])
    )
    axes = "TYX" if len(shape) == 2 else "TYXC"
    return MovieSource(data, axes, None, path.name)


def _is_picture(path: Path) -> bool:
    return (
        path.suffix.lower() in PICTURE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Compare runs of digits as numbers; by the plain name where all else is equal."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name.casefold())
    numbered = [(int(part), "") if part[0].isdigit() else (-1, part) for part in parts]
    return numbered, path.name


def _without_pictures(path: Path) -> str:
    wanted = ", ".join(suffix.lstrip(".") for suffix in PICTURE_SUFFIXES)
    folders = sorted(
        child.name
        for child in path.iterdir()
        if child.is_dir() and not child.name.startswith(".")
    )
    if not folders:
        return f"{path} holds no pictures; a movie in a folder is of {wanted} files"
    shown = ", ".join(folders[:SHOWN_FOLDERS])
    more = ", ..." if len(folders) > SHOWN_FOLDERS else ""
    return (
        f"{path} holds no pictures ({wanted}) but the folders {shown}{more}; open one "
        "of these"
    )


def _layout(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return picture_layout(path)
    stack = TiffStack(path)
    if not stack.is_picture:
        raise FormatError(
            f"{path} holds {stack.shape[0]} pictures, but in a folder each file is one "
            "frame; open this file by itself, or move it elsewhere"
        )
    return stack.shape, stack.dtype


def _unlike(picture: Path, first: Path) -> str:
    shape, dtype = _layout(picture)
    first_shape, first_dtype = _layout(first)
    return (
        f"{picture} has shape {shape} and type {dtype}, but {first.name} has "
        f"{first_shape} and {first_dtype}; the frames of a movie must be alike, so "
        "move or convert the others"
    )


def _read(path: Path) -> np.ndarray:
    if path.suffix.lower() in TIFF_SUFFIXES:
        return TiffStack(path).read(0)
    return read_picture(path)
