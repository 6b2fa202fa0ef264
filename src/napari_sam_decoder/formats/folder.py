"""Folders that hold a movie as one picture per frame."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.axes import CHANNEL_OPTION, find_entry, listed
from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.failures import reading
from napari_sam_decoder.formats.numbering import (
    CHANNELS,
    DEPTHS,
    POSITIONS,
    groups_of,
    kinds_of,
)
from napari_sam_decoder.formats.pillow_files import open_picture, picture_layout
from napari_sam_decoder.formats.source import (
    SERIES_OPTION,
    FrameArray,
    MovieSource,
    Stored,
    Wanted,
    naming,
)
from napari_sam_decoder.formats.tiff import TiffStack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["open_folder"]

TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", *TIFF_SUFFIXES)
SHOWN_FOLDERS = 5


def open_folder(path: Path, wanted: Wanted) -> MovieSource:
    """Open a folder of pictures, in the natural order of their names (2 before 10).

    Hidden files and files that are no pictures are left out. Where the names count
    channels as well as frames, one channel is taken. The header of every picture is
    read, so that one that does not fit is found before any long work.

    Raises
    ------
    FormatError
        If there are no pictures, if they differ in size, colours or type, or if there
        are several channels to choose from.
    """
    with reading(path):
        pictures = sorted(filter(_is_picture, path.iterdir()), key=_natural)
    if not pictures:
        raise FormatError(_without_pictures(path))
    listing, wanted = _one_channel(_one_series(pictures, path, wanted), path, wanted)
    _require_one_plane(listing, path)
    within = replace(wanted, axes=None, series=None)
    shape, dtype = _layout(listing[0], within)
    for picture in listing[1:]:
        if _layout(picture, within) != (shape, dtype):
            raise FormatError(_unlike(picture, listing[0], within))
    data = FrameArray(
        (len(listing), *shape), dtype, lambda frame: _read(listing[frame], within)
    )
    stored = Stored(data, "TYX" if len(shape) == 2 else "TYXS")
    return stored.as_movie(replace(wanted, channel=None), path, path.name)


def _one_series(pictures: Sequence[Path], path: Path, wanted: Wanted) -> Sequence[Path]:
    """Take the pictures of one position, where the names count several."""
    positions = groups_of([picture.name for picture in pictures], POSITIONS)
    if not positions:
        wanted.series_index([path.name], path)
        return pictures
    names = list(positions)
    place = wanted.series_index(names, path)
    if place is None:
        raise FormatError(_several(path, "positions", SERIES_OPTION, names))
    return _named(pictures, positions[names[place]])


def _one_channel(
    pictures: Sequence[Path], path: Path, wanted: Wanted
) -> tuple[Sequence[Path], Wanted]:
    """Take the pictures of one channel, where the names count or name several."""
    listing = [picture.name for picture in pictures]
    channels = groups_of(listing, CHANNELS) or kinds_of(listing)
    if not channels:
        return pictures, wanted
    names = list(channels)
    if wanted.channel is None:
        raise FormatError(_several(path, "channels", CHANNEL_OPTION, names))
    with naming(path):
        count = len(names)
        place = find_entry(wanted.channel, count, names, "channel", CHANNEL_OPTION)
    return _named(pictures, channels[names[place]]), replace(wanted, channel=None)


def _require_one_plane(pictures: Sequence[Path], path: Path) -> None:
    planes = groups_of([picture.name for picture in pictures], DEPTHS)
    if planes:
        raise FormatError(
            f"{path} holds {len(planes)} planes ({listed(len(planes), list(planes))}) "
            "of each frame; move those of one plane, or of one frame, to a folder of "
            "their own"
        )


def _named(pictures: Sequence[Path], names: Sequence[str]) -> list[Path]:
    chosen = set(names)
    return [picture for picture in pictures if picture.name in chosen]


def _several(path: Path, what: str, option: str, names: Sequence[str]) -> str:
    return (
        f"{path} holds pictures of {len(names)} {what}; choose one with {option}: "
        f"{listed(len(names), names)}; or move what does not belong together to "
        "folders of its own"
    )


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


def _layout(path: Path, wanted: Wanted) -> tuple[tuple[int, ...], np.dtype]:
    if path.suffix.lower() in TIFF_SUFFIXES:
        source = _tiff_picture(path, wanted)
    elif wanted.channel is None:
        return picture_layout(path, are_ids=wanted.are_ids)
    else:
        source = open_picture(path, wanted)
    return tuple(source.data.shape), np.dtype(source.data.dtype)


def _unlike(picture: Path, first: Path, wanted: Wanted) -> str:
    shape, dtype = _layout(picture, wanted)
    first_shape, first_dtype = _layout(first, wanted)
    return (
        f"{picture} has shape {shape} and type {dtype}, but {first.name} has "
        f"{first_shape} and {first_dtype}; the frames of a movie must be alike, so "
        "move or convert the others"
    )


def _read(path: Path, wanted: Wanted) -> np.ndarray:
    if path.suffix.lower() in TIFF_SUFFIXES:
        return np.asarray(_tiff_picture(path, wanted).data[...])
    return np.asarray(open_picture(path, wanted).data)


def _tiff_picture(path: Path, wanted: Wanted) -> MovieSource:
    source = TiffStack(path, wanted).stored.as_movie(wanted, path, path.stem)
    if source.axes is not None and source.axes[0] != "Y":
        raise FormatError(
            f"{path} holds {len(source.data)} pictures, but in a folder each file is "
            "one frame; open this file by itself, or move it elsewhere"
        )
    return source
