"""CZI files of Zeiss' ZEN, plane by plane, with their tiles put together."""

from __future__ import annotations

import warnings
import weakref
from contextlib import ExitStack
from functools import partial
from math import prod
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import numpy as np

from napari_sam_decoder.axes import position_name
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
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pylibCZIrw.czi import CziReader

__all__ = ["CZI_SUFFIXES", "open_czi"]

CZI_SUFFIXES = (".czi",)

_ORDER = "TZCVHIRB"
"""Of the axes that count planes; the file has none."""
_SCENE = "S"
_DTYPES = {"Gray8": "u1", "Gray16": "u2", "Gray32Float": "f4"}
_COLOUR_DTYPES = {"Bgr24": "u1", "Bgr48": "u2", "Bgr96Float": "f4"}
_MICROMETRES = 1e6
"""In the metre of the file."""
_DIMENSIONS = "./Metadata/Information/Image/Dimensions"


def open_czi(path: Path, options: OpenOptions) -> MovieSource:
    """Open a scene of the file, which stays open.

    Raises
    ------
    MissingExtraError
        If the library for reading such files is not installed.
    FormatError
        If the file is corrupt or not a movie, or one of several must be chosen.

    Warns
    -----
    IncompleteFileWarning
        If recording was stopped within the last entry of the first axis.
    """
    czi = import_reader("pylibCZIrw.czi", "czi", path)
    with wrap_read_errors(path), ExitStack() as opened:
        reader = opened.enter_context(czi.open_czi(str(path)))
        noted = ElementTree.fromstring(reader.raw_metadata)
        tiles = _tiles_of_scene(_all_tiles(reader), noted, options, path)
        planes = CziPlanes(reader, tiles, path)
        weakref.finalize(planes, opened.pop_all().close)
        pixels = FrameArray(
            planes.shape, planes.dtype, planes.read, len(planes.counted)
        )
        stored = StoredArray(
            pixels,
            planes.letters,
            dict(_pixel_sizes(noted)),
            _channel_names(noted, planes.counted.get("C", 1)),
            "um",
        )
    if planes.notice:
        warnings.warn(f"{path}: {planes.notice}", IncompleteFileWarning, stacklevel=2)
    return stored.as_movie(options, path, path.stem)


class _Tile(NamedTuple):
    """Pixels in a file: a plane or a part of one.

    Attributes
    ----------
    at : dict of str to int
        Where along the axes but rows and columns, and in which scene (S).
    left, top, right, bottom : int
        The first column and row, and those after the last.
    kind : str
        Type of its pixels.
    """

    at: dict[str, int]
    left: int
    top: int
    right: int
    bottom: int
    kind: str


