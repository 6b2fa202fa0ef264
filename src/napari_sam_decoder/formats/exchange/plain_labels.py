"""Labels as this program itself keeps them, with their provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_decoder.formats.label_files import LabelSink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_decoder.formats.exchange.label_movie import LabelMovie

__all__ = ["write_plain_labels"]


def write_plain_labels(movie: LabelMovie, path: Path) -> Iterator[int]:
    """Write a zarr array or a TIFF, as `LabelSink` does.

    Yields
    ------
    int
        Each frame, when it is written.

    Raises
    ------
    FormatError
        If it cannot be written there.
    """
    with LabelSink(path, movie.shape, movie.dtype, movie.axes) as sink:
        for frame in range(len(movie)):
            plane = movie.frame(frame)
            if plane.any():
                sink.write(frame, plane)
            yield frame
        sink.finish(movie.provenance)
