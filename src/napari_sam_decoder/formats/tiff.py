"""TIFF stacks, page by page: plain, ImageJ, OME, compressed, BigTIFF."""

from __future__ import annotations

import os
import struct
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from napari_sam_decoder.axes import colours_or_channels, numbered_list
from napari_sam_decoder.errors import (
    FormatError,
    IncompleteFileWarning,
    wrap_read_errors,
)
from napari_sam_decoder.formats.movie_source import (
    SERIES_OPTION,
    FrameArray,
    LazyFrame,
    MovieSource,
    OpenOptions,
    StoredArray,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tifffile import TiffFile, TiffPageSeries

__all__ = ["TIFF_SUFFIXES", "PhotometricInterpretation", "TiffStack", "open_tiff"]

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".lsm", ".stk")
"""Of TIFF files, with those of BigTIFF, Zeiss LSM and MetaMorph."""

_IS_WHITE = 0
_IS_INK = 5


@dataclass(frozen=True)
class PhotometricInterpretation:
    """How stored values map to intensities, colours or ids.

    Attributes
    ----------
    is_imagej : bool
        Whether ImageJ wrote it. Its lookup tables, inverted ones included, only affect
        the display; values are intensities.
    are_ids : bool
        Whether values are object ids rather than intensities.
    """

    GREY: ClassVar = (0, 1)
    PALETTE: ClassVar = 3

    is_imagej: bool
    are_ids: bool

    def makes_colours(self, page: Any) -> bool:
        """Whether the values of a page are looked up in its palette."""
        is_plain = self.is_imagej or self.are_ids
        return page.photometric == self.PALETTE and not is_plain

    def apply(self, pixels: np.ndarray, page: Any) -> np.ndarray:
        """Convert the stored values of a page.

        Parameters
        ----------
        pixels : array
            As stored.
        page : tifffile.TiffPage
            The page, for its tags.

        Returns
        -------
        array
            uint8 with a last axis of red, green and blue if `makes_colours`; else of
            the same shape and dtype, where 0 is black.

        Raises
        ------
        FormatError
            If the colours are CMYK.
        """
        if page.photometric == _IS_INK:
            raise FormatError("its colours are CMYK; convert it to RGB")
        if self.makes_colours(page):
            return _looked_up(pixels, np.asarray(page.colormap))
        if page.photometric == _IS_WHITE and not self.is_imagej:
            return self._inverted(pixels, int(page.bitspersample))
        return pixels

    def _inverted(self, pixels: np.ndarray, bits: int) -> np.ndarray:
        """Make 0 black; ids of several bits stay, unless they are a mask."""
        if pixels.dtype.kind == "b":
            return ~pixels
        white = 2**bits - 1
        if pixels.dtype.kind != "u":
            return pixels
        if self.are_ids and bits > 1 and not _is_mask(pixels, white):
            return pixels
        inverted: np.ndarray = pixels.dtype.type(white) - pixels
        return inverted


def _is_mask(pixels: np.ndarray, white: int) -> bool:
    """Whether pixels are only black and white, with at least some white."""
    is_high = pixels == white
    return bool(is_high.any() and (is_high | (pixels == 0)).all())