class CziPlanes:
    """The planes of a scene, each of one channel, or of colours.

    Parameters
    ----------
    reader : CziReader
        Open.
    tiles : sequence of _Tile
        Those of the scene.
    path : Path
        Named in messages.

    Attributes
    ----------
    counted : dict of str to int
        Lengths of the axes that count planes, in their order.
    letters : str
        Of all axes.
    shape : tuple of int
        Of all axes.
    dtype : dtype
        That holds the pixels of every channel.
    notice : str
        What is missing at the end; empty if nothing is.

    Raises
    ------
    NotImplementedError
        If the pixels are of a type that is not read.
    """

    def __init__(self, reader: CziReader, tiles: Sequence[_Tile], path: Path) -> None:
        self._reader, self._path = reader, path
        self._lock = Lock()
        self._scene = tiles[0].at.get(_SCENE)
        self._left = min(tile.left for tile in tiles)
        self._top = min(tile.top for tile in tiles)
        width = max(tile.right for tile in tiles) - self._left
        height = max(tile.bottom for tile in tiles) - self._top
        noted = {axis for tile in tiles for axis in tile.at}
        axes = [letter for letter in _ORDER if letter in noted]
        # A part of a recording that was saved by itself counts as in the whole.
        self._first = {
            axis: min(tile.at.get(axis, 0) for tile in tiles) for axis in axes
        }
        lengths = {
            axis: max(tile.at.get(axis, 0) for tile in tiles) - first + 1
            for axis, first in self._first.items()
        }
        self.counted = {axis: length for axis, length in lengths.items() if length > 1}
        self._there = {
            tuple(tile.at.get(axis, 0) - self._first[axis] for axis in self.counted)
            for tile in tiles
        }
        self.notice = self._cut_what_is_missing()
        self._kinds = {tile.at.get("C", 0): tile.kind for tile in tiles}
        kinds = set(self._kinds.values())
        self._has_colours = kinds <= _COLOUR_DTYPES.keys()
        known = _COLOUR_DTYPES if self._has_colours else _DTYPES
        if not kinds <= known.keys():
            raise NotImplementedError(f"pixels of type {', '.join(sorted(kinds))}")
        self.dtype = np.result_type(*(known[kind] for kind in kinds))
        self.letters = f"{''.join(self.counted)}YX{'S' if self._has_colours else ''}"
        colours = (3,) if self._has_colours else ()
        self._sides = (height, width)
        self.shape = (*self.counted.values(), *self._sides, *colours)

    def read(self, number: int) -> LazyFrame:
        """Return a plane, given its number; from any thread.

        Raises
        ------
        FormatError
            If it was not recorded.
        """
        place = np.unravel_index(number, tuple(self.counted.values()))
        index = tuple(map(int, place))
        named = dict(zip(self.counted, index, strict=True))
        if index not in self._there:
            raise FormatError(
                f"{self._path} has no pixels at {position_name(named)}; use frames and "
                "channels that were recorded"
            )
        at = {axis: first + named.get(axis, 0) for axis, first in self._first.items()}
        return LazyFrame(partial(self._read, at))

    def _cut_what_is_missing(self) -> str:
        """Leave the last entry of the first axis out if it alone is not whole."""
        each = prod(self.counted.values())
        if len(self._there) == each:
            return ""
        first, length = next(iter(self.counted.items()))
        before = {place for place in self._there if place[0] < length - 1}
        if len(before) < each - each // length:
            return ""
        self.counted[first] = length - 1
        return (
            f"of {first}={length} the last was recorded in part, and is left out; if "
            "that is too few, export it again"
        )

    def _read(self, at: dict[str, int], key: tuple[Any, ...]) -> np.ndarray:
        """Read the tiles that an index touches."""
        if not all(isinstance(part, slice | int | np.integer) for part in key):
            whole = self._read(at, ())
            return np.asarray(whole[key])
        parts = (*key[:2], *(slice(None),) * (2 - len(key)))
        rows, columns = map(_Span.of, parts, self._sides)
        roi = (
            *(self._left + columns.start, self._top + rows.start),
            *(columns.length, rows.length),
        )
        with self._lock, wrap_read_errors(self._path):
            pixels = self._reader.read(
                roi=roi,
                plane=at,
                scene=self._scene,
                pixel_type=self._kinds[at.get("C", 0)],
            )
            # Colours are in the order blue, green, red; grey ones are an axis, too.
            meant = pixels[..., ::-1] if self._has_colours else pixels[..., 0]
            return np.array(meant[(rows.within, columns.within, *key[2:])], self.dtype)


class _Span(NamedTuple):
    """What an index touches along an axis, and what of that it takes."""

    start: int
    length: int
    within: Any

    @classmethod
    def of(cls, part: Any, length: int) -> _Span:
        touched = range(length)[part]
        if isinstance(touched, int):
            return cls(touched, 1, 0)
        if not touched:
            return cls(0, 1, slice(0))
        low, high = sorted((touched[0], touched[-1]))
        return cls(low, high - low + 1, slice(None, None, touched.step))


def _all_tiles(reader: CziReader) -> list[_Tile]:
    """List the pixels in full resolution."""
    tiles: list[_Tile] = []

    def note(_: int, found: Any) -> bool:
        place = found.logicalRect
        right, bottom = place.x + place.w, place.y + place.h
        corners = (place.x, place.y, right, bottom)
        tiles.append(_Tile(found.coordinate.to_dict(), *corners, found.pixelType.name))
        return True

    reader.enumerate_subblocks_subset(note, only_layer0=True)
    return tiles


def _tiles_of_scene(
    tiles: list[_Tile], noted: ElementTree.Element, options: OpenOptions, path: Path
) -> list[_Tile]:
    if not tiles:
        raise FormatError(f"{path} holds no images; check the path")
    numbers = sorted({tile.at.get(_SCENE, 0) for tile in tiles})
    names = {
        scene.get("Index"): scene.get("Name")
        for scene in noted.iterfind(f"{_DIMENSIONS}/S/Scenes/Scene")
    }
    listed = [names.get(str(number)) or str(number) for number in numbers]
    chosen = numbers[options.require_series(listed, path)]
    return [tile for tile in tiles if tile.at.get(_SCENE, 0) == chosen]


def _channel_names(noted: ElementTree.Element, count: int) -> tuple[str, ...]:
    channels = noted.iterfind(f"{_DIMENSIONS}/Channels/Channel")
    names = tuple(channel.get("Name", "") for channel in channels)
    return names if len(names) == count and all(names) else ()


def _pixel_sizes(noted: ElementTree.Element) -> Iterator[tuple[str, float]]:
    """Yield the size of a pixel along each axis, in micrometres and seconds."""
    for distance in noted.iterfind("./Metadata/Scaling/Items/Distance"):
        size = _number(distance.findtext("Value"))
        if size is not None:
            yield distance.get("Id", ""), size * _MICROMETRES
    interval = noted.findtext(f"{_DIMENSIONS}/T/Positions/Interval/Increment")
    seconds = _number(interval)
    if seconds is not None:
        yield "T", seconds


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
