"""LIF files of Leica's LAS, frame by frame."""

from __future__ import annotations

import weakref
from math import prod
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import FormatError, wrap_read_errors
from napari_sam_decoder.formats.extras import import_reader
from napari_sam_decoder.formats.movie_source import (
    FrameArray,
    MovieSource,
    OpenOptions,
    StoredArray,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from liffile import LifFile, LifImage

__all__ = ["LIF_SUFFIXES", "open_lif"]

LIF_SUFFIXES = (".lif",)

_DESCRIPTION = "./Data/Image/ImageDescription"
_LETTERS = {"1": "X", "2": "Y", "3": "Z", "4": "T"}
"""By the ids of dimensions in the file."""
_MICROMETRES = 1e6
"""In the metre of the file."""


def open_lif(path: Path, options: OpenOptions) -> MovieSource:
    """Open an image of the file, which stays open.

    Raises
    ------
    MissingExtraError
        If the library for reading such files is not installed.
    FormatError
        If the file is corrupt or not a movie, or one of several must be chosen.
    """
    liffile = import_reader("liffile", "lif", path)
    with wrap_read_errors(path):
        file = liffile.LifFile(path)
        try:
            stored = _stored(file, path, options)
        except BaseException:
            file.close()
            raise
    return stored.as_movie(options, path, path.stem)


def _stored(file: LifFile, path: Path, options: OpenOptions) -> StoredArray:
    images = [image for image in file.images if not image.is_flim]
    if not images:
        raise FormatError(f"{path} holds no images; check the path")
    image: Any = images[options.require_series([one.path for one in images], path)]
    frames = LifFrames(file, image, path)
    lengths = frames.lengths
    counting = len(lengths) - len(image.frames.frame_sizes)
    pixels = FrameArray(tuple(lengths.values()), image.dtype, frames.read, counting)
    return StoredArray(
        pixels, "".join(lengths), dict(_pixel_sizes(image)), _channel_names(image), "um"
    )


class LifFrames:
    """The frames of an image, each of one channel, or of colours.

    Parameters
    ----------
    file : LifFile
        Closed with the last reference to this.
    image : LifImage
        One of its images.
    path : Path
        Named in messages.

    Attributes
    ----------
    lengths : dict of str to int
        Of the axes, in their order.

    Raises
    ------
    FormatError
        If the file ends within the image.
    NotImplementedError
        If channels are at several places among the axes.
    """

    def __init__(self, file: LifFile, image: LifImage, path: Path) -> None:
        # What it takes has no types that fit.
        self._image: Any = image
        self._path = path
        self._lock = Lock()
        self.lengths: dict[str, int] = dict(image.frames.sizes)
        if not all(len(name) == 1 for name in self.lengths):
            raise NotImplementedError(f"axes {', '.join(self.lengths)}")
        within = image.frames.frame_sizes
        self._counted = {
            name: length for name, length in self.lengths.items() if name not in within
        }
        _require_whole(image, path)
        weakref.finalize(self, file.close)

    def read(self, number: int) -> np.ndarray:
        """Return a frame, given its number; from any thread."""
        place = np.unravel_index(number, tuple(self._counted.values()))
        at = dict(zip(self._counted, map(int, place), strict=True))
        with self._lock, wrap_read_errors(self._path):
            frame: np.ndarray = self._image.frame(**at)
        return frame


def _require_whole(image: LifImage, path: Path) -> None:
    """Reject an image that declares more pixels than the file holds.

    Raises
    ------
    FormatError
        If so.
    """
    block = image.memory_block
    declared = prod(image.sizes.values()) * image.dtype.itemsize
    held = min(block.size, path.stat().st_size - block.offset)
    if declared > held:
        raise FormatError(
            f"{path} is truncated or damaged: its image {image.path} declares "
            f"{declared} bytes and holds {held}; copy or export it again"
        )


def _pixel_sizes(image: LifImage) -> Iterator[tuple[str, float]]:
    """Yield the size of a pixel along each axis, in micrometres and seconds."""
    for noted in image.xml_element.iterfind(
        f"{_DESCRIPTION}/Dimensions/DimensionDescription"
    ):
        letter = _LETTERS.get(noted.get("DimID", ""))
        steps = int(noted.get("NumberOfElements", 1)) - 1
        if letter is None or steps < 1:
            continue
        # The length is that from the middle of the first to that of the last.
        size = abs(float(noted.get("Length", 0))) / steps
        unit = noted.get("Unit", "").strip().lower()
        if unit == "m":
            yield letter, size * _MICROMETRES
        elif letter == "T":
            yield letter, size


def _channel_names(image: LifImage) -> tuple[str, ...]:
    """Dyes of the channels, else names of their colours, if these are all different."""
    channels = sorted(
        image.xml_element.iterfind(f"{_DESCRIPTION}/Channels/ChannelDescription"),
        key=lambda noted: int(noted.get("BytesInc", 0)),
    )
    dyes = [
        next(
            (
                (noted.findtext("Value") or "").removeprefix("Leica/")
                for noted in channel.iterfind("ChannelProperty")
                if noted.findtext("Key") == "DyeName"
            ),
            "",
        )
        for channel in channels
    ]
    names = dyes if all(dyes) else [one.get("LUTName", "") for one in channels]
    return tuple(names) if len(set(names)) == len(names) else ()
