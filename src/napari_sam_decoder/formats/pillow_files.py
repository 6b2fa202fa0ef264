"""Pictures and animations that Pillow reads."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.failures import reading
from napari_sam_decoder.formats.source import FrameArray, MovieSource, Stored, Wanted

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

__all__ = ["open_gif", "open_picture", "picture_layout", "read_picture"]

# What Pillow's modes hold beside 8-bit grey and colours. It reads some 16-bit files
# into 32 bits ("I"); of the formats read here none holds more than 16.
GREY_TYPES = {
    "1": np.dtype(bool),
    "L": np.dtype(np.uint8),
    "LA": np.dtype(np.uint8),
    "I": np.dtype(np.uint16),
    "I;16": np.dtype(np.uint16),
    "I;16B": np.dtype(np.uint16),
    "F": np.dtype(np.float32),
}


def open_picture(path: Path, wanted: Wanted) -> MovieSource:
    """Open one PNG, JPEG or BMP; it is read at once.

    Raises
    ------
    FormatError
        If the file is broken.
    """
    wanted.series_index([path.stem], path)
    pixels = read_picture(path, are_ids=wanted.are_ids)
    letters = "YX" if pixels.ndim == 2 else "YXS"
    return Stored(pixels, letters).as_movie(wanted, path, path.stem)


def read_picture(path: Path, *, are_ids: bool = False) -> np.ndarray:
    """Return the pixels of a picture, grey ones without alpha.

    Parameters
    ----------
    path : Path
        Of one picture.
    are_ids : bool, default False
        Whether the entries of a palette are ids; else they are colours.

    Returns
    -------
    (Y, X), (Y, X, 3) or (Y, X, 4) array
        16-bit grey stays 16-bit.

    Raises
    ------
    FormatError
        If the file is broken, or its ids are blurred by its compression.
    """
    from PIL import Image

    with reading(path), Image.open(path) as picture:
        if are_ids:
            _require_exact(picture, path)
        return _pixels(picture, are_ids)


def picture_layout(
    path: Path, *, are_ids: bool = False
) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape and dtype that `read_picture` will give, from the header.

    Raises
    ------
    FormatError
        If the file is no picture.
    """
    from PIL import Image

    with reading(path), Image.open(path) as picture:
        grid = (picture.height, picture.width)
        if are_ids:
            _require_exact(picture, path)
            if picture.mode == "P":
                return grid, np.dtype(np.uint8)
        if picture.mode in GREY_TYPES:
            return grid, GREY_TYPES[picture.mode]
        return (*grid, len(_colour_mode(picture))), np.dtype(np.uint8)


def open_gif(path: Path, wanted: Wanted) -> MovieSource:
    """Open an animated GIF; its frames are read in colour, one at a time.

    Raises
    ------
    FormatError
        If the file is broken.
    """
    from PIL import Image

    wanted.series_index([path.stem], path)
    with reading(path):
        # Stays open: from the start, every frame would cost all those before it.
        picture = Image.open(path)
        frames = getattr(picture, "n_frames", 1)
    lock = Lock()

    def read(frame: int) -> np.ndarray:
        with lock, reading(path):
            picture.seek(frame)
            return np.asarray(picture.convert("RGB"))

    shape = (frames, picture.height, picture.width, 3)
    stored = Stored(FrameArray(shape, np.uint8, read), "TYXS")
    return stored.as_movie(wanted, path, path.stem)


def _pixels(picture: Image, are_ids: bool = False) -> np.ndarray:
    if are_ids and picture.mode == "P":
        return np.asarray(picture)
    if picture.mode not in GREY_TYPES:
        return np.asarray(picture.convert(_colour_mode(picture)))
    grey: Any = picture.convert("L") if picture.mode == "LA" else picture
    return np.asarray(grey).astype(GREY_TYPES[picture.mode])


def _require_exact(picture: Image, path: Path) -> None:
    if picture.format == "JPEG":
        raise FormatError(
            f"{path} is a JPEG, which does not keep the ids of objects exactly; export "
            "it as PNG or TIFF"
        )


def _colour_mode(picture: Image) -> str:
    return "RGBA" if picture.mode == "RGBA" else "RGB"
