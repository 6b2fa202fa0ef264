"""Which reader opens which file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats.failure import reading
from napari_sam_decoder.formats.folder import open_folder
from napari_sam_decoder.formats.pillow_files import open_gif, open_picture
from napari_sam_decoder.formats.source import MovieSource
from napari_sam_decoder.formats.tiff import open_tiff
from napari_sam_decoder.formats.video import open_video
from napari_sam_decoder.formats.zarr_reader import is_zarr, open_zarr

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["open_movie"]


def open_movie(path: str | Path) -> MovieSource:
    """Open a movie, a volume or a picture without reading more than one frame of it.

    Parameters
    ----------
    path : str or Path
        A TIFF file (plain, ImageJ, OME), a folder of pictures, a zarr array or an
        OME-Zarr picture, a video (mp4, avi, mov, mkv, webm), an animated GIF, a numpy
        file (npy), or one picture (png, jpg, bmp).

    Returns
    -------
    MovieSource

    Raises
    ------
    FormatError
        If there is no such file, its kind is unknown, it is broken, or what it holds
        is no movie.
    MissingExtraError
        If it is a video and the library for videos is not installed.
    """
    place = Path(path).expanduser()
    with reading(place):
        is_there = place.exists()
    if not is_there:
        raise FormatError(f"there is no file or folder {place}; check the path")
    if place.is_dir():
        is_array = is_zarr(place) or place.suffix.lower() == ".zarr"
        return open_zarr(place) if is_array else open_folder(place)
    reader = READERS.get(place.suffix.lower())
    if reader is None:
        known = ", ".join(suffix.lstrip(".") for suffix in READERS)
        raise FormatError(
            f"{place} is of no known kind; convert it to one of {known}, or to zarr or "
            "a folder of pictures"
        )
    return reader(place)


def open_npy(path: Path) -> MovieSource:
    """Map a numpy file into memory; nothing is read before it is asked for.

    Raises
    ------
    FormatError
        If the file is broken, or holds Python objects.
    """
    with reading(path):
        return MovieSource(np.load(path, mmap_mode="r"), None, None, path.stem)


READERS: dict[str, Callable[[Path], MovieSource]] = {
    ".tif": open_tiff,
    ".tiff": open_tiff,
    ".npy": open_npy,
    ".gif": open_gif,
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm"), open_video),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), open_picture),
}
