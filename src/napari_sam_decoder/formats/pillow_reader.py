"""Images and animations, read by Pillow."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import FormatError, wrap_read_errors
from napari_sam_decoder.formats.movie_source import (
    FrameArray,
    MovieSource,
    OpenOptions,
    StoredArray,
)

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

__all__ = [
    "PICTURE_SUFFIXES",
    "open_animation",
    "open_picture",
    "picture_layout",
    "read_picture",
]

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
"""Of what `open_picture` opens."""
ANIMATED_FORMATS = ("PNG", "WEBP")
"""Those whose further images are frames; in a JPEG they are other versions of it."""
LOSSY_FORMATS = ("JPEG", "WEBP")

# Dtypes of Pillow's grey modes. Some 16-bit files are read as 32 bits ("I"), but no
# format read here has more than 16.
GREY_TYPES = {
    "1": np.dtype(bool),
    "L": np.dtype(np.uint8),
    "LA": np.dtype(np.uint8),
    "I": np.dtype(np.uint16),
    "I;16": np.dtype(np.uint16),
    "I;16B": np.dtype(np.uint16),
    "F": np.dtype(np.float32),
}


def open_picture(path: Path, options: OpenOptions) -> MovieSource:
    """Open a PNG, JPEG, BMP or WebP, which is read at once, unless it is animated.

    Raises
    ------
    FormatError
        If the file is corrupt.
    """
    if _is_animation(path):
        return open_animation(path, options)
    options.series_index([path.stem], path)
    pixels = read_picture(path, are_ids=options.are_ids)
    letters = "YX" if pixels.ndim == 2 else "YXS"
    return StoredArray(pixels, letters).as_movie(options, path, path.stem)


def read_picture(path: Path, *, are_ids: bool = False) -> np.ndarray:
    """Return the pixels of an image; grey ones without alpha.

    Parameters
    ----------
    path : Path
        A single image.
    are_ids : bool, default False
        Whether the entries of a palette are object ids; else they are colours.

    Returns
    -------
    (Y, X), (Y, X, 3) or (Y, X, 4) array
        16-bit grey stays 16-bit.

    Raises
    ------
    FormatError
        If the file is corrupt, or its lossy compression does not preserve ids.
    """
    from PIL import Image

    with wrap_read_errors(path), Image.open(path) as picture:
        _require_still(picture, path)
        if are_ids:
            _require_exact(picture, path)
        return _pixels(picture, are_ids)


def picture_layout(
    path: Path, *, are_ids: bool = False
) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape and dtype of what `read_picture` returns, from the header.

    Raises
    ------
    FormatError
        If the file is not an image.
    """
    from PIL import Image

    with wrap_read_errors(path), Image.open(path) as picture:
        _require_still(picture, path)
        grid = (picture.height, picture.width)
        if are_ids:
            _require_exact(picture, path)
            if picture.mode == "P":
                return grid, np.dtype(np.uint8)
        if picture.mode in GREY_TYPES:
            return grid, GREY_TYPES[picture.mode]
        return (*grid, len(_colour_mode(picture))), np.dtype(np.uint8)


def open_animation(path: Path, options: OpenOptions) -> MovieSource:
    """Open an animated GIF, PNG or WebP, whose frames are read one at a time.

    Frames of a GIF are read in colour, since each may have its own palette.

    Raises
    ------
    FormatError
        If the file is corrupt.
    """
    from PIL import Image

    options.series_index([path.stem], path)
    with wrap_read_errors(path):
        # Kept open, since reopening would decode all earlier frames again.
        picture = Image.open(path)
        frames = getattr(picture, "n_frames", 1)
    lock = Lock()

    def read(frame: int) -> np.ndarray:
        with lock, wrap_read_errors(path):
            picture.seek(frame)
            if picture.format == "GIF":
                return np.asarray(picture.convert("RGB"))
            return _pixels(picture, options.are_ids)

    first = read(0)
    letters = "TYX" if first.ndim == 2 else "TYXS"
    stored = StoredArray(FrameArray((frames, *first.shape), first.dtype, read), letters)
    return stored.as_movie(options, path, path.stem)


def _is_animation(path: Path) -> bool:
    from PIL import Image

    with wrap_read_errors(path), Image.open(path) as picture:
        return _holds_frames(picture)


def _holds_frames(picture: Image) -> bool:
    is_animated = picture.format in ANIMATED_FORMATS
    return is_animated and getattr(picture, "n_frames", 1) > 1


def _require_still(picture: Image, path: Path) -> None:
    if _holds_frames(picture):
        raise FormatError(
            f"{path} is an animation, not a single image; open it by itself, or move "
            "it out of the folder"
        )


def _pixels(picture: Image, are_ids: bool = False) -> np.ndarray:
    if are_ids and picture.mode == "P":
        return np.asarray(picture)
    if picture.mode not in GREY_TYPES:
        return np.asarray(picture.convert(_colour_mode(picture)))
    grey: Any = picture.convert("L") if picture.mode == "LA" else picture
    return np.asarray(grey).astype(GREY_TYPES[picture.mode])


def _require_exact(picture: Image, path: Path) -> None:
    if picture.format in LOSSY_FORMATS:
        raise FormatError(
            f"{path} is a {picture.format}, which does not preserve object ids; export "
            "it as PNG or TIFF"
        )


def _colour_mode(picture: Image) -> str:
    return "RGBA" if picture.mode == "RGBA" else "RGB"
