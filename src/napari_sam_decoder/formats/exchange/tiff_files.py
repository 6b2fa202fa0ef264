"""Labels as OME-TIFF, and as the TIFF that ImageJ reads with axes and scale."""

from __future__ import annotations

import json
import os
import zlib
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import FormatError, LabelsError, wrap_write_errors
from napari_sam_decoder.formats.movie_source import UNIT_SYMBOLS, unit_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_sam_decoder.formats.exchange.label_movie import LabelMovie

__all__ = ["write_imagej", "write_ome_tiff"]

CLASSIC_BYTES = 2**32 - 2**25
"""Classic TIFF has 32-bit offsets; some bytes are reserved for the page tables."""
IMAGEJ_DTYPE = np.dtype(np.uint16)
UNKNOWN_UNIT = "reference frame"
"""What OME-XML calls a unit that is none of its own."""


def write_ome_tiff(movie: LabelMovie, path: Path) -> Iterator[int]:
    """Write an OME-TIFF with axes, pixel sizes and the provenance as its description.

    Parameters
    ----------
    movie : LabelMovie
        What to write.
    path : Path
        Replaced when all frames are written.

    Yields
    ------
    int
        Each frame, when it is done.

    Raises
    ------
    FormatError
        If the disk cannot be written.
    """
    import tifffile

    with (
        wrap_write_errors(path),
        atomic_write(path, f".partial-{os.getpid()}.ome.tif") as partial,
        TemporaryFile(dir=path.parent) as spool,
    ):
        sizes = []
        for frame in range(len(movie)):
            sizes.append(spool.write(zlib.compress(movie.frame(frame).tobytes())))
            yield frame
        tifffile.imwrite(
            partial,
            _parts(spool, sizes),
            shape=movie.shape,
            dtype=movie.dtype,
            ome=True,
            bigtiff=sum(sizes) > CLASSIC_BYTES,
            photometric="minisblack",
            compression="zlib",
            rowsperstrip=movie.shape[1],
            metadata=_ome_metadata(movie, path.name.split(".")[0]),
        )


def _parts(spool: IO[bytes], sizes: Sequence[int]) -> Iterator[bytes]:
    spool.seek(0)
    for size in sizes:
        yield spool.read(size)


def _ome_metadata(movie: LabelMovie, name: str) -> dict[str, Any]:
    provenance = json.dumps(dict(movie.provenance))
    metadata = {"axes": movie.axes, "Name": name, "Description": provenance}
    if movie.scale is None:
        return metadata
    first, row, column = movie.scale
    name = unit_name(movie.unit)
    unit = UNIT_SYMBOLS.get(name, UNKNOWN_UNIT) if name else "pixel"
    sizes: dict[str, Any] = {
        "PhysicalSizeY": row,
        "PhysicalSizeYUnit": unit,
        "PhysicalSizeX": column,
        "PhysicalSizeXUnit": unit,
    }
    if movie.axes == "TYX":
        return metadata | sizes | {"TimeIncrement": first}
    return metadata | sizes | {"PhysicalSizeZ": first, "PhysicalSizeZUnit": unit}


def write_imagej(movie: LabelMovie, path: Path) -> Iterator[int]:
    """Write a TIFF that ImageJ opens as a stack of slices or time points.

    Otherwise as `write_ome_tiff`. The provenance is what ImageJ shows as Info.

    Raises
    ------
    FormatError
        If it would be larger than 4 GB, or the disk cannot be written.
    LabelsError
        If an object id is larger than 65535. Nothing is replaced then.
    """
    import tifffile

    if np.prod(movie.shape) * IMAGEJ_DTYPE.itemsize > CLASSIC_BYTES:
        raise FormatError(
            f"{path} would have more than 4 GB, which ImageJ does not read; write an "
            "OME-TIFF (a name that ends in .ome.tif)"
        )
    with (
        wrap_write_errors(path),
        atomic_write(path, f".partial-{os.getpid()}.tif") as partial,
    ):
        pages = tifffile.memmap(
            partial, shape=movie.shape, dtype=IMAGEJ_DTYPE, **_imagej_options(movie)
        )
        for frame in range(len(movie)):
            pages[frame] = _fitting(movie.frame(frame))
            yield frame
        pages.flush()
        # Windows does not move a file that is still mapped.
        del pages


def _imagej_options(movie: LabelMovie) -> dict[str, Any]:
    provenance = json.dumps(dict(movie.provenance))
    metadata: dict[str, Any] = {"axes": movie.axes, "Info": provenance}
    options: dict[str, Any] = {"imagej": True, "metadata": metadata}
    if movie.scale is not None:
        first, row, column = movie.scale
        options["resolution"] = (1 / column, 1 / row)
        key = "spacing" if movie.axes == "ZYX" else "finterval"
        metadata |= {"unit": movie.unit or "pixel", key: first}
    return options


def _fitting(plane: np.ndarray) -> np.ndarray:
    highest = np.iinfo(IMAGEJ_DTYPE).max
    if plane.size and plane.max() > highest:
        raise LabelsError(
            f"object {plane.max()} is more than {highest}, the highest id that ImageJ "
            "shows; write an OME-TIFF (a name that ends in .ome.tif)"
        )
    return plane.astype(IMAGEJ_DTYPE, copy=False)
