"""Which reader opens which file."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import FormatError, wrap_read_errors
from napari_sam_decoder.formats.image_folder import open_folder
from napari_sam_decoder.formats.movie_source import (
    MovieSource,
    OpenOptions,
    StoredArray,
)
from napari_sam_decoder.formats.pillow_reader import open_animation, open_picture
from napari_sam_decoder.formats.tiff import open_tiff
from napari_sam_decoder.formats.video import open_video
from napari_sam_decoder.formats.zarr_reader import is_zarr, open_zarr
from napari_sam_decoder.validation import as_expanded_path as as_place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["open_movie", "open_with_options"]


def open_movie(
    path: str | Path,
    *,
    axes: str | None = None,
    channel: int | str | None = None,
    series: int | str | None = None,
) -> MovieSource:
    """Open a movie, a volume or a picture without reading more than one frame of it.

    Parameters
    ----------
    path : str or Path
        A TIFF file (plain, ImageJ, OME), a folder of pictures, a zarr array or an
        OME-Zarr picture, a video (mp4, avi, mov, mkv, webm), an animated GIF or PNG, a
        numpy file (npy), or one picture (png, jpg, bmp).
    axes : str, optional
        A letter for each axis, such as "TYX" or "TCYX": T, Z, Y, X, and C for colours,
        or for the channels if one is chosen. It wins over what the file says. Axes of
        length 1 may be left out.
    channel : int or str, optional
        Which channel to take of several: its number, from 0, or its name.
    series : int or str, optional
        Which picture or movie to take of a file that holds several: its number, from
        0, or its name.

    Returns
    -------
    MovieSource

    Raises
    ------
    FormatError
        If there is no such file, its kind is unknown, it is broken, or what it holds
        is no movie, or several to choose from.
    MissingExtraError
        If it is a video and the library for videos is not installed.

    Warns
    -----
    IncompleteFileWarning
        If a file holds another number of frames than it says.
    """
    return open_with_options(path, OpenOptions(axes, channel, series))


def open_with_options(path: str | Path, wanted: OpenOptions) -> MovieSource:
    """Open what is asked for of a file, see `open_movie`."""
    place = as_place(path, "a movie", FormatError)
    if not path_exists(place):
        raise FormatError(f"there is no file or folder {place}; check the path")
    if place.is_dir():
        is_array = is_zarr(place) or place.suffix.lower() == ".zarr"
        return (open_zarr if is_array else open_folder)(place, wanted)
    reader = READERS.get(place.suffix.lower())
    if reader is None:
        known = ", ".join(suffix.lstrip(".") for suffix in READERS)
        raise FormatError(
            f"{place} is of no known kind; convert it to one of {known}, or to zarr or "
            "a folder of pictures"
        )
    return reader(place, wanted)


def open_npy(path: Path, wanted: OpenOptions) -> MovieSource:
    """Map a numpy file into memory; nothing is read before it is asked for.

    Raises
    ------
    FormatError
        If the file is broken, empty, or holds Python objects.
    """
    with wrap_read_errors(path):
        wanted.series_index([path.stem], path)
        with path.open("rb") as file:
            shape, dtype = _npy_header(file)
        if dtype.hasobject:
            raise FormatError(
                f"{path} holds objects of Python, which nobody should load unseen; "
                "save it as an array of numbers"
            )
        if 0 in shape:
            raise FormatError(f"{path} is empty: it holds an array of shape {shape}")
        return StoredArray(np.load(path, mmap_mode="r")).as_movie(
            wanted, path, path.stem
        )


def _npy_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(file)
    return shape, dtype


def path_exists(path: Path) -> bool:
    """Whether there is such a file or folder; no name of one may be too long.

    Raises
    ------
    FormatError
        If nobody may look.
    """
    try:
        with wrap_read_errors(path):
            return path.exists()
    except FormatError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno == errno.ENAMETOOLONG:
            return False
        raise


READERS: dict[str, Callable[[Path, OpenOptions], MovieSource]] = {
    ".tif": open_tiff,
    ".tiff": open_tiff,
    ".npy": open_npy,
    ".gif": open_animation,
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm"), open_video),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), open_picture),
}
