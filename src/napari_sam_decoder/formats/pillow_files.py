"""Pictures and animations that Pillow reads."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.formats.failure import reading
from napari_sam_decoder.formats.source import FrameArray, MovieSource

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


def open_picture(path: Path) -> MovieSource:
    """Open one PNG, JPEG or BMP; it is read at once.

    Raises
    ------
    FormatError
        If the file is broken.
    """
    pixels = read_picture(path)
    return MovieSource(pixels, "YX" if pixels.ndim == 2 else "YXC", None, path.stem)


def read_picture(path: Path) -> np.ndarray:
    """Return the pixels of a picture: palettes as colours, grey without alpha.

    Returns
    -------
    (Y, X), (Y, X, 3) or (Y, X, 4) array
        16-bit grey stays 16-bit.

    Raises
    ------
    FormatError
        If the file is broken.
    """
    from PIL import Image

    with reading(path), Image.open(path) as picture:
        return _pixels(picture)


def picture_layout(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape and dtype that `read_picture` will give, from the header.

    Raises
    ------
    FormatError
        If the file is no picture.
    """
    from PIL import Image

    with reading(path), Image.open(path) as picture:
        grid = (picture.height, picture.width)
        if picture.mode in GREY_TYPES:
            return grid, GREY_TYPES[picture.mode]
        return (*grid, len(_colour_mode(picture))), np.dtype(np.uint8)


def open_gif(path: Path) -> MovieSource:
    """Open an animated GIF; its frames are read in colour, one at a time.

    Raises
    ------
    FormatError
        If the file is broken.
    """
    from PIL import Image

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
    return MovieSource(FrameArray(shape, np.uint8, read), "TYXC", None, path.stem)


def _pixels(picture: Image) -> np.ndarray:
    if picture.mode not in GREY_TYPES:
        return np.asarray(picture.convert(_colour_mode(picture)))
    grey: Any = picture.convert("L") if picture.mode == "LA" else picture
    return np.asarray(grey).astype(GREY_TYPES[picture.mode])


def _colour_mode(picture: Image) -> str:
    return "RGBA" if picture.mode == "RGBA" else "RGB"
