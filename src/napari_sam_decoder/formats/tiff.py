"""TIFF stacks, page by page: plain, ImageJ, OME, compressed, BigTIFF."""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats.failure import reading
from napari_sam_decoder.formats.source import (
    FrameArray,
    MovieSource,
    choose_axes,
    scale_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tifffile import TiffFile, TiffPageSeries

__all__ = ["TiffStack", "open_tiff"]


class TiffStack:
    """The frames of a TIFF file; the file is open only while one of them is read.

    A file that stays open could not be replaced on Windows, and a movie has no
    moment at which it is closed.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    axes : str
    shape : tuple of int
        In the order of `axes`, colours last.
    dtype : dtype
        In the byte order of this machine.
    scale : tuple of float or None

    Raises
    ------
    FormatError
        If the file is broken or holds no movie.
    """

    def __init__(self, path: Path) -> None:
        from tifffile import TiffFile

        self._path = path
        self._lock = RLock()
        with reading(path), TiffFile(path) as tiff:
            self._series = _only_series(tiff, path)
            letters, shape = _colours_last(self._series.axes, self._series.shape)
            choice = choose_axes(letters, shape, path)
            self.axes = choice.axes
            self.shape = tuple(int(shape[index]) for index in choice.kept)
            self.dtype = np.dtype(self._series.dtype).newbyteorder("=")
            self.scale = scale_of(_pixel_sizes(tiff), self.axes)
            self._is_one_run = self._series.dataoffset is not None
            self._offset = self._series.dataoffset or 0
            self._stored_dtype = self.dtype.newbyteorder(tiff.byteorder)
            self._file = tiff.filehandle
            if not (self._has_whole_run() and _has_all_pages(tiff)):
                raise FormatError(
                    f"{path} is cut off: its end is missing; copy or export it again"
                )

    @property
    def is_picture(self) -> bool:
        """Whether there is one frame and no axis for more."""
        return self.axes[0] == "Y"

    def read(self, frame: int) -> np.ndarray:
        """Return the pixels of a frame; may be called from any thread.

        Raises
        ------
        FormatError
            If its bytes are missing or broken.
        """
        with self._lock, reading(self._path):
            pixels = self._from_offset(frame) if self._is_one_run else self._page(frame)
            return pixels.astype(self.dtype, copy=False)

    @property
    def _frame_shape(self) -> tuple[int, ...]:
        return self.shape if self.is_picture else self.shape[1:]

    @property
    def _is_planar(self) -> bool:
        """Whether the colours of a frame lie as separate planes."""
        return self.axes.endswith("C") and not self._series.axes.endswith(("S", "C"))

    def _has_whole_run(self) -> bool:
        needed = self._offset + self.dtype.itemsize * int(np.prod(self.shape))
        return not self._is_one_run or needed <= self._file.size

    def _from_offset(self, frame: int) -> np.ndarray:
        """Read pixels that lie in one run, as ImageJ stores them under one page."""
        count = int(np.prod(self._frame_shape))
        with _opened(self._file):
            pixels = self._file.read_array(
                self._stored_dtype,
                count,
                self._offset + frame * count * self.dtype.itemsize,
            )
        return self._arranged(pixels)

    def _page(self, frame: int) -> np.ndarray:
        with _opened(self._file):
            page = self._series.pages[frame]
            if page is None:
                raise FormatError(
                    f"{self._path} promises a frame {frame} that it does not hold; "
                    "keep the files of the movie together, or export it again"
                )
            with _opened(page.parent.filehandle):
                return self._arranged(page.asarray())

    def _arranged(self, pixels: np.ndarray) -> np.ndarray:
        if not self._is_planar:
            return pixels.reshape(self._frame_shape)
        rows, columns, colours = self._frame_shape
        return np.moveaxis(pixels.reshape(colours, rows, columns), 0, -1)


def open_tiff(path: Path) -> MovieSource:
    """Open a TIFF file; only a single picture is read at once.

    Raises
    ------
    FormatError
        If the file is broken or holds no movie.
    """
    stack = TiffStack(path)
    data: Any = FrameArray(stack.shape, stack.dtype, stack.read)
    if stack.is_picture:
        data = stack.read(0)
    return MovieSource(data, stack.axes, stack.scale, path.stem)


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


def _has_all_pages(tiff: TiffFile) -> bool:
    """Whether tifffile, which makes do with what it finds, has found everything."""
    layout, file, series = tiff.tiff, tiff.filehandle, tiff.series[0]
    promised = (tiff.imagej_metadata or {}).get("images", 1)
    if series.kind != "imagej" and promised > len(series.pages):
        return False
    file.seek(tiff.pages[len(tiff.pages) - 1].offset)
    (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(tags * layout.tagsize, os.SEEK_CUR)
    (following,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
    return bool(following == 0)


def _only_series(tiff: TiffFile, path: Path) -> TiffPageSeries:
    if len(tiff.series) == 1:
        return tiff.series[0]
    shapes = [" x ".join(map(str, series.shape)) for series in tiff.series]
    raise FormatError(
        f"{path} holds pictures of different shapes ({', '.join(shapes[:4])}); export "
        "those of one shape to their own file"
    )


def _colours_last(axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Move the colour planes of a page (samples, not channels) behind its pixels."""
    if not axes.endswith("SYX"):
        return axes, shape
    return f"{axes[:-3]}YXS", (*shape[:-3], *shape[-2:], shape[-3])


def _pixel_sizes(tiff: TiffFile) -> dict[str, Any]:
    if tiff.is_ome:
        return _ome_sizes(tiff)
    if tiff.is_imagej:
        return _imagej_sizes(tiff)
    return {}


def _ome_sizes(tiff: TiffFile) -> dict[str, Any]:
    from tifffile import xml2dict

    image = xml2dict(tiff.ome_metadata or "")["OME"]["Image"]
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    sizes = {letter: pixels.get(f"PhysicalSize{letter}") for letter in "ZYX"}
    return {"T": pixels.get("TimeIncrement"), **sizes}


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
