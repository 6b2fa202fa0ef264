"""ND2 files of Nikon's NIS-Elements, frame by frame."""

from __future__ import annotations

import logging
import warnings
from functools import partial
from math import prod
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import (
    FormatError,
    IncompleteFileWarning,
    wrap_read_errors,
)
from napari_sam_decoder.formats.extras import import_reader
from napari_sam_decoder.formats.movie_source import (
    FrameArray,
    LazyFrame,
    MovieSource,
    OpenOptions,
    StoredArray,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nd2 import ND2File

__all__ = ["ND2_SUFFIXES", "open_nd2"]

_LOG = logging.getLogger(__name__)

ND2_SUFFIXES = (".nd2",)

_POSITION = "P"
_WITHIN_A_FRAME = "CYXS"
_LOSSLESS = "lossless"


def open_nd2(path: Path, options: OpenOptions) -> MovieSource:
    """Open the movie of a stage position; the file is open only while it is read.

    Raises
    ------
    MissingExtraError
        If the library for reading such files is not installed.
    FormatError
        If the file is corrupt or not a movie, or one of several must be chosen.

    Warns
    -----
    IncompleteFileWarning
        If fewer frames were recorded than planned.
    """
    nd2 = import_reader("nd2", "nd2", path)
    with wrap_read_errors(path), nd2.ND2File(path) as file:
        frames = Nd2Frames(file, path, options)
        channels = _described_channels(file)
        stored = StoredArray(
            FrameArray(frames.shape, file.dtype, frames.read, len(frames.counted)),
            frames.letters,
            _pixel_sizes(file, channels),
            tuple(channel.channel.name for channel in channels),
            "um",
        )
    if frames.notice:
        warnings.warn(f"{path}: {frames.notice}", IncompleteFileWarning, stacklevel=2)
    return stored.as_movie(options, path, path.stem)


class Nd2Frames:
    """The frames of one stage position, each with all of its channels.

    Parameters
    ----------
    file : ND2File
        Open.
    path : Path
        Named in messages.
    options : OpenOptions
        The series is the position.

    Attributes
    ----------
    letters : str
        Of the axes.
    counted : dict of str to int
        Lengths of the axes that count frames, in their order.
    shape : tuple of int
        Of all axes.
    notice : str
        What is missing at the end; empty if nothing is.

    Raises
    ------
    FormatError
        If the file is truncated or declares more than it holds, or a position must be
        chosen.
    """

    def __init__(self, file: ND2File, path: Path, options: OpenOptions) -> None:
        self._file, self._path = file, path
        self._lock = Lock()
        sizes = dict(file.sizes)
        self._planned = {
            letter: length
            for letter, length in sizes.items()
            if letter not in _WITHIN_A_FRAME
        }
        self._position = _chosen_position(file, self._planned, options, path)
        self._held = _frames_held(file, path)
        self.counted = {
            letter: length
            for letter, length in self._planned.items()
            if letter != _POSITION
        }
        self.notice = self._cut_what_is_missing()
        within = [letter for letter in sizes if letter in _WITHIN_A_FRAME]
        self.letters = "".join([*self.counted, *within])
        self.shape = (*self.counted.values(), *(sizes[letter] for letter in within))

    def read(self, number: int) -> Any:
        """Return a frame, given its number at the position; from any thread."""
        return LazyFrame(partial(self._read, self._number_in_file(number)))

    def _read(self, number: int, key: tuple[Any, ...]) -> np.ndarray:
        if number >= self._held:
            raise FormatError(
                f"{self._path} declares a frame {number} that was not recorded; use "
                "frames before it"
            )
        with self._lock, wrap_read_errors(self._path), self._file as file:
            # The pixels themselves are only mapped until the file is closed.
            return np.array(file.read_frame(number)[key])

    def _number_in_file(self, number: int) -> int:
        place = np.unravel_index(number, tuple(self.counted.values()))
        at = dict(zip(self.counted, map(int, place), strict=True))
        at[_POSITION] = self._position
        index = tuple(at[letter] for letter in self._planned)
        return int(np.ravel_multi_index(index, tuple(self._planned.values())))

    def _cut_what_is_missing(self) -> str:
        """End the first axis where frames begin to be missing; say so."""
        if self._held >= prod(self._planned.values()) or not self.counted:
            return ""
        first = next(iter(self.counted))
        length = self.counted[first]
        step = prod(self.counted.values()) // length
        whole = sum(
            self._number_in_file((index + 1) * step - 1) < self._held
            for index in range(length)
        )
        if whole == length:
            return ""
        if not whole:
            raise FormatError(
                f"{self._path} is truncated: it declares "
                f"{prod(self._planned.values())} frames and holds {self._held}; copy "
                "or export it again"
            )
        self.counted[first] = whole
        return (
            f"it declares {first}={length} but holds {whole}; if that is too few, "
            "export it again"
        )


def _chosen_position(
    file: ND2File, planned: Mapping[str, int], options: OpenOptions, path: Path
) -> int:
    count = planned.get(_POSITION, 1)
    if count == 1:
        options.series_index([path.stem], path)
        return 0
    return options.require_series(_position_names(file, count), path)


def _position_names(file: ND2File, count: int) -> list[str]:
    points = [
        point
        for loop in file.experiment
        if loop.type == "XYPosLoop"
        for point in loop.parameters.points
    ]
    names = [str(point.name or number) for number, point in enumerate(points)]
    return names if len(names) == count else [*map(str, range(count))]


def _frames_held(file: ND2File, path: Path) -> int:
    """Count the frames that were recorded.

    Raises
    ------
    FormatError
        If the file is too small to hold them: the library would make up black ones.
    """
    noted = file.attributes
    held = int(noted.sequenceCount)
    is_packed = file.is_legacy or noted.compressionType == _LOSSLESS
    size = held * int(noted.heightPx) * int(noted.widthBytes or 0)
    if not is_packed and size > path.stat().st_size:
        raise FormatError(
            f"{path} is damaged or truncated: it declares {held} frames, for which it "
            "is too small; copy or export it again"
        )
    return held


def _described_channels(file: ND2File) -> tuple[Any, ...]:
    """Return what is noted of the channels; nothing if that makes no sense."""
    try:
        return tuple(file.metadata.channels or ())
    # A movie opens without sizes and names.
    except (AttributeError, LookupError, NameError, TypeError, ValueError) as error:
        _LOG.info("%s: the notes on its channels are not read (%r)", file.path, error)
        return ()


def _pixel_sizes(file: ND2File, channels: Sequence[Any]) -> dict[str, Any]:
    """Size of a pixel along each axis, in micrometres and seconds."""
    sizes: dict[str, Any] = {}
    for channel in channels[:1]:
        volume = channel.volume
        sizes = {
            letter: size
            for letter, size, is_known in zip(
                "XYZ", volume.axesCalibration, volume.axesCalibrated, strict=True
            )
            if is_known
        }
    for loop in file.experiment:
        if loop.type == "TimeLoop":
            sizes["T"] = loop.parameters.periodMs / 1000
    return sizes
