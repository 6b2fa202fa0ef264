"""Opening a movie with the reader for its format."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import FormatError, wrap_read_errors
from napari_sam_decoder.formats.czi_reader import CZI_SUFFIXES, open_czi
from napari_sam_decoder.formats.image_folder import has_pictures, open_folder
from napari_sam_decoder.formats.lif_reader import LIF_SUFFIXES, open_lif
from napari_sam_decoder.formats.movie_source import (
    MovieSource,
    OpenOptions,
    StoredArray,
)
from napari_sam_decoder.formats.nd2_reader import ND2_SUFFIXES, open_nd2
from napari_sam_decoder.formats.pillow_reader import (
    PICTURE_SUFFIXES,
    open_animation,
    open_picture,
)
from napari_sam_decoder.formats.remote import as_movie_path, is_remote
from napari_sam_decoder.formats.tiff import TIFF_SUFFIXES, open_tiff
from napari_sam_decoder.formats.video import VIDEO_SUFFIXES, open_video
from napari_sam_decoder.formats.zarr_reader import is_zarr, open_zarr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["is_movie", "open_movie", "open_with_options"]


def open_movie(
    path: str | Path,
    *,
    axes: str | None = None,
    channel: int | str | None = None,
    series: int | str | None = None,
    at: Mapping[str, int] | None = None,
) -> MovieSource:
    """Open a movie, a volume or an image, reading at most one frame of it.

    Parameters
    ----------
    path : str or Path
        A TIFF file (plain, ImageJ, OME, LSM, STK), a folder of images, a zarr array or
        an OME-Zarr image, a video (mp4, m4v, avi, mov, mkv, webm), an animated GIF, PNG
        or WebP, a file of a microscope (nd2, lif, czi), a numpy file (npy), or one
        image (png, jpg, bmp, webp). Or the address of a zarr array or OME-Zarr image,
        such as ``https://host/movie.zarr``.
    axes : str, optional
        A letter per axis, in any order, such as "TYX" or "TCZYX": T, Z, Y, X, and C for
        colours, or for channels if one is chosen. It overrides what the file says. Axes
        of length 1 may be left out.
    channel : int or str, optional
        The channel to take: its number, from 0, or its name.
    series : int or str, optional
        The image or movie to take from a file that holds several: its number, from 0,
        or its name.
    at : mapping of str to int, optional
        The position along axes that are not those of the movie, from 0: ``{"z": 5}`` is
        the movie of plane 5 of a file with the axes T, Z, Y and X.

    Returns
    -------
    MovieSource

    Raises
    ------
    OptionError
        If the position is not one.
    FormatError
        If the file does not exist, has an unknown format, is corrupt or not a movie, or
        holds several to choose from.
    MissingExtraError
        If the library for reading such a file or address is not installed.

    Warns
    -----
    IncompleteFileWarning
        If a file holds a different number of frames than it declares.
    """
    return open_with_options(path, OpenOptions(axes, channel, series, at=at))


def open_with_options(path: str | Path, options: OpenOptions) -> MovieSource:
    """Open a file with options, see `open_movie`."""
    place = as_movie_path(path, FormatError)
    if is_remote(place):
        return open_zarr(place, options)
    if not path_exists(place):
        raise FormatError(f"there is no file or folder {place}; check the path")
    if place.is_dir():
        is_array = is_zarr(place) or place.suffix.lower() == ".zarr"
        return (open_zarr if is_array else open_folder)(place, options)
    reader = READERS.get(place.suffix.lower())
    if reader is None:
        known = ", ".join(suffix.lstrip(".") for suffix in READERS)
        raise FormatError(
            f"{place} has an unknown format; convert it to one of {known}, or to zarr "
            "or a folder of images"
        )
    return reader(place, options)


def is_movie(path: Path) -> bool:
    """Whether something on disk looks like a movie, without opening it.

    Parameters
    ----------
    path : Path
        A file with a known suffix, a zarr folder or a folder of pictures does.
    """
    if not path.is_dir():
        return path.suffix.lower() in READERS
    return path.suffix.lower() == ".zarr" or is_zarr(path) or has_pictures(path)


def open_npy(path: Path, options: OpenOptions) -> MovieSource:
    """Map a numpy file into memory; frames are read when they are requested.

    Raises
    ------
    FormatError
        If the file is corrupt, empty, or holds Python objects.
    """
    with wrap_read_errors(path):
        options.series_index([path.stem], path)
        with path.open("rb") as file:
            shape, dtype = _npy_header(file)
        if dtype.hasobject:
            raise FormatError(
                f"{path} holds Python objects, which are not safe to load; save it as "
                "an array of numbers"
            )
        if 0 in shape:
            raise FormatError(
                f"{path} is empty: it holds an array of shape {shape}; export it "
                "again, with its pixels"
            )
        return StoredArray(np.load(path, mmap_mode="r")).as_movie(
            options, path, path.stem
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
    """Whether a file or folder exists; one with too long a name does not.

    Raises
    ------
    FormatError
        If its folder cannot be read.
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
    **dict.fromkeys(TIFF_SUFFIXES, open_tiff),
    ".npy": open_npy,
    ".gif": open_animation,
    **dict.fromkeys(VIDEO_SUFFIXES, open_video),
    **dict.fromkeys(ND2_SUFFIXES, open_nd2),
    **dict.fromkeys(LIF_SUFFIXES, open_lif),
    **dict.fromkeys(CZI_SUFFIXES, open_czi),
    **dict.fromkeys(PICTURE_SUFFIXES, open_picture),
}
