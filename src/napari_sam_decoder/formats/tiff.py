"""TIFF stacks, page by page: plain, ImageJ, OME, compressed, BigTIFF."""

from __future__ import annotations

import os
import struct
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
    MovieSource,
    OpenOptions,
    StoredArray,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tifffile import TiffFile, TiffPageSeries

__all__ = ["PhotometricInterpretation", "TiffStack", "open_tiff"]

_IS_WHITE = 0
_IS_INK = 5


@dataclass(frozen=True)
class PhotometricInterpretation:
    """How the numbers of a file are to be read.

    Attributes
    ----------
    is_imagej : bool
        Whether ImageJ wrote it: its lookup tables, inverted ones too, are for looking
        at only, and its numbers stand for themselves.
    are_ids : bool
        Whether they are ids of objects rather than intensities.
    """

    GREY: ClassVar = (0, 1)
    PALETTE: ClassVar = 3

    is_imagej: bool
    are_ids: bool

    def makes_colours(self, page: Any) -> bool:
        """Whether the numbers of a page are looked up in its palette."""
        is_plain = self.is_imagej or self.are_ids
        return page.photometric == self.PALETTE and not is_plain

    def apply(self, pixels: np.ndarray, page: Any) -> np.ndarray:
        """Turn the numbers of a page into what they stand for.

        Parameters
        ----------
        pixels : array
            As they are stored.
        page : tifffile.TiffPage
            Its tags count.

        Returns
        -------
        array
            With a last axis of red, green and blue, uint8, if `makes_colours`; else
            of the same shape and type, where 0 is black.

        Raises
        ------
        FormatError
            If the colours are those of ink.
        """
        if page.photometric == _IS_INK:
            raise FormatError("its colours are CMYK; convert it to RGB")
        if self.makes_colours(page):
            return _looked_up(pixels, np.asarray(page.colormap))
        if page.photometric == _IS_WHITE and not self.is_imagej:
            return self._inverted(pixels, int(page.bitspersample))
        return pixels

    def _inverted(self, pixels: np.ndarray, bits: int) -> np.ndarray:
        """Make 0 black; but ids of more than one bit that are no mask stay."""
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
    """Whether pixels are black and white; black ones alone may be without any id."""
    is_high = pixels == white
    return bool(is_high.any() and (is_high | (pixels == 0)).all())