def _looked_up(pixels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    # Some programs write 8 bits where the format requires 16.
    shift = 8 if palette.max() > 255 else 0
    colours: np.ndarray = (palette >> shift).astype(np.uint8).T[pixels]
    return colours


# Kinds of tifffile's series that are made of whatever pages the file has.
LOOSE_KINDS = ("shaped", "generic", "uniform")


LARGE_PAGE = 2**22
"""Pixels of a page from which on only the requested part of it is read."""


class PageLocation(NamedTuple):
    """The location of a page: its series and its number there."""

    series: TiffPageSeries
    number: int


class TiffStack:
    """The pages of a TIFF file, which is open only while a page is read.

    An open file could not be replaced on Windows, and a movie is never closed.

    Parameters
    ----------
    path : Path
    options : OpenOptions, optional
        Which series, and whether values are ids.

    Attributes
    ----------
    stored : StoredArray
        Its dtype is in native byte order.

    Raises
    ------
    FormatError
        If the file is corrupt, or one of several movies must be chosen.

    Warns
    -----
    IncompleteFileWarning
        If it holds more pages than it declares, or fewer, but all of them whole.
    """

    def __init__(self, path: Path, options: OpenOptions | None = None) -> None:
        from tifffile import TiffFile

        options = options or OpenOptions()
        self._path = path
        self._lock = RLock()
        with wrap_read_errors(path), TiffFile(path) as tiff:
            _require_an_end(tiff, path)
            parts = _choose_series(tiff, options, path)
            self._file = tiff.filehandle
            self._byteorder = tiff.byteorder
            self._photometry = PhotometricInterpretation(
                tiff.is_imagej, options.are_ids
            )
            _require_whole(tiff, parts, path)
            notice = _count_mismatch(tiff, parts)
            self.stored = self._described(tiff, parts)
        if notice:
            warnings.warn(f"{path}: {notice}", IncompleteFileWarning, stacklevel=2)

    def _described(
        self, tiff: TiffFile, parts: Sequence[TiffPageSeries]
    ) -> StoredArray:
        first = parts[0]
        counting = first.ndim - _page_ndim(first)
        places = _list_pages(parts)
        letters, counted = first.axes, tuple(first.shape[:counting])
        if len(parts) > 1:
            letters, counted = f"T{letters[counting:]}", (len(places),)
        elif missing := _missing_at_end(first):
            left = len(places) - missing
            counted = (left * counted[0] // len(places), *counted[1:])
        if self._photometry.makes_colours(first.keyframe):
            letters = f"{letters}S"
        frames = self._frames(counted, places)
        coarser = (
            self._frames(counted, _list_pages([level])) for level in _levels(parts)
        )
        return StoredArray(
            frames,
            _axis_names(letters, frames.shape, first.keyframe),
            _pixel_sizes(tiff, first),
            _channel_names(tiff, first),
            _unit(tiff, first),
            tuple(coarser),
        )

    def _frames(
        self, counted: tuple[int, ...], places: Sequence[PageLocation]
    ) -> FrameArray:
        """Make an array of pages, whose first axes count them."""
        series = places[0].series
        page_shape = tuple(series.shape[-_page_ndim(series) :])
        dtype, shape = np.dtype(series.dtype).newbyteorder("="), (*counted, *page_shape)
        if self._photometry.makes_colours(series.keyframe):
            dtype, shape = np.dtype(np.uint8), (*shape, 3)
        # Whether ids are a mask, all of a page tells.
        is_large = series.keyframe.size >= LARGE_PAGE and not self._photometry.are_ids

        def read(number: int) -> Any:
            """Read a page; may be called from any thread."""
            part = partial(self._read, places[number], page_shape, dtype)
            return LazyFrame(part) if is_large else part(())

        return FrameArray(shape, dtype, read, len(counted))

    def _read(
        self,
        place: PageLocation,
        page_shape: tuple[int, ...],
        dtype: np.dtype,
        key: tuple[Any, ...],
    ) -> np.ndarray:
        with self._lock, wrap_read_errors(self._path), _opened(self._file):
            inside = key[: len(page_shape)]
            if place.series.dataoffset is None:
                pixels = self._from_page(place, page_shape, inside)
            else:
                pixels = self._from_run(place, page_shape, inside)
            meant = self._photometry.apply(pixels, place.series.keyframe)
            colours = key[len(page_shape) :]
            return meant[(..., *colours)].astype(dtype, copy=False)

    def _from_run(
        self, place: PageLocation, page_shape: tuple[int, ...], key: tuple[Any, ...]
    ) -> np.ndarray:
        """Read pixels from one contiguous run, as ImageJ stores them under one page."""
        dtype = np.dtype(place.series.dtype).newbyteorder(self._byteorder)
        count = int(np.prod(page_shape))
        offset = (place.series.dataoffset or 0) + place.number * count * dtype.itemsize
        if key:
            mapped = self._file.memmap_array(dtype, page_shape, offset)
            return np.array(mapped[key])
        pixels: np.ndarray = self._file.read_array(dtype, count, offset)
        return pixels.reshape(page_shape)

    def _from_page(
        self, place: PageLocation, page_shape: tuple[int, ...], key: tuple[Any, ...]
    ) -> np.ndarray:
        page = place.series.pages[place.number]
        if page is None:
            raise FormatError(
                f"{self._path} declares a frame {place.number} that it does not hold; "
                "keep the files of the movie together, or export it again"
            )
        with _opened(page.parent.filehandle):
            if key and tuple(page.shape) == page_shape and _is_basic(key):
                return _from_segments(page, key)
            pixels: np.ndarray = page.asarray().reshape(page_shape)[key]
            return pixels


def _is_basic(key: tuple[Any, ...]) -> bool:
    """Whether zarr understands an index: integers, and slices that go forward."""
    return all(
        isinstance(part, int | np.integer)
        or (isinstance(part, slice) and (part.step or 1) > 0)
        for part in key
    )


def _from_segments(page: Any, key: tuple[Any, ...]) -> np.ndarray:
    """Decode the tiles or strips of a page that an index touches."""
    import zarr

    array = zarr.open_array(page.aszarr(), mode="r")
    return np.asarray(array[key])


def open_tiff(path: Path, options: OpenOptions) -> MovieSource:
    """Open a TIFF file; a single image is read at once unless it is large.

    Raises
    ------
    FormatError
        If the file is corrupt or not a movie.
    """
    stack = TiffStack(path, options)
    source = stack.stored.as_movie(options, path, path.stem)
    is_picture = source.axes is not None and source.axes[0] == "Y"
    if is_picture and np.prod(source.data.shape) < LARGE_PAGE:
        return replace(source, data=np.asarray(source.data[...]))
    return source


@contextmanager
def _opened(file: Any) -> Iterator[None]:
    """Reopen a tifffile handle temporarily, unless it is open."""
    if not file.closed:
        yield
        return
    file.open()
    try:
        yield
    finally:
        file.close()


def _choose_series(
    tiff: TiffFile, options: OpenOptions, path: Path
) -> list[TiffPageSeries]:
    """Choose the requested series, or all of them if each is a single frame."""
    # Without thumbnails, pyramid levels and masks.
    series = [part for part in tiff.series if not part.keyframe.subfiletype & 0b101]
    series = series or list(tiff.series)
    names = [_series_name(part) for part in series]
    chosen = options.series_index(names, path)
    if chosen is not None:
        return [series[chosen]]
    if len(series) == 1 or _are_frames(series):
        return series
    raise FormatError(
        f"{path} holds several separate images or movies; choose one with "
        f"{SERIES_OPTION}: {numbered_list(len(names), names)}"
    )


def _series_name(series: TiffPageSeries) -> str:
    return series.name or " x ".join(map(str, series.shape))


def _are_frames(series: Sequence[TiffPageSeries]) -> bool:
    """Whether the series are the frames of one movie that was written in pieces."""
    kinds = {
        (
            part.kind in LOOSE_KINDS,
            part.axes[: -_page_ndim(part)] in ("", "Q", "I", "T"),
            part.keyframe.shape,
            part.keyframe.axes,
            part.dtype,
            part.keyframe.photometric == PhotometricInterpretation.PALETTE,
        )
        for part in series
    }
    return len(kinds) == 1 and all(next(iter(kinds))[:2])


def _page_ndim(series: TiffPageSeries) -> int:
    """Count the trailing axes of a series that lie within one page."""
    size, axes = 1, 0
    while axes < series.ndim and (axes == 0 or size < series.keyframe.size):
        axes += 1
        size *= series.shape[-axes]
    return axes


def _page_count(series: TiffPageSeries) -> int:
    return int(np.prod(series.shape)) // int(series.keyframe.size)


def _list_pages(parts: Sequence[TiffPageSeries]) -> list[PageLocation]:
    """List all pages; those of several series in the order of the file."""
    places = [
        PageLocation(part, number)
        for part in parts
        for number in range(_page_count(part))
    ]
    return places if len(parts) == 1 else sorted(places, key=_page_index)


def _levels(parts: Sequence[TiffPageSeries]) -> list[TiffPageSeries]:
    """List the coarser levels of a series that have all of its pages."""
    if len(parts) > 1:
        return []
    first = parts[0]
    return [
        level
        for level in first.levels[1:]
        if level.ndim == first.ndim
        and _page_ndim(level) == _page_ndim(first)
        and _page_count(level) == _page_count(first)
        and not _missing(level)
    ]


def _page_index(place: PageLocation) -> int:
    is_own = len(place.series.pages) > place.number
    page: Any = place.series.pages[place.number] if is_own else place.series.keyframe
    return int(page.index)


def _require_whole(tiff: TiffFile, parts: Sequence[TiffPageSeries], path: Path) -> None:
    """Reject a truncated file; tifffile itself accepts what it finds.

    Raises
    ------
    FormatError
        If so.
    """
    declared = max(_declared_count(tiff), sum(map(_page_count, parts)))
    is_short = len(tiff.pages) == 1 < declared and len(parts[0].pages) != declared
    has_rest = parts[0].dataoffset is not None and _page_count(parts[0]) == declared
    runs_out = any(_run_end(part) > tiff.filehandle.size for part in parts)
    if runs_out or not _ends_properly(tiff) or (is_short and not has_rest):
        held = _present_count(tiff, parts)
        counts = f"it declares {declared} images and holds {held}; "
        raise FormatError(
            f"{path} is truncated: its end is missing; "
            f"{counts if held < declared else ''}copy or export it again"
        )


def _require_an_end(tiff: TiffFile, path: Path) -> None:
    """Reject pages that lead back to an earlier one: tifffile would go on for ever.

    Raises
    ------
    FormatError
        If so.
    """
    seen: set[int] = set()
    offset = int(tiff.pages.first.offset)
    while offset and offset not in seen:
        seen.add(offset)
        try:
            offset = _offset_after(tiff, offset)
        except struct.error:
            # It ends too early, which is met elsewhere.
            return
    if offset:
        raise FormatError(
            f"{path} is damaged: its pages lead back to an earlier one; copy or export "
            "it again"
        )


def _run_end(series: TiffPageSeries) -> int:
    if series.dataoffset is None:
        return 0
    size = int(np.prod(series.shape)) * np.dtype(series.dtype).itemsize
    return int(series.dataoffset) + size


def _present_count(tiff: TiffFile, parts: Sequence[TiffPageSeries]) -> int:
    """Count the images that are present, as far as possible."""
    first = parts[0]
    if first.dataoffset is None or len(tiff.pages) > 1:
        return len(tiff.pages)
    size = int(first.keyframe.size) * np.dtype(first.dtype).itemsize
    return int((tiff.filehandle.size - first.dataoffset) // size)


def _ends_properly(tiff: TiffFile) -> bool:
    """Whether the last page found is marked as the last."""
    return _offset_after(tiff, tiff.pages[len(tiff.pages) - 1].offset) == 0


def _offset_after(tiff: TiffFile, offset: int) -> int:
    """Where in the file the page after one begins; 0 if that is the last."""
    layout, file = tiff.tiff, tiff.filehandle
    file.seek(offset)
    (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(tags * layout.tagsize, os.SEEK_CUR)
    (following,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
    return int(following)


def _declared_count(tiff: TiffFile) -> int:
    """The number of images that ImageJ's metadata declare."""
    return int((tiff.imagej_metadata or {}).get("images", 1))


def _count_mismatch(tiff: TiffFile, parts: Sequence[TiffPageSeries]) -> str:
    """Describe how the count of images differs from the declared one, if it does."""
    said = max(_declared_count(tiff), sum(map(_page_count, parts)))
    missing = _missing(parts[0])
    held = said - missing if missing else len(tiff.pages)
    if missing or (parts[0].kind not in ("imagej", "ome") and said > held > 1):
        return (
            f"it declares {said} images but holds {held}; if that is too few, keep the "
            "files of the movie together or export it again"
        )
    used = sum(_page_count(part) for part in tiff.series)
    if parts[0].kind in ("imagej", "ome") and used < len(tiff.pages):
        return (
            f"it holds {len(tiff.pages)} images but declares {used}, and only these "
            "are used; if that is too few, export it again"
        )
    return ""


def _missing(series: TiffPageSeries) -> int:
    return sum(page is None for page in _listed_pages(series))


def _missing_at_end(series: TiffPageSeries) -> int:
    """Count the missing pages if they are the last ones along the first axis."""
    pages = [page is not None for page in _listed_pages(series)]
    missing = pages.count(False)
    step = len(pages) // series.shape[0] if missing else 1
    is_end = missing < len(pages) and not any(pages[len(pages) - missing :])
    return missing if is_end and missing % step == 0 else 0


def _listed_pages(series: TiffPageSeries) -> list[Any]:
    """List the pages of a series, which may span several files; None if missing."""
    return list(series.pages) if series.kind == "ome" else []


def _axis_names(letters: str, shape: Sequence[int], keyframe: Any) -> str:
    """Name axes as `select_axes` does: unnamed ones are time, samples are channels."""
    for unnamed in "IQ":
        if "T" not in letters:
            letters = letters.replace(unnamed, "T", 1)
    # More than three samples per pixel that are not declared as colours are channels.
    is_grey = keyframe.photometric in PhotometricInterpretation.GREY
    if is_grey and keyframe.samplesperpixel > 3:
        return letters if "C" in letters else letters.replace("S", "C")
    return colours_or_channels(letters, shape)


def _channel_names(tiff: TiffFile, series: TiffPageSeries) -> tuple[str, ...]:
    """Names of the channels, if the file has them."""
    if not tiff.is_ome:
        return tuple(str(name) for name in _imagej_labels(tiff, series))
    channels = _ome_pixels(tiff, series).get("Channel", [])
    channels = channels if isinstance(channels, list) else [channels]
    names = tuple(str(channel.get("Name", "")) for channel in channels)
    return names if all(names) else ()


def _imagej_labels(tiff: TiffFile, series: TiffPageSeries) -> Sequence[Any]:
    """Labels of the first images of an ImageJ stack, which are its channels."""
    if "C" not in series.axes or series.kind != "imagej":
        return ()
    count = series.shape[series.axes.index("C")]
    labels = (tiff.imagej_metadata or {}).get("Labels", ())
    return labels[:count] if isinstance(labels, list) else ()


def _pixel_sizes(tiff: TiffFile, series: TiffPageSeries) -> dict[str, Any]:
    if tiff.is_ome:
        pixels = _ome_pixels(tiff, series)
        sizes = {letter: pixels.get(f"PhysicalSize{letter}") for letter in "ZYX"}
        return {"T": pixels.get("TimeIncrement"), **sizes}
    if tiff.is_imagej:
        return _imagej_sizes(tiff)
    return {}


def _unit(tiff: TiffFile, series: TiffPageSeries) -> str:
    """Unit of the sizes of pixels."""
    if tiff.is_ome:
        # That is what the standard says where the file says nothing.
        return str(_ome_pixels(tiff, series).get("PhysicalSizeXUnit", "um"))
    noted = tiff.imagej_metadata or {} if tiff.is_imagej else {}
    # ImageJ escapes what is not ASCII.
    return str(noted.get("unit", "")).replace("\\u00B5", "u")


def _ome_pixels(tiff: TiffFile, series: TiffPageSeries) -> dict[str, Any]:
    """Return the OME metadata of the image that a series holds."""
    from tifffile import xml2dict

    number = next(place for place, one in enumerate(tiff.series) if one is series)
    try:
        images = xml2dict(tiff.ome_metadata or "")["OME"]["Image"]
        images = images if isinstance(images, list) else [images]
        pixels: dict[str, Any] = images[min(number, len(images) - 1)]["Pixels"]
    # A movie opens without sizes and names.
    except (KeyError, TypeError, IndexError, ValueError, SyntaxError):
        return {}
    return pixels


def _imagej_sizes(tiff: TiffFile) -> dict[str, Any]:
    metadata = tiff.imagej_metadata or {}
    sizes = {"T": metadata.get("finterval"), "Z": metadata.get("spacing")}
    if "unit" not in metadata:
        # Without a unit, the resolution is a print resolution.
        return sizes
    tags = tiff.pages.first.tags
    for letter in "YX":
        pixels, units = tags.valueof(f"{letter}Resolution", (0, 1))
        sizes[letter] = units / pixels if pixels else None
    return sizes