def _looked_up(pixels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    # Some programs write 8 bits where the format wants 16.
    shift = 8 if palette.max() > 255 else 0
    colours: np.ndarray = (palette >> shift).astype(np.uint8).T[pixels]
    return colours


# Kinds of tifffile's series that are made of whatever pages there are.
LOOSE_KINDS = ("shaped", "generic", "uniform")


class PageLocation(NamedTuple):
    """Where a page is: the series, and which of its pages."""

    series: TiffPageSeries
    number: int


class TiffStack:
    """The pages of a TIFF file; the file is open only while one of them is read.

    A file that stays open could not be replaced on Windows, and a movie has no
    moment at which it is closed.

    Parameters
    ----------
    path : Path
    wanted : Wanted, optional
        Which series, and whether values are ids.

    Attributes
    ----------
    stored : Stored
        Its type is in the byte order of this machine.

    Raises
    ------
    FormatError
        If the file is broken, or holds several movies to choose from.

    Warns
    -----
    IncompleteFileWarning
        If it holds more pages than it says, or fewer and the rest is whole.
    """

    def __init__(self, path: Path, wanted: OpenOptions | None = None) -> None:
        from tifffile import TiffFile

        wanted = wanted or OpenOptions()
        self._path = path
        self._lock = RLock()
        with wrap_read_errors(path), TiffFile(path) as tiff:
            parts = _choose_series(tiff, wanted, path)
            first = parts[0]
            counting = first.ndim - _page_ndim(first)
            self._file = tiff.filehandle
            self._byteorder = tiff.byteorder
            self._page_shape = tuple(first.shape[counting:])
            self._photometry = PhotometricInterpretation(tiff.is_imagej, wanted.are_ids)
            self._places = _in_order(parts)
            _require_whole(tiff, parts, path)
            notice = _count_notice(tiff, parts)
            self.stored = self._described(tiff, parts, counting)
        if notice:
            warnings.warn(f"{path}: {notice}", IncompleteFileWarning, stacklevel=2)

    def read(self, number: int) -> np.ndarray:
        """Return the pixels of a page; may be called from any thread.

        Raises
        ------
        FormatError
            If its bytes are missing or broken.
        """
        place = self._places[number]
        with self._lock, wrap_read_errors(self._path), _opened(self._file):
            if place.series.dataoffset is None:
                pixels = self._from_page(place, number)
            else:
                pixels = self._from_run(place)
            pixels = pixels.reshape(self._page_shape)
            meant = self._photometry.apply(pixels, place.series.keyframe)
            return meant.astype(self.stored.data.dtype, copy=False)

    def _described(
        self, tiff: TiffFile, parts: Sequence[TiffPageSeries], counting: int
    ) -> StoredArray:
        first = parts[0]
        letters, counted = first.axes, tuple(first.shape[:counting])
        if len(parts) > 1:
            letters, counted = f"T{letters[counting:]}", (len(self._places),)
        elif missing := _missing_at_end(first):
            left = len(self._places) - missing
            counted = (left * counted[0] // len(self._places), *counted[1:])
        dtype = np.dtype(first.dtype).newbyteorder("=")
        page = np.empty((0,) * len(self._page_shape), dtype)
        shape = (*counted, *self._page_shape)
        if self._photometry.makes_colours(first.keyframe):
            page, shape, letters = page.astype(np.uint8), (*shape, 3), f"{letters}S"
        return StoredArray(
            FrameArray(shape, page.dtype, self.read, len(counted)),
            _spelled(letters, shape, first.keyframe),
            _pixel_sizes(tiff, first),
            _channel_names(tiff, first),
        )

    def _from_run(self, place: PageLocation) -> np.ndarray:
        """Read pixels that lie in one run, as ImageJ stores them under one page."""
        dtype = np.dtype(place.series.dtype).newbyteorder(self._byteorder)
        count = int(np.prod(self._page_shape))
        offset = (place.series.dataoffset or 0) + place.number * count * dtype.itemsize
        pixels: np.ndarray = self._file.read_array(dtype, count, offset)
        return pixels

    def _from_page(self, place: PageLocation, number: int) -> np.ndarray:
        page = place.series.pages[place.number]
        if page is None:
            raise FormatError(
                f"{self._path} promises a frame {number} that it does not hold; "
                "keep the files of the movie together, or export it again"
            )
        with _opened(page.parent.filehandle):
            pixels: np.ndarray = page.asarray()
            return pixels


def open_tiff(path: Path, wanted: OpenOptions) -> MovieSource:
    """Open a TIFF file; only a single picture is read at once.

    Raises
    ------
    FormatError
        If the file is broken or holds no movie.
    """
    stack = TiffStack(path, wanted)
    source = stack.stored.as_movie(wanted, path, path.stem)
    if source.axes is not None and source.axes[0] == "Y":
        return replace(source, data=np.asarray(source.data[...]))
    return source


@contextmanager
def _opened(file: Any) -> Iterator[None]:
    """Open a tifffile handle again for a while, unless it is open already."""
    if not file.closed:
        yield
        return
    file.open()
    try:
        yield
    finally:
        file.close()


def _choose_series(
    tiff: TiffFile, wanted: OpenOptions, path: Path
) -> list[TiffPageSeries]:
    """Pick the series that is asked for; all of them where each is only a frame."""
    # Thumbnails, levels of a pyramid and masks are no movies of their own.
    series = [part for part in tiff.series if not part.keyframe.subfiletype & 0b101]
    series = series or list(tiff.series)
    names = [_series_name(part) for part in series]
    chosen = wanted.series_index(names, path)
    if chosen is not None:
        return [series[chosen]]
    if len(series) == 1 or _are_frames(series):
        return series
    raise FormatError(
        f"{path} holds several pictures or movies of their own; choose one with "
        f"{SERIES_OPTION}: {numbered_list(len(names), names)}"
    )


def _series_name(series: TiffPageSeries) -> str:
    return series.name or " x ".join(map(str, series.shape))


def _are_frames(series: Sequence[TiffPageSeries]) -> bool:
    """Whether series are the frames of one movie, which was written in pieces."""
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
    """Count the last axes of a series that lie within one page."""
    size, axes = 1, 0
    while axes < series.ndim and (axes == 0 or size < series.keyframe.size):
        axes += 1
        size *= series.shape[-axes]
    return axes


def _page_count(series: TiffPageSeries) -> int:
    return int(np.prod(series.shape)) // int(series.keyframe.size)


def _in_order(parts: Sequence[TiffPageSeries]) -> list[PageLocation]:
    """List all pages, those of several series as they follow each other in the file."""
    places = [
        PageLocation(part, number)
        for part in parts
        for number in range(_page_count(part))
    ]
    return places if len(parts) == 1 else sorted(places, key=_page_index)


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
    promised = max(_promised(tiff), sum(map(_page_count, parts)))
    is_short = len(tiff.pages) == 1 < promised and len(parts[0].pages) != promised
    has_rest = parts[0].dataoffset is not None and _page_count(parts[0]) == promised
    runs_out = any(_run_end(part) > tiff.filehandle.size for part in parts)
    if runs_out or not _ends_properly(tiff) or (is_short and not has_rest):
        held = _held(tiff, parts)
        counts = f"it promises {promised} pictures and holds {held}; "
        raise FormatError(
            f"{path} is truncated: its end is missing; "
            f"{counts if held < promised else ''}copy or export it again"
        )


def _run_end(series: TiffPageSeries) -> int:
    if series.dataoffset is None:
        return 0
    size = int(np.prod(series.shape)) * np.dtype(series.dtype).itemsize
    return int(series.dataoffset) + size


def _held(tiff: TiffFile, parts: Sequence[TiffPageSeries]) -> int:
    """Count the pictures that are there, as far as that can be told."""
    first = parts[0]
    if first.dataoffset is None or len(tiff.pages) > 1:
        return len(tiff.pages)
    size = int(first.keyframe.size) * np.dtype(first.dtype).itemsize
    return int((tiff.filehandle.size - first.dataoffset) // size)


def _ends_properly(tiff: TiffFile) -> bool:
    """Whether the last page that was found says that it is the last."""
    layout, file = tiff.tiff, tiff.filehandle
    file.seek(tiff.pages[len(tiff.pages) - 1].offset)
    (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(tags * layout.tagsize, os.SEEK_CUR)
    (following,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
    return bool(following == 0)


def _promised(tiff: TiffFile) -> int:
    """How many pictures ImageJ says that there are."""
    return int((tiff.imagej_metadata or {}).get("images", 1))


def _count_notice(tiff: TiffFile, parts: Sequence[TiffPageSeries]) -> str:
    """Say where a file holds another number of pictures than it promises."""
    said = max(_promised(tiff), sum(map(_page_count, parts)))
    missing = _missing(parts[0])
    held = said - missing if missing else len(tiff.pages)
    if missing or (parts[0].kind not in ("imagej", "ome") and said > held > 1):
        return (
            f"it promises {said} pictures, but {held} are there; keep the files of the "
            "movie together, or export it again, if that is too few"
        )
    used = sum(_page_count(part) for part in tiff.series)
    if parts[0].kind in ("imagej", "ome") and used < len(tiff.pages):
        return (
            f"it holds {len(tiff.pages)} pictures, but promises {used}, and only these "
            "are taken; export it again if that is too few"
        )
    return ""


def _missing(series: TiffPageSeries) -> int:
    return sum(page is None for page in _noted_pages(series))


def _missing_at_end(series: TiffPageSeries) -> int:
    """Count missing pages, if they are the last ones along the first axis."""
    pages = [page is not None for page in _noted_pages(series)]
    missing = pages.count(False)
    step = len(pages) // series.shape[0] if missing else 1
    is_end = missing < len(pages) and not any(pages[len(pages) - missing :])
    return missing if is_end and missing % step == 0 else 0


def _noted_pages(series: TiffPageSeries) -> list[Any]:
    """List the pages of a series that may lie in several files, None for a lost one."""
    return list(series.pages) if series.kind == "ome" else []


def _spelled(letters: str, shape: Sequence[int], keyframe: Any) -> str:
    """Spell axes as `pick_axes` does; unnamed ones are time, samples maybe channels."""
    for unnamed in "IQ":
        if "T" not in letters:
            letters = letters.replace(unnamed, "T", 1)
    # Four samples beside each other that are not said to be colours are channels.
    is_grey = keyframe.photometric in PhotometricInterpretation.GREY
    if is_grey and keyframe.samplesperpixel > 3:
        return letters if "C" in letters else letters.replace("S", "C")
    return colours_or_channels(letters, shape)


def _channel_names(tiff: TiffFile, series: TiffPageSeries) -> tuple[str, ...]:
    """Names of the channels, if the file says them."""
    if not tiff.is_ome:
        return tuple(str(name) for name in _imagej_labels(tiff, series))
    channels = _ome_pixels(tiff, series).get("Channel", [])
    channels = channels if isinstance(channels, list) else [channels]
    names = tuple(str(channel.get("Name", "")) for channel in channels)
    return names if all(names) else ()


def _imagej_labels(tiff: TiffFile, series: TiffPageSeries) -> Sequence[Any]:
    """Labels of the first pictures of an ImageJ stack, which are its channels."""
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


def _ome_pixels(tiff: TiffFile, series: TiffPageSeries) -> dict[str, Any]:
    """What the OME metadata say of the picture that a series is."""
    from tifffile import xml2dict

    number = next(place for place, one in enumerate(tiff.series) if one is series)
    try:
        images = xml2dict(tiff.ome_metadata or "")["OME"]["Image"]
        images = images if isinstance(images, list) else [images]
        pixels: dict[str, Any] = images[min(number, len(images) - 1)]["Pixels"]
    # Sizes and names are no reason not to open a movie.
    except (KeyError, TypeError, IndexError, ValueError, SyntaxError):
        return {}
    return pixels


def _imagej_sizes(tiff: TiffFile) -> dict[str, Any]:
    metadata = tiff.imagej_metadata or {}
    sizes = {"T": metadata.get("finterval"), "Z": metadata.get("spacing")}
    if "unit" not in metadata:
        # Without a unit the resolution is that of a printer.
        return sizes
    tags = tiff.pages.first.tags
    for letter in "YX":
        pixels, units = tags.valueof(f"{letter}Resolution", (0, 1))
        sizes[letter] = units / pixels if pixels else None
    return sizes
